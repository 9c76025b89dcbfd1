"""Where toolkits disagree on success and precision: each profile does what its toolkit does.

The measured figures are those of the toolkits' own code on the same boxes: got-10k/toolkit,
STVIR/pysot, StrangerZhang/pysot-toolkit, visionml/pytracking, open-mmlab/mmtracking.
"""

import numpy as np
import pytest

from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.metrics.ope import overlaps, score_ope
from vbench.metrics.profiles import PROFILES, rules_of
from vbench.metrics.suite_score import score

FIVE = ("got10k", "pysot", "pysot-toolkit", "pytracking", "mmtracking")
N = 200


@pytest.fixture
def boxes():
    """Truth and a tracker that follows it badly, one clip, 0-based, well inside the image."""
    rng = np.random.default_rng(3)
    truth = np.concatenate([rng.uniform(60, 300, (N, 2)), rng.uniform(20, 90, (N, 2))], axis=1)
    return truth, truth + rng.normal(0, 9, truth.shape) * [1, 1, 0.5, 0.5]


def means(truth, result, profile, suite=""):
    scores = score_ope([truth], [result], rules_of(profile, suite))
    return scores.mean("success_auc"), scores.mean("precision_20px")


def iou(a, b):
    """One pair at a time, as one would write it first."""
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def success(overlap, n):
    """Mean over 21 thresholds of the share of n frames with more overlap."""
    return np.mean([sum(o > t for o in overlap) / n for t in np.linspace(0, 1, 21)])


def near(truth, result):
    centre = (truth[:2] + truth[2:] / 2) - (result[:2] + result[2:] / 2)
    return float(np.hypot(*centre)) <= 20


@pytest.mark.parametrize("profile", PROFILES)
def test_perfect_tracker_has_20_of_21(boxes, profile):
    truth, _ = boxes
    assert means(truth, truth, profile) == (pytest.approx(20 / 21, abs=1e-12), 1.0)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("got10k", (0.952, 1.0)), ("pysot-toolkit", (0.0952, 0.1)), ("pytracking", (0.0952, 0.1))],
)
def test_perfect_result_of_20_of_200_frames(boxes, profile, expected):
    truth, _ = boxes
    found = means(truth, truth[:20], profile)
    assert found == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("profile", ["pysot", "mmtracking", "otb-matlab", "vbench"])
def test_short_result_is_refused(boxes, profile):
    truth, _ = boxes
    with pytest.raises(ClipFailed, match="20 rows for 200 frames"):
        means(truth, truth[:20], profile)


def test_pytracking_refuses_short_results_on_lasot_only(boxes):
    truth, _ = boxes
    with pytest.raises(ClipFailed):
        means(truth, truth[:20], "pytracking", "lasot")


@pytest.mark.parametrize("profile", FIVE)
def test_plain_frames_equal_the_definition(boxes, profile):
    truth, result = boxes
    first = [truth[0]] if profile in ("got10k", "pytracking") else [result[0]]
    scored = [*first, *result[1:]]
    overlap = [iou(t, r) for t, r in zip(truth, scored, strict=True)]
    hits = [near(t, r) for t, r in zip(truth, scored, strict=True)]
    assert means(truth, result, profile) == pytest.approx((success(overlap, N), np.mean(hits)))


@pytest.mark.parametrize("profile", FIVE)
def test_frames_with_nan(boxes, profile):
    """15 % of the frames: dropped by got10k, elsewhere misses in success and hits in precision.

    As measured: .6257 against .5318 = .85 x .6257; .9588 against .9650 = .15 + .85 x .9588.
    """
    truth, result = boxes
    result[0] = truth[0]
    kept = np.arange(N) % 20 > 2
    kept[0] = True
    absent = np.where(kept[:, None], truth, np.nan)
    share = kept.mean()
    inside, precise = means(truth[kept], result[kept], profile)
    expected = (inside * share, precise * share + (1 - share))
    if profile == "got10k":
        expected = (inside, precise)
    assert means(absent, result, profile, "uav123") == pytest.approx(expected)


@pytest.mark.parametrize("profile", FIVE)
def test_truth_at_the_left_border(boxes, profile):
    """x = 0 in the toolkit's file: a miss where all of x, y, w, h must be > 0, as measured."""
    truth, result = boxes
    result[0] = truth[0]
    chosen = np.arange(N) % 10 == 5
    origin = PROFILES[profile].origin_px
    result[chosen, 0] -= truth[chosen, 0] + origin
    truth[chosen, 0] = -origin
    overlap = np.array([iou(t, r) for t, r in zip(truth, result, strict=True)])
    if profile in ("pysot-toolkit", "pytracking"):
        overlap = overlap[~chosen]
    assert means(truth, result, profile)[0] == pytest.approx(success(overlap, N))


