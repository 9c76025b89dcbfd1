"""`vbench list` for people and for programs."""

import json

import pytest

from vbench.cli.app import invoke
from vbench.run.listing import KINDS


def test_all_kinds_are_one_object(alone, capsys):
    assert invoke(["list", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == 1
    assert list(said)[1:] == list(KINDS)
    assert {"name", "summary", "paper", "needs", "status", "mend"} <= set(said["propagators"][0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_a_table(alone, capsys, kind):
    assert invoke(["list", kind]) == 0
    assert capsys.readouterr().out.startswith(kind)


def test_options_change_what_is_ready(alone, capsys):
    (alone / "own.pth").write_bytes(b"own")
    assert invoke(["list", "trackers", "--json", "--weights", "siamfc=own.pth"]) == 0
    said = {row["name"]: row for row in json.loads(capsys.readouterr().out)["trackers"]}
    assert said["siamfc"]["status"] == "ready"
    assert invoke(["list", "trackers"]) == 0
    assert "siamfc: siamfc_alexnet_e50.pth is on Google Drive" in capsys.readouterr().out


def test_an_unknown_kind_is_one_line_and_exit_code_2(alone, capsys):
    assert invoke(["list", "tracker"]) == 2
    shown = capsys.readouterr()
    assert "did you mean 'trackers'?" in shown.err and shown.err.count("\n") == 1
