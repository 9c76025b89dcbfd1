"""What of a keyframe's detections a propagator carries: those that are sure enough, each box once.

Detectors answer one box under several classes, and propagators look at nothing but boxes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints
from vbench.core.roles import Propagated


class Cargo(NamedTuple):
    """The `boxes` (m, 4) that are carried; detection i of n is `places[i]` of them, -1 if none.

    `origin` (n, 4) is where the detections were.
    """

    boxes: Boxes
    places: Ints
    origin: Boxes

    @classmethod
    def of(cls, boxes: Boxes, scores: Floats, still: float = 0.0) -> Cargo:
        """Cargo of detections (n, 4) with scores (n,); those below `still` stay where they are."""
        places = np.full(len(boxes), -1, dtype=np.int64)
        seen: dict[bytes, int] = {}
        first: list[int] = []
        for row in np.flatnonzero(scores >= still).tolist():
            place = places[row] = seen.setdefault(boxes[row].tobytes(), len(first))
            if place == len(first):
                first.append(row)
        return cls(boxes[first], places, boxes)

    def unloaded(self, carried: Propagated) -> Propagated:
        """Boxes and belief of all detections (n,), from those of the carried boxes (m,).

        Belief in what stays is unknown.
        """
        moving = self.places >= 0
        rows = self.places[moving]
        boxes, belief = self.origin.copy(), np.full(len(self.places), np.nan)
        boxes[moving], belief[moving] = carried.boxes[rows], carried.belief[rows]
        return Propagated(boxes, belief)
