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

from vbench.core.boxes import Bools, Boxes, Floats, Image, centres, from_centres, is_present
from vbench.core.errors import VBenchError
from vbench.core.roles import Propagated, Work, WorkTable

Grey = NDArray[np.uint8]
# Outermost points stand this share of the box from its border.
RIM_SHARE = 0.1
LEVELS = 3
ITERATIONS = 10
FARTHEST_PX = float(1 << 15)


class LucasKanade:
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
        self.grid, self.window, self.error_px = grid, window, error_px
        places = np.linspace(RIM_SHARE, 1 - RIM_SHARE, grid)
        self.places = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of this frame."""
        self.boxes = np.array(boxes, dtype=np.float64)
        self.grey = _grey(frame)

    def propagate(self, frame: Image) -> Propagated:
        """Follow every box from the last frame; belief is NaN for absent ones."""
        before, self.grey = self.grey, _grey(frame)
        present = is_present(self.boxes)
        belief = np.full(len(self.boxes), np.nan)
        if present.any():
            boxes = self.boxes[present]
            points = boxes[:, None, :2] + self.places * boxes[:, None, 2:]
            found, good = self._followed(before, self.grey, points)
            self.boxes[present] = carried(boxes, points, found, good)
            belief[present] = good.mean(axis=1)
        return Propagated(self.boxes.copy(), belief)

    def seat(self, boxes: Boxes) -> None:
        """Follow from `boxes` (n, 4) next; absent rows leave things as they are."""
        self.boxes = np.where(is_present(boxes)[:, None], boxes, self.boxes)

    joins = True

    def join(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of the last frame as well."""
        if len(getattr(self, "boxes", ())):
            self.boxes = np.concatenate([self.boxes, boxes])
        else:
            self.anchor(frame, boxes)

    def keep(self, kept: Bools) -> None:
        """Drop the others."""
        self.boxes = self.boxes[kept]

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


def _grey(frame: Image) -> Grey:
    grey: Grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return grey


def carried(boxes: Boxes, points: Floats, found: Floats, good: NDArray[np.bool_]) -> Boxes:
    """Boxes (n, 4) after the median step and the median change of scale of their good points.

    Distances are those of each point to its mirror image in the grid. Objects without good points
    stay where they are, without good pairs they keep their size.
    """
    step = _median(found - points, good)
    pairs = good & good[:, ::-1]
    old = np.linalg.norm(points - points[:, ::-1], axis=2)
    new = np.linalg.norm(found - found[:, ::-1], axis=2)
    pairs &= old > 0
    ratio = np.divide(new, old, out=np.ones_like(new), where=old > 0)
    scale = np.exp(_median(np.log(np.maximum(ratio, 1e-3))[..., None], pairs))
    return from_centres(centres(boxes) + step, boxes[:, 2:] * scale)


def _median(values: Floats, good: NDArray[np.bool_]) -> Floats:
    """Median over the good ones of (n, p, d), 0 where there are none, shape (n, d)."""
    ranked = np.sort(np.where(good[..., None], values, np.inf), axis=1)
    count = good.sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    rows = np.arange(len(values))
    high = np.minimum(high, values.shape[1] - 1)
    middle = (ranked[rows, low] + ranked[rows, high]) / 2
    return np.where(count[:, None] > 0, middle, 0.0)
