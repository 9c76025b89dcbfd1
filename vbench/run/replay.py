"""A detector's answer on a frame does not depend on the policy: run it once, replay it after."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vbench.core.boxes import Floats, Image
from vbench.core.errors import ClipFailed
from vbench.core.roles import Detections, Detector, Recorded, WorkTable
from vbench.core.trace import Kind, Trace
from vbench.run.stepper import DetectorStepper


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


def replaying(stepper: DetectorStepper, record: Trace) -> DetectorStepper:
    """Return the same method with its detector replayed from `record`."""
    return replace(stepper, detector=Replay(stepper.detector, record))


def with_seconds_of(record: Trace, replayed: Trace) -> Trace:
    """Add the detector's recorded seconds to the frames on which it would have run."""
    ran = replayed.kind != Kind.INTER
    seconds: Floats = replayed.seconds + np.where(ran, record.seconds, 0.0)
    return replace(replayed, seconds=seconds)


def with_stated_seconds(model: Any, trace: Trace) -> Trace:
    """Add what a model that answers from files states a call took; NaN where nothing is stated."""
    if not isinstance(model, Recorded):
        return trace
    seconds = np.where(
        trace.kind != Kind.INTER, trace.seconds + model.stated_seconds, trace.seconds
    )
    return replace(trace, seconds=seconds)
