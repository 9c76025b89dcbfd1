"""Features of boxes, cut out of the feature map of a whole image: RoIAlign in three kinds, RoIPool.

Boxes are corners in the map's image: rois (n, 5) = index of the image, x1, y1, x2, y2, continuous;
`scale` takes them to the map (1 / stride). Everything is differentiable with respect to the map.

Sources: He et al., Mask R-CNN, 2017 (average); Cui et al., Fast Dynamic Convolutional Neural
Networks, 2018, sec. 3.2 and ZhiyanCui/fdn-release roialign/roialign.cu (maximum); Jung et al.,
Real-Time MDNet, 2018, and IlchaeJung/RT-MDNet roi_align_kernel.cu (adaptive); Girshick, Fast R-CNN,
2015 (RoIPool).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, max_pool2d

# Rows of the feature map that one call gathers; more go in turns, for the memory.
MOST_ROWS = 1 << 18


class AxisTaps(NamedTuple):
    """Where samples fall on one axis: two neighbours and their shares, each (n, p)."""

    low: Tensor
    high: Tensor
    low_share: Tensor
    high_share: Tensor


def roi_align_average(
    features: Tensor,
    rois: Tensor,
    size: int,
    scale: float,
    points: int = 2,
    aligned: bool = False,
) -> Tensor:
    """Mean of `points` x `points` bilinear samples a bin: (n, c, size, size).

    As torchvision and Detectron2 do: samples more than one cell outside the map are zero, others
    are drawn to its border; `aligned` shifts by half a cell and keeps boxes smaller than a cell.
    """
    corners = rois[:, 1:].to(features.dtype) * scale - (0.5 if aligned else 0.0)
    columns, rows = _axes(corners, features)
    taps = []
    for start, end, length in (rows, columns):
        extent = end - start if aligned else (end - start).clamp(min=1)
        steps = (_count(size * points, start) + 0.5) / (size * points)
        place = start[:, None] + steps * extent[:, None]
        taps.append(_drawn_in(place, length))
    found = _sampled(features, rois[:, 0].long(), taps[0], taps[1], size, points)
    return found / points**2


def roi_align_max(
    features: Tensor, rois: Tensor, size: int, scale: float, points: int = 2
) -> Tensor:
    """Largest of `points` x `points` bilinear samples a bin: (n, c, size, size).

    FDN: bins of an inclusive box (+ 1 cell) are clipped to the map, their samples stand at
    1 / (points + 1), 2 / (points + 1) ...; an empty bin is zero. The released kernel counts a
    neighbour twice where a sample's coordinate is whole; this is plain bilinear interpolation.
    """
    columns, rows = _axes(rois[:, 1:].to(features.dtype) * scale, features)
    taps, empty = [], []
    for start, end, length in (rows, columns):
        extent = (end - start + 1).clamp(min=1)
        edges = _count(size + 1, start) / size
        edge = (start[:, None] + edges * extent[:, None]).clamp(0, length)
        bins = edge[:, 1:] - edge[:, :-1]
        steps = (_count(points, start) + 1) / (points + 1)
        place = edge[:, :-1, None] + steps * bins[..., None]
        taps.append(_zero_outside(place.flatten(1), length))
        empty.append(bins <= 0)
    found = _sampled(features, rois[:, 0].long(), taps[0], taps[1], size, points, reduce="max")
    return found.masked_fill((empty[0][:, :, None] | empty[1][:, None, :])[:, None], 0)


def roi_align_adaptive(features: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    """One bilinear sample a grid point, whose two neighbours stand as far apart as the points do.

    RT-MDNet: a grid of 2 size + 1 points over the inclusive box, its neighbours round(bin) cells
    apart (at least 1), then a 3 x 3 maximum at stride 2: (n, c, size, size). Points outside the map
    are zero; a neighbour beyond the border is drawn to it (the released kernel reads past it).
    """
    grid = 2 * size + 1
    columns, rows = _axes(rois[:, 1:].to(features.dtype) * scale, features)
    taps = []
    for start, end, length in (rows, columns):
        bins = (end - start + 1).clamp(min=0) / grid
        steps = _count(grid, start)
        place = start[:, None] + steps * bins[:, None]
        taps.append(_widened(place, torch.floor(bins + 0.5).clamp(min=1)[:, None], length))
    found = _sampled(features, rois[:, 0].long(), taps[0], taps[1], grid, 1)
    return max_pool2d(found, 3, 2)


def roi_pool(features: Tensor, rois: Tensor, size: int, scale: float) -> Tensor:
    """Maximum over bins of whole cells: (n, c, size, size); an empty bin is zero.

    Fast R-CNN: rounded inclusive corners, bins from floor to ceil. Every bin's maximum is that of
    four overlapping windows whose sides are powers of two, from maps of running maxima.
    """
    columns, rows = _axes(torch.floor(rois[:, 1:].to(features.dtype) * scale + 0.5), features)
    spans = []
    for start, end, length in (rows, columns):
        extent = (end - start + 1).clamp(min=1)
        steps = _count(size + 1, start) / size
        edge = steps * extent[:, None]
        low = (start[:, None] + torch.floor(edge[:, :-1])).clamp(0, length).long()
        high = (start[:, None] + torch.ceil(edge[:, 1:])).clamp(0, length).long()
        spans.append((low, high, length))
    return _bin_maxima(features, rois[:, 0].long(), spans[0], spans[1], size)


def _axes(
    corners: Tensor, features: Tensor
) -> tuple[tuple[Tensor, Tensor, int], tuple[Tensor, Tensor, int]]:
    """Start, end and the map's length along x, then along y."""
    x1, y1, x2, y2 = corners.unbind(1)
    return (x1, x2, features.shape[-1]), (y1, y2, features.shape[-2])


