"""The upright box that a tracker is started with where the ground truth is a polygon."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vbench.core.boxes import Box, Floats, around_polygons

StartBox = Literal["pysot", "got10k", "around"]


def start_box(region: Floats, rule: StartBox = "pysot") -> Box:
    """Box of a region (4,) or polygon (8,).

    pysot (tools/test.py, pysot/utils/bbox.py get_axis_aligned_bbox) and got10k
    (got10k/datasets/vot.py:213-232): centre of the corners, shape of the polygon's bounding box at
    the polygon's own area, one px larger; they differ by half a px in where they put the corner.
    around: the bounding box itself. A box (4,) stays as it is.
    """
    if len(region) == 4:
        return np.asarray(region, dtype=np.float64)
    around: Box = around_polygons(region[None])[0]
    if rule == "around":
        return around
    first = np.linalg.norm(region[0:2] - region[2:4])
    second = np.linalg.norm(region[2:4] - region[4:6])
    scale = np.sqrt(first * second / (around[2] * around[3]))
    size = scale * around[2:] + 1
    centre = np.array([region[0::2].mean(), region[1::2].mean()])
    corner = centre - (size - 1) / 2 if rule == "pysot" else centre - size / 2
    return np.concatenate([corner, size])
