"""A whole method (base, propagator, policy) under the protocols with restarts and in real time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vbench.core.boxes import Box, Floats, absent
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.policy import Policy
from vbench.core.trace import Kind, Trace
from vbench.core.vot_run import COLUMN, VotRun
from vbench.run.loop import Drive, Now, Record, Step, truth_by_frame
from vbench.run.realtime import realtime
from vbench.run.restarts import supervised, unsupervised
from vbench.run.stepper import NO_LABELS, Answer, Stepper

RestartProtocol = Literal[
    "vot-supervised", "vot-unsupervised", "vot-realtime", "vot-realtime-python"
]
RESTARTS: tuple[str, ...] = (
    "vot-supervised",
    "vot-unsupervised",
    "vot-realtime",
    "vot-realtime-python",
)
NOTHING = Step(Kind.SKIPPED, Answer(absent(1), np.full(1, np.nan), NO_LABELS), 0.0)


class DrivenTarget:
    """A method as the protocols see it: told frames by number, answers a box and its seconds."""

    def __init__(
        self, stepper: Stepper, policy: Policy, clip: Clip, now: Now, stored: Floats | None = None
    ) -> None:
        self.drive, self.clip, self.now = Drive(stepper, policy, now), clip, now
        self.stored = stored
        self.drive.enter(clip)
        self.truths = truth_by_frame(clip)
        self.steps: dict[int, tuple[Step, float]] = {}

    def start(self, index: int, box: Box) -> float:
        """Start on frame `index`; return seconds."""
        before = self.now()
        frame = self.clip.frames[index]
        decode_seconds = self.now() - before
        step = self._timed(self.drive.start(frame, box, index), index)
        self.steps[index] = step, decode_seconds
        return step.seconds

    def track(self, index: int) -> tuple[Box, float]:
        """Answer frame `index`; return the box and seconds."""
        before = self.now()
        frame = self.clip.frames[index]
        decode_seconds = self.now() - before
        step = self._timed(self.drive.step(frame, self.truths(index), index), index)
        boxes = step.answer.boxes
        if boxes.shape != (1, 4) or not np.isfinite(boxes).all():
            raise ClipFailed(f"frame {index}: the answer is not one box of four finite numbers")
        self.steps[index] = step, decode_seconds
        return boxes[0], step.seconds

    def _timed(self, step: Step, index: int) -> Step:
        """The step with the seconds stored for its frame, where there are stored ones."""
        if self.stored is None:
            return step
        if not np.isfinite(self.stored[index]):
            raise ClipFailed(f"frame {index}: no time is stored of it")
        return step._replace(seconds=float(self.stored[index]))


def run_restarted(
    stepper: Stepper,
    policy: Policy,
    clip: Clip,
    now: Now,
    protocol: RestartProtocol,
    fps: float | None = None,
    stored: Floats | None = None,
) -> Trace:
    """Run one clip under a VOT protocol; the codes become a column of the trace.

    `stored` are seconds of each frame (n,) that count in place of those of the clock.

    Frames after a failure are SKIPPED. Where real time holds an old answer, its box is what the
    frame has, while kind and seconds are those of what really ran.

    Raises:
        ClipFailed: an answer that is no box, or no ground truth to restart from.
    """
    if len(clip) == 0:
        raise ClipFailed("the clip has no frames")
    if stored is not None and len(stored) != len(clip):
        raise ClipFailed(f"{len(stored)} stored times for {len(clip)} frames")
    target = DrivenTarget(stepper, policy, clip, now, stored)
    if protocol == "vot-supervised":
        run = supervised(target, clip)
    elif protocol == "vot-unsupervised":
        run = unsupervised(target, clip)
    else:
        rule: Literal["vot-matlab", "vot-python"] = (
            "vot-matlab" if protocol == "vot-realtime" else "vot-python"
        )
        run = realtime(target, clip, rule, fps=fps)
    return _trace(target, run)


def _trace(target: DrivenTarget, run: VotRun) -> Trace:
    record = Record()
    for index in range(len(run)):
        step, decode_seconds = target.steps.get(index, (NOTHING, 0.0))
        answer = step.answer._replace(
            boxes=run.regions[index : index + 1],
            extras={**step.answer.extras, COLUMN: float(run.codes[index])},
        )
        record.add(step._replace(answer=answer), decode_seconds)
    return record.trace()
