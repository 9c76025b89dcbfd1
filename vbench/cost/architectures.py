"""Layer tables of published networks, and what each layer costs by its closed formula.

These stand beside the counters, not on them: they reproduce what papers print, also for networks
that are not built here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Layer(NamedTuple):
    """A convolution: its MACs, its output values, whether a norm follows, deconvolution or not."""

    macs: int
    outputs: int
    normed: bool = False
    transposed_from: int = 0

    @property
    def thop_macs(self) -> int:
        """As thop 0.0.31 counts: a deconvolution by its outputs, two for each normed value."""
        macs = self.outputs * self.transposed_from if self.transposed_from else self.macs
        return macs + 2 * self.outputs * self.normed


Size = tuple[int, int]
# Patches a side of PatchNet's template.
PATCHES = 8


def conv(
    size: Size, channels: int, filters: int, kernel: int, groups: int = 1, normed: bool = False
) -> Layer:
    """A convolution with outputs of `size` (h, w): h w filters (channels / groups) kernel^2."""
    outputs = size[0] * size[1] * filters
    return Layer(outputs * (channels // groups) * kernel**2, outputs, normed)


def deconv(size: Size, channels: int, filters: int, kernel: int, stride: int) -> Layer:
    """A transposed convolution with inputs of `size`: h w channels filters kernel^2."""
    outputs = size[0] * size[1] * stride**2 * filters
    macs = size[0] * size[1] * channels * filters * kernel**2
    return Layer(macs, outputs, transposed_from=channels * kernel**2)


def total(layers: Iterable[Layer]) -> int:
    """MACs of all layers."""
    return sum(layer.macs for layer in layers)


def thop_total(layers: Iterable[Layer]) -> int:
    """MACs of all layers as thop 0.0.31 counts them."""
    return sum(layer.thop_macs for layer in layers)


def half(size: Size) -> Size:
    """Size after a stride of 2 that keeps the border."""
    return -(-size[0] // 2), -(-size[1] // 2)


def alexnet(
    side: int,
    widths: Sequence[int] = (96, 256, 384, 384, 256),
    groups: Sequence[int] = (1, 2, 1, 2, 2),
) -> list[Layer]:
    """AlexNet of the Siamese trackers on a `side` x `side` crop, no padding.

    The defaults are siamfc-pytorch's AlexNetV1; SiamRPN's paper has groups (1, 1, 1, 1, 2),
    SiamRPN-2x twice the widths and no groups.
    """
    layers, channels = [], 3
    stages = zip(widths, groups, (11, 5, 3, 3, 3), (2, 1, 1, 1, 1), (2, 2, 1, 1, 1), strict=True)
    for filters, group, kernel, stride, pool in stages:
        side = (side - kernel) // stride + 1
        layers.append(conv((side, side), channels, filters, kernel, group))
        side = (side - 3) // 2 + 1 if pool == 2 else side
        channels = filters
    return layers


def alexnet_side(side: int) -> int:
    """Side of AlexNet's feature map."""
    for kernel, stride in ((11, 2), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1)):
        side = (side - kernel) // stride + 1
    return side


def siamrpn_2x(instance: int, template: int = 127, width: int = 2, anchors: int = 5) -> list[Layer]:
    """One search of DaSiamRPN's network: backbone, search branches, correlations, adjustment."""
    filters = 256 * width
    widths = [96 * width, 256 * width, 384 * width, 384 * width, filters]
    side, kernel = alexnet_side(instance) - 2, alexnet_side(template) - 2
    response = (side - kernel + 1,) * 2
    return [
        *alexnet(instance, widths, (1,) * 5),
        *[conv((side, side), filters, filters, 3)] * 2,
        conv(response, filters, 4 * anchors, kernel),
        conv(response, filters, 2 * anchors, kernel),
        conv(response, 4 * anchors, 4 * anchors, 1),
    ]


def siamrpn_2x_template(width: int = 2, anchors: int = 5) -> list[Layer]:
    """DaSiamRPN's exemplar branch: backbone on 127 px and the two kernel convolutions."""
    filters, side = 256 * width, alexnet_side(127) - 2
    widths = [96 * width, 256 * width, 384 * width, 384 * width, filters]
    return [
        *alexnet(127, widths, (1,) * 5),
        conv((side, side), filters, filters * 4 * anchors, 3),
        conv((side, side), filters, filters * 2 * anchors, 3),
    ]


def patchnet(patch: int = 8, grouped: bool = True) -> dict[str, int]:
    """PatchNet's terms as its authors count them (RalphMao/PatchNet ops_count.py), per object."""
    side = PATCHES * patch
    pooled = (16 + 64) * 52 * 52 + (4 + 16) * 22 * 22
    return {
        "correlation": 56 * 56 * 64 * 3 * patch**2,
        "conv2": conv((52, 52), 64, 16, 5, 16 if grouped else 1).macs,
        "conv3": conv((22, 22), 16, 4, 5).macs,
        "conv4": conv((7, 7), 4, 1, 5).macs,
        "conv3reg": conv((22, 22), 64, 16, 5).macs,
        "conv4reg": conv((7, 7), 16, 4, 5).macs,
        # The authors' formula, 2 B C h w log2(h) log2(w).
        "fourier": round(2 * 3 * side**2 * math.log2(side) ** 2),
        # (values of the scores and offsets that go in) * (2 + kernel^2 / stride^2).
        "pools": 3 * pooled,
    }


