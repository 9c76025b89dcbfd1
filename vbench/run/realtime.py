"""Realtime tracking: frames come at a fixed rate, and a late answer costs frames.

Two rules. The MATLAB toolkit (experiment/experiment_realtime.m:108-218) holds the last answer
while the tracker works and credits the new one to the frame that is current when it comes. The
Python toolkit (vot/tracker/__init__.py:842-942, RealtimeTrackerRuntime) credits an answer to the
frame it was computed on and holds it afterwards, which is kinder.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Literal

from vbench.core.boxes import Box
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.vot_run import VotRun
from vbench.metrics.vot_profiles import SKIP
from vbench.run.restarts import Judge, Recorded, Target, supervised
from vbench.run.start_boxes import StartBox, start_box

Crediting = Literal["vot-matlab", "vot-python"]
FPS = 20.0
GRACE = 3


@dataclass(frozen=True)
class Pace:
    """How frames come: per second, and how many late answers at each start are forgiven."""

    fps: float = FPS
    grace: int = GRACE
    skip: int = SKIP

    def __post_init__(self) -> None:
        if not self.fps > 0:
            raise VBenchError(f"{self.fps} frames per second: the rate must be above 0")


def pace_of(clip: Clip, rule: Crediting, fps: float | None = None) -> Pace:
    """The pace of a clip: 20 frames a second; the Python toolkit takes the clip's own if known."""
    own = clip.fps if rule == "vot-python" and clip.fps else FPS
    return Pace(fps or own)


def realtime(
    target: Target,
    clip: Clip,
    rule: Crediting = "vot-matlab",
    *,
    fps: float | None = None,
    judge: Judge | None = None,
    box_rule: StartBox = "pysot",
) -> VotRun:
    """Run the supervised experiment in real time.

    The clock is the target's: `OnClock` measures, `OnRecord` takes stored seconds.
    """
    pace = pace_of(clip, rule, fps)
    if rule == "vot-python":
        return supervised(_Holding(target, pace), clip, judge=judge, box_rule=box_rule)
    # The MATLAB toolkit cuts regions at [w, h] - 1 (experiment_realtime.m:66).
    return _ZeroOrderHold(target, clip, pace, judge or Judge(clip, cut_px=-1), box_rule).run()


class _Holding:
    """A target that answers its last box while it is still busy with it."""

    def __init__(self, target: Target, pace: Pace) -> None:
        self.target, self.pace = target, pace
        self.interval = 1.0 / pace.fps
        self.forgiven = 0
        self.behind = 0.0
        self.held: Box | None = None

    def start(self, index: int, box: Box) -> float:
        """Start; a slow start is forgiven or makes the tracker late."""
        self.forgiven, self.held = self.pace.grace, None
        seconds = self.target.start(index, box)
        self._late(seconds, box)
        return seconds

    def track(self, index: int) -> tuple[Box, float]:
        """Answer frame `index` if there was time to look at it, else what is held."""
        if self.behind > self.interval and self.held is not None:
            self.behind -= self.interval
            return self.held, 0.0
        box, seconds = self.target.track(index)
        self._late(seconds, box)
        return box, seconds

    def _late(self, seconds: float, box: Box) -> None:
        self.behind, self.held = 0.0, None
        if seconds > self.interval:
            if self.forgiven > 0:
                self.forgiven -= 1
            else:
                self.behind, self.held = seconds - self.interval, box


class _ZeroOrderHold:
    """The MATLAB experiment: frames are numbered from 1 here, as there."""

    def __init__(
        self, target: Target, clip: Clip, pace: Pace, judge: Judge, box_rule: StartBox
    ) -> None:
        self.target, self.pace, self.judge, self.box_rule = target, pace, judge, box_rule
        self.frames = len(clip)
        self.record = Recorded(self.frames)

    def run(self) -> VotRun:
        """Run to the end of the clip."""
        index = 1
        while index <= self.frames:
            index = self._try_from(index)
        return self.record.run()

    def _try_from(self, begin: int) -> int:
        """One try from a start to its failure; return the frame of the next start."""
        box = start_box(self.judge.regions[begin - 1], self.box_rule)
        seconds = self.target.start(begin - 1, box)
        self.record.start(begin - 1, seconds)
        self.elapsed_ms, self.grace = 0.0, self.pace.grace
        held, index = box, self._current(seconds, begin) + 1
        while index <= self.frames:
            box, seconds = self.target.track(index - 1)
            current = self._current(seconds, begin)
            failed = self._fill(held, box, index, current, seconds)
            if failed:
                self.record.fail(failed - 1)
                return current + self.pace.skip
            held, index = box, current + 1
        return self.frames + 1

    def _current(self, seconds: float, begin: int) -> int:
        """The frame that is shown when an answer comes."""
        frame_ms = 1000.0 / self.pace.fps
        if self.grace > 0:
            self.grace -= 1
            self.elapsed_ms += frame_ms
        else:
            self.elapsed_ms += max(frame_ms, seconds * 1000.0)
        passed = floor(self.elapsed_ms * self.pace.fps) / 1000.0
        return floor(passed + 0.5) + begin - 1

    def _fill(self, held: Box, box: Box, index: int, current: int, seconds: float) -> int:
        """Hold the old answer until the new one comes; return the frame of a failure, or 0."""
        failed = 0
        for frame in range(index, min(self.frames, current - 1) + 1):
            if self.judge.lost(held, frame - 1):
                failed = frame
                break
            self.record.region(frame - 1, held)
        if current <= self.frames:
            if self.judge.lost(box, current - 1):
                failed = current
            else:
                self.record.region(current - 1, box)
        self.record.seconds[index - 1] = seconds
        return failed
