"""`vbench doctor` prints its checks; what is broken decides the exit code."""

import json

import pytest

from vbench.cli.app import invoke
from vbench.run import doctor
from vbench.run.doctor import Check

CHECKS = [
    Check("python", "python", "ok", "3.11"),
    Check("extra", "onnx", "missing", "not installed", "pip install 'vbench[onnx]'"),
]


@pytest.mark.parametrize(("more", "code"), [([], 0), ([Check("a", "b", "broken", "c", "d")], 1)])
def test_only_what_is_broken_fails(alone, monkeypatch, capsys, more, code):
    monkeypatch.setattr(doctor, "examine", lambda *_: CHECKS + more)
    assert invoke(["doctor", "--json"]) == code
    said = json.loads(capsys.readouterr().out)
    assert [check["health"] for check in said["checks"][:2]] == ["ok", "missing"]
    assert invoke(["doctor"]) == code
    shown = capsys.readouterr().out
    assert "extra onnx: pip install 'vbench[onnx]'" in shown
