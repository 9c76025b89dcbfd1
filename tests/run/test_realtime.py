"""Realtime with stored timings: which frames are seen, held and lost, counted by hand."""

import numpy as np
import pytest

from tests.run.scripted import clip
from tests.run.test_restarts import Scripted, text, ticking
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.roles import Estimate
from vbench.run.realtime import Pace, pace_of, realtime
from vbench.run.restarts import Judge, OnClock, OnRecord, supervised


class Numbered(Scripted):
    """Answers a box whose height is the number of the frame that it saw, over the target."""

    def track(self, frame):
        index = int(frame[0, 0, 0])
        self.seen.append(index)
        if index in self.misses:
            return Estimate(np.array([40.0, 30, 8, 8]))
        return Estimate(np.array([10.0, 10, 8, index]))


def seen_on(run):
    """The frame that each frame's box comes from; -1 without a box."""
    return [
        int(box[3]) if code == 3 else -1 for code, box in zip(run.codes, run.regions, strict=True)
    ]


def timed(seconds, length=12, misses=(), **options):
    target, tracker = clip(length), Numbered(misses)
    record = OnRecord(tracker, target, np.broadcast_to(seconds, length))
    return realtime(record, target, **options), tracker


@pytest.mark.parametrize("rule", ["vot-matlab", "vot-python"])
def test_a_tracker_that_is_fast_enough_loses_nothing(rule):
    run, tracker = timed(0.04, rule=rule, misses=[5])
    slow = supervised(OnClock(Numbered([5]), clip(12), ticking()), clip(12))
    assert text(run) == text(slow) == "1====200001="
    assert seen_on(run)[1:5] == [1, 2, 3, 4]
    assert tracker.seen == [1, 2, 3, 4, 5, 11]


def test_matlab_credits_the_frame_that_is_current_when_the_answer_comes():
    """20 frames a second, 100 ms a frame: every second frame is seen, its answer one frame late."""
    run, tracker = timed(0.1)
    # The start and two answers are forgiven; the answer on frame 3 comes when frame 4 is shown.
    assert tracker.seen == [1, 2, 3, 5, 7, 9, 11]
    assert seen_on(run) == [-1, 1, 2, 2, 3, 3, 5, 5, 7, 7, 9, 9]


def test_the_python_toolkit_credits_the_frame_that_was_seen():
    """120 ms a frame: one frame is held after each late answer; 100 ms would lose nothing."""
    run, tracker = timed(0.12, rule="vot-python", fps=20)
    assert tracker.seen == [1, 2, 3, 5, 7, 9, 11]
    assert seen_on(run) == [-1, 1, 2, 3, 3, 5, 5, 7, 7, 9, 9, 11]
    run, tracker = timed(0.1, rule="vot-python", fps=20)
    assert tracker.seen == list(range(1, 12))


def test_a_box_that_is_held_too_long_fails_and_the_tracker_restarts():
    """The target jumps on frame 6, while the tracker works on frame 5 and the old box is held."""
    target = clip(20)
    truth = target.truth.copy()
    truth[6:] = [40, 30, 8, 8]
    jumping = Clip("j", target.frames, truth, known_size=target.size)
    tracker = Jumper()
    seconds = np.full(20, 0.15)
    run = realtime(OnRecord(tracker, jumping, seconds), jumping)
    # Start and frames 1, 2 forgiven. Frame 3 takes three frames: credited to 5, held on 3, 4.
    # Frame 6 takes until 8; the box held on 6 misses: failure, restart at 8 + 5 = 13.
    assert tracker.seen[:4] == [1, 2, 3, 6]
    assert text(run)[:14] == "1=====20" + "=0000" + "1"
    assert [frame for frame, _ in tracker.starts] == [0, 13]


class Jumper(Numbered):
    """Answers where the target is on the frame that it sees."""

    def track(self, frame):
        self.seen.append(int(frame[0, 0, 0]))
        late = self.seen[-1] >= 6
        return Estimate(np.array([40.0, 30, 8, 8] if late else [10.0, 10, 8, 8]))


def test_an_answer_after_the_end_is_not_credited():
    run, tracker = timed(10.0, length=8)
    assert tracker.seen == [1, 2, 3]
    assert seen_on(run) == [-1, 1, 2, 2, 2, 2, 2, 2]
    run, tracker = timed(10.0, length=8, rule="vot-python")
    assert seen_on(run) == [-1, 1, 2, 3, 3, 3, 3, 3]


def test_the_rate_is_fixed_in_matlab_and_the_clips_own_in_python():
    own = Clip("c", clip(3).frames, clip(3).truth, fps=30.0)
    assert pace_of(own, "vot-matlab").fps == 20
    assert pace_of(own, "vot-python").fps == 30
    assert pace_of(clip(3), "vot-python").fps == 20
    assert pace_of(own, "vot-matlab", 25.0).fps == 25
    with pytest.raises(VBenchError, match="above 0"):
        Pace(fps=0)


def test_no_answer_comes_before_its_time():
    """With a rate twice as high a tracker sees about half as many frames."""
    seen = [len(timed(0.1, length=200, fps=fps)[1].seen) for fps in (10, 20, 40)]
    assert seen[0] == 199
    assert seen[1] == pytest.approx(100, abs=3)
    assert seen[2] == pytest.approx(50, abs=3)


def test_judges_can_be_shared():
    target = clip(12)
    judge = Judge(target, cut_px=-1)
    runs = [
        realtime(OnRecord(Numbered(), target, np.full(12, 0.1)), target, judge=judge) for _ in "ab"
    ]
    assert runs[0].same_as(runs[1])
