"""`vbench export` of detections: out, back through `stored:`, the same scores; what is refused."""

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import vbench
from vbench.cli.app import invoke
from vbench.store.raw_detections import DETECTIONS
from vbench.store.raw_export import FORMATS, VOT

METHOD = "blobs+kalman@fixed:5"
SUITE = ("--suite", "synth-vid", "--limit", "2")
SCORES = ("map50", "map50_slow", "map50_fast", "average_delay", "jitter")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Two methods on two rendered clips."""
    folder = tmp_path_factory.mktemp("made") / "run"
    invoke(["run", *SUITE, "--methods", f"{METHOD},blobs", "--out", str(folder)])
    return folder


def scores(capsys, folder, *options):
    rows = vbench(capsys, "report", folder, "--json", *options).json["results"]
    return {row["method"]: [row.get(name) for name in SCORES] for row in rows}


@pytest.mark.parametrize("form", DETECTIONS)
def test_what_comes_back_scores_the_same(run, alone, capsys, form) -> None:
    ran = vbench(capsys, "export", run, "--format", form, "--out", "files", "--json")
    assert ran.code == 0
    results = {one["name"]: one for one in ran.json["results"]}
    assert sorted(results) == ["blobs", METHOD]
    assert all(one["moved_px"] < 1e-11 for one in results.values())
    assert all(one["problems"] == [] for one in results.values())
    replays = {name: one["replay"] for name, one in results.items()}
    vbench(capsys, "run", *SUITE, "--methods", ",".join(replays.values()), "--out", "back")
    for options in ((), ("--profile", "vid-fgfa")):
        before = scores(capsys, run, *options)
        again = scores(capsys, "back", *options)
        for name, replay in replays.items():
            assert again[replay] == pytest.approx(before[name], abs=1e-6)
        assert before[METHOD][0] != before["blobs"][0]


def test_pycocotools_reads_the_files_and_finds_the_same(run, alone, capsys) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    ran = vbench(capsys, "export", run, "--format", "coco", "--methods", METHOD, "--out", "files")
    assert "blobs-kalman-fixed-5/truth.json] replays them" in ran.err
    (folder,) = (alone / "files").iterdir()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "truth.json"))
        judge = COCOeval(truth, truth.loadRes(str(folder / "results.json")), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    found = scores(capsys, run, "--profile", "vid-coco")[METHOD]
    assert found[0] == pytest.approx(judge.stats[1], abs=1e-9)


def test_the_files_are_written_over(run, alone, capsys) -> None:
    for methods in (METHOD, "blobs"):
        assert vbench(capsys, "export", run, "--format", "vid", "--methods", methods,
                      "--out", "files").code == 0  # fmt: skip
    before = {path: path.read_bytes() for path in (alone / "files").rglob("*.txt")}
    assert len(before) == 4
    next(iter(before)).write_text("old")
    vbench(capsys, "export", run, "--format", "vid", "--out", "files")
    assert {path: path.read_bytes() for path in (alone / "files").rglob("*.txt")} == before


def test_clips_without_a_result_are_named(run, alone, capsys) -> None:
    vbench(capsys, "export", run, "--format", "vid", "--methods", "blobs", "--out", "files")
    (alone / "files/blobs/still.txt").unlink()
    vbench(capsys, "run", *SUITE, "--methods", "stored:files/blobs", "--out", "part")
    for form in DETECTIONS:
        ran = vbench(capsys, "export", "part", "--format", form, "--out", form)
        assert ran.code == 1
        why = "problem: stored:files/blobs: still: no file of stored:files/blobs is called like"
        assert why in ran.err
    listed = json.loads((alone / "coco/stored-files-blobs/truth.json").read_text())
    assert [video["name"] for video in listed["videos"]] == ["stroll"]
    assert [path.name for path in (alone / "vid/stored-files-blobs").iterdir()] == ["stroll.txt"]
    ran = vbench(capsys, "export", "part", "--format", "mot", "--out", "mot", "--json")
    (result,) = ran.json["results"]
    assert [problem["clip"] for problem in result["problems"]] == ["still"]


def test_a_damaged_trace_is_a_clip_without_a_result(run, alone, capsys) -> None:
    shutil.copytree(run, alone / "run")
    for path in (alone / "run/traces").glob("blobs-*/stroll.npz"):
        path.write_bytes(b"no zip")
    ran = vbench(capsys, "export", "run", "--format", "vid", "--methods", "blobs", "--out", "x")
    assert ran.code == 1
    assert "problem: blobs: stroll: stroll.npz" in ran.err
    assert [path.name for path in (alone / "x/blobs").iterdir()] == ["still.txt"]


def test_boxes_and_detections_are_not_mixed_up(run, alone, capsys) -> None:
    vbench(capsys, "run", "--suite", "synth-sot", "--limit", "1", "--methods", "hold",
           "--out", "boxes")  # fmt: skip
    for form in ("otb", VOT):
        said = vbench(capsys, "export", run, "--format", form, "--out", "x").one_line()
        assert f"holds detections of many objects, and --format {form} is for boxes of" in said
        assert said.endswith("choose one of vid, mot, coco")
    for form in ("vid", "coco"):
        said = vbench(capsys, "export", "boxes", "--format", form, "--out", "x").one_line()
        assert "boxes holds boxes of single targets, and --format" in said
    assert vbench(capsys, "export", "boxes", "--format", "mot", "--out", "x").code == 0
    said = vbench(capsys, "import", "x", "--suite", "synth-vid", "--out", "y").one_line()
    assert "`vbench run --suite synth-vid --methods stored:PATH`" in said


def test_what_is_not_there_is_one_line(run, alone, capsys) -> None:
    export = ("export", run, "--out", "x")
    assert "no format called 'vidd'" in vbench(capsys, *export, "--format", "vidd").one_line()
    said = vbench(capsys, *export, "--format", "vid", "--methods", "blob").one_line()
    assert "did you mean 'blobs'" in said
    assert "is not a run" in vbench(capsys, "export", "none", "--out", "x").one_line()
    assert not (alone / "x").exists()


def test_every_format_is_offered(capsys) -> None:
    help_text = vbench(capsys, "export", "--help").out
    for form in (*FORMATS, VOT, *DETECTIONS):
        assert form in help_text
