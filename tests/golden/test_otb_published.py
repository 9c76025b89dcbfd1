"""Raw results of OTB-100 that others published, and the scores that were published with them.

Files and scores: zhangzheng0131/Tracker_Benchmark_tb100 (KCF, SRDCF, TLD and the MATLAB toolkit's
perfMat), Soarkey/tracking_raw_results and maoyunyao/eval_tracker (DaSiamRPN, SiamRPN).
"""

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import iou
from vbench.metrics.explain import explain
from vbench.metrics.suite_score import Placed, Scorer
from vbench.report.tables import summary
from vbench.run.import_files import import_path
from vbench.run.score_files import read_path, score_path
from vbench.store.run_folder import RunFolder

scipy_io = pytest.importorskip("scipy.io")

MAT, TXT = "results/otb100_mat", "results/otb100_txt"
# The MATLAB toolkit's order of sequences is that of its configSeqs.m; it is told by the curves.
PERF = {"KCF_GaussHog": "KCF", "SRDCF": "SRDCF", "TLD": "TLD"}


@pytest.fixture(scope="module")
def otb(real_data):
    return catalogue.open_suite("otb2015", None, real_data / "annotations/otb100")


def numbers(scores):
    assert scores.coverage == "100/100"
    assert not scores.problems
    return [round(scores.metrics[name], 4) for name in ("success_auc", "precision_20px")]


@pytest.mark.parametrize(
    ("files", "profile", "repair", "expected"),
    [
        (f"{MAT}/KCF_GaussHog", "vbench", False, [0.4771, 0.6954]),
        (f"{MAT}/KCF_GaussHog", "otb-matlab", False, [0.4771, 0.6954]),
        (f"{MAT}/SRDCF", "vbench", False, [0.5976, 0.7881]),
        (f"{MAT}/SRDCF", "otb-matlab", False, [0.5976, 0.7881]),
        (f"{MAT}/TLD", "vbench", False, [0.3572, 0.5018]),
        (f"{MAT}/TLD", "vbench", True, [0.4056, 0.5457]),
        (f"{MAT}/TLD", "otb-matlab", False, [0.4056, 0.5457]),
        (f"{TXT}/DaSiamRPN", "vbench", False, [0.6578, 0.8807]),
        (f"{TXT}/DaSiamRPN", "otb-matlab", False, [0.6578, 0.8807]),
        (f"{TXT}/SiamRPN", "vbench", False, [0.6289, 0.8468]),
    ],
)
def test_published_score(real_data, otb, files, profile, repair, expected):
    (scores,) = score_path(real_data / files, otb, profile, repair)
    assert numbers(scores) == expected


@pytest.mark.parametrize("name", PERF)
def test_curves_of_each_sequence_equal_the_matlab_toolkit(real_data, otb, name):
    folder = real_data / MAT / "perfMat/overall"
    plots = {}
    for kind in ("overlap", "error"):
        loaded = scipy_io.loadmat(folder / f"aveSuccessRatePlot_15alg_{kind}_OPE.mat")
        trackers = [str(cell[0]) for cell in loaded["nameTrkAll"].ravel()]
        plots[kind] = loaded["aveSuccessRatePlot"][trackers.index(PERF[name])]
    theirs = np.concatenate([plots["overlap"], plots["error"]], axis=1)
    (scores,) = score_path(real_data / MAT / name, otb, "otb-matlab")
    curves = scores.scored.curves
    ours = np.concatenate([curves.success, curves.precision], axis=1)
    gaps = np.abs(ours[:, None] - theirs[None]).max(axis=2)
    assert sorted(gaps.argmin(axis=1)) == list(range(100))
    assert gaps.min(axis=1).max() < 0.5e-4


def test_first_row_of_corners_is_named_and_mended_on_request(real_data, otb):
    (found,) = score_path(real_data / TXT / "SiamRPN", otb)
    named = [note.clip for note in found.notes if "the first row is x1 y1 x2 y2" in note.what]
    assert len(named) == 100
    (mended,) = score_path(real_data / TXT / "SiamRPN", otb, repair=True)
    (given,) = score_path(real_data / TXT / "SiamRPN", otb, "otb-matlab")
    # The MATLAB toolkit replaces the first row by the truth: the same boxes.
    assert numbers(mended) == numbers(given)


def test_result_without_the_first_frames_of_tiger1_is_placed(real_data, otb):
    (found,) = read_path(real_data / TXT / "DaSiamRPN", otb)
    tiger = found.results["Tiger1"]
    assert isinstance(tiger, Placed)
    assert (tiger.first, len(tiger.boxes)) == (5, 349)
    assert any(note.clip == "Tiger1" and "frame 6" in note.what for note in found.notes)


def test_got10k_would_compare_tiger1_five_frames_too_early(real_data, otb):
    """Its list has 354 frames and it cuts the truth behind (got10k/experiments/otb.py:88-93)."""
    (files,) = read_path(real_data / TXT / "DaSiamRPN", otb)
    tiger = files.results["Tiger1"]
    assert isinstance(tiger, Placed)
    (late,) = [c for c in explain(otb, files.results)[1].causes if c.rule == "late"]
    assert (late.before, late.after, late.clips) == ("placed", "as the first", 0)
    assert 0 < late.frames <= 349
    truth = next(clip.truth for clip in otb.clips if clip.name == "Tiger1")
    scored = Scorer(otb, "got10k").score({"Tiger1": tiger}, allow_partial=True)
    boxes = np.concatenate([truth[:1], tiger.boxes[1:]])
    plain = np.array([[own > t for t in np.linspace(0, 1, 21)] for own in iou(boxes, truth[:349])])
    assert scored.per_clip()["Tiger1"]["success_auc"] == pytest.approx(plain.mean())


def test_imported_results_score_as_their_files(real_data, otb, tmp_path):
    import_path(real_data / TXT / "SiamRPN", otb, tmp_path / "run", repair=True)
    (row,) = summary(RunFolder(tmp_path / "run")).to_dict(orient="records")
    (scores,) = score_path(real_data / TXT / "SiamRPN", otb, repair=True)
    assert row["clips"] == "100/100"
    for name in ("success_auc", "precision_20px", "norm_precision"):
        assert row[name] == pytest.approx(scores.metrics[name])


def test_rule_behind_tld_is_named_with_its_frames(real_data, otb):
    (files,) = read_path(real_data / MAT / "TLD", otb)
    rows = {row.profile: row for row in explain(otb, files.results)}
    causes = {cause.rule: cause for cause in rows["otb-matlab"].causes}
    assert causes["no_box"].after == "previous"
    assert round(causes["no_box"].changes["success_auc"], 4) == 0.0484  # .4056 - .3572
    total = rows["otb-matlab"].means["success_auc"] - rows["vbench"].means["success_auc"]
    assert sum(c.changes["success_auc"] for c in causes.values()) == pytest.approx(total)
    # pytracking refuses results with NaN: 76 of the files have some.
    refused = {cause.rule: cause for cause in rows["pytracking"].causes}["no_box"]
    assert (rows["pytracking"].clips, refused.clips) == ("24/100", 76)


def test_scoring_all_sequences_at_once_equals_one_at_a_time(real_data, otb):
    (files,) = read_path(real_data / MAT / "SRDCF", otb)
    scorer = Scorer(otb, "otb-matlab")
    together = scorer.score(files.results).per_clip()
    for clip in otb.clips[::17]:
        alone = scorer.score({clip.name: files.results[clip.name]}).per_clip()
        assert alone[clip.name] == pytest.approx(together[clip.name], nan_ok=True)
