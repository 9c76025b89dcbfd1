"""Carrying a keyframe's features to another frame, and mixing the two: the blocks of LSTS.

Jiang et al., Learning Where to Focus for Efficient Video Object Detection, ECCV 2020, secs. 3.2 to
3.4; layer sizes and names of jiangzhengkai/LSTS (lsts_rfcn/symbols/lsts_network_gaussian.py), which
the paper's parameter counts confirm against its text.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vbench.nn.flownet import FlowWarp
from vbench.nn.local_correlation import square
from vbench.nn.resnet import scaled
from vbench.nn.sampling import aligned, sampling_macs

AlignName = Literal["gaussian", "uniform", "flow", "matchtrans", "nonlocal", "copy"]
NormName = Literal["softmax", "sum"]
EMBEDDED = 256
# Neighbours of the uniform start and of MatchTrans: 9 x 9 locations.
REACH = 4


def initial_offsets(align: AlignName, locations: int) -> Tensor:
    """Start of the learned locations (n, 2) x y in cells: normal, or a square of whole cells."""
    return torch.randn(locations, 2) if align == "gaussian" else square(REACH).float()


def small(layer: nn.Conv2d, width: float = 1.0) -> nn.Conv2d:
    """Draw weights from N(0, 0.01), zero bias: the published start of every new layer.

    A network of another width sums over so many times the channels: its weights are larger by the
    root of that, or its answers would start far smaller than the published ones.
    """
    nn.init.normal_(layer.weight, std=0.01 / width**0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class FeatureAlign(nn.Module):
    """Alignment by comparing embedded features: at learned places, in a window, everywhere.

    `suffix` is key2key or key2cur: embeddings are not shared, offsets are.
    """

    def __init__(self, channels: int, width: float, align: AlignName, suffix: str) -> None:
        super().__init__()
        self.embedded = scaled(EMBEDDED, width)
        self.channels = channels
        self.align = align
        self.names = [f"embedding_conv_feat_{side}_{suffix}" for side in ("oldkey", "newkey")]
        for name in self.names:
            self.add_module(name, small(nn.Conv2d(channels, self.embedded, 1), width))

    def forward(
        self, features: Tensor, target: Tensor, offsets: Tensor, norm: NormName = "softmax"
    ) -> Tensor:
        """Features (b, c, h, w) as those of the frame that `target` (b, c, h, w) are of."""
        old, new = (
            getattr(self, name)(maps)
            for name, maps in zip(self.names, (features, target), strict=True)
        )
        if self.align == "nonlocal":
            return attended(features, old, new)
        return aligned(features, old, new, offsets, norm)

    def macs(self, offsets: Tensor, shape: tuple[int, int]) -> float:
        """Products of one alignment on a map of `shape` (h, w)."""
        cells = shape[0] * shape[1]
        embedding = 2.0 * cells * self.channels * self.embedded
        if self.align == "nonlocal":
            return embedding + cells**2 * (self.embedded + self.channels + 1)
        return embedding + sampling_macs(offsets, shape, self.embedded, self.channels)


def attended(features: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Every cell from all cells, by softmax of plain dot products."""
    query, key, value = (maps.flatten(2).transpose(1, 2) for maps in (target, source, features))
    found = nn.functional.scaled_dot_product_attention(query, key, value, scale=1.0)
    return found.transpose(1, 2).reshape(features.shape)


class FlowAlign(nn.Module):
    """Alignment by the flow between the two images, with DFF's scale map."""

    def __init__(self, channels: int, width: float) -> None:
        super().__init__()
        self.warp = FlowWarp(width, channels)

    def forward(self, features: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Features of image `source` as those of image `target`."""
        moved: Tensor = self.warp(features, source, target)
        return moved


class Quality(nn.Module):
    """Aggregation by quality: two features compete at every cell (eqs. 7 and 8).

    Three convolutions without activations, shared by both, then softmax over the two.
    """

    def __init__(self, channels: int, width: float, suffix: str) -> None:
        super().__init__()
        first, second = scaled(256, width), scaled(16, width)
        sizes = ((channels, first, 1), (first, second, 3), (second, 1, 3))
        self.names = [f"quality_conv{i}_{suffix}" for i in (1, 2, 3)]
        for name, (source, filters, kernel) in zip(self.names, sizes, strict=True):
            self.add_module(name, small(nn.Conv2d(source, filters, kernel, 1, kernel // 2), width))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Mix a and b, each (n, c, h, w)."""
        scores = torch.cat([a, b])
        for name in self.names:
            scores = getattr(self, name)(scores)
        share = torch.sigmoid(scores[: len(a)] - scores[len(a) :])
        return torch.lerp(b, a, share)


class Transform(nn.Module):
    """Raises the low features of a frame between keyframes: 1x1, 3x3, 3x3."""

    def __init__(self, channels: int, width: float) -> None:
        super().__init__()
        inner = scaled(256, width)
        self.low2high_conv1 = small(nn.Conv2d(channels, inner, 1), width)
        self.low2high_conv2 = small(nn.Conv2d(inner, inner, 3, 1, 1), width)
        self.low2high_conv3 = small(nn.Conv2d(inner, channels, 3, 1, 1), width)

    def forward(self, low: Tensor) -> Tensor:
        """Low features (n, c, h, w), the same shape."""
        inner = torch.relu_(self.low2high_conv2(torch.relu_(self.low2high_conv1(low))))
        raised: Tensor = self.low2high_conv3(inner)
        return raised
