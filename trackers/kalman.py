"""Constant velocity by a Kalman filter: carries boxes by where they were, without a look at pixels.

Centre and size are filtered each for itself with their velocities; uncertainties are shares of the
box's height, 1/20 of it in position and 1/160 in velocity a frame (nwojke/deep_sort
deep_sort/kalman_filter.py; Wojke et al., Simple Online and Realtime Tracking, ICIP 2017).
"""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import (
    Bools,
    Boxes,
    Floats,
    Image,
    centres,
    from_centres,
    iou_matrix,
    is_present,
)
from vbench.core.roles import Propagated, Work, WorkTable

POSITION_SHARE, VELOCITY_SHARE = 1 / 20, 1 / 160
# Of what is not known yet: velocity at the first sight, in multiples of its noise.
FIRST_VELOCITY = 10.0
LEAST_PX = 1e-3
FARTHEST_PX = float(1 << 20)


class Kalman:
    """The propagator. Velocities come from successive keyframes, whose boxes are matched by IoU.

    Belief is the IoU that a displacement by one standard deviation along both axes would leave.

    Args:
        match: least IoU of a keyframe's box with the place where an object was expected.
    """

    blind = True

    def __init__(self, match: float = 0.3) -> None:
        self.match = match
        self.state = _State.first_seen(np.zeros((0, 4)))
        self._now = 0
        self._told: int | None = None

    def enter(self, clip: str, frames: int) -> None:
        """Begin a clip: forget all velocities."""
        self.state = _State.first_seen(np.zeros((0, 4)))
        self._now, self._told = 0, None

    def at(self, index: int) -> None:
        """The next call is about this frame; without it, every call is about the frame after."""
        self._told = index

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take the boxes (n, 4) of this keyframe, and velocities from those of the last one."""
        self._advance()
        present = is_present(boxes)
        state = _State.first_seen(boxes)
        for old, new in _matches(self.state.boxes(), boxes, self.match):
            state.take(new, self.state, old)
        state.observe(boxes, present)
        self.state = state

    def propagate(self, frame: Image) -> Propagated:
        """Move every object by its velocity."""
        self._advance()
        return Propagated(self.state.boxes(), self.state.belief())

    def work(self) -> WorkTable:
        """Four axes: five products each to predict, twelve to observe."""
        predict = Work("predict", macs=4 * 5.0, per_object=True)
        observe = Work("observe", macs=4 * 12.0, per_object=True, uncounted=("matching",))
        return {"anchor": [observe], "propagate": [predict]}

    def _advance(self) -> None:
        """Let time pass up to the frame of this call."""
        now = self._now + 1 if self._told is None else self._told
        self.state.predict(now - self._now)
        self._now = now


class _State:
    """Filters of n objects on the axes cx, cy, w, h: value and rate (n, 4), their covariance."""

    def __init__(self, value: Floats, scale: Floats) -> None:
        self.value, self.scale = value, scale
        self.rate = np.zeros_like(value)
        wide = np.ones_like(value)
        # Variances of value and rate and their covariance, in squared heights of the box.
        self.value_var = wide * (2 * POSITION_SHARE) ** 2
        self.rate_var = wide * (FIRST_VELOCITY * VELOCITY_SHARE) ** 2
        self.both_var = np.zeros_like(value)

    @classmethod
    def first_seen(cls, boxes: Boxes) -> _State:
        """Objects of which nothing but the box is known."""
        value = np.concatenate([centres(boxes), boxes[:, 2:]], axis=1)
        return cls(value, np.maximum(boxes[:, 3:4], LEAST_PX))

    def take(self, row: int, other: _State, of: int) -> None:
        """Make object `row` what `other` expects of its object `of`."""
        for name in ("value", "scale", "rate", "value_var", "rate_var", "both_var"):
            getattr(self, name)[row] = getattr(other, name)[of]

    def predict(self, frames: int) -> None:
        """Let so many frames pass, backwards if negative."""
        spread = 2 * frames * self.both_var + frames**2 * self.rate_var
        self.value = np.clip(self.value + frames * self.rate, -FARTHEST_PX, FARTHEST_PX)
        self.value_var = self.value_var + spread + abs(frames) * POSITION_SHARE**2
        self.both_var = self.both_var + frames * self.rate_var
        self.rate_var = self.rate_var + abs(frames) * VELOCITY_SHARE**2

    def observe(self, boxes: Boxes, present: Bools) -> None:
        """Correct value and rate by what was seen; the box itself is believed as it is."""
        seen = np.concatenate([centres(boxes), boxes[:, 2:]], axis=1)
        total = self.value_var + POSITION_SHARE**2
        gain, rate_gain = self.value_var / total, self.both_var / total
        self.rate = np.where(present[:, None], self.rate + rate_gain * (seen - self.value), 0.0)
        self.rate_var = self.rate_var - rate_gain * self.both_var
        self.both_var = (1 - gain) * self.both_var
        self.value_var = (1 - gain) * self.value_var
        self.value, self.scale = seen, np.maximum(boxes[:, 3:4], LEAST_PX)

    def boxes(self) -> Boxes:
        """Boxes (n, 4) as expected now."""
        return from_centres(self.value[:, :2], np.maximum(self.value[:, 2:], LEAST_PX))

    def belief(self) -> Floats:
        """IoU that one standard deviation of the centre leaves (n,), NaN for absent objects."""
        spread = np.sqrt(self.value_var[:, :2]) * self.scale
        size = np.maximum(self.value[:, 2:], LEAST_PX)
        kept = np.clip(1 - spread / size, 0.0, 1.0).prod(axis=1)
        belief: Floats = kept / (2 - kept)
        return belief


def _matches(expected: Boxes, found: Boxes, least: float) -> list[tuple[int, int]]:
    """Pairs (expected, found), best IoU first, each box once."""
    overlap = iou_matrix(expected, found)
    rows, columns = np.nonzero(overlap >= max(least, 1e-9))
    order = np.argsort(-overlap[rows, columns], kind="stable")
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return list(pairs.items())
