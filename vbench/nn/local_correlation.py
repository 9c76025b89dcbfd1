"""Products of one map with another at displacements: the correlation layer, for any set of them.

Fischer et al., FlowNet, ICCV 2015, eq. 1 with patches of one cell; Feichtenhofer et al., Detect to
Track and Track to Detect, ICCV 2017, eq. 4 (a square of displacements up to 8 cells).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad

# Displacements whose bounding box holds at most so many times as many are read as one window.
DENSE = 8


def square(radius: int, step: int = 1, device: torch.device | str = "cpu") -> Tensor:
    """Displacements x y of a square, row by row: ((2 radius / step + 1)^2, 2) whole cells."""
    side = torch.arange(-radius, radius + 1, step, device=device)
    y, x = torch.meshgrid(side, side, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def correlation_at(source: Tensor, target: Tensor, displacements: Tensor) -> Tensor:
    """Dot products of target(p) and source(p + d): (n, d, h, w); zero outside the map.

    source and target (n, c, h, w), displacements (d, 2) x y in whole cells.
    """
    height, width = target.shape[-2:]
    if not len(displacements):
        return target.new_zeros(len(target), 0, height, width)
    low, high = displacements.amin(dim=0), displacements.amax(dim=0)
    box = (high - low + 1).tolist()
    if box[0] * box[1] <= DENSE * len(displacements):
        maps = _window(source, target, low.tolist(), box)
        place = displacements - low
        return maps[:, place[:, 1] * box[0] + place[:, 0]]
    reach = int(displacements.abs().max())
    padded = pad(source, (reach,) * 4)
    far = [
        (padded[..., y + reach :, x + reach :][..., :height, :width] * target).sum(dim=1)
        for x, y in displacements.tolist()
    ]
    return torch.stack(far, dim=1)


def _window(source: Tensor, target: Tensor, low: list[int], box: list[int]) -> Tensor:
    """Products at all displacements of a box that begins at `low`: (n, box y * box x, h, w).

    A row of the target times a row of the source is a matrix whose diagonals are displacements
    along x. It holds products that nobody asks for, and is still some twenty times as fast as
    products cell by cell.
    """
    n, _, h, w = target.shape
    (x, y), (across, along) = low, box
    # Cells from `low` on; negative padding cuts.
    edges = (-x, x + across - 1, -y, y + along - 1)
    rows = pad(source, edges).permute(0, 2, 1, 3)
    cells = target.permute(0, 2, 3, 1)
    line = w + across - 1
    maps = []
    for step in range(along):
        every = (cells @ rows[:, step : step + h]).contiguous()
        band = every.as_strided((n, h, w, across), (h * w * line, w * line, line + 1, 1))
        maps.append(band.permute(0, 3, 1, 2))
    return torch.cat(maps, dim=1)


def gathered_at(source: Tensor, weights: Tensor, displacements: Tensor) -> Tensor:
    """Sum over d of weights_d(p) source(p + d): (n, c, h, w), all displacements in one gather.

    source (n, c, h, w), weights (n, d, h, w), displacements (d, 2) x y in whole cells.
    """
    n, c, height, width = source.shape
    x = torch.arange(width, device=source.device) + displacements[:, 0, None, None]
    y = torch.arange(height, device=source.device)[:, None] + displacements[:, 1, None, None]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    cell = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    base = torch.arange(n, device=source.device)[:, None, None, None] * (height * width)
    index = (base + cell).permute(0, 2, 3, 1).reshape(-1, len(displacements))
    shares = (weights * inside).permute(0, 2, 3, 1).reshape(-1, len(displacements))
    table = source.permute(0, 2, 3, 1).reshape(-1, c)
    found = embedding_bag(index, table, mode="sum", per_sample_weights=shares)
    return found.view(n, height, width, c).permute(0, 3, 1, 2)


def local_correlation(a: Tensor, b: Tensor, radius: int = 8, stride: int = 1) -> Tensor:
    """Correlate a(p) with b(p + d) for all d up to `radius` cells: (n, (2 radius + 1)^2, h, w).

    Mean over channels, on every `stride`-th cell, as MXNet's and D&T's layers do.
    """
    a, b = a[..., ::stride, ::stride], b[..., ::stride, ::stride]
    return correlation_at(b, a, square(radius, 1, a.device)) / a.shape[1]
