"""Overlap of regions as the VOT toolkits count it: pixels of rasterised polygons.

Reference: `compute_polygon_overlap` of the TraX library's region.c (pysot toolkit/utils/src,
votchallenge/trax) and `_calculate_overlap` of votchallenge/toolkit vot/region/raster.py. The pixel
counts are theirs to the pixel; the work is done on row spans of all frames at once, and the rows of
the ground truth are kept for the next tracker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints
from vbench.core.errors import VBenchError
from vbench.metrics.raster_rows import (
    CHUNK,
    FAR,
    Convention,
    Rows,
    crossings,
    retied,
    rounded,
    scan_convex,
    spans,
    strictly_convex,
    sums,
)
from vbench.metrics.regions import Reals, Regions, are_upright, exact_overlap, extent

Whole = NDArray[np.signedinteger[Any]]

# Regions further out than this are no regions; the window of a pair would not fit into memory.
OUTLANDISH = 1e6


class Window(NamedTuple):
    """The pixels that a pair of regions is drawn into: origin and size, each (n,)."""

    x: Reals
    y: Reals
    width: Ints
    height: Ints


class Pixels(NamedTuple):
    """Pixel counts of pairs: of the first, of the second, of both; -1 where nothing was drawn."""

    first: Ints
    second: Ints
    both: Ints


@dataclass(frozen=True)
class Rastered:
    """Regions of n frames prepared to be compared with many others of the same frames.

    points (n, 8): corners as drawn; low, high (n, 2): around them; packed (n,): rows are kept.
    """

    regions: Regions
    points: Reals
    known: Bools
    low: Reals
    high: Reals
    convention: Convention
    packed: Bools
    rows: Rows

    def take(self, frames: Ints) -> Rastered:
        """The same for some of the frames, which are not drawn again."""
        return replace(
            self,
            regions=self.regions.take(frames),
            points=self.points[frames],
            known=self.known[frames],
            low=self.low[frames],
            high=self.high[frames],
            packed=self.packed[frames],
            rows=self.rows.take(frames),
        )


def rastered(
    regions: Regions | Floats, *, bounded: bool = True, convention: Convention = "region-c"
) -> Rastered:
    """Prepare regions (n, 4) or (n, 8); `bounded`: overlaps will be cut at the image border."""
    given = Regions.of(regions)
    points, known = given.drawn(convention), given.known
    safe = np.where(known[:, None], points, np.float32(0))
    low, high = extent(safe)
    if len(safe) and max(-low.min(), high.max()) > OUTLANDISH:
        raise VBenchError(f"a region lies more than {OUTLANDISH:.0f} px outside the image")
    x, y = (rounded(safe[:, c::2].astype(np.float64), convention) for c in (0, 1))
    packed = known & strictly_convex(x, y)[0] & (convention != "region-c-legacy")
    packed &= (low >= (-FAR if bounded else 0)).all(axis=1) & (high < FAR).all(axis=1)
    rows = scan_convex(x, y, packed, convention)
    return Rastered(given, points, known, low, high, convention, packed, rows)


def overlaps(truth: Rastered, regions: Regions | Floats, limits: Floats | None = None) -> Floats:
    """Overlap of each region (n, 4) or (n, 8) with the truth of its frame, shape (n,).

    `limits` (n, 2) are the right and bottom border in px at which regions are cut. NaN rows give
    NaN, and so do regions that fill no pixel at all under region.c, which divides 0 by 0. For
    `vot-python` two boxes are compared by exact area.
    """
    given = Regions.of(regions)
    counts = pixel_counts(truth, given, limits)
    drawn = counts.both >= 0
    union = np.where(drawn, counts.first + counts.second - counts.both, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if truth.convention == "vot-python":
            share = np.where(union > 0, counts.both / np.maximum(union, 1), 0.0)
        else:  # region.c divides floats
            share = (counts.both.astype(np.float32) / union.astype(np.float32)).astype(np.float64)
    result = np.where(drawn, share, 0.0)
    if truth.convention == "vot-python":
        both = np.flatnonzero(truth.regions.boxes & given.boxes)
        cut = None if limits is None else limits[both]
        result[both] = exact_overlap(truth.regions.take(both), given.take(both), cut)
    result[~(truth.known & given.known)] = np.nan
    return result


def pixel_counts(
    truth: Rastered, regions: Regions | Floats, limits: Floats | None = None
) -> Pixels:
    """Pixels of the truth, of the regions and of both, each (n,); see `overlaps`."""
    given = Regions.of(regions)
    if len(truth.points) != len(given):
        raise VBenchError(f"{len(given)} regions for {len(truth.points)} frames of ground truth")
    counts = Pixels(*(np.full(len(given), -1, dtype=np.int64) for _ in range(3)))
    points = given.drawn(truth.convention)
    window, drawn, plain = _windows(truth, points, limits, truth.known & given.known)
    packed, upright = drawn & plain & truth.packed, are_upright(points)
    _count_boxes(truth, points, limits, window, np.flatnonzero(packed & upright), counts)
    rest = np.flatnonzero(packed & ~upright)
    if len(rest):
        rest = _count_packed(truth, points, limits, window, rest, counts)
    others = np.concatenate([rest, np.flatnonzero(drawn & ~packed)])
    _count_any(truth, points, window, np.sort(others), counts)
    return counts


def _bounds(low: Reals, high: Reals, convention: Convention) -> tuple[Reals, Reals]:
    """Low and high corners (n, 2) as the convention rounds them (float32)."""
    if convention == "region-c":
        return np.floor(low), np.ceil(high)
    if convention == "vot-python":
        return np.rint(low), np.rint(high)
    return low, high


def _windows(
    truth: Rastered, points: Reals, limits: Floats | None, known: Bools
) -> tuple[Window, Bools, Bools]:
    """Windows of all pairs, which of them are drawn, and which have both regions in the image."""
    convention = truth.convention
    low1, high1 = _bounds(truth.low, truth.high, convention)
    low2, high2 = _bounds(*extent(points), convention)
    known &= (np.abs(low2) < OUTLANDISH).all(axis=1) & (np.abs(high2) < OUTLANDISH).all(axis=1)
    zero, cap = np.float32(0), None if limits is None else limits.astype(np.float32)
    if cap is not None and convention != "vot-python":
        low1, low2 = np.maximum(low1, zero), np.maximum(low2, zero)
        high1, high2 = np.minimum(high1, cap), np.minimum(high2, cap)
    low, high = np.minimum(low1, low2), np.maximum(high1, high2)
    if cap is not None and convention == "vot-python":
        low, high = np.maximum(low, zero), np.minimum(high, cap - 1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        size = np.where(known[:, None], high - low, 0).astype(np.int64) + 1
        origin = np.where(known[:, None], low, 0).astype(np.float32)
        if convention == "vot-python":
            drawn = known & (low < high).all(axis=1)
        else:
            drawn = known & (size >= 1).all(axis=1) & _may_meet(low1, high1, low2, high2)
        upright = (low1 <= high1) & (low2 <= high2)
        plain: Bools = upright[:, 0] & upright[:, 1]
    window = Window(origin[:, 0], origin[:, 1], size[:, 0], size[:, 1])
    return window, drawn, plain


def _may_meet(low1: Reals, high1: Reals, low2: Reals, high2: Reals) -> Bools:
    """region.c's two shortcuts: areas too unlike, or bounding boxes that do not overlap."""
    area1, area2 = np.prod(high1 - low1, axis=1), np.prod(high2 - low2, axis=1)
    wide1, wide2 = area1.astype(np.float64), area2.astype(np.float64)
    unlike = (wide1 / wide2 < 1e-10) | (wide2 / wide1 < 1e-10)
    inner = np.prod(np.minimum(high1, high2) - np.maximum(low1, low2), axis=1)
    share = inner / (area1 + area2 - inner)
    apart = np.where(np.float32(0) > share, np.float32(0), share) == 0
    meet: Bools = ~unlike & ~apart
    return meet


