"""ResNeXt-101 32x4d with modulated deformable convolutions in stages 3 to 5.

Xie et al., Aggregated Residual Transformations, CVPR 2017; Zhu et al., Deformable ConvNets v2,
CVPR 2019; layers and names of open-mmlab/mmdetection v1 (mmdet/models/backbones/resnext.py,
resnet.py), strides in the 3x3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vbench.nn.deform import DeformableConv2d
from vbench.nn.resnet import scaled

STEM, EXPANSION = 64, 4
# Blocks and planes of stages 2 to 5; a 3x3 has twice as many channels as planes.
STAGES = ((3, 64), (4, 128), (23, 256), (3, 512))
GROUPS, WIDENING = 32, 2
# Offsets y x of nine taps, and a mask for each.
TAPS = 9
OFFSETS = 3 * TAPS


class Block(nn.Module):
    """1x1, grouped 3x3, 1x1 and a shortcut; the 3x3 deformable where asked for."""

    def __init__(
        self, source: int, planes: int, stride: int, groups: int, deformable: bool
    ) -> None:
        super().__init__()
        inner, filters = WIDENING * planes, EXPANSION * planes
        self.conv1 = nn.Conv2d(source, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2_offset: nn.Module | None = None
        if deformable:
            self.conv2_offset = nn.Conv2d(inner, OFFSETS, 3, stride, 1)
            nn.init.zeros_(self.conv2_offset.weight)
            self.conv2: nn.Module = DeformableConv2d(inner, inner, 3, stride, 1, 1, groups)
        else:
            self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, filters, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(filters)
        changes = stride != 1 or source != filters
        shortcut = [nn.Conv2d(source, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)]
        self.downsample = nn.Sequential(*(shortcut if changes else ()))

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, source, h, w) -> (n, 4 planes, h / stride, w / stride)."""
        inner = torch.relu_(self.bn1(self.conv1(features)))
        if self.conv2_offset is None:
            inner = self.conv2(inner)
        else:
            moves = self.conv2_offset(inner)
            offsets, mask = moves[:, : 2 * TAPS], moves[:, 2 * TAPS :].sigmoid()
            inner = self.conv2(inner, offsets, mask)
        inner = torch.relu_(self.bn2(inner))
        return torch.relu_(self.bn3(self.conv3(inner)) + self.downsample(features))


class ResNeXt101(nn.Module):
    """Images (n, 3, h, w) -> maps of strides 4, 8, 16, 32 with 256 to 2048 channels times `width`.

    A narrower one has fewer groups of the same four channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        source, groups = scaled(STEM, width), max(1, round(GROUPS * width))
        self.conv1 = nn.Conv2d(3, source, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(source)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.channels = []
        for stage, (blocks, full) in enumerate(STAGES, start=1):
            planes = max(2 * groups, round(full * width / groups) * groups)
            layers = []
            for block in range(blocks):
                stride = 2 if block == 0 and stage > 1 else 1
                layers.append(Block(source, planes, stride, groups, deformable=stage > 1))
                source = EXPANSION * planes
            self.add_module(f"layer{stage}", nn.Sequential(*layers))
            self.channels.append(source)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the four maps, finest first."""
        features = self.maxpool(torch.relu_(self.bn1(self.conv1(images))))
        found = []
        for stage in range(1, len(STAGES) + 1):
            features = getattr(self, f"layer{stage}")(features)
            found.append(features)
        return found
