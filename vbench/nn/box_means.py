"""Means of a map inside boxes: how the cells under an object move, on average."""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import Boxes, Floats

# Side in cells to which a box without any is widened.
LEAST = 1e-6


def means_inside(maps: Floats, boxes: Boxes) -> Floats:
    """Mean of each map inside each box, cells weighed by the area of the box in them: (n, c).

    maps (c, h, w), boxes (n, 4) x y w h in cells, none NaN. What lies outside the map does not
    count; a box that lies outside altogether takes the nearest cells.
    """
    height, width = maps.shape[1:]
    across = _shares(boxes[:, 0], boxes[:, 0] + boxes[:, 2], width)
    along = _shares(boxes[:, 1], boxes[:, 1] + boxes[:, 3], height)
    found: Floats = np.einsum("chw,nh,nw->nc", maps, along, across, optimize=True)
    return found


def _shares(low: Floats, high: Floats, cells: int) -> Floats:
    """Share of each interval in each of so many cells, (n, cells); rows sum to 1."""
    low = np.clip(low, 0, cells - LEAST)
    high = np.clip(high, low + LEAST, cells)
    first = np.arange(cells)
    inside = np.minimum(high[:, None], first + 1) - np.maximum(low[:, None], first)
    inside = np.maximum(inside, 0)
    found: Floats = inside / inside.sum(axis=1, keepdims=True)
    return found
