"""`vbench report --device-profile`."""

import json

import pytest

from tests.cli.commands import vbench

PROFILE = {
    "schema": 1,
    "name": "board",
    "source": "measured",
    "device": {},
    "components": [
        {"model": "hold", "call": "track", "ms_by_objects": {"1": 30.0}},
        {"model": "kcf", "call": "track", "ms_by_objects": {"1": 8.0}},
        {"model": "dummy", "call": "propagate", "ms_by_objects": {"1": 2.0}},
    ],
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "board.json").write_text(json.dumps(PROFILE))
    methods = "hold,kcf[features=gray]+dummy@fixed:3,kcf+kcf@fixed:3"
    asked = ["--suite", "synth-sot", "--limit", 1, "--methods", methods, "--out", "r", "--quiet"]
    assert vbench(capsys, "run", *asked).code == 0
    return "r"


def test_stored_runs_are_projected_by_the_calls_that_happened(run, capsys):
    said = vbench(capsys, "report", run, "--device-profile", "board.json", "--json").json
    rows = {row["method"]: row for row in said["projection"]}
    assert rows["hold"]["projected_ms"] == 30
    frames = 59  # after the first of 60: keys at 3, 6, ... 57
    assert rows["kcf[features=gray]+dummy@fixed:3"]["projected_ms"] == pytest.approx(
        (19 * 8 + 40 * 2) / frames
    )
    assert rows["kcf[features=gray]+dummy@fixed:3"]["projected_ms_formula"] == pytest.approx(
        8 / (59 / 19) + 2
    )
    assert rows["kcf+kcf@fixed:3"]["projected_ms"] is None
    assert "no component on board called 'kcf.propagate'" in rows["kcf+kcf@fixed:3"]["problem"]


def test_the_projection_is_a_table_of_its_own(run, capsys):
    shown = vbench(capsys, "report", run, "--device-profile", "board.json").out
    assert "projected onto board" in shown
    assert "33.3" in shown  # fps of hold
    assert shown.count("kcf[features=gray]+dummy@fixed:3") == 2


def test_a_profile_that_is_not_there_is_one_line(run, capsys):
    line = vbench(capsys, "report", run, "--device-profile", "bord.json").one_line()
    assert "no device profile called 'bord.json'" in line
