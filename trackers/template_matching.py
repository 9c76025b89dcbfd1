"""Short-range template matching: what PatchNet and its simpler relatives have in common.

Templates are the exact boxes of a keyframe, warped to 64x64. The search area is 119/64 times the
box (for 7 response cells), centred on the prior: the last answer, or where the base model is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch

from vbench.core.boxes import (
    Bools,
    Box,
    Boxes,
    Floats,
    Image,
    as_boxes,
    from_corners,
    is_present,
    to_corners,
)
from vbench.core.roles import Estimate, Propagated, Work, WorkTable

TEMPLATE_PX = 64
# A response cell in pixels of the template.
CELL_PX = 8
MOST_OBJECTS = 6
# Corners stay within this, so that a size that grows for ever stays a number.
FARTHEST_PX = float(1 << 20)


class TemplateMatching(ABC):
    """A propagator that keeps templates of n objects; absent ones stay absent.

    `follows` says whether the search moves with the answers, or stays where it was seated.
    """

    follows = True
    joins = True
    # What `learn` keeps, first index the object.
    learned: tuple[str, ...] = ()

    @abstractmethod
    def learn(self, frame: Image, corners: Boxes) -> None:
        """Keep the templates of boxes x1 y1 x2 y2 (n, 4), n > 0."""

    @abstractmethod
    def match(self, frame: Image, corners: Boxes) -> tuple[Boxes, Floats]:
        """Find every template around the box x1 y1 x2 y2 of its row: corners and belief."""

    @abstractmethod
    def costs(self) -> tuple[Work, Work]:
        """What `learn` and `match` execute for one object."""

    def work(self) -> WorkTable:
        """Per object: its template at the keyframe, the match on every other frame."""
        learn, match = self.costs()
        return {"anchor": [learn], "propagate": [match]}

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take the templates of `boxes` (n, 4)."""
        self.present = is_present(boxes)
        self.corners = to_corners(boxes[self.present])
        if len(self.corners):
            self.learn(frame, self.corners)

    def join(self, frame: Image, boxes: Boxes) -> None:
        """Take the templates of these boxes (n, 4) as well."""
        none = np.zeros(0, np.bool_)
        present = getattr(self, "present", none)
        earlier = self._objects() if len(present) else {}
        self.anchor(frame, boxes)
        later = self._objects()
        self.present = np.concatenate([present, self.present])
        for name, values in earlier.items():
            more = later.get(name)
            setattr(self, name, values if more is None else _together(values, more))

    def keep(self, kept: Bools) -> None:
        """Drop the templates of the others."""
        rows = np.flatnonzero(kept[self.present])
        for name, values in self._objects().items():
            setattr(self, name, values[rows])
        self.present = self.present[kept]

    def _objects(self) -> dict[str, Any]:
        """What is kept of the objects that are present; nothing where there are none."""
        names = ("corners", *self.learned) if len(self.corners) else ()
        return {name: getattr(self, name) for name in names}

    def propagate(self, frame: Image) -> Propagated:
        """Find every object; belief is NaN for absent ones."""
        boxes = np.full((len(self.present), 4), np.nan)
        belief = np.full(len(self.present), np.nan)
        if len(self.corners):
            found, score = self.match(frame, self.corners)
            found = np.clip(found, -FARTHEST_PX, FARTHEST_PX)
            boxes[self.present], belief[self.present] = from_corners(found), np.clip(score, 0, 1)
            self.corners = found if self.follows else self.corners
        return Propagated(boxes, belief)

    def seat(self, boxes: Boxes) -> None:
        """Search around `boxes` (n, 4) next; rows that are absent leave things as they are."""
        if self.follows:
            self.search_around(boxes)

    def search_around(self, boxes: Boxes) -> None:
        """Search around `boxes` (n, 4) but absent ones, whether answers are followed or not."""
        corners = to_corners(boxes[self.present])
        self.corners = np.where(is_present(corners)[:, None], corners, self.corners)


class FirstFrameTemplate(TemplateMatching):
    """Makes a tracker of a propagator: its keyframe is the first frame, for ever."""

    def start(self, frame: Image, box: Box) -> None:
        """Take the template inside `box` (4,)."""
        self.anchor(frame, as_boxes(box))

    def track(self, frame: Image) -> Estimate:
        """Find the template around the last answer; the score is the belief."""
        boxes, belief = self.propagate(frame)
        return Estimate(boxes[0], float(belief[0]))

    def reseat(self, box: Box) -> None:
        """Search around `box` (4,) next."""
        self.search_around(as_boxes(box))

    def work(self) -> WorkTable:
        """The template at the start, the match on every frame."""
        learn, match = self.costs()
        return {"start": [learn], "track": [match]}


def _together(a: Any, b: Any) -> Any:
    return np.concatenate([a, b]) if isinstance(a, np.ndarray) else torch.cat([a, b])


def in_turns(n: int) -> list[slice]:
    """Split n objects into even turns, so that what one computes stays in the processor's cache."""
    turns = -(-n // MOST_OBJECTS)
    ends = [turn * n // turns for turn in range(1, turns + 1)]
    return [slice(*pair) for pair in zip([0, *ends], ends, strict=False)]


def search_px(cells: int) -> int:
    """Side of the search crop whose response has `cells` a side, a patch of 8 px apart."""
    return TEMPLATE_PX - 1 + CELL_PX * cells


def search_corners(corners: Boxes, crop_px: int) -> Boxes:
    """Boxes x1 y1 x2 y2 grown around their centres by crop_px / 64."""
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    half = (corners[:, 2:] - corners[:, :2]) * (crop_px / TEMPLATE_PX / 2)
    return np.concatenate([centre - half, centre + half], axis=1)


def moved(corners: Boxes, shift_px: Floats) -> Boxes:
    """Boxes x1 y1 x2 y2 moved by x y (n, 2), in pixels of their 64x64 templates."""
    step = shift_px * (corners[:, 2:] - corners[:, :2]) / TEMPLATE_PX
    found: Boxes = corners + np.tile(step, (1, 2))
    return found