@pytest.mark.parametrize("profile", FIVE)
def test_truth_without_size(boxes, profile):
    """10 % of the frames, precision: hits but for got10k and pytracking, .968 against .868."""
    truth, result = boxes
    result[0] = truth[0]
    chosen = np.arange(N) % 10 == 5
    empty = np.where(
        chosen[:, None], 0.0 - PROFILES[profile].origin_px * np.array([1, 1, 0, 0]), truth
    )
    precise = means(truth[~chosen], result[~chosen], profile)[1] * 0.9
    if profile not in ("got10k", "pytracking"):
        precise += 0.1
    assert means(empty, result, profile, "otb2015")[1] == pytest.approx(precise)


def test_got10k_leaves_frames_without_a_target_out_on_uav123_only(boxes):
    truth, result = boxes
    absent = truth.copy()
    absent[5:25] = np.nan
    uav, otb = (means(absent, result, "got10k", s)[0] for s in ("uav123", "otb2015"))
    assert otb == pytest.approx(uav * 0.9)


@pytest.mark.parametrize("profile", PROFILES)
def test_prediction_without_size(boxes, profile):
    """IoU 0, but for pytracking and MATLAB, which take the box before."""
    truth, result = boxes
    result[0] = truth[0]
    before = result.copy()
    result[50:53, 2] = 0
    before[50:53] = before[49]
    overlap = [iou(t, r) for t, r in zip(truth, before, strict=True)]
    if profile not in ("pytracking", "otb-matlab"):
        overlap[50:53] = [0, 0, 0]
    assert means(truth, result, profile)[0] == pytest.approx(success(overlap, N))


@pytest.mark.parametrize("row", [[np.nan] * 4, [80.0, 80.0, -20.0, 30.0]])
def test_pytracking_refuses_nan_and_negative_sizes(boxes, row):
    truth, result = boxes
    result[9] = row
    with pytest.raises(ClipFailed, match="1 rows have NaN or a negative size"):
        means(truth, result, "pytracking")


def test_got10k_drops_the_first_frame_of_its_own_suite_and_averages_over_frames(boxes):
    truth, result = boxes
    result[0] = 0
    scores = score_ope([truth, truth[:40]], [result, truth[:40]], rules_of("got10k", "got10k-val"))
    overlap = [iou(t, r) for t, r in zip(truth[1:], result[1:], strict=True)] + [1.0] * 39
    assert scores.mean("ao") == pytest.approx(np.mean(overlap))
    assert scores.mean("sr50") == pytest.approx(np.mean([o > 0.5 for o in overlap]))
    assert scores.curves.success.shape == (2, 101)


def test_errors_are_rounded_by_the_official_toolkit(boxes):
    truth, _ = boxes
    result = truth + [20.00004, 0, 0, 0]
    assert means(truth, result, "otb-official")[1] == 1.0  # 20.0000 after rounding
    assert means(truth, result, "otb-matlab")[1] == 1 / N  # the given first box


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 1, 100, 100], [50, 50, 100, 100], 0.1495),
        ([0, 0, 10, 10], [1, 0, 10, 10], 0.8182),
        ([0, 0, 10, 10], [0.4, 0.4, 10, 10], 0.8546),
        ([0, 0, 10, 10], [10, 0, 10, 10], 0.0),
    ],
)
def test_analytic_overlap(a, b, expected):
    found = overlaps(np.array([a], float).T, np.array([b], float).T)
    assert found == pytest.approx([expected], abs=5e-5)


def test_overlap_and_error_equal_got10k(boxes):
    metrics = pytest.importorskip("got10k.utils.metrics")
    truth, result = boxes
    assert overlaps(truth.T, result.T) == pytest.approx(metrics.rect_iou(result, truth))
    error = metrics.center_error(result, truth)
    hits = np.mean(error <= 20)
    result[0] = truth[0]
    assert means(truth, result, "pysot")[1] == pytest.approx(hits + (error[0] > 20) / N)


def test_a_suite_is_scored_with_short_results_as_pytracking_scores_them(boxes):
    truth, _ = boxes
    suite = Suite(Card("mine", "mine", "sot", 1), [Clip("a", NoFrames(N), truth)])
    scores = score(suite, {"a": truth[:20]}, "pytracking")
    assert scores.metrics["success_auc"] == pytest.approx(2 / 21)
