"""Position-sensitive RoI pooling: every bin of a box reads channels of its own.

Dai et al., R-FCN, NIPS 2016, eq. 1; rounding of msracver/Deep-Feature-Flow's operator (MXNet
contrib psroi_pooling.cu). Each bin is a difference of four corners of a summed-area table, so the
cost does not grow with the size of boxes, and all of them are one gather.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad

LEAST_EXTENT = 0.1


def psroi_pool(features: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    """Mean over each bin of its own channel: (n, c, size, size).

    features (b, c size^2, h, w), channel (c size + row) size + column; rois (n, 5) = index of the
    image, x1, y1, x2, y2 in px of the image, inclusive; an empty bin is zero.
    """
    b, channels, h, w = features.shape
    c = channels // size**2
    rows = _edges(rois[:, 2], rois[:, 4], size, scale, h)
    columns = _edges(rois[:, 1], rois[:, 3], size, scale, w)
    # (b, bins, h + 1, w + 1, c): what one bin reads of one image stands together.
    # Sums of float32 maps in double precision lose nothing that the answer shows.
    table = features.double().cumsum(2).cumsum(3)
    table = pad(table, (1, 0, 1, 0)).reshape(b, c, size**2, h + 1, w + 1)
    table = table.permute(0, 2, 3, 4, 1).reshape(-1, c)
    index, sign = _corners(rois[:, 0].long(), rows, columns, size, (h, w))
    found = embedding_bag(index, table, mode="sum", per_sample_weights=sign)
    return found.to(features.dtype).view(len(rois), size, size, c).permute(0, 3, 1, 2)


def _edges(
    low: Tensor, high: Tensor, size: int, scale: float, length: int
) -> tuple[Tensor, Tensor]:
    """First cell and the one after the last of every bin along an axis, each (n, size)."""
    start = torch.floor(low.double() + 0.5) * scale
    extent = ((torch.floor(high.double() + 0.5) + 1) * scale - start).clamp(min=LEAST_EXTENT)
    steps = torch.arange(size + 1, device=low.device, dtype=torch.float64)
    edge = start[:, None] + steps * (extent / size)[:, None]
    first = torch.floor(edge[:, :-1]).clamp(0, length).long()
    after = torch.ceil(edge[:, 1:]).clamp(0, length).long()
    return first, after


def _corners(
    image: Tensor,
    rows: tuple[Tensor, Tensor],
    columns: tuple[Tensor, Tensor],
    size: int,
    shape: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Rows of the table that a bin adds and takes away, and by how much: each (n size^2, 4)."""
    (y1, y2), (x1, x2) = ((a[:, :, None], b[:, :, None]) for a, b in (rows, columns))
    x1, x2 = x1.transpose(1, 2), x2.transpose(1, 2)
    area = (y2 - y1).clamp(min=0) * (x2 - x1).clamp(min=0)
    bins = torch.arange(size**2, device=image.device).view(size, size)
    base = (image[:, None, None] * size**2 + bins) * ((shape[0] + 1) * (shape[1] + 1))
    index = [base + y * (shape[1] + 1) + x for y, x in ((y2, x2), (y1, x2), (y2, x1), (y1, x1))]
    share = torch.where(area > 0, 1 / area.clamp(min=1).double(), 0.0)
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], device=image.device, dtype=torch.float64)
    sign = share[..., None] * signs
    return torch.stack(index, dim=-1).view(-1, 4), sign.view(-1, 4)
