"""Boxes that go where a grid of points inside them goes, from each frame to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Boxes, Floats, Image, centres, from_centres, is_present
from vbench.core.roles import Propagated

Grey = NDArray[np.uint8]
# Outermost points stand this share of the box from its border.
RIM_SHARE = 0.1


class InnerPoints(ABC):
    """A propagator that remembers one grey frame, the last, and follows points from it.

    Args:
        grid: points a side in each box.
    """

    joins = True

    def __init__(self, grid: int) -> None:
        self.places = inner_places(grid)

    @abstractmethod
    def grey_of(self, frame: Image) -> Grey:
        """What is remembered of a frame."""

    @abstractmethod
    def follow(
        self, before: Grey, after: Grey, boxes: Boxes, size: tuple[int, int]
    ) -> tuple[Boxes, Floats]:
        """Boxes (n, 4), none NaN, of frames of `size` (w, h) in the next one; belief (n,)."""

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of this frame."""
        self.boxes = np.array(boxes, dtype=np.float64)
        self.grey = self.grey_of(frame)

    def propagate(self, frame: Image) -> Propagated:
        """Carry every box from the last frame; belief is NaN for absent ones."""
        before, self.grey = self.grey, self.grey_of(frame)
        present = is_present(self.boxes)
        belief = np.full(len(self.boxes), np.nan)
        if present.any():
            size = frame.shape[1], frame.shape[0]
            found, sure = self.follow(before, self.grey, self.boxes[present], size)
            self.boxes[present], belief[present] = found, sure
        return Propagated(self.boxes.copy(), belief)

    def seat(self, boxes: Boxes) -> None:
        """Carry `boxes` (n, 4) next; absent rows leave things as they are."""
        self.boxes = np.where(is_present(boxes)[:, None], boxes, self.boxes)

    def join(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of the last frame as well."""
        if len(getattr(self, "boxes", ())):
            self.boxes = np.concatenate([self.boxes, boxes])
        else:
            self.anchor(frame, boxes)

    def keep(self, kept: Bools) -> None:
        """Drop the others."""
        self.boxes = self.boxes[kept]

    def points_in(self, boxes: Boxes) -> Floats:
        """The grid's points (n, p, 2) in boxes (n, 4)."""
        return boxes[:, None, :2] + self.places * boxes[:, None, 2:]


def inner_places(grid: int) -> Floats:
    """Points of a grid (grid^2, 2) as shares x, y of a box; mirrored about the middle by [::-1]."""
    side = np.linspace(RIM_SHARE, 1 - RIM_SHARE, grid)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


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