class Settled(NamedTuple):
    """Packed rows as they are in the windows of all pairs: left, right, and pixels (n,)."""

    left: Whole
    right: Whole
    area: Ints


def _settled(truth: Rastered, limits: Floats | None, window: Window, pairs: Ints) -> Settled:
    """Move tied rows to where they are in their windows, and cut areas at the image border."""
    rows = truth.rows
    left, right, area = rows.left, rows.right, rows.area.copy()
    if len(rows.ties):
        fixed = retied(rows, window.x.astype(np.float64), truth.convention)
        wrong = np.flatnonzero((fixed[0] != left[rows.ties]) | (fixed[1] != right[rows.ties]))
        if len(wrong):
            line = rows.ties[wrong]
            before = right[line].astype(np.int64) - left[line]
            left, right = left.copy(), right.copy()
            left[line], right[line] = fixed[0][wrong], fixed[1][wrong]
            after = right[line].astype(np.int64) - left[line]
            np.add.at(area, rows.tie_owner[wrong], after - before)
    if limits is not None:
        cut = pairs[_pokes_out(truth, limits, pairs)]
        area[cut] = _cut_area(rows, left, right, cut, window)
    return Settled(left, right, area)


def _count_boxes(
    truth: Rastered,
    points: Reals,
    limits: Floats | None,
    window: Window,
    pairs: Ints,
    counts: Pixels,
) -> None:
    """Count pairs of a packed polygon and an upright box: the box's rows are all alike."""
    left, right, area = _settled(truth, limits, window, pairs)
    box = _drawn_boxes(points[pairs], window, pairs, truth.convention)
    counts.first[pairs] = area[pairs]
    counts.second[pairs] = np.prod(np.maximum(box[1] - box[0] + 1, 0), axis=1)
    counts.both[pairs] = _meeting(truth.rows, left, right, pairs, box)


