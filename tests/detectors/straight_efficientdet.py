"""EfficientDet-D0 written down straight from zylo117's names, to compare with."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import batch_norm, conv2d, interpolate, max_pool2d, pad

# zylo117: kernel and stride of the sixteen blocks.
BLOCKS = [(3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1)]
BLOCKS += [(5, 1)] * 3 + [(5, 2), (5, 1), (5, 1), (5, 1), (3, 1)]
SIXTEEN = range(16)


class Straight:
    """Answers from a dict of tensors under upstream's names."""

    def __init__(self, state) -> None:
        self.state = state

    def conv(self, x, name, stride=1, groups=1):
        weight = self.state[f"{name}.weight"]
        kernel = weight.shape[-1]
        border = []
        for side in (x.shape[3], x.shape[2]):
            extra = (math.ceil(side / stride) - 1) * stride - side + kernel
            border += [extra // 2, extra - extra // 2]
        bias = self.state.get(f"{name}.bias")
        return conv2d(pad(x, border), weight, bias, stride, groups=groups)

    def bn(self, x, name):
        mean, var, gain, bias = (
            self.state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        )
        return batch_norm(x, mean, var, gain, bias, eps=1e-3)

    def separable(self, x, name):
        x = self.conv(x, f"{name}.depthwise_conv.conv", groups=x.shape[1])
        return self.conv(x, f"{name}.pointwise_conv.conv")

    def backbone(self, x):
        top = "backbone_net.model"
        x = swish(self.bn(self.conv(x, f"{top}._conv_stem.conv", 2), f"{top}._bn0"))
        found = []
        for number, (_, stride) in enumerate(BLOCKS):
            name, before = f"{top}._blocks.{number}", x
            if number:
                x = swish(self.bn(self.conv(x, f"{name}._expand_conv.conv"), f"{name}._bn0"))
            x = self.conv(x, f"{name}._depthwise_conv.conv", stride, x.shape[1])
            x = swish(self.bn(x, f"{name}._bn1"))
            mean = x.mean((2, 3), keepdim=True)
            mean = swish(self.conv(mean, f"{name}._se_reduce.conv"))
            x = x * torch.sigmoid(self.conv(mean, f"{name}._se_expand.conv"))
            x = self.bn(self.conv(x, f"{name}._project_conv.conv"), f"{name}._bn2")
            if stride == 1 and x.shape == before.shape:
                x = x + before
            if number in (4, 10, 15):
                found.append(x)
        return found

    def lateral(self, x, name):
        return self.bn(self.conv(x, f"bifpn.0.{name}.0.conv"), f"bifpn.0.{name}.1")

    def node(self, cell, name, weight, *maps):
        w = torch.relu(self.state[f"bifpn.{cell}.{weight}"])
        fused = sum(m * v for m, v in zip(maps, w, strict=True)) / (w.sum() + 1e-4)
        name = f"bifpn.{cell}.conv{name}"
        return self.bn(self.separable(swish(fused), name), f"{name}.bn")

    def bifpn(self, maps):
        p3, p4, p5 = maps
        p6 = pooled(self.lateral(p5, "p5_to_p6"))
        p7 = pooled(p6)
        inputs = [self.lateral(m, f"p{i}_down_channel") for i, m in ((3, p3), (4, p4), (5, p5))]
        again = [self.lateral(m, f"p{i}_down_channel_2") for i, m in ((4, p4), (5, p5))]
        p3, p4, p5 = inputs
        for cell in range(3):
            p6_up = self.node(cell, "6_up", "p6_w1", p6, up(p7))
            p5_up = self.node(cell, "5_up", "p5_w1", p5, up(p6_up))
            p4_up = self.node(cell, "4_up", "p4_w1", p4, up(p5_up))
            p3_out = self.node(cell, "3_up", "p3_w1", p3, up(p4_up))
            if cell == 0:
                p4, p5 = again
            p4 = self.node(cell, "4_down", "p4_w2", p4, p4_up, pooled(p3_out))
            p5 = self.node(cell, "5_down", "p5_w2", p5, p5_up, pooled(p4))
            p6 = self.node(cell, "6_down", "p6_w2", p6, p6_up, pooled(p5))
            p7 = self.node(cell, "7_down", "p7_w2", p7, pooled(p6))
            p3 = p3_out
        return [p3, p4, p5, p6, p7]

    def head(self, maps, name, outputs):
        found = []
        for level, x in enumerate(maps):
            for i in range(3):
                x = self.separable(x, f"{name}.conv_list.{i}")
                x = swish(self.bn(x, f"{name}.bn_list.{level}.{i}"))
            x = self.separable(x, f"{name}.header").permute(0, 2, 3, 1)
            found.append(x.reshape(len(x), -1, outputs))
        return torch.cat(found, dim=1)

    def answer(self, images, classes):
        maps = self.bifpn(self.backbone(images))
        return self.head(maps, "classifier", classes), self.head(maps, "regressor", 4)


def swish(x):
    return x * torch.sigmoid(x)


def up(x):
    return interpolate(x, scale_factor=2, mode="nearest")


def pooled(x):
    """Sides are even or one: TensorFlow pads behind, or on both sides."""
    border = []
    for side in (x.shape[3], x.shape[2]):
        extra = (math.ceil(side / 2) - 1) * 2 - side + 3
        border += [extra // 2, extra - extra // 2]
    return max_pool2d(pad(x, border, value=-math.inf), 3, 2)


def upstream_shapes(classes, widths):
    """Names and shapes of zylo117's 784 tensors; `widths` are stem, blocks' outputs, pyramid."""
    stem, outs, pyramid = widths
    found: dict[str, tuple[int, ...]] = {}

    def conv(name, o, i, k, bias):
        found[f"{name}.weight"] = (o, i, k, k)
        if bias:
            found[f"{name}.bias"] = (o,)

    def bn(name, channels):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.{leaf}"] = (channels,)
        found[f"{name}.num_batches_tracked"] = ()

    def separable(name, o, i):
        conv(f"{name}.depthwise_conv.conv", i, 1, 3, bias=False)
        conv(f"{name}.pointwise_conv.conv", o, i, 1, bias=True)

    top = "backbone_net.model"
    conv(f"{top}._conv_stem.conv", stem, 3, 3, bias=False)
    bn(f"{top}._bn0", stem)
    source = stem
    for number, ((kernel, _), out) in enumerate(zip(BLOCKS, outs, strict=True)):
        name, inner = f"{top}._blocks.{number}", source * (6 if number else 1)
        if number:
            conv(f"{name}._expand_conv.conv", inner, source, 1, bias=False)
            bn(f"{name}._bn0", inner)
        conv(f"{name}._depthwise_conv.conv", inner, 1, kernel, bias=False)
        bn(f"{name}._bn1", inner)
        squeezed = max(1, source // 4)
        conv(f"{name}._se_reduce.conv", squeezed, inner, 1, bias=True)
        conv(f"{name}._se_expand.conv", inner, squeezed, 1, bias=True)
        conv(f"{name}._project_conv.conv", out, inner, 1, bias=False)
        bn(f"{name}._bn2", out)
        source = out
    taps = {"p3": outs[4], "p4": outs[10], "p5": outs[15]}
    for name, tap in (
        ("p5_to_p6", "p5"),
        *((f"{p}_down_channel", p) for p in ("p3", "p4", "p5")),
        *((f"{p}_down_channel_2", p) for p in ("p4", "p5")),
    ):
        conv(f"bifpn.0.{name}.0.conv", pyramid, taps[tap], 1, bias=True)
        bn(f"bifpn.0.{name}.1", pyramid)
    for cell in range(3):
        for node in ("6_up", "5_up", "4_up", "3_up", "4_down", "5_down", "6_down", "7_down"):
            separable(f"bifpn.{cell}.conv{node}", pyramid, pyramid)
            bn(f"bifpn.{cell}.conv{node}.bn", pyramid)
        for weight in ("p6_w1", "p5_w1", "p4_w1", "p3_w1", "p7_w2"):
            found[f"bifpn.{cell}.{weight}"] = (2,)
        for weight in ("p4_w2", "p5_w2", "p6_w2"):
            found[f"bifpn.{cell}.{weight}"] = (3,)
    for head, outputs in (("regressor", 4), ("classifier", classes)):
        for i in range(3):
            separable(f"{head}.conv_list.{i}", pyramid, pyramid)
            for level in range(5):
                bn(f"{head}.bn_list.{level}.{i}", pyramid)
        separable(f"{head}.header", 9 * outputs, pyramid)
    return found
