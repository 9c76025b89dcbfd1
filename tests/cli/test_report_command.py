"""`vbench report`: tables in every form, and only the columns that are asked for."""

import csv
import io
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from tests.cli.commands import vbench
from tests.report.test_html import data_of
from vbench.store.run_folder import RunFolder


@pytest.fixture
def run(capsys, alone) -> str:
    asked = ["--methods", "hold,kcf", "--limit", 2, "--quiet", "--out", "r"]
    assert vbench(capsys, "run", *asked).code == 0
    return "r"


def test_notes_are_of_the_methods_that_are_shown(capsys, run) -> None:
    manifest = RunFolder(Path(run)).read()
    for record in manifest.methods.values():
        record.foreign_cores = 2.0
    RunFolder(Path(run)).write(manifest)
    said = vbench(capsys, "report", run, "--methods", "kcf").err
    assert "times of kcf: other programs" in said and "times of hold" not in said


def test_only_the_columns_asked_for_stand_behind_the_names(capsys, run) -> None:
    asked = ["report", run, "--columns", "ms_mean,success_auc"]
    said = vbench(capsys, *asked, "--format", "csv").out
    assert next(csv.reader(io.StringIO(said))) == [
        "method", "clips", "status", "ms_mean", "success_auc", "success_auc_pm",
    ]  # fmt: skip
    head = vbench(capsys, *asked, "--format", "md").out.splitlines()[0]
    assert head == "| method | clips | status | ms_mean | success_auc |"
    latex = vbench(capsys, *asked, "--format", "latex").out.splitlines()
    assert latex[:3] == [
        r"\begin{tabular}{lllrr}", r"\toprule", r"method & clips & status & ms\_mean & success \\",
    ]  # fmt: skip
    # The terminal shows columns that it leaves out of its own choice.
    assert vbench(capsys, *asked).out.splitlines()[1].split() == [
        "method", "clips", "ms_mean", "success",
    ]  # fmt: skip


def test_a_file_is_no_run(capsys, alone) -> None:
    Path("file").touch()
    asked = ["keyframe-interval", "--suite", "synth-sot", "--methods", "kcf+dummy", "--limit", 1]
    for command in (["report", "file"], ["check", "file"], ["show", "calm", "--run", "file"]):
        assert "file is not a run" in vbench(capsys, *command).one_line()
    swept = vbench(capsys, "sweep", *asked, "--out", "file")
    assert swept.code == 2
    assert "cannot write file" in swept.err.splitlines()[-1]


def test_a_column_that_is_not_there_is_one_line(capsys, run) -> None:
    line = vbench(capsys, "report", run, "--columns", "succes_auc").one_line()
    assert "no column in this run called 'succes_auc'; did you mean 'success_auc'" in line


def test_the_newest_run_is_reported_and_the_best_is_marked(capsys, alone) -> None:
    for suite, methods in (("synth-vid", "blobs"), ("synth-sot", "hold,mosse")):
        asked = ["--suite", suite, "--methods", methods, "--limit", 1, "--quiet"]
        assert vbench(capsys, "run", *asked).code == 0
    said = vbench(capsys, "report", "--format", "md", "--columns", "success_auc", "--sort",
                  "success_auc").out.splitlines()  # fmt: skip
    values = [line.split("|")[4].strip() for line in said[2:]]
    assert values[0].startswith("**") and values[0].endswith("**")
    numbers = [float(value.strip("*_")) for value in values]
    assert numbers == sorted(numbers, reverse=True)


def test_a_propagator_that_costs_more_than_it_saves_is_named_everywhere(capsys, alone) -> None:
    # kcf computes 0.006 GMAC a frame, 25 patches correlated with a search region 0.039.
    # Its time may be named as well.
    says = "kcf+patch-aggregation: carrying the target takes 0.039 GMAC"
    one = ["--suite", "synth-sot", "--limit", 1, "--out", "run"]
    method = "kcf+patch-aggregation@fixed:5"
    ran = vbench(capsys, "run", "--methods", f"{method},kcf+dummy@fixed:5", *one)
    swept = vbench(capsys, "sweep", "keyframe-interval", "--methods", method, *one)
    shown = vbench(capsys, "report", "run", "--html")
    for told in (ran, swept, shown):
        assert told.err.count(says) == 1, told.err
        assert ", kcf itself 0.00" in told.err
        assert "such as +dummy, or kcf alone" in told.err
        assert "kcf+dummy: carrying" not in told.err
    assert says in Path("run/report.html").read_text()


def test_a_clip_of_many_objects_has_a_timeline_and_odd_columns_are_named(capsys, alone) -> None:
    asked = ["--suite", "synth-vid", "--methods", "blobs,blobs+dummy@fixed:5", "--limit", 1]
    vbench(capsys, "run", *asked, "--out", "r", "--quiet")
    assert vbench(capsys, "report", "r", "--plot", "timeline", "--html").code == 0
    assert (alone / "r/plots/timeline.svg").exists()
    data = data_of((alone / "r/report.html").read_text())
    assert data["many"]
    lines = [
        np.frombuffer(b64decode(cell["still"]["iou"]), np.uint8) for cell in data["cells"].values()
    ]
    # blobs meets every object of a still scene; what dummy carries stays behind what moves.
    assert [len(line) for line in lines] == [60, 60]
    assert lines[0].mean() > lines[1].mean() > 100
    for plot, option, column, says in (
        ("tradeoff", "--x", "method", "no column of numbers called 'method'"),
        ("tradeoff", "--y", "clips", "no column of numbers called 'clips'"),
        ("latency", "--y", "map50", "--y is for --plot tradeoff, speed-accuracy, interval"),
    ):
        ran = vbench(capsys, "report", "r", "--plot", plot, option, column)
        assert ran.code == 2
        assert says in ran.err.splitlines()[-1]
