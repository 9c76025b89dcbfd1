"""Objects of the keyframes of several policies, carried together frame by frame.

Which frames are keyframes under `fixed:k` and `decay:k` is known beforehand, and so is how far the
objects of each are carried. One pass over a clip then carries all that some policy wants, in one
call a frame; policies are answered from it without a look at the frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Bools, Boxes, Image, Ints
from vbench.core.clip import Clip
from vbench.core.policy import Decay, Fixed, Policy
from vbench.core.roles import Blind, Joining, Placed, Propagated, TrackPost
from vbench.core.trace import Trace
from vbench.run.alone_times import FAR, Alone, Now, Step, alone, line_through
from vbench.run.reel import Closed, Reel
from vbench.run.replay import Carried, Recalling, Replay
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


class Noting:
    """Frames that are of one size, once all of them were read, are noted in `carried`."""

    def __init__(self, clip: Clip, carried: Carried) -> None:
        self.clip, self.carried = clip, carried
        self._left = set(range(len(clip)))

    def __len__(self) -> int:
        return len(self.clip)

    def __getitem__(self, index: int) -> Image:
        frame = self.clip.frames[index]
        if frame.shape[1::-1] == self.clip.size and index in self._left:
            self._left.remove(index)
            if not self._left:
                self.carried.even.add(self.clip.name)
        return frame


class UpTo:
    """Calls `tick` the first `most` times that it is called itself."""

    def __init__(self, tick: Callable[[], None] | None, most: int) -> None:
        self.tick, self.left = tick, most

    def __call__(self) -> None:
        """Count down."""
        if self.tick is not None and self.left > 0:
            self.left -= 1
            self.tick()


def answered_unseen(
    policies: Sequence[Policy],
    own: Policy,
    stepper: DetectorStepper,
    clip: Clip,
    record: Trace,
    carried: Carried,
    each_frame: Callable[[], None] | None = None,
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
        rows_of = record.frame_slices()
        boxes = [stepper.cargo(record.boxes[rows], record.scores[rows]).boxes for rows in rows_of]
        if not carry_together(recalling, inner, clip, boxes, last, _detecting(stepper), each_frame):
            return clip
    return _without_pixels(clip)


def noting_size(clip: Clip, carried: Carried) -> Clip:
    """The clip, of which `carried` will know whether its frames are of one size."""
    return replace(clip, frames=Noting(clip, carried), known_size=clip.size)


def last_frames(policies: Sequence[Policy], frames: int) -> Ints:
    """The last frame (n,) that the objects of a keyframe here are carried to; -1: no keyframe."""
    last = np.full(frames, -1, np.int64)
    for policy in policies:
        k = policy.interval_max or frames
        keys = np.arange(0, frames, k)
        last[keys] = np.maximum(last[keys], np.minimum(keys + k, frames) - 1)
    return last


def _detecting(stepper: DetectorStepper) -> Callable[[Image], object] | None:
    """What runs the detector that is replayed; nothing where it answers from files."""
    detector = stepper.detector.detector if isinstance(stepper.detector, Replay) else None
    return None if detector is None or isinstance(detector, Placed) else detector.detect


def carry_together(
    recalling: Recalling,
    propagator: Joining,
    clip: Clip,
    boxes: Sequence[Boxes],
    last: Ints,
    detect: Callable[[Image], object] | None = None,
    each_frame: Callable[[], None] | None = None,
) -> bool:
    """Carry the `boxes` (n, 4) of each keyframe as far as `last` says; keep where they went.

    `detect` runs the detector, as it would run for real where times are measured. False where that
    would be more than may be kept, or where the frames differ in size.
    """
    carried = recalling.carried
    wanted = int((last - np.arange(len(last)))[last >= 0].sum())
    if len(carried.answers) + wanted > carried.limit:
        return False
    keys = np.flatnonzero(last >= 0)
    single = alone(propagator, recalling.now, clip, boxes, keys, detect)
    crew = [_Together(each, recalling.now) for each in _crew(propagator, carried.workers)]
    shares = _shared_out([len(some) for some in boxes], last, len(crew))
    reel = Reel(clip.frames, len(crew))
    with ThreadPoolExecutor(len(crew)) as pool:
        jobs = [
            pool.submit(_carry, number, each, reel, clip.size, boxes, np.where(own, last, -1))
            for number, (each, own) in enumerate(zip(crew, shares, strict=True))
        ]
        try:
            for _ in reel.passed():
                if each_frame is not None:
                    each_frame()
        except BaseException:
            reel.close()
            raise
    errors = [job.exception() for job in jobs]
    if any(isinstance(error, _Uneven) for error in errors):
        return False
    for error in errors:
        if error is not None and not isinstance(error, Closed):
            raise error
    carried.even.add(clip.name)
    _keep(carried, clip.name, crew, single)
    return True


class _Uneven(Exception):
    """Frames differ in size."""


def _shared_out(counts: Sequence[int], last: Ints, threads: int) -> Bools:
    """Which keyframes (threads, n) each thread takes: the next one goes to who has least to do."""
    own = np.zeros((threads, len(last)), np.bool_)
    load = np.zeros(threads)
    for key in np.flatnonzero(last >= 0).tolist():
        least = int(load.argmin())
        own[least, key] = True
        load[least] += counts[key] * (1 + last[key] - key)
    return own


def _carry(
    number: int,
    hand: _Together,
    reel: Reel,
    size: tuple[int, int],
    boxes: Sequence[Boxes],
    last: Ints,
) -> None:
    """Carry the `boxes` of the keyframes of one thread, those with a `last` frame, to the end."""
    try:
        for index in range(len(last)):
            reel.move(number, index)
            begins = boxes[index] if last[index] >= 0 else None
            if begins is None and not hand.ways:
                continue
            frame = reel.frame(index)
            if frame.shape[1::-1] != size:
                raise _Uneven
            hand.step(index, frame, begins, int(last[index]))
        reel.move(number, len(last))
    except BaseException:
        reel.close()
        raise


def _keep(carried: Carried, clip: str, crew: Sequence[_Together], single: Alone) -> None:
    """Keep the answer of every way on every frame, and what it would have taken alone.

    That is its share of its call's time, by a line through all calls, times what steps that were
    made alone as well took there over their shares.
    """
    calls = [call for each in crew for call in each.calls]
    line = line_through([(call.objects, call.seconds) for call in calls])
    shares = {step: seconds for call in calls for step, seconds in call.shares(*line)}
    anchored = {(way.key, way.key): (way, s) for each in crew for way, s in each.anchored}
    shares |= {step: seconds for step, (_, seconds) in anchored.items()}
    anchoring, near, far = single.factors(shares)
    for call in calls:
        for way, found in call.parts():
            factors = far if call.frame - way.key >= FAR else near
            seconds = shares[way.key, call.frame] * factors.at(way.objects)
            carried.answers[clip, way.key, call.frame] = found, seconds
    for way, seconds in anchored.values():
        carried.anchors[clip, way.key] = seconds * anchoring.at(way.objects)


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

    @property
    def objects(self) -> int:
        """How many were carried."""
        return len(self.found.boxes)

    def shares(self, start: float, slope: float) -> Iterator[tuple[Step, float]]:
        """Each way's share of the seconds, where n objects take `start` + `slope` n."""
        whole = start + slope * self.objects
        for way in self.ways:
            part = start + slope * way.objects
            yield (way.key, self.frame), self.seconds * (part / whole if whole > 0 else 1.0)

    def parts(self) -> Iterator[tuple[_Way, Propagated]]:
        """Each way with its objects' answer."""
        end = 0
        for way in self.ways:
            rows = slice(end, end := end + way.objects)
            yield way, Propagated(self.found.boxes[rows], self.found.belief[rows])


class _Together:
    """The ways that are open at a frame, of all or of some keyframes."""

    def __init__(self, propagator: Joining, now: Now) -> None:
        self.propagator, self.now = propagator, now
        self.ways: tuple[_Way, ...] = ()
        self.calls: list[_Call] = []
        self.anchored: list[tuple[_Way, float]] = []

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
