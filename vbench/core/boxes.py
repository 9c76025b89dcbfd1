"""Box geometry. A box is x y w h in pixels: float64, origin top left, 0-based, continuous.

Arrays of boxes have shape (n, 4). A row with NaN means that the object is absent.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box: TypeAlias = NDArray[np.float64]  # (4,)
Boxes: TypeAlias = NDArray[np.float64]  # (n, 4)
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]
Image: TypeAlias = NDArray[np.uint8]  # (h, w, 3) RGB


def as_boxes(boxes: ArrayLike) -> Boxes:
    """Return `boxes` as float64 of shape (n, 4); a single box becomes one row."""
    array = np.asarray(boxes, dtype=np.float64)
    return array.reshape(-1, 4)


def absent(n: int) -> Boxes:
    """Return `n` absent boxes: NaN of shape (n, 4)."""
    return np.full((n, 4), np.nan)


def is_present(boxes: Boxes) -> Bools:
    """Tell which rows are finite, shape (n,)."""
    return np.asarray(np.isfinite(boxes).all(axis=-1))


def to_corners(boxes: Boxes) -> Boxes:
    """Turn x y w h into x1 y1 x2 y2 (x2 = x + w), any leading shape."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def from_corners(corners: Boxes) -> Boxes:
    """Turn x1 y1 x2 y2 into x y w h, any leading shape."""
    return np.concatenate([corners[..., :2], corners[..., 2:] - corners[..., :2]], axis=-1)


def centres(boxes: Boxes) -> Floats:
    """Return centres (cx, cy) of shape (..., 2)."""
    centre: Floats = boxes[..., :2] + boxes[..., 2:] / 2
    return centre


def from_centres(centre: Floats, size: Floats) -> Boxes:
    """Build boxes from centres (..., 2) and sizes (w, h) (..., 2)."""
    return np.concatenate([centre - size / 2, size], axis=-1)


def areas(boxes: Boxes) -> Floats:
    """Return areas in px^2, 0 for negative sizes, shape (...)."""
    area: Floats = np.maximum(boxes[..., 2], 0) * np.maximum(boxes[..., 3], 0)
    return area


def iou(a: Boxes, b: Boxes) -> Floats:
    """Intersection over union of boxes that broadcast against each other, shape (...).

    Degenerate or absent boxes have IoU 0.
    """
    left = np.maximum(a[..., 0], b[..., 0])
    top = np.maximum(a[..., 1], b[..., 1])
    right = np.minimum(a[..., 0] + a[..., 2], b[..., 0] + b[..., 2])
    bottom = np.minimum(a[..., 1] + a[..., 3], b[..., 1] + b[..., 3])
    inter = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    union = areas(a) + areas(b) - inter
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(union > 0, inter / union, 0.0)
    return np.asarray(np.nan_to_num(np.clip(ratio, 0.0, 1.0), nan=0.0))


def iou_matrix(a: Boxes, b: Boxes) -> Floats:
    """IoU of every row of `a` (n, 4) with every row of `b` (m, 4), shape (n, m)."""
    return iou(a[:, None, :], b[None, :, :])


def centre_distances(a: Boxes, b: Boxes) -> Floats:
    """Euclidean distance of centres in px, shape (...)."""
    distance: Floats = np.linalg.norm(centres(a) - centres(b), axis=-1)
    return distance


def clipped(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Cut boxes at the borders of a frame of `size` (w, h)."""
    corners = to_corners(boxes)
    limit = np.array([size[0], size[1], size[0], size[1]], dtype=np.float64)
    return from_corners(np.clip(corners, 0.0, limit))


def inside_share(boxes: Boxes, size: tuple[int, int]) -> Floats:
    """Share of each box's area that lies inside a frame of `size` (w, h), in [0, 1]."""
    whole = areas(boxes)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Floats = np.where(whole > 0, areas(clipped(boxes, size)) / whole, 0.0)
    return share


def around_polygons(polygons: Floats) -> Boxes:
    """Axis-aligned boxes around polygons of shape (n, 2k), x and y alternating."""
    points = polygons.reshape(len(polygons), -1, 2)
    low, high = points.min(axis=1), points.max(axis=1)
    return np.concatenate([low, high - low], axis=1)