def _count_packed(
    truth: Rastered,
    points: Reals,
    limits: Floats | None,
    window: Window,
    pairs: Ints,
    counts: Pixels,
) -> Ints:
    """Count pairs of two packed polygons; return the pairs whose second cannot be packed."""
    given = points[pairs].astype(np.float64)
    other = rastered(given, bounded=limits is not None, convention=truth.convention)
    chosen = pairs[other.packed]
    both = truth.take(chosen), other.take(np.flatnonzero(other.packed))
    here = Window(window.x[chosen], window.y[chosen], window.width[chosen], window.height[chosen])
    cut = None if limits is None else limits[chosen]
    every = np.arange(len(chosen))
    sides = [_settled(one, cut, here, every) for one in both]
    top = here.y.astype(np.int64)
    low = np.maximum.reduce([top, *(one.rows.top for one in both)])
    ends = [one.rows.top + one.rows.count - 1 for one in both]
    high = np.minimum.reduce([top + here.height - 1, *ends])
    (first, begin, count), (second, _, _) = (_pick(one.rows, every, low, high) for one in both)
    edge = here.x.astype(np.int64)
    inner = np.minimum(sides[0].right[first], sides[1].right[second]).astype(np.int64)
    inner = np.minimum(inner, np.repeat(edge + here.width - 1, count)) + 1
    inner -= np.maximum(
        np.maximum(sides[0].left[first], sides[1].left[second]), np.repeat(edge, count)
    )
    counts.first[chosen], counts.second[chosen] = sides[0].area, sides[1].area
    counts.both[chosen] = sums(np.maximum(inner, 0), begin, count)
    return pairs[~other.packed]


def _drawn_boxes(
    polygons: Reals, window: Window, pairs: Ints, convention: Convention
) -> tuple[Ints, Ints]:
    """First and last pixel (x, y), in absolute pixels, of upright boxes inside their windows."""
    origin = np.stack([window.x[pairs], window.y[pairs]], axis=1)
    size = np.stack([window.width[pairs], window.height[pairs]], axis=1)
    if convention == "vot-python":
        ends = [np.rint(polygons[:, c : c + 2]) - origin for c in (0, 4)]
    else:
        ends = [
            rounded((polygons[:, c : c + 2] - origin).astype(np.float64), convention)
            for c in (0, 4)
        ]
    low, high = np.minimum(*ends).astype(np.int64), np.maximum(*ends).astype(np.int64)
    if convention == "region-c":
        flat = (low == high).any(axis=1)
        high[flat] = low[flat] - 1
    low, high = np.maximum(low, 0), np.minimum(high, size - 1)
    shift = origin.astype(np.int64)
    return low + shift, high + shift


