"""Row spans of rasterised polygons: which columns of each pixel row a region fills.

The scan lines are those of `region.c` of the TraX library (votchallenge/trax lib/region.c,
`rasterize_polygon`), as used by the VOT toolkits: vertices are rounded, a row is filled between the
truncated crossings of its edges, both ends included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints

# region-c: pysot, and MATLAB from 2016 on; region-c-legacy: MATLAB before; vot-python: vot 0.x.
Convention = Literal["region-c", "region-c-legacy", "vot-python"]
# Larger than this a coordinate does not fit the packed rows; such regions take the slow path.
FAR = 30_000
CHUNK = 1 << 18
Reals = NDArray[np.floating[Any]]
NOTHING = np.iinfo(np.int64).max


def rounded(values: Floats, convention: Convention) -> Floats:
    """Round as the rasteriser does: half away from zero, half to even, or not at all."""
    if convention == "region-c-legacy":
        return values
    if convention == "vot-python":
        return np.rint(values)
    return np.trunc(values + np.copysign(0.5, values))


@dataclass(frozen=True)
class Rows:
    """Packed rows of n strictly convex polygons, in absolute pixels.

    Polygon i owns rows `start[i]:start[i] + count[i]`, the first of which is row `top[i]`; it fills
    columns left..right of each, both included, none where right < left. `ties` (m,) are rows
    whose crossing falls on a whole column, so that float arithmetic may land beside it depending on
    the origin of the window; `tie_owner` (m,) is their polygon.
    """

    x: Floats  # (n, 4) rounded
    y: Floats
    top: Ints
    start: Ints
    count: Ints
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    area: Ints
    ties: Ints
    tie_owner: Ints

    def take(self, polygons: Ints) -> Rows:
        """The same for some of the polygons; the packed rows are shared."""
        place = np.full(len(self.top), -1)
        place[polygons] = np.arange(len(polygons))
        kept = place[self.tie_owner] >= 0
        return replace(
            self,
            x=self.x[polygons],
            y=self.y[polygons],
            top=self.top[polygons],
            start=self.start[polygons],
            count=self.count[polygons],
            area=self.area[polygons],
            ties=self.ties[kept],
            tie_owner=place[self.tie_owner[kept]],
        )


def strictly_convex(x: Floats, y: Floats) -> tuple[Bools, Bools]:
    """Tell which quadrilaterals (n, 4) turn one way at every corner, and which turn left."""
    ex, ey = np.roll(x, -1, axis=1) - x, np.roll(y, -1, axis=1) - y
    turn = ex * np.roll(ey, -1, axis=1) - ey * np.roll(ex, -1, axis=1)
    least, most = turn.min(axis=1), turn.max(axis=1)
    return (least > 0) | (most < 0), least > 0


def scan_convex(x: Floats, y: Floats, wanted: Bools, convention: Convention) -> Rows:
    """Scan strictly convex quadrilaterals of rounded corners x, y (n, 4); rows only for `wanted`.

    Edges that run down make one side of a convex polygon and edges that run up the other, so
    every crossing has its place and nothing has to be sorted.
    """
    top = np.where(wanted, y.min(axis=1), 0).astype(np.int64)
    count = np.where(wanted, y.max(axis=1) - y.min(axis=1) + 1, 0).astype(np.int64)
    start = np.concatenate([[0], np.cumsum(count)])
    total, start = int(start[-1]), start[:-1]
    sides = np.zeros(2 * total, dtype=np.int16)
    positive = strictly_convex(x, y)[1]
    ties: list[Ints] = []
    owners: list[Ints] = []
    for i in range(4):
        _scan_edge(i, x, y, wanted, positive, start - top, sides, ties, owners)
    left, right = sides[:total], sides[total:]
    if convention == "region-c":
        right = right - (left == right)  # a row of equal crossings stays empty
    area = sums((right - left + np.int16(1)), start, count)
    tied, first = np.unique(np.concatenate(ties), return_index=True)
    return Rows(x, y, top, start, count, left, right, area, tied, np.concatenate(owners)[first])


def _scan_edge(
    i: int,
    x: Floats,
    y: Floats,
    wanted: Bools,
    positive: Bools,
    base: Ints,
    sides: NDArray[np.int16],
    ties: list[Ints],
    owners: list[Ints],
) -> None:
    """Write the crossings of edge i of all polygons into their rows."""
    r, k = y[:, i - 1] - y[:, i], x[:, i - 1] - x[:, i]
    own = np.flatnonzero(wanted & (r != 0))
    r, k = r[own], k[own]
    length = (np.abs(r) + 1).astype(np.int64)
    begin = np.cumsum(length) - length
    on_right = (r < 0) == positive[own]
    low = np.minimum(y[own, i], y[own, i - 1]).astype(np.int64)
    index = np.arange(int(length.sum()))
    delta = index + np.repeat(low - y[own, i].astype(np.int64) - begin, length)
    run = delta / np.repeat(r, length)
    run *= np.repeat(k, length)
    gap = run - np.rint(run)
    near = np.flatnonzero((gap != 0) & (np.abs(gap) < 1e-6))
    row = index + np.repeat(base[own] + low - begin, length)
    run += np.repeat(x[own, i], length)
    sides[row + np.repeat(on_right * (len(sides) // 2), length)] = run
    ties.append(row[near])
    owners.append(own[np.searchsorted(begin, near, side="right") - 1])


def retied(rows: Rows, origin: Floats, convention: Convention) -> tuple[Ints, Ints]:
    """Recompute the tied rows (left, right) for the windows' left borders `origin` (n,)."""
    owner = rows.tie_owner
    line = rows.ties - rows.start[owner] + rows.top[owner]
    node = crossings(rows.x[owner] - origin[owner, None], rows.y[owner], line, convention)
    left = node.min(axis=1)
    right = np.where(node == NOTHING, -NOTHING, node).max(axis=1)
    shift = origin[owner].astype(np.int64)
    empty = (left == right) & (convention == "region-c")
    return left + shift, right + shift - empty


