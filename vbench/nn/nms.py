"""Non-maximum suppression of corner boxes: greedy, best first, with R-FCN's inclusive pixels.

Girshick et al., R-CNN, 2014; msracver/Deep-Feature-Flow lib/nms/nms.py (width = x2 - x1 + 1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints


def overlaps(a: Floats, b: Floats, one_px: float = 1.0) -> Floats:
    """IoU of corners x1 y1 x2 y2 that broadcast, shape (...); `one_px` is added to every side."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0]) + one_px
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1]) + one_px
    inter = np.maximum(width, 0) * np.maximum(height, 0)
    union = _area(a, one_px) + _area(b, one_px) - inter
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = np.where(union > 0, inter / union, 0.0)
    return ratio


def nms(
    corners: Floats, scores: Floats, threshold: float, most: int | None = None, one_px: float = 1.0
) -> Ints:
    """Rows that stay, best first: those that no better one overlaps by more than `threshold`."""
    order = np.argsort(-scores, kind="stable")
    left = corners[order]
    kept: list[int] = []
    while len(order) and (most is None or len(kept) < most):
        kept.append(int(order[0]))
        stays = overlaps(left[:1], left[1:], one_px) <= threshold
        order, left = order[1:][stays], left[1:][stays]
    return np.array(kept, dtype=np.int64)


def nms_by_class(
    corners: Floats, scores: Floats, threshold: float, floor: float, one_px: float = 1.0
) -> Bools:
    """Which boxes stay for which class, (n, classes), where all classes share `corners` (n, 4).

    Scores (n, classes) not above `floor` take no part. All classes go through their ranks at once.
    """
    n, classes = scores.shape
    if n == 0:
        return np.zeros((0, classes), dtype=bool)
    clash = overlaps(corners[:, None], corners[None], one_px) > threshold
    order = np.argsort(-scores, axis=0, kind="stable")
    alive = scores > floor
    columns = np.arange(classes)
    for rank in range(int(alive.sum(axis=0).max())):
        best = order[rank]
        stays = alive[best, columns]
        suppressed = clash[best] & stays[:, None]
        suppressed[columns, best] = False
        alive &= ~suppressed.T
    return alive


def _area(corners: NDArray[np.float64], one_px: float) -> Floats:
    area: Floats = (corners[..., 2] - corners[..., 0] + one_px) * (
        corners[..., 3] - corners[..., 1] + one_px
    )
    return area
