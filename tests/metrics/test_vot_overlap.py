"""Unsupervised and multi-start VOT scores of runs that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.test_vot_score import clip, run
from vbench.core.errors import VBenchError
from vbench.metrics.vot_frames import VotTruth
from vbench.metrics.vot_intervals import multistart_intervals
from vbench.metrics.vot_overlap import score_multistart, score_unsupervised, until_lost
from vbench.metrics.vot_profiles import vot_rules

HALF = 110 / 132  # the box moved by one px, as region.c draws it


def scored(runs, clips, profile):
    return score_unsupervised(VotTruth(clips), runs, vot_rules(profile))


def test_matlab_pools_frames_with_the_start_as_zero():
    runs = {"a": [run("1" + "=" * 39)], "b": [run("1" + "~" * 9)]}
    found = scored(runs, [clip("a"), clip("b", 10)], "vot-matlab")
    assert found.average == pytest.approx((39 + 9 * HALF) / 50)
    # Above .5: all but the two starts; above the last threshold, 1: none.
    assert found.success[50] == pytest.approx(48 / 50)
    assert found.success[-1] == 0


def test_the_python_toolkit_leaves_the_start_out_and_weighs_clips():
    runs = {"a": [run("1" + "=" * 39)], "b": [run("1" + "=" * 9 + "~" * 10)]}
    found = scored(runs, [clip("a"), clip("b", 20)], "vot-python")
    assert found.average == pytest.approx((40 + 20 * 90 / 110) / 60)
    with pytest.raises(VBenchError, match="no result of any of the 1 clips"):
        scored({}, [clip()], "vot-python")


@pytest.mark.parametrize(
    ("low", "length", "expected"),
    [
        (range(20, 29), 40, 40),  # nine in a row are forgiven
        (range(20, 30), 40, 20),
        ([*range(5, 14), *range(15, 24)], 40, 40),
        (range(31, 40), 40, 40),
        (range(30, 40), 40, 30),
        (range(10), 40, 0),
    ],
)
def test_ten_frames_in_a_row_are_a_loss(low, length, expected):
    overlaps = np.ones(length)
    overlaps[list(low)] = 0.1
    assert until_lost(overlaps) == expected


@given(st.lists(st.sampled_from([0.0, 0.1, 0.11, 1.0]), min_size=1, max_size=60))
def test_losses_are_found_as_by_counting(values):
    grace, expected = 10, len(values)
    for index, value in enumerate(values):
        grace = grace - 1 if value <= 0.1 else 10
        if grace == 0:
            expected = index + 1 - 10
            break
    assert until_lost(np.array(values)) == expected


def test_means_over_anchors_by_hand():
    whole = np.concatenate([[0.0], np.full(19, 0.5)])
    lost = np.concatenate([[0.0], np.ones(4), np.zeros(15)])
    found = score_multistart({"a": [whole, lost]}, {"a": 20})
    # 20 frames and 5 are kept; the start counts 0.
    assert found.accuracy == pytest.approx((19 * 0.5 + 4) / 25)
    assert found.robustness == pytest.approx(25 / 40)
    assert np.isnan(found.eao)
    other = np.concatenate([[0.0], np.ones(9)])
    both = score_multistart({"a": [whole, lost], "b": [other]}, {"a": 20, "b": 10})
    assert both.accuracy == pytest.approx((19 * 0.5 + 4 + 9) / 35)
    assert both.robustness == pytest.approx((20 * 25 / 40 + 10) / 30)


def partial(overlaps, lost, high):
    """compute_eao_partial of one run, as written there."""
    phi, active = [0.0] * high, [0.0] * high
    for j in range(1, high):
        if j < len(overlaps):
            phi[j], active[j] = float(np.mean(overlaps[1 : j + 1])), 1
        elif lost:
            phi[j], active[j] = float(np.sum(overlaps[1:])) / (j - 1), 1
    return np.array(phi), np.array(active)


@given(st.integers(0, 5), st.integers(2, 40), st.integers(12, 60))
def test_the_curve_is_the_toolkits(seed, length, high):
    rng = np.random.default_rng(seed)
    runs = [rng.random(length) * (np.arange(length) < stop) for stop in (3, 25, 99)]
    total, active = np.zeros(high), np.zeros(high)
    for values in runs:
        end = until_lost(values)
        kept = np.where(np.arange(length) < end, values, 0.0)
        sums, known = partial(kept, end < length, high)
        total += sums
        active += known
    expected = np.divide(total, active, out=np.zeros(high), where=active > 0)
    found = score_multistart({"a": runs}, {"a": length}, (5, high))
    np.testing.assert_allclose(found.curve, expected, atol=1e-12)
    assert found.eao == pytest.approx(expected[5 : high + 1].mean())


def test_multistart_has_intervals_over_clips():
    whole, lost = np.full(20, 1.0), np.concatenate([np.ones(5), np.zeros(15)])
    alike = score_multistart({"a": [whole], "b": [whole]}, {"a": 20, "b": 20}, (5, 15))
    for one in multistart_intervals(alike).values():
        assert (one.lo, one.hi) == (one.mean, one.mean) == (1, 1)
    mixed = score_multistart({"a": [whole], "b": [lost]}, {"a": 20, "b": 20}, (5, 15))
    tracked = multistart_intervals(mixed)["tracked"]
    # Of two clips a draw has both (half of them), or one of them twice.
    assert (tracked.mean, tracked.lo, tracked.hi) == pytest.approx((25 / 40, 5 / 20, 1))


def test_a_clip_without_runs_is_refused():
    with pytest.raises(VBenchError, match="a: no run from any anchor"):
        score_multistart({"a": []}, {"a": 20})