def _count(n: int, like: Tensor) -> Tensor:
    """0, 1 ... n - 1 in the type of `like`."""
    return torch.arange(n, device=like.device, dtype=like.dtype)


def _drawn_in(place: Tensor, length: int) -> AxisTaps:
    """Samples beyond the border are drawn to it; zero from one cell outside on."""
    inside = ((place >= -1) & (place <= length)).to(place.dtype)
    near = place.clamp(0, length - 1)
    low = near.floor().clamp(max=max(length - 2, 0))
    share = near - low
    high = (low + 1).clamp(max=length - 1)
    return AxisTaps(low.long(), high.long(), (1 - share) * inside, share * inside)


def _zero_outside(place: Tensor, length: int) -> AxisTaps:
    """Neighbours outside the map count as zero."""
    low = place.floor()
    share = place - low
    shares = [
        weight * ((cell >= 0) & (cell < length)).to(place.dtype)
        for cell, weight in ((low, 1 - share), (low + 1, share))
    ]
    cells = [cell.clamp(0, length - 1).long() for cell in (low, low + 1)]
    return AxisTaps(cells[0], cells[1], shares[0], shares[1])


def _widened(place: Tensor, apart: Tensor, length: int) -> AxisTaps:
    """Two neighbours `apart` cells apart; zero where the sample itself is outside."""
    inside = ((place >= 0) & (place < length)).to(place.dtype)
    low = place.floor().clamp(0, max(length - 2, 0))
    near, far = (1 - (place - cell).abs() / apart for cell in (low, low + apart))
    high = (low + apart).clamp(max=length - 1)
    return AxisTaps(low.long(), high.long(), near * inside, far * inside)