def crossings(x: Reals, y: Reals, line: Ints, convention: Convention) -> Ints:
    """Truncated crossings of row `line` (m,) with the edges of x, y (m, 4); NOTHING where none."""
    xj, yj = np.roll(x, 1, axis=1), np.roll(y, 1, axis=1)
    at = line[:, None]
    low, high = np.minimum(y, yj), np.maximum(y, yj)
    touched = (low <= at) & (at <= high)
    r = yj - y
    if convention == "region-c-legacy":
        touched = (low < at) & (at <= high)
    elif convention == "region-c":
        touched &= r != 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        step = (at.astype(x.dtype) - y) / r * (xj - x)
    node = x + np.where(r == 0, 0, step)
    return np.where(touched, np.where(touched, node, 0).astype(np.int64), NOTHING)


def spans(node: Ints, width: Ints, convention: Convention) -> tuple[Ints, Ints]:
    """Turn crossings (m, k) into filled spans (m, k-1) left..right within `width` (m,) columns.

    As region.c pairs sorted crossings: equal neighbours are passed over, a pair consumes both.
    """
    node = np.sort(node, axis=1)
    m, k = node.shape
    left, right = np.zeros((m, k - 1), np.int64), np.full((m, k - 1), -1, np.int64)
    exclusive = convention == "region-c-legacy"
    known = (node != NOTHING).sum(axis=1)
    skip = np.zeros(m, dtype=bool)
    for p in range(k - 1):
        ready = ~skip & (p + 1 < known)
        equal = node[:, p] == node[:, p + 1]
        if exclusive:
            equal[:] = False
        elif convention == "vot-python":
            equal &= p < known - 2
        fill = ready & ~equal
        a, b = node[:, p], node[:, p + 1]
        if exclusive:
            b = np.where(b > width, width - 1, b) - 1
        left[:, p] = np.where(fill, np.maximum(a, 0), 0)
        right[:, p] = np.where(fill, np.minimum(b, width - 1), -1)
        skip = fill
    # Two spans may share the column where they meet; it is one pixel.
    for p in range(1, k - 1):
        before = right[:, :p].max(axis=1)
        left[:, p] = np.maximum(left[:, p], before + 1)
    return left, right


def sums(values: NDArray[np.signedinteger[Any]], start: Ints, count: Ints) -> Ints:
    """Sums of consecutive segments, 0 for empty ones, shape (n,)."""
    total = np.zeros(len(start), dtype=np.int64)
    some = np.flatnonzero(count)
    if len(some):
        total[some] = np.add.reduceat(values, start[some], dtype=np.int64)
    return total
