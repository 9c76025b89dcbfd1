"""Restarts, repetitions and start boxes with scripted trackers and hand counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.run.scripted import clip
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.roles import Estimate
from vbench.run.restarts import Judge, OnClock, OnRecord, repeated, supervised, unsupervised
from vbench.run.start_boxes import start_box

HIT, MISS = np.array([10.0, 10, 8, 8]), np.array([40.0, 30, 8, 8])


class Scripted:
    """Loses the target on the frames of `misses`; notes the frames that it saw."""

    def __init__(self, misses=()):
        self.misses, self.starts, self.seen = set(misses), [], []

    def start(self, frame, box):
        self.starts.append((int(frame[0, 0, 0]), box.tolist()))

    def track(self, frame):
        index = int(frame[0, 0, 0])
        self.seen.append(index)
        return Estimate(MISS if index in self.misses else HIT)


def ticking(step=0.5):
    """A clock that moves `step` seconds a look."""
    time = [0.0]

    def now():
        time[0] += step
        return time[0]

    return now


def text(run):
    return "".join("=" if code == 3 else str(code) for code in run.codes)


def test_a_failure_restarts_five_frames_later():
    tracker, target = Scripted([4, 17]), clip(22)
    run = supervised(OnClock(tracker, target, ticking()), target)
    assert text(run) == "1===2" + "0000" + "1=======" + "2" + "0000"
    assert run.failures == 2
    assert [frame for frame, _ in tracker.starts] == [0, 9]
    assert tracker.seen == [1, 2, 3, 4, *range(10, 18)]
    np.testing.assert_array_equal(run.regions[1], HIT)
    # Each call takes one tick; skipped frames none.
    assert run.seconds is not None
    assert np.isfinite(run.seconds).sum() == 14
    assert set(run.seconds[np.isfinite(run.seconds)]) == {0.5}


@settings(max_examples=40, deadline=None)
@given(misses=st.sets(st.integers(1, 39)), length=st.integers(1, 40), skip=st.integers(1, 7))
def test_every_frame_is_started_failed_skipped_or_answered(misses, length, skip):
    """The protocol as a plain walk over frames."""
    expected, index = [], 0
    while index < length:
        expected.append("1")
        index += 1
        while index < length and index not in misses:
            expected.append("=")
            index += 1
        if index < length:
            expected += ["2", *"0" * min(skip - 1, length - index - 1)]
            index += skip
    target = clip(length)
    run = supervised(OnClock(Scripted(misses), target, ticking()), target, skip=skip)
    assert text(run) == "".join(expected)


def test_restarts_wait_for_frames_without_a_tag():
    target = clip(20)
    flags = np.zeros(20, dtype=bool)
    flags[7:11] = True
    tagged = Clip(
        "t", target.frames, target.truth, frame_tags={"occlusion": flags}, known_size=target.size
    )
    run = supervised(OnClock(Scripted([2]), tagged, ticking()), tagged, skip_tags=["occlusion"])
    assert text(run) == "1=2" + "0" * 8 + "1" + "=" * 8


def test_regions_touching_by_a_pixel_are_no_failure_and_beyond_the_frame_they_are():
    target = clip(2)
    judge = Judge(target)
    assert not judge.lost(np.array([17.4, 10, 8, 8]), 1)
    assert judge.lost(np.array([19.0, 10, 8, 8]), 1)
    outside = Clip("o", target.frames, np.tile([-20.0, 10, 18, 8], (2, 1)), known_size=target.size)
    assert Judge(outside).lost(np.array([-20.0, 10, 18, 8]), 0)
    assert not Judge(outside, cut_px=None).lost(np.array([-20.0, 10, 18, 8]), 0)


def test_unsupervised_never_restarts():
    target = clip(6)
    run = unsupervised(OnClock(Scripted([2, 3]), target, ticking()), target)
    assert text(run) == "1====="
    np.testing.assert_array_equal(run.regions[3], MISS)


def test_three_equal_repetitions_are_enough():
    target = clip(8)
    once = [supervised(OnClock(Scripted([m]), target, ticking()), target) for m in (2, 3)]
    calls = []

    def run(number, runs):
        calls.append(number)
        return runs[number % len(runs)]

    assert len(repeated(lambda n: run(n, once[:1]))) == 3
    assert len(repeated(lambda n: run(n, once))) == 15
    assert len(repeated(lambda n: run(n, once[:1]), repetitions=2)) == 2


def test_stored_seconds_take_the_place_of_the_clock():
    target = clip(4)
    run = supervised(OnRecord(Scripted(), target, np.array([4.0, 3, 2, 1])), target)
    assert run.seconds is not None
    assert run.seconds.tolist() == [4, 3, 2, 1]
    with pytest.raises(ClipFailed, match="3 stored timings for 4 frames"):
        OnRecord(Scripted(), target, np.zeros(3))


def test_an_answer_that_is_no_box_fails_the_clip():
    class Lost(Scripted):
        def track(self, frame):
            return Estimate(np.full(4, np.nan))

    target = clip(3)
    with pytest.raises(ClipFailed, match="frame 1: the answered box is not four finite numbers"):
        supervised(OnClock(Lost(), target, ticking()), target)


def test_start_boxes_of_a_square_stood_on_its_corner():
    # Corners at distance 10 of (50, 40): area 200, bounding box 20 x 20, so scale sqrt(.5).
    diamond = np.array([40.0, 40, 50, 30, 60, 40, 50, 50])
    side = np.sqrt(200) + 1
    np.testing.assert_allclose(
        start_box(diamond, "got10k"), [50 - side / 2, 40 - side / 2, side, side]
    )
    np.testing.assert_allclose(
        start_box(diamond, "pysot"), [50 - (side - 1) / 2, 40 - (side - 1) / 2, side, side]
    )
    np.testing.assert_allclose(start_box(diamond, "around"), [40, 30, 20, 20])
    np.testing.assert_array_equal(start_box(HIT), HIT)
