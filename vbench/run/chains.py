"""Objects of the keyframes of several policies, carried together frame by frame.

Which frames are keyframes under `fixed:k` and `decay:k` is known beforehand, and so is how far the
objects of each are carried. One pass over a clip then carries all that some policy wants, in one
call a frame; policies are answered from it without a look at the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Boxes, Image, Ints
from vbench.core.clip import Clip
from vbench.core.policy import Decay, Fixed, Policy
from vbench.core.roles import Blind, Joining, Propagated, TrackPost
from vbench.core.trace import Trace
from vbench.run.alone_times import Alone, Now, alone, paces
from vbench.run.replay import Carried, Recalling
from vbench.run.stepper import DetectorStepper
from vbench.run.threads import spare_threads


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
    keys = np.flatnonzero(last >= 0)
    times = alone(propagator, recalling.now, clip, boxes, keys)
    crew = [_Together(each, recalling.now) for each in _crew(propagator, carried.workers)]
    with ThreadPoolExecutor(len(crew)) as pool:
        frame = clip.frames[0]
        for index in range(len(clip)):
            if frame.shape[1::-1] != clip.size:
                return False
            fewest = min(crew, key=lambda each: each.objects)
            steps = []
            for each in crew:
                begins = boxes[index] if each is fewest and last[index] >= 0 else None
                steps.append(pool.submit(each.step, index, frame, begins, int(last[index])))
            # The next frame is decoded meanwhile.
            following = clip.frames[index + 1] if index + 1 < len(clip) else frame
            for step in steps:
                step.result()
            frame = following
    carried.even.add(clip.name)
    for each in crew:
        each.keep_answers(carried, clip.name, times)
    return True


def _crew(propagator: Joining, workers: int | None) -> list[Joining]:
    """The propagator and copies of it, one a thread; itself alone where it cannot be copied."""
    if str(getattr(propagator, "device", "cpu")) != "cpu":
        return [propagator]
    try:
        return [
            propagator,
            *(deepcopy(propagator) for _ in range((workers or spare_threads()) - 1)),
        ]
    except (TypeError, RuntimeError):
        return [propagator]


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


class _Together:
    """The ways that are open at a frame, of all or of some keyframes."""

    def __init__(self, propagator: Joining, now: Now) -> None:
        self.propagator, self.now = propagator, now
        self.ways: tuple[_Way, ...] = ()
        self.calls: list[_Call] = []
        self.anchored: list[tuple[_Way, float]] = []

    @property
    def objects(self) -> int:
        """How many are carried now."""
        return sum(way.objects for way in self.ways)

    def step(self, index: int, frame: Image, boxes: Boxes | None, last: int) -> None:
        """Carry everything to this frame; open a way for the boxes (n, 4) of a keyframe."""
        if self.ways:
            before = self.now()
            found = self.propagator.propagate(frame)  # type: ignore[attr-defined]
            self.calls.append(_Call(index, self.ways, found, self.now() - before))
        if boxes is not None:
            before = self.now()
            self.propagator.join(frame, boxes)
            way = _Way(index, last, len(boxes))
            self.anchored.append((way, self.now() - before))
            self.ways = (*self.ways, way)
        self._close(index)

    def keep_answers(self, carried: Carried, clip: str, times: Alone) -> None:
        """Keep the answer of every way on every frame.

        Its seconds are what it takes alone, as much more or less as its call took than others of
        its size.
        """
        anchored = [(way.objects, seconds) for way, seconds in self.anchored]
        for (way, _), pace in zip(self.anchored, paces(anchored), strict=True):
            carried.anchors[clip, way.key] = pace * times.anchor.at(way.objects)
        called = [(len(call.found.boxes), call.seconds) for call in self.calls]
        for call, pace in zip(self.calls, paces(called), strict=True):
            end = 0
            for way in call.ways:
                rows = slice(end, end := end + way.objects)
                found = Propagated(call.found.boxes[rows], call.found.belief[rows])
                seconds = pace * times.propagate.at(way.objects)
                carried.answers[clip, way.key, call.frame] = found, seconds

    def _close(self, index: int) -> None:
        ending = [way.last <= index for way in self.ways]
        if any(ending):
            objects = [way.objects for way in self.ways]
            self.propagator.keep(np.repeat(np.logical_not(ending), objects))
            self.ways = tuple(way for way in self.ways if way.last > index)


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
