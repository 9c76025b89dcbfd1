"""VOT experiments with restarts: supervised, unsupervised, and their repetitions.

votchallenge/toolkit-legacy experiment/experiment_supervised.m; votchallenge/toolkit
vot/experiment/multirun.py; STVIR/pysot tools/test.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from vbench.core.boxes import Bools, Box, Floats
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.roles import Tracker
from vbench.core.vot_run import Code, VotRun
from vbench.metrics.raster import Rastered, overlaps, rastered
from vbench.metrics.raster_rows import Convention
from vbench.metrics.vot_profiles import SKIP
from vbench.run.start_boxes import StartBox, start_box

REPETITIONS = 15
# After so many identical repetitions a tracker counts as deterministic.
ALIKE = 3
Now = Callable[[], float]


class Target(Protocol):
    """A tracker on a clip, told frames by number: answers a box and the seconds it took."""

    def start(self, index: int, box: Box) -> float:
        """Start on frame `index`; return seconds."""
        ...

    def track(self, index: int) -> tuple[Box, float]:
        """Track to frame `index`; return the box and seconds."""
        ...


class OnClock:
    """A tracker whose calls are timed by a clock; decoding is not."""

    def __init__(self, tracker: Tracker, clip: Clip, now: Now) -> None:
        self.tracker, self.clip, self.now = tracker, clip, now

    def start(self, index: int, box: Box) -> float:
        """Start on frame `index`."""
        frame = self.clip.frames[index]
        before = self.now()
        self.tracker.start(frame, box)
        return self.now() - before

    def track(self, index: int) -> tuple[Box, float]:
        """Track to frame `index`."""
        frame = self.clip.frames[index]
        before = self.now()
        box = np.asarray(self.tracker.track(frame)[0], dtype=np.float64)
        seconds = self.now() - before
        if box.shape != (4,) or not np.isfinite(box).all():
            raise ClipFailed(f"frame {index}: the answered box is not four finite numbers")
        return box, seconds


class OnRecord:
    """A tracker whose seconds are those stored for each frame (n,), on any machine."""

    def __init__(self, tracker: Tracker, clip: Clip, seconds: Floats) -> None:
        if len(seconds) != len(clip):
            raise ClipFailed(f"{len(seconds)} stored timings for {len(clip)} frames")
        self.seconds = seconds
        self.target = OnClock(tracker, clip, lambda: 0.0)

    def start(self, index: int, box: Box) -> float:
        """Start on frame `index`."""
        self.target.start(index, box)
        return float(self.seconds[index])

    def track(self, index: int) -> tuple[Box, float]:
        """Track to frame `index`."""
        return self.target.track(index)[0], float(self.seconds[index])


class Judge:
    """Tells whether a box has lost the target: no pixel shared with the region of its frame."""

    def __init__(
        self,
        clip: Clip,
        convention: Convention = "region-c",
        cut_px: int | None = 0,
        failure_overlap: float = 0.0,
    ) -> None:
        self.regions = clip.truth if clip.regions is None else clip.regions
        if len(self.regions) != len(clip):
            raise ClipFailed("restarts need a ground truth of every frame")
        self.limit = None
        if cut_px is not None:
            self.limit = np.array([clip.size], dtype=np.float64) + cut_px
        self.truth: Rastered = rastered(
            self.regions, bounded=cut_px is not None, convention=convention
        )
        self.failure_overlap = failure_overlap

    def lost(self, box: Box, index: int) -> bool:
        """Tell whether `box` is a failure on frame `index`."""
        here = self.truth.take(np.array([index]))
        return bool(overlaps(here, box[None], self.limit)[0] <= self.failure_overlap)


def supervised(
    target: Target,
    clip: Clip,
    *,
    judge: Judge | None = None,
    skip: int = SKIP,
    box_rule: StartBox = "pysot",
    skip_tags: Sequence[str] = (),
) -> VotRun:
    """Run with restarts: a failure ends a try, the next one starts `skip` frames later.

    A restart on a frame with one of `skip_tags` waits for the first frame without.
    """
    referee = judge or Judge(clip)
    record = Recorded(len(clip))
    blocked = _blocked(clip, skip_tags)
    index = 0
    while index < len(clip):
        record.start(index, target.start(index, start_box(referee.regions[index], box_rule)))
        index += 1
        while index < len(clip):
            box, seconds = target.track(index)
            if referee.lost(box, index):
                record.fail(index, seconds)
                index += skip
                break
            record.region(index, box, seconds)
            index += 1
        while index < len(clip) and blocked[index]:
            index += 1
    return record.run()


def unsupervised(target: Target, clip: Clip, box_rule: StartBox = "pysot") -> VotRun:
    """Run from the first frame to the last without a look at the ground truth."""
    record = Recorded(len(clip))
    region = clip.truth[0] if clip.regions is None else clip.regions[0]
    record.start(0, target.start(0, start_box(region, box_rule)))
    for index in range(1, len(clip)):
        record.region(index, *target.track(index))
    return record.run()


def repeated(run: Callable[[int], VotRun], repetitions: int = REPETITIONS) -> list[VotRun]:
    """Call `run(repetition)` until enough are there, or the first three are the same."""
    runs: list[VotRun] = []
    for number in range(repetitions):
        if len(runs) == ALIKE and all(runs[0].same_as(other) for other in runs[1:]):
            break
        runs.append(run(number))
    return runs


class Recorded:
    """A VOT run while it grows: frames that nobody fills stay skipped."""

    def __init__(self, frames: int) -> None:
        self.codes = np.zeros(frames, dtype=np.int8)
        self.regions = np.full((frames, 4), np.nan)
        self.seconds = np.full(frames, np.nan)

    def start(self, index: int, seconds: float) -> None:
        """Note a start."""
        self.codes[index], self.seconds[index] = Code.START, seconds

    def fail(self, index: int, seconds: float | None = None) -> None:
        """Note a failure, in place of whatever was there."""
        self.codes[index], self.regions[index] = Code.FAILURE, np.nan
        if seconds is not None:
            self.seconds[index] = seconds

    def region(self, index: int, box: Box, seconds: float = np.nan) -> None:
        """Note an answer."""
        self.codes[index], self.regions[index] = Code.REGION, box
        self.seconds[index] = seconds

    def run(self) -> VotRun:
        """The run as it is now."""
        return VotRun(self.codes, self.regions, self.seconds)


def _blocked(clip: Clip, tags: Sequence[str]) -> Bools:
    blocked = np.zeros(len(clip), dtype=bool)
    for tag in tags:
        blocked |= clip.frame_tags.get(tag, False)
    return blocked