def resnet101(size: Size, stride_in_3x3: bool = False, dilated: bool = True) -> list[Layer]:
    """ResNet-101's convolutions on an image of `size` (h, w), each followed by a norm.

    `stride_in_3x3` is the variant of torchvision ("v1.5"); `dilated` keeps stage 5 at stride 16.
    """
    size = half(size)
    layers = [conv(size, 3, 64, 7, normed=True)]
    size, channels = half(size), 64
    for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (23, 256), (3, 512))):
        for block in range(blocks):
            strided = block == 0 and stage > 0 and not (dilated and stage == 3)
            out = half(size) if strided else size
            first = size if stride_in_3x3 else out
            layers.append(conv(first, channels, width, 1, normed=True))
            layers.append(conv(out, width, width, 3, normed=True))
            layers.append(conv(out, width, 4 * width, 1, normed=True))
            if block == 0:
                layers.append(conv(out, channels, 4 * width, 1, normed=True))
            size, channels = out, 4 * width
    return layers


def rfcn(size: Size, stride_in_3x3: bool = False, classes: int = 31) -> list[Layer]:
    """R-FCN ResNet-101 of Deep Feature Flow: feature, proposal and position-sensitive layers."""
    stride16 = half(half(half(half(size))))
    return [
        *resnet101(size, stride_in_3x3),
        conv(stride16, 2048, 1024, 3),
        *rfcn_heads(size, classes),
    ]


def rfcn_heads(size: Size, classes: int = 31) -> list[Layer]:
    """The layers that R-FCN also runs on frames between keyframes."""
    stride16 = half(half(half(half(size))))
    return [conv(stride16, 512, filters, 1) for filters in (18, 36, 49 * classes, 49 * 8)]


def flownet_s(size: Size) -> list[Layer]:
    """FlowNet-S of Deep Feature Flow, on an image of `size` that is halved first."""
    size = half(size)
    sizes, layers, channels = [], [], 6
    for filters, kernel, strides in (
        (64, 7, (2,)),
        (128, 5, (2,)),
        (256, 5, (2, 1)),
        (512, 3, (2, 1)),
        (512, 3, (2, 1)),
        (1024, 3, (2, 1)),
    ):
        for index, stride in enumerate(strides):
            size = half(size) if stride == 2 else size
            layers.append(conv(size, channels, filters, 3 if index else kernel))
            channels = filters
        sizes.append(size)
    layers.append(conv(sizes[5], 1024, 2, 3))
    for level, (skip, filters) in zip(
        (4, 3, 2, 1), ((512, 512), (512, 256), (256, 128), (128, 64)), strict=True
    ):
        below = sizes[level + 1]
        layers += [deconv(below, channels, filters, 4, 2), deconv(below, 2, 2, 4, 2)]
        channels = skip + filters + 2
        if level > 1:
            layers.append(conv(sizes[level], channels, 2, 3))
    stride16 = half(sizes[1])
    return [*layers, conv(stride16, 194, 2, 3), conv(stride16, 194, 1024, 1)]


# EfficientNet-B0: expansion, filters, repeats, stride, kernel (Tan and Le, 2019, table 1).
B0 = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


def efficientnet_b0(size: Size) -> list[Layer]:
    """EfficientNet-B0 without its last 1x1 convolution."""
    size, channels = half(size), 32
    layers = [conv(size, 3, 32, 3)]
    for expansion, filters, repeats, stride, kernel in B0:
        for repeat in range(repeats):
            wide, squeezed = channels * expansion, max(1, channels // 4)
            if expansion > 1:
                layers.append(conv(size, channels, wide, 1))
            size = half(size) if stride == 2 and repeat == 0 else size
            layers.append(conv(size, wide, wide, kernel, wide))
            layers += [conv((1, 1), wide, squeezed, 1), conv((1, 1), squeezed, wide, 1)]
            layers.append(conv(size, wide, filters, 1))
            channels = filters
    return layers


def efficientdet_d0(classes: int, size: Size = (512, 512)) -> list[Layer]:
    """EfficientDet-D0: backbone, three BiFPN cells, both heads (Tan, Pang and Le, 2020)."""
    levels = [half(half(half(size)))]
    for _ in range(4):
        levels.append(half(levels[-1]))
    p3, p4, p5 = levels[:3]
    inputs = [(p3, 40), (p4, 112), (p4, 112), (p5, 320), (p5, 320), (p5, 320)]
    lateral = [conv(where, channels, 64, 1) for where, channels in inputs]
    layers = [*efficientnet_b0(size), *lateral]
    for _ in range(3):
        # Top-down nodes 6, 5, 4, 3, then bottom-up 4, 5, 6, 7.
        for level in (3, 2, 1, 0, 1, 2, 3, 4):
            layers += _separable(levels[level], 64)
    for filters in (9 * 4, 9 * classes):
        for at in levels:
            for out in (64, 64, 64, filters):
                layers += _separable(at, out)
    return layers


def _separable(size: Size, filters: int) -> list[Layer]:
    return [conv(size, 64, 64, 3, 64), conv(size, 64, filters, 1)]
