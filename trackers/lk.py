"""Sparse Lucas-Kanade: points in each box are followed to the next frame and back again.

Kalal et al., Forward-Backward Error, ICPR 2010: the points that come back to where they started
carry the box by the median of their steps, and scale it by the median change of their distances.
Pyramids as in Bouguet, Pyramidal Implementation of the Lucas Kanade Feature Tracker, 2000.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Floats, Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Work, WorkTable

from .inner_points import Grey, InnerPoints, carried

LEVELS = 3
ITERATIONS = 10
FARTHEST_PX = float(1 << 15)


class LucasKanade(InnerPoints):
    """The propagator, all points of all objects in one call; it follows from frame to frame.

    Belief is the share of an object's points that come back.

    Args:
        grid: points a side in each box.
        window: side of the window around a point in px.
        error_px: how far from its start a point may come back.
    """

    def __init__(self, grid: int = 7, window: int = 15, error_px: float = 1.0) -> None:
        if not (2 <= grid <= 30 and 3 <= window <= 99 and error_px > 0):
            raise VBenchError(
                f"lk[grid={grid},window={window},error_px={error_px:g}]: give a grid of 2 to 30, "
                "a window of 3 to 99 px and an error above 0"
            )
        super().__init__(grid)
        self.grid, self.window, self.error_px = grid, window, error_px

    def grey_of(self, frame: Image) -> Grey:
        """The frame without its colours."""
        grey: Grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        return grey

    def follow(
        self, before: Grey, after: Grey, boxes: Boxes, size: tuple[int, int]
    ) -> tuple[Boxes, Floats]:
        """Boxes after the points that come back; belief is the share that does."""
        points = self.points_in(boxes)
        found, good = self._followed(before, after, points)
        return carried(boxes, points, found, good), good.mean(axis=1)

    def work(self) -> WorkTable:
        """Both ways, with all iterations, on all levels: products for each pixel of a window.

        Once, image and gradients between pixels (12) and their products (3); an iteration, the
        other image between pixels (4) and the mismatch (2).
        """
        each = (self.window**2) * (15 + 6 * ITERATIONS)
        macs = 2.0 * (LEVELS + 1) * self.grid**2 * each
        left_out = ("image pyramids",)
        return {
            "anchor": [Work("nothing", macs=0.0)],
            "propagate": [Work("points", macs=macs, per_object=True, uncounted=left_out)],
        }

    def _followed(
        self, before: Grey, after: Grey, points: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Where points (n, p, 2) went, and which of them come back (n, p)."""
        start = np.clip(points, -FARTHEST_PX, FARTHEST_PX).astype(np.float32).reshape(-1, 1, 2)
        how: dict[str, Any] = {
            "winSize": (self.window, self.window),
            "maxLevel": LEVELS,
            "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, 0.03),
        }
        there, seen, _ = cv2.calcOpticalFlowPyrLK(before, after, start, None, **how)
        back, seen_back, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **how)
        error = np.linalg.norm((back - start).reshape(-1, 2), axis=1)
        good = (seen.ravel() > 0) & (seen_back.ravel() > 0) & (error <= self.error_px)
        good &= np.isfinite(there.reshape(-1, 2)).all(axis=1)
        found = np.where(good[:, None], there.reshape(-1, 2), start.reshape(-1, 2))
        return found.reshape(points.shape).astype(np.float64), good.reshape(points.shape[:2])
