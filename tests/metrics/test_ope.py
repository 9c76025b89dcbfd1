"""Success and precision of boxes: closed forms, and properties that hold for any boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vbench.core.boxes import iou
from vbench.core.errors import ClipFailed, UnknownName
from vbench.metrics.ope import PIXELS, SIZES, Truths, frame_values, overlaps, ranks, score_ope
from vbench.metrics.profiles import PROFILES, RULES, Rules, differing, iou_thresholds, rules_of

VBENCH = PROFILES["vbench"]
NUMBER = st.floats(0, 200, width=32)
SIZE = st.floats(1, 100, width=32)


def boxes(n):
    return st.tuples(
        arrays(float, (n, 2), elements=NUMBER), arrays(float, (n, 2), elements=SIZE)
    ).map(lambda parts: np.concatenate(parts, axis=1))


def shifted_by(pixels, n=4):
    truth = np.tile([100.0, 100.0, 40.0, 20.0], (n, 1))
    return truth, truth + np.array([pixels, 0, 0, 0])


def test_one_shift_has_its_known_overlap_and_error():
    truth, result = shifted_by(10)  # IoU 30/50 = .6, above 12 of the 21 thresholds
    scores = score_ope([truth], [result], VBENCH)
    assert scores.mean("ao") == pytest.approx(0.6)
    assert scores.mean("success_auc") == pytest.approx(12 / 21)
    assert scores.mean("precision_20px") == 1
    assert scores.mean("norm_precision") == 0  # 10/40 = .25 of the width
    assert [scores.mean("op50"), scores.mean("op75")] == [1, 0]
    assert scores.curves.precision[0].tolist() == [0.0] * 10 + [1.0] * 41


def test_comparisons_are_strict_for_overlap_and_not_for_error():
    truth, result = shifted_by(20)  # IoU 1/3, error 20
    scores = score_ope([truth], [result], VBENCH)
    assert scores.mean("precision_20px") == 1
    half = score_ope([truth], [truth * [1, 1, 0.5, 1]], VBENCH)  # IoU .5 is not > .5
    assert half.mean("op50") == 0
    assert half.mean("ao") == 0.5


@pytest.mark.parametrize("kind", ["linspace", "colon", "fraction"])
@pytest.mark.parametrize("bins", [21, 101])
def test_ranks_count_the_thresholds_below(kind, bins):
    thresholds = iou_thresholds(kind, bins)
    at = np.concatenate(
        [thresholds, np.nextafter(thresholds, 2), np.nextafter(thresholds, -1), [-1]]
    )
    assert np.array_equal(ranks(at, thresholds), np.searchsorted(thresholds, at, side="left"))


@given(arrays(float, 30, elements=st.floats(-1, 80)))
def test_ranks_of_errors_count_the_thresholds_below(values):
    for thresholds in (PIXELS, SIZES):
        assert np.array_equal(ranks(values, thresholds), np.searchsorted(thresholds, values))


def test_thresholds_differ_in_their_last_bits_only():
    linspace, colon, fraction = (iou_thresholds(k, 21) for k in ("linspace", "colon", "fraction"))
    assert np.array_equal(linspace, np.arange(0, 1.05, 0.05))
    assert fraction.tolist() == [x / 20 for x in range(21)]
    assert np.abs(linspace - colon).max() < 1e-15
    assert (linspace != colon).any()


@given(boxes(6), boxes(6))
def test_overlap_equals_that_of_the_core(a, b):
    assert overlaps(a.T, b.T) == pytest.approx(iou(a, b), abs=1e-9)


@given(boxes(8), boxes(8))
def test_curves_fall_and_rise_within_0_and_1(truth, result):
    curves = score_ope([truth], [result], VBENCH).curves
    assert (np.diff(curves.success) <= 0).all()
    assert (np.diff(curves.precision) >= 0).all()
    assert (np.diff(curves.normalised) >= 0).all()
    for curve in (curves.success, curves.precision, curves.normalised):
        assert curve.min() >= 0
        assert curve.max() <= 1


@given(boxes(9), boxes(9), st.integers(1, 8))
def test_clips_do_not_touch_each_other(truth, result, cut):
    for profile in PROFILES:
        rules = rules_of(profile)
        both = score_ope([truth[:cut], truth[cut:]], [result[:cut], result[cut:]], rules)
        for at, part in enumerate((slice(None, cut), slice(cut, None))):
            alone = score_ope([truth[part]], [result[part]], rules)
            for name, column in alone.columns.items():
                assert np.array_equal(both.columns[name][at], column[0], equal_nan=True)


@given(boxes(5), boxes(5), st.permutations(range(5)))
def test_order_of_frames_does_not_matter(truth, result, order):
    order = list(order)
    ours = score_ope([truth], [result], VBENCH)
    theirs = score_ope([truth[order]], [result[order]], VBENCH)
    for name in ours.columns:
        assert ours.mean(name) == pytest.approx(theirs.mean(name))


def test_frames_without_a_target_are_misses_and_hits():
    truth, result = shifted_by(0, 10)
    truth[7:] = np.nan
    scores = score_ope([truth], [result], VBENCH)
    assert scores.mean("success_auc") == pytest.approx(0.7 * 20 / 21)
    assert scores.mean("precision_20px") == 1
    assert scores.mean("ao") == pytest.approx(0.7)


def test_no_answer_is_a_miss_in_both():
    truth, result = shifted_by(0, 10)
    result[4:] = np.nan
    scores = score_ope([truth], [result], VBENCH)
    assert scores.mean("precision_20px") == pytest.approx(0.4)
    assert scores.mean("ao") == pytest.approx(0.4)


@pytest.mark.parametrize("row", [[np.nan] * 4, [5, 5, -3, 4], [5, 5, 0, 0], [np.inf, 0, 4, 4]])
def test_previous_box_chains_but_not_across_clips(row):
    truth, result = shifted_by(0, 4)
    result[2:] = row
    other = np.array([row, *result[1:2], row, *result[:1]], dtype=float)
    rules = rules_of("otb-matlab")
    values = frame_values([truth, truth], [result, other], rules)
    # The first frame is given; in the second clip frame 2 repeats frame 1 of that clip.
    assert values.overlap.tolist() == [1.0] * 8


def test_previous_box_stays_out_of_frames_without_a_target():
    truth, result = shifted_by(0, 5)
    truth[2] = np.nan
    result[2:4] = np.nan  # frame 3 repeats frame 2, which stays NaN as nothing is there
    values = frame_values([truth], [result], rules_of("otb-matlab"))
    assert values.overlap.tolist() == [1, 1, -1, 0, 1]


def test_long_results_are_cut_or_refused():
    truth, _ = shifted_by(0, 5)
    longer = np.concatenate([truth, truth])
    assert score_ope([truth], [longer], rules_of("got10k")).mean("ao") == pytest.approx(1)
    with pytest.raises(ClipFailed, match="10 rows for 5 frames"):
        score_ope([truth], [longer], VBENCH)


def test_boxes_are_cut_at_the_frame_for_got10k():
    truth = np.tile([90.0, 10.0, 20.0, 10.0], (3, 1))
    result = np.tile([90.0, 10.0, 10.0, 10.0], (3, 1))
    rules = rules_of("got10k", "got10k-val")
    assert score_ope(Truths([truth], [(100, 50)]), [result], rules).mean("ao") == pytest.approx(1)
    assert score_ope([truth], [result], rules).mean("ao") == pytest.approx(0.5)


def test_boxes_are_moved_into_the_frame_as_got10k_moves_them():
    """Its own function on boxes that begin and end outside (got10k/utils/metrics.py)."""
    metrics = pytest.importorskip("got10k.utils.metrics")
    rng = np.random.default_rng(5)
    truth, result = (
        np.concatenate([rng.uniform(-30, 90, (200, 2)), rng.uniform(1, 60, (200, 2))], axis=1)
        for _ in range(2)
    )
    theirs = metrics.rect_iou(result[1:].copy(), truth[1:].copy(), bound=(100, 50))
    rules = rules_of("got10k", "got10k-val")
    found = frame_values(Truths([truth], [(100, 50)]), [result], rules)
    np.testing.assert_allclose(found.overlap[1:], theirs, atol=1e-12)


def test_clip_without_any_frame_that_counts_is_in_no_mean():
    truth, result = shifted_by(0, 3)
    nothing = np.full((3, 4), np.nan)
    scores = score_ope([truth, nothing], [result, result], rules_of("got10k", "uav123"))
    assert np.isnan(scores.columns["success_auc"][1])
    assert scores.mean("success_auc") == pytest.approx(20 / 21)


def test_nothing_at_all_has_no_mean():
    assert np.isnan(score_ope([], [], VBENCH).mean("ao"))


def test_every_rule_is_explained_and_every_profile_is_of_version_1():
    described = set(Rules.__dataclass_fields__) - {"name", "version", "source", "saved"}
    assert described == set(RULES)
    assert [rules.title for rules in PROFILES.values()] == [f"{name}/1" for name in PROFILES]
    assert differing(VBENCH, VBENCH) == []


def test_unknown_profile_names_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'pysot'"):
        rules_of("pysott")
