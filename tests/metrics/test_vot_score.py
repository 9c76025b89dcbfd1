"""VOT scores of runs that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.core.clip import Clip
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.frames import NoFrames
from vbench.core.vot_run import Code, VotRun
from vbench.metrics.vot import counted, score_vot
from vbench.metrics.vot_curve import averaged, cut, expected_overlaps
from vbench.metrics.vot_frames import VotTruth
from vbench.metrics.vot_profiles import INTERVALS, vot_rules

PROFILES = ("vot-pysot", "vot-matlab", "vot-python")
BOX = np.array([20.0, 20.0, 10.0, 10.0])
# region.c: 11 x 11 px of 121, moved by 1 px: 110 of 132.
NEXT = np.array([21.0, 20.0, 10.0, 10.0])


def clip(name="a", length=40, tags=None):
    truth = np.tile(BOX, (length, 1))
    return Clip(name, NoFrames(length), truth, known_size=(100, 100), frame_tags=tags or {})


def run(text, box=BOX):
    """One character a frame: 1 start, 2 failure, 0 skipped, = the box, ~ the box moved by 1 px."""
    codes = np.array([Code.REGION if c in "=~" else int(c) for c in text], np.int8)
    regions = np.full((len(text), 4), np.nan)
    for index, c in enumerate(text):
        if c in "=~":
            regions[index] = box if c == "=" else NEXT
    return VotRun(codes, regions)


def score(clips, runs, profile="vot-pysot", **options):
    return score_vot(VotTruth(clips), runs, vot_rules(profile), **options)


def test_intervals_are_those_of_the_challenges():
    assert INTERVALS["vot2015"] == INTERVALS["vot2016"] == (108, 371)
    assert INTERVALS["vot2017"] == INTERVALS["vot2018"] == (100, 356)
    assert INTERVALS["vot2019"] == (46, 291)
    assert INTERVALS["vot2020"] == INTERVALS["vot2021"] == INTERVALS["vot2022"] == (115, 755)
    assert "vot2013" not in INTERVALS


def test_accuracy_leaves_out_ten_frames_from_each_start():
    # Frames 0-9 burn in, 10-11 count; failure at 12, restart at 17, 17-26 burn in, 27-39 count.
    text = "1" + "=" * 9 + "~~" + "2" + "0000" + "1" + "=" * 9 + "=" * 13
    found = score([clip()], {"a": [run(text)]})
    assert found.accuracy == pytest.approx((2 * 110 / 132 + 13) / 15)
    assert found.lost == 1
    assert found.robustness == pytest.approx(100 / 40)
    assert found.ar == (pytest.approx(np.exp(-30 / 40)), found.accuracy)


def test_the_two_units_of_robustness():
    runs = {"a": [run("1" + "=" * 29 + "2" + "0" * 9)], "b": [run("1" + "=" * 9)]}
    found = score([clip("a"), clip("b", 10)], runs)
    assert found.robustness == pytest.approx(100 * 1 / 50)
    assert found.failures_per_clip == pytest.approx((1 * 40 + 0 * 10) / 50)


def test_means_over_clips_and_over_frames_differ():
    runs = {"a": [run("1" + "=" * 39)], "b": [run("1" + "=" * 9 + "~~")]}
    clips = [clip("a"), clip("b", 12)]
    frames = score(clips, runs).accuracy
    assert frames == pytest.approx((30 + 2 * 110 / 132) / 32)
    exact = 90 / 110  # the Python toolkit compares two boxes by area
    assert score(clips, runs, "vot-python").accuracy == pytest.approx((40 + 12 * exact) / 52)


def test_matlab_weighs_tags_and_burns_in_inside_each():
    """Frames 20-39 are tagged: none of them follows a start, so all of them count there."""
    flags = np.arange(40) >= 20
    tagged = clip(tags={"occlusion": flags})
    text = "1" + "=" * 14 + "2" + "0000" + "=" * 5 + "~" * 15
    found = score([tagged], {"a": [run(text)]}, "vot-matlab")
    occlusion = (5 + 15 * 110 / 132) / 20
    empty = 1.0  # frames 10-14
    assert found.tags["occlusion"]["accuracy"] == pytest.approx(occlusion)
    rest = found.tags["empty"]
    assert (rest["accuracy"], rest["failures"], rest["frames"]) == (empty, 1, 20)
    assert found.accuracy == pytest.approx((20 * occlusion + 20 * empty) / 40)
    assert found.lost == 1


def test_repetitions_are_averaged_frame_by_frame_or_left_out():
    good, bad = run("1" + "=" * 39), run("1" + "~" * 39)
    both = {"a": [good, bad]}
    assert score([clip()], both, "vot-matlab").accuracy == pytest.approx((1 + 110 / 132) / 2)
    # pysot takes 15 repetitions or only the first.
    assert score([clip()], both).accuracy == pytest.approx(1)
    fifteen = {"a": [good] * 8 + [bad] * 7}
    assert score([clip()], fifteen).accuracy == pytest.approx((8 + 7 * 110 / 132) / 15)
    # MATLAB takes three where the tracker proved to be deterministic.
    assert len(counted([good] * 3 + [bad], vot_rules("vot-matlab"))) == 3
    assert len(counted([good, good, bad, bad], vot_rules("vot-matlab"))) == 4
    assert len(counted([good] * 4, vot_rules("vot-python"))) == 4


def pieces(text, rule):
    given = run(text)
    values = np.where(given.codes == Code.REGION, 0.5, np.nan)
    return [(piece.overlaps.tolist(), piece.lost) for piece in cut(given.codes, values, rule)]


def test_runs_are_cut_at_restarts():
    text = "1==2" + "0000" + "1=="
    # The frame of the restart closes the first piece; it and all that follows count 0.
    first = [0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    for rule in ("pysot", "vot-matlab"):
        assert pieces(text, rule) == [(first, True), ([0.0, 0.5, 0.5], False)]
    assert pieces(text, "vot-python") == [([0.0, 0.5, 0.5], True), ([0.0, 0.5, 0.5], False)]


@pytest.mark.parametrize(
    ("left", "pysot", "matlab"),
    [
        # Frames behind the failure: pysot lets the restart lie one frame behind the end.
        (5, [True, False], [True, False]),
        (4, [True], [False]),
        (3, [False], [False]),
        (0, [False], [False]),
    ],
)
def test_failures_in_the_last_five_frames_are_not_padded(left, pysot, matlab):
    text = "1===2" + "0" * min(left, 4) + "1" * (left > 4)
    assert [lost for _, lost in pieces(text, "pysot")] == pysot
    assert [lost for _, lost in pieces(text, "vot-matlab")] == matlab
    assert pieces(text, "vot-python")[0][1]


def test_the_expected_overlap_of_one_failure_by_hand():
    found = score([clip(length=12)], {"a": [run("1=====2" + "00000")]}, interval=(2, 8))
    # Lengths 2..12: mean of the frames after the start; the failure and what follows count 0.
    expected = [5 / 5 if n <= 6 else 5 / (n - 1) for n in range(2, 13)]
    np.testing.assert_allclose(found.curve[1:], expected)
    assert found.eao == pytest.approx(np.mean(expected[:7]))
    later = score(
        [clip(length=12)], {"a": [run("1=====2" + "00000")]}, "vot-python", interval=(2, 8)
    )
    assert later.interval == (2, 8)


def test_intervals_of_the_python_toolkit_start_one_length_later():
    curve = np.arange(1.0, 11)
    assert averaged(curve, (3, 5)) == pytest.approx(4)
    assert averaged(curve, (3, 5), first_length=1) == pytest.approx(5)
    assert averaged(curve, (9, 20)) == pytest.approx(9.5)
    assert np.isnan(averaged(curve, None))


def plain_curve(found, weights, length):
    """The definition, length by length (Kristan et al. 2015, eq. 2 to 4)."""
    curve = [1.0]
    for n in range(2, length + 1):
        total = weight = 0.0
        for piece, share in zip(found, weights, strict=True):
            values = list(piece.overlaps) + [0.0] * length if piece.lost else list(piece.overlaps)
            if len(values) >= n:
                total += share * sum(values[1:n]) / (n - 1)
                weight += share
        curve.append(total / weight if weight else np.nan)
    return curve


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("1=~20", min_size=1, max_size=25), min_size=1, max_size=4),
    rule=st.sampled_from(["pysot", "vot-matlab", "vot-python"]),
    seed=st.integers(0, 9),
)
def test_cumulative_sums_give_the_curve_of_the_definition(texts, rule, seed):
    rng = np.random.default_rng(seed)
    found = []
    for text in texts:
        given = run(text)
        overlap = np.where(given.codes == Code.REGION, rng.random(len(text)), np.nan)
        found += list(cut(given.codes, overlap, rule))
    if not found:
        return
    weights = rng.random((2, len(found)))
    curves = expected_overlaps(found, weights, 25)
    for curve, share in zip(curves, weights, strict=True):
        np.testing.assert_allclose(curve, plain_curve(found, share, 25), atol=1e-12)


def test_legacy_years_of_matlab_draw_the_old_way_and_do_not_cut():
    for year in ("vot2013", "vot2014", "vot2015"):
        rules = vot_rules("vot-matlab", year)
        assert (rules.convention, rules.cut) == ("region-c-legacy", False)
    assert vot_rules("vot-matlab", "vot2016").convention == "region-c"
    found = score([clip()], {"a": [run("1" + "~" * 39)]}, "vot-matlab")
    old = score_vot(
        VotTruth([clip()]), {"a": [run("1" + "~" * 39)]}, vot_rules("vot-matlab", "vot2013")
    )
    # Drawn up to but without the right and bottom end: 10 x 10 px, the exact overlap.
    assert found.accuracy == pytest.approx(110 / 132)
    assert old.accuracy == pytest.approx(90 / 110)


def test_what_cannot_be_scored_says_so():
    with pytest.raises(VBenchError, match="no result of any of the 1 clips"):
        score([clip()], {"b": [run("1=")]})
    with pytest.raises(VBenchError, match="a: 2 results for 40 frames"):
        score([clip()], {"a": [run("1=")]})
    with pytest.raises(UnknownName, match="did you mean 'vot-pysot'"):
        vot_rules("vot-pyso")


@pytest.mark.parametrize("profile", PROFILES)
def test_clips_without_results_are_left_out_not_counted_as_lost(profile):
    clips = [clip("a"), clip("b")]
    found = score(clips, {"a": [run("1" + "=" * 39)]}, profile, interval=(2, 40))
    assert found.clips == ("a",)
    assert found.frames == 40
    assert found.accuracy == found.eao == pytest.approx(1)
    assert found.by_clip["accuracy"].tolist() == [pytest.approx(1)]
    assert found.by_clip["counted"].tolist() == [30]
