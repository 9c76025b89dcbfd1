"""Regions of many frames: boxes x y w h and quadrilaterals, told apart where a toolkit does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints, iou
from vbench.metrics.raster_rows import Convention

Reals: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Regions:
    """Corner points (n, 8), NaN rows where there is none, and which were given as boxes (n,)."""

    points: Floats
    boxes: Bools

    @classmethod
    def of(cls, regions: Regions | Floats) -> Regions:
        """Take boxes x y w h (n, 4) or polygons (n, 8)."""
        if isinstance(regions, Regions):
            return regions
        given = np.asarray(regions, dtype=np.float64)
        return cls(as_polygons(given), np.full(len(given), given.shape[1] == 4))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def known(self) -> Bools:
        """Frames (n,) that have a region; a sum is faster than eight tests."""
        finite: Bools = np.isfinite(self.points.sum(axis=1))
        return finite

    def take(self, frames: Ints) -> Regions:
        """Those of some of the frames."""
        return Regions(self.points[frames], self.boxes[frames])

    def drawn(self, convention: Convention) -> Reals:
        """Corner points (n, 8) in float32 as they are drawn.

        vot-python draws a box up to x + w - 1, of rounded numbers; the others up to x + w.
        """
        points = self.points.astype(np.float32)
        if convention == "vot-python" and self.boxes.any():
            boxes = points[self.boxes]
            low, size = np.rint(boxes[:, :2]), np.rint(boxes[:, 4:6] - boxes[:, :2])
            points[self.boxes] = as_polygons(np.concatenate([low, size - 1], axis=1))
        return points


def as_polygons(regions: Floats) -> Floats:
    """Corner points (n, 8) of regions x y w h (n, 4); polygons (n, 8) stay as they are."""
    if regions.shape[1] == 8:
        return regions
    x, y, w, h = regions.T
    return np.stack([x, y, x + w, y, x + w, y + h, x, y + h], axis=1)


def extent(points: Reals) -> tuple[Reals, Reals]:
    """Low and high corners (n, 2) around polygons (n, 8)."""
    a, b, c, d = (points[:, i : i + 2] for i in (0, 2, 4, 6))
    low: Reals = np.minimum(np.minimum(a, b), np.minimum(c, d))
    high: Reals = np.maximum(np.maximum(a, b), np.maximum(c, d))
    return low, high


def are_upright(points: Reals) -> Bools:
    """Tell which polygons (n, 8) are upright boxes with the corners in `as_polygons`' order."""
    p = points
    columns = (p[:, 0] == p[:, 6]) & (p[:, 2] == p[:, 4])
    upright: Bools = columns & (p[:, 1] == p[:, 3]) & (p[:, 5] == p[:, 7])
    return upright


def exact_overlap(first: Regions, second: Regions, limits: Floats | None) -> Floats:
    """IoU (n,) of upright boxes by area, cut at 0 and `limits` (n, 2)."""
    ends = []
    for regions in (first, second):
        low, high = regions.points[:, :2], regions.points[:, 4:6]
        if limits is not None:
            low, high = np.clip(low, 0, limits), np.clip(high, 0, limits)
        ends.append(np.concatenate([low, high - low], axis=1))
    return iou(ends[0], ends[1])
