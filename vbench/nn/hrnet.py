"""HRNet-W32: branches of strides 4, 8, 16 and 32 that exchange what they see after every module.

Sun et al., Deep High-Resolution Representation Learning, CVPR 2019; layers and names of
open-mmlab/mmdetection v1 (mmdet/models/backbones/hrnet.py), 1830 tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vbench.nn.resnet import scaled

STEM, STEM_BLOCKS, EXPANSION = 64, 4, 4
CHANNELS = (32, 64, 128, 256)
STRIDES_PX = (4, 8, 16, 32)
# Modules of the stages with two, three and four branches, and blocks of every branch.
MODULES = (1, 4, 3)
BLOCKS = 4


def normed(source: int, filters: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the border, and its norm."""
    conv = nn.Conv2d(source, filters, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(filters)]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = normed(channels, channels, 3)
        self.conv2, self.bn2 = normed(channels, channels, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w), the same shape."""
        inner = torch.relu_(self.bn1(self.conv1(features)))
        return torch.relu_(features + self.bn2(self.conv2(inner)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 to four times `inner` channels, and a shortcut."""

    def __init__(self, source: int, inner: int) -> None:
        super().__init__()
        filters = EXPANSION * inner
        self.conv1, self.bn1 = normed(source, inner, 1)
        self.conv2, self.bn2 = normed(inner, inner, 3)
        self.conv3, self.bn3 = normed(inner, filters, 1)
        self.downsample = nn.Sequential(*(normed(source, filters, 1) if source != filters else ()))

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, source, h, w) -> (n, 4 inner, h, w)."""
        inner = torch.relu_(self.bn1(self.conv1(features)))
        inner = torch.relu_(self.bn2(self.conv2(inner)))
        return torch.relu_(self.bn3(self.conv3(inner)) + self.downsample(features))


class Exchange(nn.Module):
    """One module: blocks in every branch, then every branch the sum of all, resized to it."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [nn.Sequential(*(BasicBlock(c) for _ in range(BLOCKS))) for c in channels]
        )
        self.fuse_layers = nn.ModuleList(
            [
                nn.ModuleList([_resizing(channels, i, j) for j in range(len(channels))])
                for i in range(len(channels))
            ]
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps of all branches, and the same again."""
        inner = [branch(m) for branch, m in zip(self.branches, maps, strict=True)]
        found = []
        for row in self.fuse_layers:
            assert isinstance(row, nn.ModuleList)  # noqa: S101  (made above)
            total = sum(resize(m) for resize, m in zip(row, inner, strict=True))
            assert isinstance(total, Tensor)  # noqa: S101  (there are branches)
            found.append(torch.relu(total))
        return found


class HRNet(nn.Module):
    """Images (n, 3, h, w), sides multiples of 32 -> maps of strides 4, 8, 16, 32.

    Their channels are 32, 64, 128, 256 times `width`.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        stem = scaled(STEM, width)
        self.channels = [scaled(c, width) for c in CHANNELS]
        self.conv1, self.bn1 = normed(3, stem, 3, 2)
        self.conv2, self.bn2 = normed(stem, stem, 3, 2)
        first = [Bottleneck(stem if i == 0 else EXPANSION * stem, stem) for i in range(STEM_BLOCKS)]
        self.layer1 = nn.Sequential(*first)
        before = [EXPANSION * stem]
        self.transition1 = _transition(before, self.channels[:2])
        self.stage2 = _stage(MODULES[0], self.channels[:2])
        self.transition2 = _transition(self.channels[:2], self.channels[:3])
        self.stage3 = _stage(MODULES[1], self.channels[:3])
        self.transition3 = _transition(self.channels[:3], self.channels)
        self.stage4 = _stage(MODULES[2], self.channels)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the four maps, finest first."""
        features = torch.relu_(self.bn1(self.conv1(images)))
        features = torch.relu_(self.bn2(self.conv2(features)))
        maps = [self.layer1(features)]
        for transition, stage in (
            (self.transition1, self.stage2),
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            # Branches that go on take their own map, a new one comes from the coarsest.
            given = [maps[min(i, len(maps) - 1)] for i in range(len(transition))]
            maps = stage([step(m) for step, m in zip(transition, given, strict=True)])
        return maps


def gathered(maps: Sequence[Tensor], level: int = 1) -> Tensor:
    """All maps at the size of `maps[level]`, side by side: (n, sum of channels, h, w).

    Finer maps by their maxima, coarser ones by the nearest value: BFP of mmdetection v1 as
    YeLyuUT/MMDET changed it (mmdet/models/necks/bfp.py).
    """
    size = maps[level].shape[-2:]
    found = [
        nn.functional.adaptive_max_pool2d(m, size)
        if index < level
        else nn.functional.interpolate(m, size, mode="nearest")
        for index, m in enumerate(maps)
    ]
    return torch.cat(found, dim=1)


def _stage(modules: int, channels: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(Exchange(channels) for _ in range(modules)))


def _transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """Bring branches to their channels, and start a new one at half the resolution."""
    found: list[nn.Module] = []
    for index, channels in enumerate(after):
        if index < len(before):
            same = before[index] == channels
            steps = () if same else (*normed(before[index], channels, 3), nn.ReLU())
            found.append(nn.Sequential(*steps))
        else:
            step = nn.Sequential(*normed(before[-1], channels, 3, 2), nn.ReLU())
            found.append(nn.Sequential(step))
    return nn.ModuleList(found)


def _resizing(channels: Sequence[int], to: int, source: int) -> nn.Module:
    """What takes the map of branch `source` to the size and channels of branch `to`."""
    if source == to:
        return nn.Identity()
    if source > to:
        steps = normed(channels[source], channels[to], 1)
        return nn.Sequential(*steps, nn.Upsample(scale_factor=float(2 ** (source - to))))
    halvings = []
    for step in range(source, to):
        last = step == to - 1
        filters = channels[to] if last else channels[source]
        relu = () if last else (nn.ReLU(),)
        halvings.append(nn.Sequential(*normed(channels[source], filters, 3, 2), *relu))
    return nn.Sequential(*halvings)
