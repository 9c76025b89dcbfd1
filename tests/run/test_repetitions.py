"""Several tries on a clip: got10k's own suites pool them, others take the first."""

from dataclasses import replace

import numpy as np
import pytest

from vbench.core.clip import Clip
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.report.tables import per_clip, summary
from vbench.run.import_files import export_run, import_path
from vbench.run.score_files import score_path
from vbench.store.run_folder import RunFolder

NAMES = ("GOT-10k_Val_000001", "GOT-10k_Val_000002")
N = 11


@pytest.fixture
def suite():
    truth = np.tile([10.0, 10, 20, 20], (N, 1))
    clips = [Clip(name, NoFrames(N), truth, known_size=(100, 100)) for name in NAMES]
    card = Card("got10k-val", "g", "sot", 2, profile="got10k", rules={"first_pixel": 0})
    return Suite(card, clips)


def lay(root, clip, *shifts):
    """Results whose boxes overlap by (20 - shift) / (20 + shift), the first row as given."""
    for number, shift in enumerate(shifts, start=1):
        boxes = np.tile([10.0 + shift, 10, 20, 20], (N, 1))
        boxes[0, 0] = 10
        path = root / "T" / clip / f"{clip}_{number:03d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, boxes, fmt="%.3f", delimiter=",")


def test_frames_of_all_repetitions_are_pooled_as_got10k_does(tmp_path, suite):
    lay(tmp_path, NAMES[0], 0, 5, 10)
    lay(tmp_path, NAMES[1], 10)
    (found,) = score_path(tmp_path, suite)
    assert (found.coverage, found.problems, found.notes) == ("2/2", (), ())
    # Three tries of 10 frames on one clip, one on the other: 1, .6, 1/3 and 1/3.
    assert found.metrics["ao"] == pytest.approx((1 + 0.6 + 1 / 3 + 1 / 3) / 4)
    assert found.metrics["sr50"] == pytest.approx(0.5)
    assert found.per_clip()[NAMES[0]]["ao"] == pytest.approx((1 + 0.6 + 1 / 3) / 3)
    assert found.scored.success_frames.tolist() == [30, 10]


def test_elsewhere_the_first_counts_and_that_is_said(tmp_path, suite):
    lay(tmp_path, NAMES[0], 0, 5)
    lay(tmp_path, NAMES[1], 0)
    (found,) = score_path(tmp_path, suite, "pysot")
    assert found.metrics["ao"] == pytest.approx(1)
    assert [note.what for note in found.notes] == ["repetitions after the first are not scored"]


def test_a_repetition_that_is_wrong_is_named_and_the_others_count(tmp_path, suite):
    for name in NAMES:
        lay(tmp_path, name, 0, 0)
    (tmp_path / "T" / NAMES[0] / f"{NAMES[0]}_002.txt").write_text("1,2,x,4\n")
    (found,) = score_path(tmp_path, suite)
    assert found.metrics["ao"] == pytest.approx(1)
    (problem,) = found.problems
    assert (problem.clip, problem.what) == (
        NAMES[0],
        "repetition 2: line 1: 'x' is not a number",
    )


def imported(tmp_path, suite):
    (record,) = import_path(tmp_path / "T", suite, tmp_path / "run")
    return RunFolder(tmp_path / "run"), record


def test_a_run_of_imported_repetitions_says_what_scoring_the_files_says(tmp_path, suite):
    lay(tmp_path, NAMES[0], 0, 5, 10)
    lay(tmp_path, NAMES[1], 10)
    (found,) = score_path(tmp_path / "T", suite)
    folder, record = imported(tmp_path, suite)
    assert record.notes == record.problems == {}
    (row,) = summary(folder).to_dict("records")
    for name in ("ao", "sr50", "sr75", "success_auc"):
        assert row[name] == pytest.approx(found.metrics[name])
    assert row["ao"] == pytest.approx((1 + 0.6 + 1 / 3 + 1 / 3) / 4)
    assert row["clips"] == "2/2"
    own = per_clip(folder).set_index("clip")
    assert own.loc[NAMES[0], "ao"] == pytest.approx((1 + 0.6 + 1 / 3) / 3)


def test_repetitions_go_out_again_as_they_came_in(tmp_path, suite):
    lay(tmp_path, NAMES[0], 0, 5, 10)
    lay(tmp_path, NAMES[1], 10)
    (before,) = score_path(tmp_path / "T", suite)
    folder, _ = imported(tmp_path, suite)
    (written,) = export_run(folder.path, "got10k-submission", tmp_path / "out").values()
    assert (written.files, written.untold) == (4, 0)
    for path in (tmp_path / "T").rglob("*.txt"):
        again = tmp_path / "out" / path.relative_to(tmp_path)
        np.testing.assert_array_equal(
            np.loadtxt(again, delimiter=","), np.loadtxt(path, delimiter=",")
        )
    (after,) = score_path(tmp_path / "out/T", suite)
    assert after.metrics == before.metrics
    (vot,) = export_run(folder.path, "vot", tmp_path / "vot").values()
    assert vot.files == 4
    (otb,) = export_run(folder.path, "otb", tmp_path / "otb").values()
    assert otb.files == 2
    assert otb.lines("otb") == ["otb has no place for 2 repetitions after the first: lost"]


def test_elsewhere_imported_repetitions_are_kept_and_not_scored(tmp_path, suite):
    lay(tmp_path, NAMES[0], 0, 5)
    lay(tmp_path, NAMES[1], 0)
    other = Suite(replace(suite.card, name="otb2015", profile="vbench"), suite.clips)
    folder, record = imported(tmp_path, other)
    assert record.notes == {"": "repetitions after the first are kept, and not scored"}
    (row,) = summary(folder).to_dict("records")
    assert row["ao"] == pytest.approx(1)


def test_a_wrong_repetition_is_noted_and_the_others_are_kept(tmp_path, suite):
    lay(tmp_path, NAMES[0], 0, 5, 5)
    lay(tmp_path, NAMES[1], 0)
    (tmp_path / "T" / NAMES[0] / f"{NAMES[0]}_002.txt").write_text("1,2,x,4\n")
    folder, record = imported(tmp_path, suite)
    assert record.notes == {NAMES[0]: "repetition 2: line 1: 'x' is not a number"}
    (row,) = summary(folder).to_dict("records")
    # Frames of 1 and .6 on one clip, 1 on the other.
    assert row["ao"] == pytest.approx((1 + 0.6 + 1) / 3)
