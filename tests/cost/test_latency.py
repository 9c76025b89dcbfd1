"""Exact numbers from a fake clock, and the statistics of repeats."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.trace import Kind, Trace
from vbench.cost.latency import (
    interleaved,
    latency,
    latency_by_kind,
    median_drift,
    needed_runs,
    split_seconds,
    spread,
)
from vbench.cost.stopwatch import FakeClock, Stopwatch, synchronised


def trace(kinds, seconds, cheap=None):
    n = len(kinds)
    return Trace(
        kind=np.array(kinds, np.int8),
        objects=np.ones(n, np.int64),
        carried=np.ones(n, np.int64),
        belief=np.ones(n),
        seconds=np.array(seconds, float),
        cheap_seconds=np.zeros(n) if cheap is None else np.array(cheap, float),
        decode_seconds=np.full(n, 0.001),
        boxes=np.zeros((n, 4)),
        scores=np.ones(n),
        labels=np.full(n, -1),
    )


def test_percentiles_of_a_counting_clock_are_exact():
    clock = FakeClock(*np.repeat(np.arange(1, 102) / 1000, 2))
    watch = Stopwatch(clock)
    laps = []
    for _ in range(101):
        with watch.lap("frame"):
            pass
        laps.append(watch.take())
    found = split_seconds(laps)["frame"]
    assert found.n == 101
    assert [found.p50, found.p90, found.p95, found.p99, found.max] == pytest.approx(
        [51, 91, 96, 100, 101]
    )
    assert found.fps == pytest.approx(101 / (101 * 0.051))


def test_key_and_inter_frames_are_told_apart_and_the_first_frame_is_no_speed():
    """Keys of 100 ms, inter-frames of 2 ms, every fifth a key: 46.3 fps, where mean(1/t) is 402."""
    kinds = [Kind.START, *([Kind.INTER] * 4 + [Kind.KEY]) * 20]
    seconds = [9.0, *([0.002] * 4 + [0.1]) * 20]
    found = latency_by_kind([trace(kinds, seconds, [0, *([0.002] * 4 + [0]) * 20])])
    assert found.fps == pytest.approx(46.296, abs=1e-3)
    assert np.mean(1 / np.array(seconds[1:])) == pytest.approx(402)
    assert [found.key.n, found.key.p50] == pytest.approx([20, 100])
    assert [found.inter.n, found.inter.p99] == pytest.approx([80, 2])
    assert (found.start.n, found.start.mean) == (1, 9000)
    assert found.cheap.n == 80
    assert found.decode.mean == pytest.approx(1)
    assert found.frame.columns() == latency(seconds[1:])
    assert found.notes == ()


def test_a_detectors_first_keyframe_is_left_out_too():
    found = latency_by_kind([trace([Kind.KEY, Kind.KEY], [5.0, 0.5]), trace([Kind.KEY], [7.0])])
    assert (found.key.n, found.start.n, found.fps) == (1, 2, 2.0)


def test_a_short_timing_says_so():
    assert "timed for 0.5 s only" in latency_by_kind([trace([0, 2], [1.0, 0.5])]).notes[0]


def test_no_traces_have_no_speed():
    found = latency_by_kind([])
    assert np.isnan(found.fps)
    assert found.to_json()["frame"]["p50"] is None


def test_a_tracker_that_sleeps_gives_the_right_split():
    # A busy machine wakes a sleeper late: what counts is how long it really slept.
    watch, slept = Stopwatch(synchronised("cpu")), {"key": 0.0, "inter": 0.0}
    for _ in range(4):
        for name, seconds in (("key", 0.04), ("inter", 0.01)):
            with watch.lap(name):
                before = time.perf_counter()
                time.sleep(seconds)
                slept[name] += time.perf_counter() - before
    taken = watch.take()
    for name, seconds in slept.items():
        assert taken[name] == pytest.approx(seconds, rel=0.05)
    assert taken["key"] >= 0.16 and taken["inter"] >= 0.04


@given(st.lists(st.floats(1e-6, 10), min_size=1))
def test_percentiles_are_ordered_and_the_mean_is_within(seconds):
    found = spread(seconds)
    steps = [found.p50, found.p90, found.p95, found.p99, found.max]
    assert steps == sorted(steps)
    assert min(seconds) * 999.999 <= found.mean <= found.max * 1.000001
    assert found.fps == pytest.approx(1000 / found.mean)


def test_repeats_are_interleaved_there_and_back():
    assert interleaved(["a", "b"], 3) == [
        (0, "a"),
        (0, "b"),
        (1, "b"),
        (1, "a"),
        (2, "a"),
        (2, "b"),
    ]


def test_drift_is_the_range_over_the_median():
    assert median_drift([10, 11, 10.5]) == pytest.approx(1 / 10.5)
    assert np.isnan(median_drift([10.0]))


def test_runs_that_scatter_need_more_of_them():
    assert needed_runs([1.0, 1.0, 1.0]) == 1
    assert needed_runs([0.99, 1.0, 1.01]) == 4  # (1.96 * 0.01 / 0.01)^2 = 3.84
    assert needed_runs([1.0]) is None
