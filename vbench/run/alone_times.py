"""What calls for the objects of one keyframe take, where the objects of several went together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints
from vbench.core.clip import Clip
from vbench.core.roles import Joining

Now = Callable[[], float]
# They are measured on so many keyframes, and on so many frames after each.
KEYFRAMES, FRAMES = 5, 6
# Objects and seconds of a call.
Timed = tuple[int, float]


class Knots(NamedTuple):
    """Median seconds (k,) of calls by their number of objects (k,), which rises."""

    objects: Floats
    seconds: Floats

    @classmethod
    def of(cls, calls: Sequence[Timed]) -> Knots:
        """Those of calls (objects, seconds); nothing takes any time where there are none."""
        objects, seconds = np.array(calls or [(0, 0.0)], np.float64).T
        counts = np.unique(objects)
        middle = np.array([np.median(seconds[objects == count]) for count in counts])
        return cls(counts, middle)

    def at(self, objects: int) -> float:
        """Seconds between the knots, on straight lines."""
        return float(np.interp(objects, self.objects, self.seconds))


class Alone(NamedTuple):
    """What anchoring and propagating take by the number of objects, one keyframe's at a time."""

    anchor: Knots
    propagate: Knots


def alone(propagator: Joining, now: Now, clip: Clip, boxes: Sequence[Boxes], keys: Ints) -> Alone:
    """Measure some of the keyframes `keys`, from that with the fewest `boxes` to the most."""
    counts = np.array([len(boxes[key]) for key in keys])
    order = keys[np.argsort(counts, kind="stable")]
    order = order[order + 1 < len(clip)]
    places = np.linspace(0, len(order) - 1, min(KEYFRAMES, len(order))).round().astype(int)
    anchored: list[Timed] = []
    moved: list[Timed] = []
    for key in order[places].tolist():
        first, n = clip.frames[key], len(boxes[key])
        before = now()
        propagator.join(first, boxes[key])
        anchored.append((n, now() - before))
        for index in range(key + 1, min(key + 1 + FRAMES, len(clip))):
            # Decoded between the calls, as when it runs for real.
            frame = clip.frames[index]
            if frame.shape != first.shape:
                break
            before = now()
            propagator.propagate(frame)  # type: ignore[attr-defined]
            moved.append((n, now() - before))
        propagator.keep(np.zeros(n, np.bool_))
    return Alone(Knots.of(anchored), Knots.of(moved))


def paces(calls: Sequence[Timed]) -> list[float]:
    """How much slower than others of its size each call was: 1.2 for a fifth."""
    start, slope = line_through(calls)
    usual = [start + slope * objects for objects, _ in calls]
    return [
        seconds / expected if expected > 0 else 1.0
        for (_, seconds), expected in zip(calls, usual, strict=True)
    ]


def line_through(calls: Sequence[Timed]) -> tuple[float, float]:
    """Seconds of a call and of an object in it, by a line through the medians by objects.

    Neither is negative; (0, 0) where nothing was timed.
    """
    counts, middle = Knots.of(calls)
    if not np.isfinite(middle).all():
        return 0.0, 0.0
    if len(counts) > 1:
        sizes = [sum(objects == count for objects, _ in calls) for count in counts]
        slope, start = np.polyfit(counts, middle, 1, w=np.sqrt(sizes))
        if slope > 0 and start >= 0:
            return float(start), float(slope)
        if slope <= 0:
            return float(middle.mean()), 0.0
    return 0.0, float(middle.sum() / max(counts.sum(), 1.0))
