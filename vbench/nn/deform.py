"""Deformable convolution, with and without modulation, in plain tensor operations.

Dai et al., Deformable Convolutional Networks, ICCV 2017, eq. 2; Zhu et al., Deformable ConvNets v2,
CVPR 2019, eq. 1. Channels of the offsets are y, x of each tap of each group, as in the MXNet and
mmdetection operators; samples outside the map are zero. Gradients are autograd's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

# Sampled values that one turn holds; more images go in turns.
MOST_VALUES = 1 << 27


def deformable_convolution(
    features: Tensor,
    offsets: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    mask: Tensor | None = None,
) -> Tensor:
    """Features (n, c, h, w), offsets (n, 2 g k k, h', w'), weight (o, c, k, k) -> (n, o, h', w').

    `mask` (n, g k k, h', w') modulates each tap; g groups of channels have their own offsets.
    A weight of c / m channels convolves in m groups, whatever the groups of the offsets.
    """
    height, width = offsets.shape[-2:]
    filters, kernel = weight.shape[0], weight.shape[2]
    channels = features.shape[1]
    groups = channels // weight.shape[1]
    per_image = channels * kernel**2 * height * width
    most = max(1, MOST_VALUES // max(1, per_image))
    parts = []
    for first in range(0, len(features), most):
        some = slice(first, first + most)
        taps = _sampled(
            features[some],
            _places(offsets[some], kernel, stride, padding, dilation),
            None if mask is None else mask[some],
        )
        # (n, m, c / m k k, h' w') with the kernel (m, o / m, c / m k k): one matrix product.
        matrix = weight.reshape(groups, filters // groups, -1)
        parts.append(matrix @ taps.reshape(len(taps), groups, -1, height * width))
    found = torch.cat(parts).reshape(-1, filters, height, width)
    return found if bias is None else found + bias[:, None, None]


def _places(offsets: Tensor, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """Where taps fall, x y in cells: (n, g, k k, h', w', 2)."""
    n, _, height, width = offsets.shape
    found = offsets.reshape(n, -1, kernel**2, 2, height, width)
    steps = torch.arange(kernel, device=offsets.device) * dilation - padding
    rows = torch.arange(height, device=offsets.device) * stride
    columns = torch.arange(width, device=offsets.device) * stride
    y = steps.repeat_interleave(kernel)[:, None, None] + rows[:, None]
    x = steps.repeat(kernel)[:, None, None] + columns
    return torch.stack([found[:, :, :, 1] + x, found[:, :, :, 0] + y], dim=-1)


def _sampled(features: Tensor, places: Tensor, mask: Tensor | None) -> Tensor:
    """Bilinear samples at `places` of each group: (n, c, k k, h' w')."""
    n, c, h, w = features.shape
    groups, taps, height, width = places.shape[1:5]
    # Cell p of w is at (2 p + 1) / w - 1 of grid_sample, a map of one cell included.
    size = places.new_tensor([w, h])
    grid = ((2 * places + 1) / size - 1).reshape(n * groups, taps, height * width, 2)
    maps = features.reshape(n * groups, c // groups, h, w)
    found = grid_sample(maps, grid, align_corners=False)
    if mask is not None:
        found = found * mask.reshape(n * groups, 1, taps, height * width)
    return found.reshape(n, c, taps, height * width)


class DeformableConv2d(nn.Conv2d):
    """A convolution without bias whose taps are moved by offsets, and modulated by a mask."""

    def __init__(
        self,
        source: int,
        filters: int,
        kernel: int,
        stride: int,
        padding: int,
        dilation: int,
        groups: int = 1,
    ) -> None:
        super().__init__(source, filters, kernel, stride, padding, dilation, groups, bias=False)

    def forward(self, features: Tensor, offsets: Tensor, mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Features (n, c, h, w), offsets (n, 2 g k k, h', w') -> (n, o, h', w')."""
        return deformable_convolution(
            features,
            offsets,
            self.weight,
            None,
            self.stride[0],
            int(self.padding[0]),
            self.dilation[0],
            mask,
        )
