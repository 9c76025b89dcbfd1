"""Affine crops of a frame: a box warped to a square, bilinear, zeros outside the frame.

The crop of RalphMao/PatchNet (patchnet/patchnet.py, crop_pool) is `affine_grid` + `grid_sample` on
the whole frame as floats, after the mean colour is subtracted. Boxes stand upright, so the sampling
positions are one row of x and one of y; here only the bytes that they touch are read, and only
those become floats. The cost does not depend on the size of the frame or of the box.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Floats, Image

# Blue, green, red: patchnet/patchnet.py, _pixel_means.
MEAN_BGR = (102.9801, 115.9465, 122.7717)
# RGB bytes in the order of the network's channels.
BGR = (2, 1, 0)


class Taps(NamedTuple):
    """Where `size` samples of one axis fall: a neighbour and the next, and their shares.

    first (n, size) int64; share (2, n, size) float32, 0 for what lies outside the frame.
    """

    first: Tensor
    share: Tensor


def sampling_positions(
    low: Floats, high: Floats, size: int, length: int, align_corners: bool
) -> Floats:
    """Positions (n, size) in a frame's axis of `length` px that a crop from low to high samples.

    `low` and `high` (n,) are the box's sides. As published, 1 is added to `high` (an inclusive
    corner), and the affine transform assumes `align_corners`, whatever the sampler is told.
    """
    span = max(length - 1, 1)
    scale = (high + 1 - low) / span
    shift = (low + high + 1 - length + 1) / span
    steps = np.arange(size)
    if align_corners:
        grid = 2 * steps / max(size - 1, 1) - 1
        unit = scale[:, None] * grid + shift[:, None]
        aligned: Floats = (unit + 1) / 2 * (length - 1)
        return aligned
    unit = scale[:, None] * ((2 * steps + 1) / size - 1) + shift[:, None]
    position: Floats = ((unit + 1) * length - 1) / 2
    return position


def taps(positions: Floats, length: int) -> Taps:
    """Split positions (n, size) on an axis of `length` px into neighbours and shares."""
    # Beyond the border everything is zero; staying near keeps far positions in range.
    near = np.clip(positions, -2.0, length + 1.0)
    first = np.clip(np.floor(near), 0, max(length - 2, 0))
    both = np.stack([first, first + 1])
    share = np.maximum(1 - np.abs(near - both), 0) * (both < length)
    return Taps(torch.from_numpy(first.astype(np.int64)), torch.from_numpy(np.float32(share)))


def affine_crops(
    frame: Image, corners: Boxes, size: int, align_corners: bool = False, device: str = "cpu"
) -> Tensor:
    """Warp boxes x1 y1 x2 y2 (n, 4) to squares: float32 (n, 3, size, size), BGR minus the mean.

    Equal to `grid_sample` of the whole frame, zero padding after the mean is subtracted.
    """
    height, width = frame.shape[:2]
    columns, rows = (
        taps(sampling_positions(low, high, size, length, align_corners), length)
        for low, high, length in zip(*corners.T.reshape(2, 2, -1), (width, height), strict=True)
    )
    if min(height, width) < 2:
        frame = np.pad(frame, ((0, 1), (0, 1), (0, 0)))
    pitch = frame.shape[1] * 3
    flat = np.ascontiguousarray(frame).reshape(-1)
    colour = columns.first[:, None, None, :] * 3 + torch.tensor(BGR)[:, None, None]
    places = (rows.first[:, None, :, None] * pitch + colour).numpy()
    x_share = columns.share[:, :, None, None, :].to(device)
    y_share = rows.share[:, :, None, :, None].to(device)

    def across(step: int) -> Tensor:
        """The pixels of each sample's row, `step` bytes on, blended along x."""
        left, right = (
            torch.from_numpy(flat[start:].take(places)).to(device).float()
            for start in (step, step + 3)
        )
        return left.mul_(x_share[0]).addcmul_(right, x_share[1])

    crops = across(0).mul_(y_share[0]).addcmul_(across(pitch), y_share[1])
    mean = torch.tensor(MEAN_BGR, device=device)[:, None, None]
    return crops.addcmul_(x_share.sum(0) * y_share.sum(0), -mean)
