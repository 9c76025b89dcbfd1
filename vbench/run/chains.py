"""Objects of the keyframes of several policies, carried together frame by frame.

Which frames are keyframes under `fixed:k` and `decay:k` is known beforehand, and so is how far the
objects of each are carried. One pass over a clip then carries all that some policy wants, in one
call a frame; policies are answered from it without a look at the frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Boxes, Floats, Image, Ints
from vbench.core.clip import Clip
from vbench.core.policy import Decay, Fixed, Policy
from vbench.core.roles import Blind, Joining, Propagated, TrackPost
from vbench.core.trace import Trace
from vbench.run.replay import Carried, Recalling
from vbench.run.stepper import DetectorStepper

Now = Callable[[], float]
# What calls for the objects of one keyframe take is measured on so many keyframes and frames each.
ALONE_KEYFRAMES, ALONE_FRAMES = 5, 6


@dataclass(frozen=True)
class Unseen:
    """Frames of which nothing but the size (w, h) is asked; their pixels are black."""

    length: int
    size: tuple[int, int]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Image:
        black: Image = np.broadcast_to(np.uint8(0), (self.size[1], self.size[0], 3))
        return black


def answered_unseen(
    policies: Sequence[Policy],
    own: Policy,
    stepper: DetectorStepper,
    clip: Clip,
    record: Trace,
    carried: Carried,
) -> Clip:
    """Return the clip without its pixels, once all that `own` asks of a propagator is known.

    `stepper` replays `record`; what is not known yet is carried now, for all `policies`. The clip
    comes back as it is where that cannot be: the keyframes of `own` are not known beforehand, or
    the propagator does not carry the objects of several keyframes at once. One that is blind needs
    no pixels at all.
    """
    recalling = stepper.propagator
    if isinstance(recalling, Blind) and recalling.blind and _even(clip, carried):
        return _without_pixels(clip)
    if not isinstance(recalling, Recalling) or not _scheduled(own):
        return clip
    inner = recalling.propagator
    links = any(isinstance(post, TrackPost) for post in stepper.posts)
    if links or not isinstance(inner, Joining) or not inner.joins:
        return clip
    if not _known(recalling, clip, last_frames([own], len(clip))):
        last = last_frames([own, *filter(_scheduled, policies)], len(clip))
        kept = record.scores >= stepper.floor
        boxes = [record.boxes[rows][kept[rows]] for rows in record.frame_slices()]
        if not carry_together(recalling, inner, clip, boxes, last):
            return clip
    return _without_pixels(clip)


def last_frames(policies: Sequence[Policy], frames: int) -> Ints:
    """The last frame (n,) that the objects of a keyframe here are carried to; -1: no keyframe."""
    last = np.full(frames, -1, np.int64)
    for policy in policies:
        k = policy.interval_max or frames
        keys = np.arange(0, frames, k)
        last[keys] = np.maximum(last[keys], np.minimum(keys + k, frames) - 1)
    return last


def carry_together(
    recalling: Recalling, propagator: Joining, clip: Clip, boxes: Sequence[Boxes], last: Ints
) -> bool:
    """Carry the `boxes` (n, 4) of each keyframe as far as `last` says; keep where they went.

    False where that would be more than may be kept, or where the frames differ in size.
    """
    carried = recalling.carried
    wanted = int((last - np.arange(len(last)))[last >= 0].sum())
    if len(carried.answers) + wanted > carried.limit:
        return False
    alone = _alone(propagator, recalling.now, clip, boxes, np.flatnonzero(last >= 0))
    together = _Together(propagator, recalling.now)
    for index in range(len(clip)):
        frame = clip.frames[index]
        if frame.shape[1::-1] != clip.size:
            return False
        together.move(index, frame)
        if last[index] >= 0:
            together.begin(index, frame, boxes[index], int(last[index]))
    carried.even.add(clip.name)
    for key, seconds in together.anchored.items():
        carried.anchors[clip.name, key] = seconds
    for key, index, found, seconds in together.answers(alone):
        carried.answers[clip.name, key, index] = found, seconds
    return True


class _Way(NamedTuple):
    """Objects of a keyframe that are carried to the frame `last`."""

    key: int
    last: int
    objects: int


class _Call(NamedTuple):
    """All objects carried to a frame in one call, those of each way one after the other."""

    frame: int
    ways: tuple[_Way, ...]
    found: Propagated
    seconds: float

    @property
    def objects(self) -> int:
        return len(self.found.boxes)


class _Together:
    """All ways that are open at a frame."""

    def __init__(self, propagator: Joining, now: Now) -> None:
        self.propagator, self.now = propagator, now
        self.ways: tuple[_Way, ...] = ()
        self.calls: list[_Call] = []
        self.anchored: dict[int, float] = {}

    def move(self, index: int, frame: Image) -> None:
        """Carry everything to this frame; ways that end here are closed."""
        if self.ways:
            before = self.now()
            found = self.propagator.propagate(frame)  # type: ignore[attr-defined]
            self.calls.append(_Call(index, self.ways, found, self.now() - before))
            self._close(index)

    def begin(self, index: int, frame: Image, boxes: Boxes, last: int) -> None:
        """Open a way for the boxes (n, 4) of this keyframe."""
        before = self.now()
        self.propagator.join(frame, boxes)
        self.anchored[index] = self.now() - before
        self.ways = (*self.ways, _Way(index, last, len(boxes)))
        self._close(index)

    def answers(self, alone: Knots) -> Iterator[tuple[int, int, Propagated, float]]:
        """Keyframe, frame, answer and seconds of every way on every frame.

        What a way would have taken alone is what `alone` says, as much slower or faster as its call
        was than calls of its size are.
        """
        start, slope = line_through([(call.objects, call.seconds) for call in self.calls])
        for call in self.calls:
            usual = start + slope * call.objects
            pace = call.seconds / usual if usual > 0 else 1.0
            end = 0
            for way in call.ways:
                rows = slice(end, end := end + way.objects)
                seconds = pace * float(np.interp(way.objects, alone.objects, alone.seconds))
                found = Propagated(call.found.boxes[rows], call.found.belief[rows])
                yield way.key, call.frame, found, seconds

    def _close(self, index: int) -> None:
        ending = [way.last <= index for way in self.ways]
        if any(ending):
            objects = [way.objects for way in self.ways]
            self.propagator.keep(np.repeat(np.logical_not(ending), objects))
            self.ways = tuple(way for way in self.ways if way.last > index)


def _alone(propagator: Joining, now: Now, clip: Clip, boxes: Sequence[Boxes], keys: Ints) -> Knots:
    """Measure calls for the objects of some keyframes alone, from the fewest to the most."""
    counts = np.array([len(boxes[key]) for key in keys])
    order = keys[np.argsort(counts, kind="stable")]
    order = order[order + 1 < len(clip)]
    chosen = order[
        np.linspace(0, len(order) - 1, min(ALONE_KEYFRAMES, len(order))).round().astype(int)
    ]
    calls = []
    for key in chosen.tolist():
        first = clip.frames[key]
        propagator.join(first, boxes[key])
        for index in range(key + 1, min(key + 1 + ALONE_FRAMES, len(clip))):
            # Decoded between the calls, as when it runs for real.
            frame = clip.frames[index]
            if frame.shape != first.shape:
                break
            before = now()
            propagator.propagate(frame)  # type: ignore[attr-defined]
            calls.append((len(boxes[key]), now() - before))
        propagator.keep(np.zeros(len(boxes[key]), np.bool_))
    return Knots.of(calls)


class Knots(NamedTuple):
    """Median seconds (k,) of calls by their number of objects (k,), which rises."""

    objects: Floats
    seconds: Floats

    @classmethod
    def of(cls, calls: Sequence[tuple[int, float]]) -> Knots:
        """Those of calls (objects, seconds); nothing takes any time where there are none."""
        objects, seconds = np.array(calls or [(0, 0.0)], np.float64).T
        counts = np.unique(objects)
        middle = np.array([np.median(seconds[objects == count]) for count in counts])
        return cls(counts, middle)


def line_through(calls: Sequence[tuple[int, float]]) -> tuple[float, float]:
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


def _without_pixels(clip: Clip) -> Clip:
    return replace(clip, frames=Unseen(len(clip), clip.size), known_size=clip.size)


def _even(clip: Clip, carried: Carried) -> bool:
    """Whether all frames are of one size; they are looked at once."""
    if clip.name not in carried.even:
        if any(clip.frames[index].shape[1::-1] != clip.size for index in range(len(clip))):
            return False
        carried.even.add(clip.name)
    return True


def _scheduled(policy: Policy) -> bool:
    return type(policy) in (Fixed, Decay)


def _known(recalling: Recalling, clip: Clip, last: Ints) -> bool:
    carried, name = recalling.carried, clip.name
    keys = np.flatnonzero(last >= 0).tolist()
    return all((name, key) in carried.anchors for key in keys) and all(
        (name, key, index) in carried.answers
        for key in keys
        for index in range(key + 1, int(last[key]) + 1)
    )
