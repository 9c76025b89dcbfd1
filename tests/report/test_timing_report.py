"""`vbench report --timing`."""

import pytest

from tests.cli.commands import vbench


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    methods = "kcf[features=gray]+dummy@fixed:3"
    asked = ["--suite", "synth-sot", "--limit", 1, "--methods", methods, "--out", "r", "--quiet"]
    assert vbench(capsys, "run", *asked).code == 0
    return "r"


def test_each_kind_of_step_has_its_times(run, capsys):
    said = vbench(capsys, "report", run, "--timing", "--json").json["timing"]
    rows = {row["step"]: row for row in said}
    counts = {step: row["n"] for step, row in rows.items()}
    assert counts == {"frame": 59, "key": 19, "inter": 40, "cheap": 40, "start": 1, "decode": 60}
    mean = (rows["key"]["ms_mean"] * 19 + rows["inter"]["ms_mean"] * 40) / 59
    assert rows["frame"]["ms_mean"] == pytest.approx(mean)
    assert rows["inter"]["ms_p50"] < rows["key"]["ms_p50"]
    assert all(row["ms_p50"] <= row["ms_p99"] <= row["ms_max"] for row in said)


def test_people_get_a_table(run, capsys):
    shown = vbench(capsys, "report", run, "--timing").out
    assert "ms a step" in shown
    assert "fallback" not in shown
