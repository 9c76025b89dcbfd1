"""What calls for the objects of one keyframe take, where the objects of several went together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Boxes, Floats, Image, Ints
from vbench.core.clip import Clip
from vbench.core.roles import Joining

Now = Callable[[], float]
# They are measured on so many keyframes, and on so many frames after each.
KEYFRAMES, FRAMES = 8, 5
# A keyframe, and the frame to which its objects are carried; the keyframe itself: their anchoring.
Step = tuple[int, int]
# Right after a keyframe the caches hold what the detector left there; from here on they do not.
FAR = 2


class Knots(NamedTuple):
    """Medians (k,) of values by their number of objects (k,), which rises."""

    objects: Floats
    medians: Floats

    @classmethod
    def of(cls, values: Sequence[tuple[int, float]]) -> Knots:
        """Those of (objects, value), of one at least."""
        objects, found = np.array(values, np.float64).T
        counts = np.unique(objects)
        middle = np.array([np.median(found[objects == count]) for count in counts])
        return cls(counts, middle)

    def at(self, objects: int) -> float:
        """The value between the knots, on straight lines."""
        return float(np.interp(objects, self.objects, self.medians))


# Factors where nothing tells of any.
EVEN = Knots(np.zeros(1), np.ones(1))


class Alone(NamedTuple):
    """Seconds of steps that were made for one keyframe's objects alone, and how many these were."""

    seconds: dict[Step, float]
    objects: dict[Step, int]

    def factors(self, shares: Mapping[Step, float]) -> tuple[Knots, Knots, Knots]:
        """What steps took alone over their `shares` of common calls, by the number of objects.

        That of anchoring, of the frame after a keyframe, and of all frames further away.
        """
        near, far = self._factors(shares, 1), self._factors(shares, FAR)
        return self._factors(shares, 0) or EVEN, near or far or EVEN, far or near or EVEN

    def _factors(self, shares: Mapping[Step, float], distance: int) -> Knots | None:
        steps = [step for step in self.seconds if min(step[1] - step[0], FAR) == distance]
        pairs = [(self.objects[step], self.seconds[step], shares.get(step, 0.0)) for step in steps]
        found = [(n, own / share) for n, own, share in pairs if share > 0]
        return Knots.of(found) if found else None


def alone(
    propagator: Joining,
    now: Now,
    clip: Clip,
    boxes: Sequence[Boxes],
    keys: Ints,
    detect: Callable[[Image], object] | None = None,
) -> Alone:
    """Make some steps of the keyframes `keys` alone, from that with the fewest `boxes` to the most.

    They are made again in common calls: what differs between the two is that they are common.
    `detect` runs the detector before, as when the method runs for real.
    """
    counts = np.array([len(boxes[key]) for key in keys])
    order = keys[np.argsort(counts, kind="stable")]
    order = order[order + 1 < len(clip)]
    places = np.linspace(0, len(order) - 1, min(KEYFRAMES, len(order))).round().astype(int)
    found = Alone({}, {})
    for key in order[places].tolist():
        first, n = clip.frames[key], len(boxes[key])
        if detect is not None:
            detect(first)
        before = now()
        propagator.join(first, boxes[key])
        found.seconds[key, key], found.objects[key, key] = now() - before, n
        for index in range(key + 1, min(key + 1 + FRAMES, len(clip))):
            # Decoded between the calls, as when it runs for real.
            frame = clip.frames[index]
            if frame.shape != first.shape:
                break
            before = now()
            propagator.propagate(frame)  # type: ignore[attr-defined]
            found.seconds[key, index], found.objects[key, index] = now() - before, n
        propagator.keep(np.zeros(n, np.bool_))
    return found


def line_through(calls: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """Seconds of a call and of an object in it, by a line through the medians by objects.

    Neither is negative; (1, 0), equal shares, where nothing was timed.
    """
    counts, middle = Knots.of(calls or [(0, 0.0)])
    if not middle.any() or not np.isfinite(middle).all():
        return 1.0, 0.0
    if len(counts) > 1:
        _, sizes = np.unique([objects for objects, _ in calls], return_counts=True)
        slope, start = np.polyfit(counts, middle, 1, w=np.sqrt(sizes))
        if slope > 0 and start >= 0:
            return float(start), float(slope)
        if slope <= 0:
            return float(middle.mean()), 0.0
    return 0.0, float(middle.sum() / max(counts.sum(), 1.0))
