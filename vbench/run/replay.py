"""What does not depend on the policy is run once and replayed under others.

A detector's answer on a frame is such a thing, and so is where a propagator carries the objects of
a keyframe: keyframes every 30 frames and every 15 share half of their way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from vbench.core.boxes import Boxes, Floats, Image
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.roles import (
    Blind,
    Detections,
    Detector,
    Placed,
    Propagated,
    Propagator,
    Recorded,
    WorkTable,
)
from vbench.core.trace import Kind, Trace
from vbench.run.stepper import DetectorStepper, Stepper

T = TypeVar("T")


@dataclass
class Replay:
    """Answers what `detector` answered when it ran on every frame of the clip.

    What it costs and how long it took is the detector's own: `work()` is passed on, and
    `with_seconds_of` puts the recorded seconds where the replay took none.
    """

    detector: Detector
    record: Trace
    _slices: list[slice] = field(init=False)
    _index: int = 0

    def __post_init__(self) -> None:
        if (self.record.kind != Kind.KEY).any():
            raise ClipFailed("only a detector that ran on every frame can be replayed")
        self._slices = self.record.frame_slices()

    def enter(self, clip: str, frames: int) -> None:
        """Begin the clip; its length must be the record's."""
        if frames != len(self.record):
            raise ClipFailed(f"{len(self.record)} frames recorded, the clip has {frames}")

    def at(self, index: int) -> None:
        """Answer this frame next."""
        self._index = index

    def detect(self, frame: Image) -> Detections:
        """Answer what was recorded."""
        rows = self._slices[self._index]
        record = self.record
        return Detections(record.boxes[rows], record.scores[rows], record.labels[rows])

    def work(self) -> WorkTable:
        """Return the work of the detector itself."""
        table: WorkTable = getattr(self.detector, "work", dict)()
        return table


@dataclass
class Carried:
    """What one propagator answered to a detector, by clip, keyframe and frame, with its seconds.

    `limit` bounds the answers kept, each some hundred bytes; `even` names clips whose frames
    are all of one size. `workers` threads carry objects, one a core where it is None.
    """

    owner: str = ""
    even: set[str] = field(default_factory=set)
    answers: dict[tuple[str, int, int], tuple[Propagated, float]] = field(default_factory=dict)
    anchors: dict[tuple[str, int], float] = field(default_factory=dict)
    limit: int = 1_000_000
    workers: int | None = None

    def of(self, owner: str) -> Carried:
        """Return this for a detector with a propagator; what it kept of another one is dropped."""
        if owner != self.owner:
            self.owner = owner
            self.answers.clear()
            self.anchors.clear()
        return self


class Recalling:
    """A propagator that is not asked again what it has answered already.

    What it is not asked it does not see, until an answer is not known; then it is shown all that
    it missed since the keyframe. `owed` (frames, 2) are the seconds that known answers took when
    they were new: in all, and of the cheap half alone.
    """

    def __init__(self, propagator: Propagator, carried: Carried, now: Callable[[], float]) -> None:
        self.propagator, self.carried, self.now = propagator, carried, now
        self._missed: list[Callable[[], object]] = []

    def enter(self, clip: str, frames: int) -> None:
        """Begin a clip of so many frames."""
        self._clip, self.owed = clip, np.zeros((frames, 2))

    def at(self, index: int) -> None:
        """The next call is about this frame."""
        self._index = index

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` of a keyframe; the propagator learns of them when it is asked."""
        self._key = self._index
        self._missed = [lambda: self.propagator.anchor(frame, boxes)]
        place = self._clip, self._key
        known = self.carried.anchors.get(place)
        if known is None:
            _, self.carried.anchors[place] = self._timed(self._catch_up)
        else:
            self.owed[self._index, 0] += known

    def propagate(self, frame: Image) -> Propagated:
        """Carry the objects of the last keyframe to this frame, or recall where they went."""
        place = self._clip, self._key, self._index
        known = self.carried.answers.get(place)
        if known is not None:
            found, seconds = known
            self._missed.append(lambda: self.propagator.propagate(frame))
            self.owed[self._index] += seconds
        else:
            self._catch_up()
            found, seconds = self._timed(lambda: self.propagator.propagate(frame))
            if len(self.carried.answers) < self.carried.limit:
                self.carried.answers[place] = found, seconds
        return Propagated(found.boxes.copy(), found.belief.copy())

    def _catch_up(self) -> None:
        for call in self._missed:
            call()
        self._missed = []

    def _timed(self, call: Callable[[], T]) -> tuple[T, float]:
        before = self.now()
        found = call()
        return found, self.now() - before


def replaying(
    stepper: DetectorStepper,
    record: Trace,
    carried: Carried | None = None,
    now: Callable[[], float] = perf_counter,
) -> DetectorStepper:
    """Return the same method with its detector replayed from `record`.

    With `carried` its propagator is not asked what is known from other policies, unless it knows
    more than the last keyframe (a model that is `Placed`), or is `Blind` and so asked at no cost.
    """
    propagator = stepper.propagator
    cheap = isinstance(propagator, Blind) and propagator.blind
    if not (carried is None or propagator is None or isinstance(propagator, Placed) or cheap):
        propagator = Recalling(propagator, carried, now)
    return replace(stepper, detector=Replay(stepper.detector, record), propagator=propagator)


def with_seconds_of(record: Trace, replayed: Trace, propagator: object = None) -> Trace:
    """Add the seconds of the detector, where it would have run, and of what was recalled.

    Decoding took what it took when the detector ran: a replay may do without the frames.
    """
    ran = replayed.kind != Kind.INTER
    seconds: Floats = replayed.seconds + np.where(ran, record.seconds, 0.0)
    cheap = replayed.cheap_seconds
    if isinstance(propagator, Recalling):
        seconds, cheap = seconds + propagator.owed[:, 0], cheap + propagator.owed[:, 1]
    decoding = record.decode_seconds
    return replace(replayed, seconds=seconds, cheap_seconds=cheap, decode_seconds=decoding)


def composed_seconds(stepper: Stepper, trace: Trace, record: Trace | None) -> Trace:
    """Add what the clock could not see: of a replayed detector, or one that answers from files."""
    parts = stepper.parts()
    if record is not None:
        return with_seconds_of(record, trace, parts[-1])
    return with_stated_seconds(parts[0], trace)


def unused_files(stepper: Stepper, clips: Sequence[Clip]) -> list[str]:
    """Say which files of a model that answers from files are of none of the clips."""
    model = stepper.parts()[0]
    if not isinstance(model, Recorded):
        return []
    found = model.strangers([clip.name for clip in clips])
    few = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    return [f"{len(found)} of its files are of no clip of this run: {few}"] if found else []


def with_stated_seconds(model: Any, trace: Trace) -> Trace:
    """Add what a model that answers from files states a call took; NaN where nothing is stated."""
    if not isinstance(model, Recorded):
        return trace
    seconds = np.where(
        trace.kind != Kind.INTER, trace.seconds + model.stated_seconds, trace.seconds
    )
    return replace(trace, seconds=seconds)
