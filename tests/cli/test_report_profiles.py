"""`vbench report --profile` and `--coco`: a stored run under other conventions."""

import pytest

from tests.cli.commands import vbench
from vbench.metrics.vid_profiles import VID_PROFILES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def ran(capsys, folder, suite, methods):
    out = folder / suite
    if not out.exists():
        asked = ["--suite", suite, "--methods", methods, "--limit", 1, "--no-timing", "--quiet"]
        assert vbench(capsys, "run", *asked, "--out", out).code == 0
    return out


def reported(capsys, out, *options):
    said = vbench(capsys, "report", out, "--json", *options)
    assert said.code == 0, said.err
    return said.json


def test_a_run_of_detectors_is_scored_by_every_convention(capsys, folder) -> None:
    out = ran(capsys, folder, "synth-vid", "blobs,blobs+dummy@fixed:10")
    found = {}
    for name in VID_PROFILES:
        said = reported(capsys, out, "--profile", name)
        assert said["profile"] == name
        found[name] = [row["map50"] for row in said["results"]]
    assert len({tuple(values) for values in found.values()}) > 1
    # The run's own convention stays what it was.
    own = reported(capsys, out)["results"]
    assert [row["map50"] for row in own] == found["vid-coco"]
    twelve = reported(capsys, out, "--coco")["coco"]
    assert [row["ap50"] for row in twelve] == pytest.approx(found["vid-coco"], abs=1e-9)
    assert "ar_100" in vbench(capsys, "report", out, "--coco").out


def test_a_run_of_trackers_too(capsys, folder) -> None:
    out = ran(capsys, folder, "synth-sot", "hold,kcf[features=gray]")
    for name in ("pysot", "got10k"):
        said = reported(capsys, out, "--profile", name)
        assert said["profile"] == name
        assert [row["success_auc"] is not None for row in said["results"]] == [True, True]
    assert "--coco is for detectors" in vbench(capsys, "report", out, "--coco").err


def test_an_unknown_convention_is_named_with_those_on_offer(capsys, folder) -> None:
    out = ran(capsys, folder, "synth-vid", "blobs,blobs+dummy@fixed:10")
    said = vbench(capsys, "report", out, "--profile", "vid-foo")
    assert said.code == 2
    assert "vid-coco" in said.err
