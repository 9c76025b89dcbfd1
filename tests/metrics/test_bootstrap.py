"""Intervals over sequences: against the closed form of the normal law, and exact in small cases."""

import numpy as np
import pytest

from vbench.core.errors import VBenchError
from vbench.metrics.bootstrap import difference, intervals


def test_interval_of_many_clips_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(0.5, 0.1, (400, 1))
    (found,) = intervals(values, draws=4000)
    half = 1.96 * values.std() / 20
    assert found.mean == pytest.approx(values.mean())
    assert found.half == pytest.approx(half, rel=0.06)


def test_equal_clips_leave_no_doubt():
    (found,) = intervals(np.full((7, 1), 0.25))
    assert [found.lo, found.hi] == pytest.approx([0.25, 0.25])


def test_one_clip_has_no_interval():
    (found,) = intervals(np.array([[0.3], [np.nan]]))
    assert found.mean == pytest.approx(0.3)
    assert np.isnan(found.half)


def test_same_seed_same_interval_and_columns_do_not_touch():
    values = np.random.default_rng(2).uniform(size=(30, 3))
    together = intervals(values, seed=5)
    assert together == intervals(values, seed=5)
    alone = intervals(values[:, 1:2], seed=5)[0]
    assert (together[1].lo, together[1].hi) == pytest.approx((alone.lo, alone.hi))
    assert together != intervals(values, seed=6)


def test_weights_make_a_mean_over_frames():
    values, frames = np.array([[1.0], [0.0]]), np.array([30.0, 10.0])
    (found,) = intervals(values, frames)
    assert (found.mean, found.lo, found.hi) == (0.75, 0.0, 1.0)


def test_paired_difference_sees_what_single_intervals_hide():
    rng = np.random.default_rng(3)
    hard = rng.uniform(0.1, 0.9, 60)
    better = hard + 0.02 + rng.normal(0, 0.01, 60)
    found = difference(better, hard)
    assert found.clear
    assert found.interval.mean == pytest.approx(0.02, abs=0.005)
    assert found.p < 0.01
    wide = intervals(np.stack([better, hard], axis=1))
    assert wide[0].lo < wide[1].hi


def test_no_difference_is_not_clear():
    same = np.random.default_rng(4).uniform(size=20)
    found = difference(same, same)
    assert (found.interval.mean, found.clear, found.p) == (0.0, False, 1.0)


def test_a_clip_that_one_lacks_is_left_out():
    a, b = np.array([0.5, 0.7, np.nan]), np.array([0.4, 0.6, 0.9])
    assert difference(a, b).clips == 2
    with pytest.raises(VBenchError, match="no clip in common"):
        difference(np.array([np.nan]), np.array([1.0]))
    with pytest.raises(VBenchError, match="2 clips against 3"):
        difference(a[:2], b)
