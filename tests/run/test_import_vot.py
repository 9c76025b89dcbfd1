"""VOT result files imported into a run keep their codes: the report says what `score` says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.cli.commands import vbench
from tests.run.test_score_vot import GOOD, LOST, lay
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.core.trace import Kind
from vbench.core.vot_run import Code, run_in, runs_in
from vbench.report.tables import summary
from vbench.run.import_files import export_run, import_path
from vbench.run.score_vot import score_vot_path
from vbench.store.raw_vot import read_seconds, read_vot
from vbench.store.run_folder import RunFolder


@pytest.fixture
def suite():
    truth = np.tile([20.0, 20, 10, 10], (40, 1))
    clips = [Clip(name, NoFrames(40), truth, known_size=(100, 100)) for name in ("a", "b")]
    card = Card("vot2018", "v", "sot", 2, protocol="vot-supervised", profile="vot-pysot")
    return Suite(card, clips)


def test_codes_and_kinds_are_kept(tmp_path, suite):
    (record,) = import_path(lay(tmp_path / "r", "KCF", a=GOOD, b=LOST), suite, tmp_path / "run")
    trace = RunFolder(tmp_path / "run").trace(record, "b")
    assert trace is not None
    run = run_in(trace)
    assert run is not None
    assert run.failures == 1
    assert np.flatnonzero(run.codes == Code.START).tolist() == [0, 20]
    assert np.flatnonzero(trace.kind == Kind.START).tolist() == [0, 20]
    assert (trace.kind == Kind.SKIPPED).sum() == 4


def test_the_report_says_what_the_files_score(tmp_path, suite):
    results = lay(tmp_path / "r", "KCF", a=GOOD, b=LOST)
    import_path(results, suite, tmp_path / "run")
    (row,) = summary(RunFolder(tmp_path / "run")).to_dict(orient="records")
    (scored,) = score_vot_path(results, suite)
    assert row["clips"] == "2/2"
    for name in ("accuracy", "robustness", "lost"):
        assert row[name] == pytest.approx(scored.metrics[name])
        assert row[f"{name}_pm"] == pytest.approx(scored.intervals[name].half)


def test_files_come_out_as_they_went_in(tmp_path, suite):
    results = lay(tmp_path / "r", "KCF", a=GOOD, b=LOST)
    import_path(results, suite, tmp_path / "run")
    export_run(tmp_path / "run", "vot", tmp_path / "out")
    for clip in ("a", "b"):
        path = f"KCF/baseline/{clip}/{clip}_001.txt"
        given = (
            (results / path).read_text().replace("20,20,10,10", "20.0000,20.0000,10.0000,10.0000")
        )
        assert (tmp_path / "out" / path).read_text() == given


def test_one_run_holds_one_protocol(tmp_path, suite):
    results = lay(tmp_path / "r", "KCF", a=GOOD, b=LOST)
    (results / "KCF" / "baseline").rename(results / "KCF" / "unsupervised")
    lay(results, "DSST", a=GOOD, b=GOOD)
    with pytest.raises(VBenchError, match="vot-supervised and vot-unsupervised"):
        import_path(results, suite, tmp_path / "run")


def test_a_clip_that_is_wrong_is_named_and_the_rest_kept(tmp_path, suite):
    results = lay(tmp_path / "r", "KCF", a=GOOD, b="1\n2\n")
    (record,) = import_path(results, suite, tmp_path / "run")
    assert record.problems == {"b": "b_001.txt: 2 lines for 40 frames"}


def test_polygons_keep_their_corners(tmp_path, suite):
    polygon = "1\n" + "21,21,29,21,29,29,21,29\n" * 39
    results = lay(tmp_path / "r", "KCF", a=GOOD, b=polygon)
    (record,) = import_path(results, suite, tmp_path / "run")
    assert record.problems == {}
    trace = RunFolder(tmp_path / "run").trace(record, "b")
    assert trace is not None
    assert trace.boxes[1].tolist() == [21, 21, 8, 8]
    (run,) = runs_in(trace)
    assert run.regions[1].tolist() == [21, 21, 29, 21, 29, 29, 21, 29]
    (row,) = summary(RunFolder(tmp_path / "run")).to_dict(orient="records")
    (scored,) = score_vot_path(results, suite)
    assert row["accuracy"] == pytest.approx(scored.metrics["accuracy"])


REPEATED = GOOD.replace("20,20,10,10", "20.0625,20,10,10")


def repetitions(root, count):
    """A tracker whose second and later tries differ from the first on clip a."""
    lay(root, "KCF", a=GOOD, b=LOST)
    folder = root / "KCF/baseline"
    for number in range(2, count + 1):
        (folder / f"a/a_{number:03d}.txt").write_text(REPEATED if number % 2 else LOST)
        (folder / f"b/b_{number:03d}.txt").write_text(GOOD)
    columns = ",".join(f"0.0{n}" for n in range(10, 10 + count))
    (folder / "a/a_time.txt").write_text(f"{columns}\n" * 40)
    return root


@pytest.mark.parametrize("count", [2, 15])
@pytest.mark.parametrize("profile", ["vot-pysot", "vot-matlab", "vot-python"])
def test_all_repetitions_are_kept_and_scored(tmp_path, suite, count, profile):
    results = repetitions(tmp_path / "r", count)
    suite = replace(suite, card=replace(suite.card, profile=profile))
    import_path(results, suite, tmp_path / "run")
    (row,) = summary(RunFolder(tmp_path / "run")).to_dict(orient="records")
    (scored,) = score_vot_path(results, suite)
    for name in ("accuracy", "robustness", "failures_per_clip", "lost"):
        assert row[name] == pytest.approx(scored.metrics[name])
    # One failure on clip b in the first try, on clip a in every second one after it.
    failures = 1 + count // 2
    pooled = 1.0 if profile == "vot-pysot" and count < 15 else failures / count
    assert row["lost"] == pytest.approx(pooled)


def test_all_repetitions_come_out_as_they_went_in(tmp_path, suite):
    results = repetitions(tmp_path / "r", 15)
    import_path(results, suite, tmp_path / "run")
    written = export_run(tmp_path / "run", "vot", tmp_path / "out")
    assert (written["KCF"].files, written["KCF"].lines("vot")) == (31, [])
    given, found = (
        read_vot(root / "KCF/baseline", {"a": 40, "b": 40}).runs
        for root in (results, tmp_path / "out")
    )
    for clip in ("a", "b"):
        assert all(x.same_as(y) for x, y in zip(given[clip], found[clip], strict=True))
    time = "KCF/baseline/a/a_time.txt"
    np.testing.assert_array_equal(
        read_seconds(tmp_path / "out" / time), read_seconds(results / time)
    )


def test_published_files_report_their_published_numbers(tmp_path, real_data, capsys):
    annotations = real_data / "annotations/vot2018"
    results = real_data / "results/vot2018/LightTrack"
    run = tmp_path / "run"
    options = ["--suite", "vot2018", "--annotations", annotations, "--out", run]
    assert vbench(capsys, "import", results, *options).code == 0
    (row,) = json.loads(vbench(capsys, "report", run, "--json").out)["results"]
    found = [round(row[name], 3) for name in ("accuracy", "robustness", "eao")]
    assert [*found, row["lost"]] == [0.529, 0.178, 0.418, 38]
    assert vbench(capsys, "export", run, "--format", "vot", "--out", tmp_path / "out").code == 0
    for path in (results / "baseline").rglob("*_001.txt"):
        written = tmp_path / "out/LightTrack/baseline" / path.parent.name / path.name
        assert written.read_bytes() == path.read_bytes()