def _sampled(
    features: Tensor,
    image: Tensor,
    rows: AxisTaps,
    columns: AxisTaps,
    size: int,
    points: int,
    reduce: str = "sum",
) -> Tensor:
    """Bilinear samples of n boxes, `points` x `points` a bin, reduced: (n, c, size, size).

    Each sample is a weighted sum of four rows of the map, channels last, in one fused gather.
    """
    n, c, h, w = len(image), *features.shape[1:]
    table = features.permute(0, 2, 3, 1).reshape(-1, c)
    per_box = (size * points) ** 2
    parts = []
    for first in range(0, n, max(1, MOST_ROWS // (4 * per_box))):
        some = slice(first, first + max(1, MOST_ROWS // (4 * per_box)))
        base = image[some, None, None] * (h * w)
        corner, share = [], []
        for y, y_share in ((rows.low, rows.low_share), (rows.high, rows.high_share)):
            for x, x_share in (
                (columns.low, columns.low_share),
                (columns.high, columns.high_share),
            ):
                corner.append(base + y[some, :, None] * w + x[some, None, :])
                share.append(y_share[some, :, None] * x_share[some, None, :])
        index, weight = torch.stack(corner, dim=-1), torch.stack(share, dim=-1)
        m = len(index)
        # (m, size, points, size, points, 4) -> the samples of a bin side by side.
        split = (m, size, points, size, points, 4)
        index, weight = (
            t.view(split).transpose(2, 3).reshape(m * size * size, points * points, 4)
            for t in (index, weight)
        )
        if reduce == "sum":
            found = _weighted(table, index.flatten(1), weight.flatten(1))
        else:
            flat = _weighted(table, index.flatten(0, 1), weight.flatten(0, 1))
            found = flat.view(m * size * size, points * points, c).amax(dim=1)
        parts.append(found.view(m, size, size, c).permute(0, 3, 1, 2))
    return torch.cat(parts) if parts else features.new_zeros(0, c, size, size)


def _weighted(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums (m, c) of rows of `table` (r, c): index and weight (m, k)."""
    found: Tensor = embedding_bag(index, table, mode="sum", per_sample_weights=weight)
    return found


def _bin_maxima(
    features: Tensor,
    image: Tensor,
    rows: tuple[Tensor, Tensor, int],
    columns: tuple[Tensor, Tensor, int],
    size: int,
) -> Tensor:
    """Maxima over [low, high) x [low, high) of every bin: (n, c, size, size)."""
    (y1, y2, h), (x1, x2, w) = rows, columns
    c, n = features.shape[1], len(image)
    levels = [_level(high - low) for low, high in ((y1, y2), (x1, x2))]
    tables, offsets, total = [], {}, 0
    tall = features
    for i in range(int(levels[0].max()) + 1 if n else 0):
        both = tall
        for j in range(int(levels[1].max()) + 1):
            offsets[i, j] = total
            tables.append(both.permute(0, 2, 3, 1).reshape(-1, c))
            total += len(tables[-1])
            both = _doubled(both, 1 << j, 3)
        tall = _doubled(tall, 1 << i, 2)
    if not n:
        return features.new_zeros(0, c, size, size)
    table = torch.cat(tables)
    wide = int(levels[1].max()) + 1
    start = torch.tensor(
        [offsets[i, j] for i in range(int(levels[0].max()) + 1) for j in range(wide)],
        device=features.device,
    )
    level = levels[0][:, :, None] * wide + levels[1][:, None, :]
    base = start[level] + image[:, None, None] * (h * w)
    found = None
    for y in (y1, (y2 - (1 << levels[0])).clamp(min=0)):
        for x in (x1, (x2 - (1 << levels[1])).clamp(min=0)):
            row = y.clamp(max=h - 1)[:, :, None] * w + x.clamp(max=w - 1)[:, None, :]
            window = table[base + row]
            found = window if found is None else torch.maximum(found, window)
    empty = (y2 <= y1)[:, :, None] | (x2 <= x1)[:, None, :]
    assert found is not None  # noqa: S101  (four windows were taken)
    return found.masked_fill(empty[..., None], 0).permute(0, 3, 1, 2)


def _level(extent: Tensor) -> Tensor:
    """Largest k with 2^k <= extent; 0 for what is empty."""
    level = torch.zeros_like(extent)
    for k in range(1, int(extent.max()).bit_length() if extent.numel() else 0):
        level += (extent >= (1 << k)).long()
    return level


def _doubled(maxima: Tensor, reach: int, dim: int) -> Tensor:
    """Maxima over twice the `reach` cells along `dim`; near the border over what is left."""
    length = maxima.shape[dim]
    if reach >= length:
        return maxima
    ahead = torch.cat(
        [maxima.narrow(dim, reach, length - reach), maxima.narrow(dim, length - reach, reach)], dim
    )
    return torch.maximum(maxima, ahead)
