"""VOT2018 scores that others published for raw results that they published."""

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.vot_run import Code, VotRun
from vbench.metrics.vot import score_vot
from vbench.metrics.vot_frames import VotTruth
from vbench.metrics.vot_profiles import INTERVALS, vot_rules
from vbench.store.raw_vot import read_vot

# README.md of HonglinChu/SiamTrackers NanoTrack; the LightTrack and SiamTPN papers (EAO .191).
PUBLISHED = {
    "NanoTrack": (0.542, 0.328, 70, 0.311),
    "LightTrack": (0.529, 0.178, 38, 0.418),
    "SiamTPN": (0.644, 0.712, 152, 0.190),
}


@pytest.fixture(scope="module")
def suite(real_data):
    return catalogue.open_suite("vot2018", None, real_data / "annotations/vot2018")


@pytest.fixture(scope="module")
def truth(suite):
    return VotTruth(suite.clips)


@pytest.fixture(scope="module")
def results(real_data, suite):
    lengths = {clip.name: len(clip) for clip in suite.clips}
    folder = real_data / "results/vot2018"
    return {name: read_vot(folder / name, lengths) for name in PUBLISHED}


def test_the_suite_is_complete(suite):
    assert suite.coverage == "60/60"
    assert not suite.problems
    assert sum(len(clip) for clip in suite.clips) == suite.card.rules["frames"] == 21_356
    assert tuple(clip.name for clip in suite.clips) == tuple(suite.card.rules["sequences"])


@pytest.mark.parametrize("tracker", PUBLISHED)
def test_published_accuracy_robustness_and_eao_come_out(truth, results, tracker):
    assert not results[tracker].problems
    score = score_vot(truth, results[tracker].runs, vot_rules("vot-pysot"), suite="vot2018")
    accuracy, robustness, lost, eao = PUBLISHED[tracker]
    assert round(score.accuracy, 3) == accuracy
    assert round(score.robustness, 3) == robustness
    assert score.lost == lost
    assert round(score.eao, 3) == eao
    assert len(score.clips) == 60


@pytest.mark.parametrize("tracker", PUBLISHED)
def test_toolkits_differ_by_as_much_as_was_measured(truth, results, tracker):
    runs = results[tracker].runs
    pysot, matlab, python = (
        score_vot(truth, runs, vot_rules(f"vot-{name}"), suite="vot2018")
        for name in ("pysot", "matlab", "python")
    )
    # pysot and MATLAB draw the same pixels and cut alike but for the last frames of a clip.
    assert abs(pysot.eao - matlab.eao) < 1e-3
    # Shifted interval, other raster, and pieces that failed in the last five frames: up to .010.
    assert abs(python.eao - matlab.eao) < 0.010
    assert pysot.lost == matlab.lost == python.lost
    # The same failures in two units: per 100 frames, and per clip weighted by frames.
    frames = np.array([len(clip) for clip in truth.clips])
    failures = np.array([runs[name][0].failures for name in truth.names])
    assert pysot.robustness == pytest.approx(100 * failures.sum() / frames.sum())
    assert python.failures_per_clip == pytest.approx((failures * frames).sum() / frames.sum())


def test_shift_corrected_intervals_agree_without_failures_at_the_end(truth, results):
    """The Python toolkit's interval is one length later than MATLAB's."""
    runs = {
        name: [run]
        for name, (run, *_) in results["NanoTrack"].runs.items()
        if not (run.codes[-7:] == Code.FAILURE).any()
    }
    assert len(runs) > 40
    low, high = INTERVALS["vot2018"]
    matlab = score_vot(truth, runs, vot_rules("vot-matlab"), (low, high))
    python = score_vot(truth, runs, vot_rules("vot-python"), (low - 1, high - 1))
    np.testing.assert_allclose(matlab.curve[1:high], python.curve[1:high], atol=0.004)
    assert matlab.eao == pytest.approx(python.eao, abs=0.003)


def test_a_tracker_that_is_always_right_scores_one(truth):
    runs = {}
    for clip in truth.clips:
        codes = np.full(len(clip), Code.REGION, np.int8)
        codes[0] = Code.START
        regions = clip.regions.copy() if clip.regions is not None else clip.truth.copy()
        regions[0] = np.nan
        runs[clip.name] = [VotRun(codes, regions)]
    for profile in ("vot-pysot", "vot-matlab", "vot-python"):
        score = score_vot(truth, runs, vot_rules(profile), suite="vot2018")
        assert score.accuracy == pytest.approx(1)
        assert score.eao == pytest.approx(1)
        assert score.robustness == score.lost == 0
        assert score.ar == pytest.approx((1, 1))
