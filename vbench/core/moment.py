"""What a policy may look at, and what most policies share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np

from vbench.core.boxes import Boxes, Floats, Image, Ints


@dataclass(slots=True)
class Moment:
    """What a policy may look at.

    `gap` is the distance to the last keyframe; `boxes` (n, 4), `belief` (n,) are the cheap half's
    answer, `key_boxes` the keyframe's; `truth` (m, 4) is there for the oracle only.
    """

    gap: int
    frame: Image
    key_frame: Image
    key_boxes: Boxes
    boxes: Boxes
    belief: Floats
    truth: Boxes


@dataclass(frozen=True)
class Limited:
    """A largest interval and the believing default; a policy adds its rule."""

    form: ClassVar[str] = ""

    @property
    def interval_max(self) -> int | None:
        """The largest distance between two keyframes."""
        return getattr(self, "k", None)

    def due(self, moment: Moment) -> bool:
        """The largest distance is reached."""
        limit = self.interval_max
        return limit is not None and moment.gap >= limit

    def believes(self, moment: Moment) -> bool:
        """Always."""
        return True

    def rescored(self, scores: Floats, gap: int) -> Floats:
        """Scores stay as they are."""
        return scores

    def order(self, frames: int) -> Ints:
        """One frame after the other."""
        return np.arange(frames)

    def __str__(self) -> str:
        name = self.form.partition(":")[0]
        values = [_number(getattr(self, field.name)) for field in fields(self)]
        return ":".join([name, *(v for v in values if v)])


def _number(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
