"""Boxes coded against reference boxes: shifts in shares of the size, logarithms of size ratios.

Girshick et al., R-CNN, CVPR 2014, appendix C. Corners x1 y1 x2 y2 are continuous (x2 = x1 + w).
That is what open-mmlab/mmdetection v1 (mmdet/core/bbox/transforms.py) computes for its inclusive
corners, whose widths are x2 - x1 + 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# A size changes by at most this factor: wh_ratio_clip of mmdetection.
MOST_LOG = math.log(1000 / 16)
UNIT = (1.0, 1.0, 1.0, 1.0)


def encode(corners: Tensor, targets: Tensor, stds: Sequence[float] = UNIT) -> Tensor:
    """Code `targets` (..., 4) against `corners`: dx dy dw dh, divided by `stds`."""
    (size, centre), (to_size, to_centre) = _size_centre(corners), _size_centre(targets)
    deltas = torch.cat([(to_centre - centre) / size, torch.log(to_size / size)], dim=-1)
    return deltas / deltas.new_tensor(stds)


def decode(
    corners: Tensor, deltas: Tensor, stds: Sequence[float] = UNIT, most_log: float = MOST_LOG
) -> Tensor:
    """Apply dx dy dw dh (..., 4), times `stds`, to `corners` (..., 4)."""
    size, centre = _size_centre(corners)
    deltas = deltas * deltas.new_tensor(stds)
    centre = centre + deltas[..., :2] * size
    half = size * torch.exp(deltas[..., 2:].clamp(-most_log, most_log)) / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def cut(corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Draw corners into an image of `size` (w, h), where every box keeps at least its last pixel.

    Left and top reach to w - 1, right and bottom from 1: mmdetection's cut of inclusive corners.
    """
    least = corners.new_tensor([0, 0, 1, 1])
    most = corners.new_tensor([size[0] - 1, size[1] - 1, size[0], size[1]])
    return torch.minimum(torch.maximum(corners, least), most)


def _size_centre(corners: Tensor) -> tuple[Tensor, Tensor]:
    size = corners[..., 2:] - corners[..., :2]
    return size, corners[..., :2] + size / 2