def _pokes_out(truth: Rastered, limits: Floats, pairs: Ints) -> Bools:
    """Tell which truths may have corners outside the image."""
    outside = (truth.low[pairs] < 1) | (truth.high[pairs] > limits[pairs] - 2)
    return outside[:, 0] | outside[:, 1]


def _pick(rows: Rows, pairs: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
    """Packed row indices of rows low..high of each pair, with where each pair's begin and count."""
    first = np.maximum(low, rows.top[pairs])
    last = np.minimum(high, rows.top[pairs] + rows.count[pairs] - 1)
    count = np.maximum(last - first + 1, 0)
    begin = np.cumsum(count) - count
    index = np.arange(int(count.sum()))
    index += np.repeat(rows.start[pairs] + first - rows.top[pairs] - begin, count)
    return index, begin, count


def _cut_area(rows: Rows, left: Whole, right: Whole, pairs: Ints, window: Window) -> Ints:
    """Pixels of packed polygons inside their windows."""
    low, high = window.y[pairs].astype(np.int64), window.x[pairs].astype(np.int64)
    index, begin, count = _pick(rows, pairs, low, low + window.height[pairs] - 1)
    inner = np.minimum(right[index], np.repeat(high + window.width[pairs] - 1, count))
    inner = inner - np.maximum(left[index], np.repeat(high, count)) + 1
    return sums(np.maximum(inner, 0), begin, count)


def _meeting(rows: Rows, left: Whole, right: Whole, pairs: Ints, box: tuple[Ints, Ints]) -> Ints:
    """Pixels of packed polygons inside boxes of first and last pixels."""
    low, high = box
    index, begin, count = _pick(rows, pairs, low[:, 1], high[:, 1])
    narrow = np.int16
    edge_l = np.clip(low[:, 0], -FAR, FAR).astype(narrow)
    edge_r = np.clip(high[:, 0], -FAR, FAR).astype(narrow)
    inner = np.minimum(right[index], np.repeat(edge_r, count))
    inner -= np.maximum(left[index], np.repeat(edge_l, count))
    inner += narrow(1)
    np.maximum(inner, 0, out=inner)
    return sums(inner, begin, count)


def _count_any(truth: Rastered, points: Reals, window: Window, pairs: Ints, counts: Pixels) -> None:
    """Count any pairs row by row of their windows, in chunks of bounded memory."""
    heights = window.height[pairs]
    group = (np.cumsum(heights) - heights) // CHUNK
    for part in np.unique(group):
        chosen = pairs[group == part]
        height = window.height[chosen]
        begin = np.cumsum(height) - height
        own = np.repeat(np.arange(len(chosen)), height)
        line = np.arange(len(own)) - begin[own]
        sides = [
            _window_spans(regions[chosen], window, chosen, own, line, truth.convention)
            for regions in (truth.points, points)
        ]
        for column, tally in zip(counts, _tally(sides), strict=True):
            column[chosen] = sums(tally, begin, height)


def _window_spans(
    polygons: Reals, window: Window, pairs: Ints, own: Ints, line: Ints, convention: Convention
) -> tuple[Ints, Ints]:
    """Filled spans (rows, 3) of polygons drawn into their windows."""
    origin = np.stack([window.x[pairs], window.y[pairs]], axis=1)
    points: Reals = polygons.reshape(-1, 4, 2)
    if convention == "vot-python":
        points = (np.rint(points) - origin[:, None]).astype(np.float64)
    elif convention == "region-c":
        points = rounded((points - origin[:, None]).astype(np.float64), convention)
    else:
        points = points - origin[:, None]
    node = crossings(points[own, :, 0], points[own, :, 1], line, convention)
    return spans(node, window.width[pairs][own], convention)


def _tally(sides: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints, Ints]:
    """Pixels a row of the first, of the second and of both regions."""
    (left1, right1), (left2, right2) = sides
    first = np.maximum(right1 - left1 + 1, 0).sum(axis=1)
    second = np.maximum(right2 - left2 + 1, 0).sum(axis=1)
    both = np.zeros_like(first)
    for a in range(left1.shape[1]):
        for b in range(left2.shape[1]):
            width = (
                np.minimum(right1[:, a], right2[:, b]) - np.maximum(left1[:, a], left2[:, b]) + 1
            )
            both += np.maximum(width, 0)
    return first, second, both
