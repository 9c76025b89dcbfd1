"""Trackers found, scored and explained from folders of VOT files, and on the command line."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from vbench.cli.app import Exit, invoke, tables
from vbench.cli.vot_tables import _show_explained
from vbench.core.clip import Clip
from vbench.core.errors import NotReady
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.metrics.vot_explain import SHOWN
from vbench.metrics.vot_profiles import INTERVALS
from vbench.run.data_doctor import card_of
from vbench.run.import_files import import_path
from vbench.run.score_vot import (
    differences_of,
    explain_vot_path,
    is_vot,
    score_vot_path,
    trackers_in,
)

GOOD = "1\n" + "20,20,10,10\n" * 39
LOST = "1\n" + "20,20,10,10\n" * 14 + "2\n" + "0\n" * 4 + "1\n" + "20,20,10,10\n" * 19


@pytest.fixture
def suite():
    truth = np.tile([20.0, 20, 10, 10], (40, 1))
    clips = [Clip(name, NoFrames(40), truth, known_size=(100, 100)) for name in ("a", "b")]
    card = Card("vot2018", "v", "sot", 2, protocol="vot-supervised", profile="vot-pysot")
    return Suite(card, clips)


def lay(root, tracker, **texts):
    for clip, text in texts.items():
        path = root / tracker / "baseline" / clip / f"{clip}_001.txt"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return root


def test_trackers_experiments_and_folders_of_trackers_are_found(tmp_path):
    lay(tmp_path, "KCF", a=GOOD)
    lay(tmp_path, "DSST", a=GOOD)
    both = [("DSST", tmp_path / "DSST/baseline"), ("KCF", tmp_path / "KCF/baseline")]
    assert trackers_in(tmp_path, ["a"]) == both
    assert trackers_in(tmp_path / "KCF", ["a"]) == both[1:]
    assert trackers_in(tmp_path / "KCF/baseline", ["a"]) == both[1:]
    assert trackers_in(tmp_path, ["z"]) == []


def test_a_complete_tracker_is_scored(tmp_path, suite):
    (result,) = score_vot_path(lay(tmp_path, "KCF", a=GOOD, b=LOST), suite)
    assert (result.name, result.coverage, result.status) == ("KCF", "2/2", "ok")
    assert result.metrics["accuracy"] == pytest.approx(1)
    assert result.metrics["robustness"] == pytest.approx(100 / 80)
    assert result.metrics["lost"] == 1
    assert "eao" not in result.metrics  # no clip is as long as the interval
    low, high = (getattr(result.intervals["lost"], end) for end in ("lo", "hi"))
    assert (low, high) == (0, 2)
    assert result.by_clip()["b"] == {"accuracy": pytest.approx(1), "failures": 1}


def test_means_over_some_of_the_clips_are_printed_only_if_asked(tmp_path, suite):
    root = lay(tmp_path, "KCF", a=GOOD, b="1\n2\n")
    (result,) = score_vot_path(root, suite)
    assert (result.status, result.metrics, result.coverage) == ("partial", {}, "1/2")
    assert result.problems == {"b": "b_001.txt: 2 lines for 40 frames"}
    (result,) = score_vot_path(root, suite, allow_partial=True)
    assert result.metrics["accuracy"] == pytest.approx(1)
    broken = lay(tmp_path / "x", "KCF", a="?", b="")
    (result,) = score_vot_path(broken, suite)
    assert (result.status, result.score) == ("failed", None)


def test_the_unsupervised_experiment_is_scored_by_its_average_overlap(tmp_path, suite):
    root = lay(tmp_path, "KCF", a=GOOD, b=GOOD)
    (root / "KCF/baseline").rename(root / "KCF/unsupervised")
    (result,) = score_vot_path(root, suite, "vot-matlab")
    assert result.metrics == {"ao": pytest.approx(39 / 40)}
    assert result.as_json()["ar"] is None
    assert (result.intervals["ao"].lo, result.intervals["ao"].hi) == (39 / 40, 39 / 40)
    worse = "1\n" + "20,20,10,10\n" * 19 + "70,70,10,10\n" * 20
    lay(tmp_path, "MIL", a=GOOD, b=worse)
    (root / "MIL/baseline").rename(root / "MIL/unsupervised")
    kcf, mil = score_vot_path(root, suite, "vot-matlab")
    gap = differences_of(kcf, mil)["ao"]
    assert gap.interval.mean == pytest.approx((39 / 40 - 19 / 40) / 2)
    assert (gap.interval.lo, gap.interval.hi) == pytest.approx((0, 0.5))


def test_runs_without_restarts_are_explained_by_their_average_overlap(tmp_path, suite, capsys):
    """Ours is on the target from frame 1 on; a toolkit counts the first frame as 0, or 10 not."""
    root = lay(tmp_path, "KCF", a=GOOD, b=GOOD)
    (root / "KCF/baseline").rename(root / "KCF/unsupervised")
    found = explain_vot_path(root, suite)["KCF"]
    assert [row.profile for row in found] == ["vot-pysot/1", "vot-matlab/1", "vot-python/1"]
    assert [row.means for row in found] == [
        {"ao": pytest.approx(39 / 40)}, {"ao": pytest.approx(39 / 40)}, {"ao": pytest.approx(1)}
    ]  # fmt: skip
    for row in found:
        (score,) = score_vot_path(root, suite, row.profile.partition("/")[0])
        assert row.means == score.metrics
    assert found[0].causes == found[1].causes == ()
    (cause,) = found[2].causes
    assert (cause.rule, cause.frames) == ("accuracy", 2 * 10)
    assert cause.changes == {"ao": pytest.approx(1 / 40)}
    _show_explained(tables(), "KCF", found)
    said = capsys.readouterr().out
    assert "AO" in said and "+0.0250" in said and "EAO" not in said


def test_a_clip_without_a_run_counts_for_no_rule(tmp_path, suite):
    root = lay(tmp_path, "KCF", a=GOOD)
    (root / "KCF/baseline").rename(root / "KCF/unsupervised")
    found = explain_vot_path(root, suite)["KCF"]
    assert [row.clips for row in found] == [1, 1, 1]
    assert [cause.frames for cause in found[2].causes] == [10]


def test_what_is_no_vot_result_is_refused(tmp_path, suite):
    with pytest.raises(NotReady, match="expected TRACKER/baseline/CLIP/CLIP_001.txt"):
        score_vot_path(tmp_path, suite)
    assert is_vot(suite, None)
    assert is_vot(suite, "vot-matlab")
    assert not is_vot(suite, "otb-matlab")


def test_changes_of_the_rules_add_up(tmp_path, suite):
    found = explain_vot_path(lay(tmp_path, "KCF", a=GOOD, b=LOST), suite)["KCF"]
    first = found[0]
    assert (first.profile, first.causes) == ("vot-pysot/1", ())
    for row in found[1:]:
        for name in SHOWN[:3]:
            change = sum(cause.changes[name] for cause in row.causes)
            assert first.means[name] + change == pytest.approx(row.means[name])
    assert {cause.rule for cause in found[1].causes} == {"accuracy", "fragments", "repetitions"}


def test_each_cause_says_how_many_frames_it_touches(tmp_path, suite):
    found = explain_vot_path(lay(tmp_path, "KCF", a=GOOD, b=LOST), suite)["KCF"]
    causes = {cause.rule: cause for cause in found[2].causes}
    # All that count for accuracy: 40 - 10 on a; of b's two pieces 15 - 10 and 20 - 10.
    assert causes["accuracy"].frames == causes["first_length"].frames == 45
    assert causes["per_clip"].frames == 0
    # pysot's first piece goes on to the restart (21 frames), vot-python's ends with the failure.
    assert causes["fragments"].frames == 21


def test_trackers_are_compared_clip_by_clip(tmp_path, suite):
    root = lay(tmp_path, "KCF", a=GOOD, b=LOST)
    lay(root, "MIL", a=GOOD, b=GOOD)
    kcf, mil = score_vot_path(root, suite)
    found = differences_of(kcf, mil)
    assert list(found) == ["accuracy", "robustness", "failures_per_clip", "lost"]
    assert {one.clips for one in found.values()} == {2}
    assert found["lost"].interval.mean == 1
    assert (found["lost"].interval.lo, found["lost"].interval.hi) == (0, 2)
    assert found["robustness"].interval.mean == pytest.approx(100 / 80)
    assert found["accuracy"].interval.mean == pytest.approx(0)
    # Draws without b, a quarter of them, have no difference.
    assert found["lost"].p == pytest.approx(0.5, abs=0.1)


def test_a_zip_is_read_and_what_leads_out_of_it_is_named(tmp_path, suite):
    root = lay(tmp_path / "in", "KCF", a=GOOD, b=LOST)
    path = tmp_path / "results.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for file in root.rglob("*.txt"):
            packed.write(file, file.relative_to(root))
        packed.writestr("../../a_001.txt", GOOD)
    (plain,) = score_vot_path(root, suite)
    (found,) = score_vot_path(path, suite)
    assert (found.name, found.metrics, found.status) == (plain.name, plain.metrics, "ok")
    assert found.notes == ("../../a_001.txt: leads out of the zip, not read",)
    assert explain_vot_path(path, suite)["KCF"][0].clips == 2
    (record,) = import_path(path, suite, tmp_path / "run")
    assert record.notes == {"": "../../a_001.txt: leads out of the zip, not read"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "results.zip", "run"]


def test_the_interval_is_the_cards(tmp_path, suite):
    root = lay(tmp_path, "KCF", a=GOOD, b=LOST)
    card = replace(suite.card, rules={"eao_interval": [5, 10]})
    (result,) = score_vot_path(root, Suite(card, suite.clips))
    assert result.score is not None
    assert result.score.interval == (5, 10)
    assert result.metrics["eao"] == pytest.approx(1)


def test_cards_have_the_intervals_of_their_years():
    for name, interval in INTERVALS.items():
        if int(name.removeprefix("vot")) < 2020:
            assert card_of(name).eao_interval == interval
    assert card_of("vot2014").eao_interval is None


def test_the_command_line_compares(real_data, capsys):
    place = ["--suite", "vot2018", "--annotations", str(real_data / "annotations/vot2018")]
    results = str(real_data / "results/vot2018")
    assert invoke(["score", results, *place, "--against", "NanoTrack", "--json"]) == Exit.OK
    found = {r["name"]: r for r in json.loads(capsys.readouterr().out)["results"]}
    gap = found["LightTrack"]["against"]["lost"]
    assert (gap["difference"], gap["clips"]) == (38 - 70, 60)
    assert "against" not in found["NanoTrack"]
    assert invoke(["score", results, *place, "--against", "NanoTrak"]) == Exit.USAGE
    assert "did you mean 'NanoTrack'" in capsys.readouterr().err


def test_the_command_line_scores_and_explains(real_data, capsys):
    place = ["--suite", "vot2018", "--annotations", str(real_data / "annotations/vot2018")]
    results = str(real_data / "results/vot2018")
    assert invoke(["score", results, *place, "--json", "--by", "attribute"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert found["profile"] == "vot-pysot/1"
    assert [(r["name"], round(r["metrics"]["eao"], 3)) for r in found["results"]] == [
        ("LightTrack", 0.418),
        ("NanoTrack", 0.311),
        ("SiamTPN", 0.190),
    ]
    assert 0.02 < found["results"][0]["plus_minus"]["eao"] < 0.2
    assert set(found["results"][0]["by_attribute"]) == {
        "camera_motion", "illum_change", "motion_change", "size_change", "occlusion", "empty"
    }  # fmt: skip
    assert invoke(["score", results, *place, "--profile", "vot-matlab"]) == Exit.OK
    assert "vot-matlab/1" in capsys.readouterr().out
    assert invoke(["explain", results + "/NanoTrack", *place]) == Exit.OK
    assert "pieces between failures" in capsys.readouterr().out
