"""RoIAlign with as many samples a bin as it has cells: the mean over the whole bin.

He et al., Mask R-CNN, 2017, in the released adaptive form (sampling ratio 0): ceil(side / size)
samples a bin and axis. The mean is separable, so a box is two matrix products around its cut-out.
"""

from __future__ import annotations

import torch
from torch import Tensor


def roi_align_dense(features: Tensor, corners: Tensor, size: int, scale: float) -> Tensor:
    """Features (1, c, h, w) of boxes, corners (n, 4): (n, c, size, size); zero outside the map."""
    height, width = features.shape[-2:]
    x1, y1, x2, y2 = (corners.to(features.dtype) * scale).unbind(1)
    rows = axis_shares(y1, y2 - y1, size, height)
    columns = axis_shares(x1, x2 - x1, size, width)
    spans = zip(_spans(y1, y2, height), _spans(x1, x2, width), strict=True)
    found = []
    for index, ((top, bottom), (left, right)) in enumerate(spans):
        cutout = features[0, :, top:bottom, left:right]
        tall = rows[index, :, top:bottom] @ cutout
        found.append(tall @ columns[index, :, left:right].T)
    return torch.stack(found) if found else features.new_zeros(0, features.shape[1], size, size)


def axis_shares(start: Tensor, extent: Tensor, size: int, length: int) -> Tensor:
    """Share of every cell in every bin along one axis, (n, size, length).

    Bilinear samples more than one cell outside are zero, others are drawn to the border.
    """
    extent = extent.clamp(min=0)
    points = torch.ceil(extent / size).clamp(min=1)
    most = int(points.max()) if len(points) else 1
    sample = torch.arange(most, device=start.device, dtype=start.dtype)
    bins = torch.arange(size, device=start.device, dtype=start.dtype)
    steps = bins[None, :, None] + (sample + 0.5) / points[:, None, None]
    place = start[:, None, None] + steps * (extent / size)[:, None, None]
    counted = (sample < points[:, None, None]) & (place >= -1) & (place <= length)
    share = counted.to(start.dtype) / points[:, None, None]
    near = place.clamp(0, length - 1)
    low = near.floor()
    beyond = near - low
    found = start.new_zeros(len(start), size, length)
    found.scatter_add_(2, low.long(), share * (1 - beyond))
    found.scatter_add_(2, (low + 1).clamp(max=length - 1).long(), share * beyond)
    return found


def _spans(start: Tensor, end: Tensor, length: int) -> list[tuple[int, int]]:
    """Cells that a box can touch, at least one."""
    first = start.floor().clamp(0, length - 1).long().tolist()
    last = (end.ceil() + 1).clamp(1, length).long().tolist()
    return [(low, max(high, low + 1)) for low, high in zip(first, last, strict=True)]
