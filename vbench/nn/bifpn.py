"""Bidirectional feature pyramid: five levels fused upwards and downwards with learnt weights.

Tan et al., EfficientDet, CVPR 2020, sec. 3; names of rwightman/efficientdet-pytorch
(effdet/efficientdet.py), wiring of its fpn_config.py `bifpn_fa`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vbench.nn.efficientnet import norm
from vbench.nn.same_padding import SameConv2d, same_max_pool

LEVELS = 5
# Every node's level and inputs: 0 to 4 are the levels that come in (finest first), 5 and on the
# nodes before it. Top-down first, then bottom-up.
NODES = (
    (3, (3, 4)),
    (2, (2, 5)),
    (1, (1, 6)),
    (0, (0, 7)),
    (1, (1, 7, 8)),
    (2, (2, 6, 9)),
    (3, (3, 5, 10)),
    (4, (4, 11)),
)
LEVEL_OF_INPUT = (*range(LEVELS), *(level for level, _ in NODES))
EPS = 1e-4


def fusion(maps: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Sum of maps, each by max(w, 0) / (sum of max(w, 0) + 1e-4): fast normalised fusion."""
    shares = torch.relu(weights)
    total = shares.sum() + EPS
    return torch.stack([m * (w / total) for m, w in zip(maps, shares, strict=True)]).sum(dim=0)


class SeparableConv(nn.Module):
    """A depthwise 3x3 and a 1x1 convolution, and a norm if asked for."""

    def __init__(self, source: int, filters: int, normed: bool = False) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(source, source, 3, groups=source, bias=False)
        self.conv_pw = nn.Conv2d(source, filters, 1)
        self.bn = norm(filters) if normed else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> (n, filters, h, w)."""
        found: Tensor = self.bn(self.conv_pw(self.conv_dw(features)))
        return found


class NormedConv(nn.Module):
    """A 1x1 convolution and its norm, under the names of the published weights."""

    def __init__(self, source: int, filters: int) -> None:
        super().__init__()
        self.conv = nn.ModuleDict({"conv": nn.Conv2d(source, filters, 1), "bn": norm(filters)})

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> (n, filters, h, w)."""
        found: Tensor = self.conv["bn"](self.conv["conv"](features))
        return found


class Combine(nn.Module):
    """Inputs brought to one level and width, then fused."""

    def __init__(
        self, level: int, inputs: Sequence[int], sources: Sequence[int], filters: int
    ) -> None:
        super().__init__()
        self.level, self.inputs = level, tuple(inputs)
        self.resample = nn.ModuleDict(
            {str(i): NormedConv(sources[i], filters) for i in inputs if i < len(sources)}
        )
        self.edge_weights = nn.Parameter(torch.ones(len(inputs)))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """All maps so far -> the fused one of this node."""
        found = []
        for place in self.inputs:
            features = maps[place]
            if str(place) in self.resample:
                features = self.resample[str(place)](features)
            step = self.level - LEVEL_OF_INPUT[place]
            if step > 0:
                features = same_max_pool(features)
            elif step < 0:
                features = doubled(features)
            found.append(features)
        return fusion(found, self.edge_weights)


def doubled(features: Tensor) -> Tensor:
    """Every value four times: (n, c, h, w) -> (n, c, 2h, 2w)."""
    return nn.functional.interpolate(features, scale_factor=2.0, mode="nearest")


class Node(nn.Module):
    """A fusion, then swish and a separable convolution with its norm."""

    def __init__(
        self, level: int, inputs: Sequence[int], sources: Sequence[int], filters: int
    ) -> None:
        super().__init__()
        self.combine = Combine(level, inputs, sources, filters)
        conv = SeparableConv(filters, filters, normed=True)
        self.after_combine = nn.ModuleDict({"conv": conv})

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """All maps so far -> this node's."""
        fused = nn.functional.silu(self.combine(maps))
        found: Tensor = self.after_combine["conv"](fused)
        return found


class Cell(nn.Module):
    """One round of fusions: five maps in, five out; the first has maps of channels `sources`."""

    def __init__(self, sources: Sequence[int], filters: int) -> None:
        super().__init__()
        nodes = [Node(level, inputs, sources, filters) for level, inputs in NODES]
        self.fnode = nn.ModuleList(nodes)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps of five levels, finest first, and the same again."""
        every = list(maps)
        for node in self.fnode:
            every.append(node(every))
        # The finest level's only node is the last of the way down.
        return every[-LEVELS:]


class BiFPN(nn.Module):
    """Three maps of strides 8, 16, 32 with channels `sources` -> five maps of `filters`.

    Sides of the images must be multiples of 128 px, so that levels double exactly.
    """

    def __init__(self, sources: Sequence[int], filters: int, cells: int) -> None:
        super().__init__()
        # The coarser levels come from the coarsest map; the names count levels.
        self.resample = nn.ModuleDict({"3": NormedConv(sources[-1], filters)})
        self.cell = nn.ModuleList(
            [Cell(() if index else sources, filters) for index in range(cells)]
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps of strides 8 to 128."""
        coarse = same_max_pool(self.resample["3"](maps[-1]))
        found = [*maps, coarse, same_max_pool(coarse)]
        for cell in self.cell:
            found = cell(found)
        return found
