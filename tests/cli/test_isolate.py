"""One process a method."""

from tests.cli.commands import vbench
from vbench.run.apart import options_of, run_apart

CRASHING = '''
import os

import numpy as np


class Crash:
    """Takes its process down on the second frame."""

    def start(self, frame, box):
        self.box = box

    def track(self, frame):
        os.kill(os.getpid(), 9)
'''


def test_options_are_said_again():
    given = {"--a": 1, "--b": None, "--c": ["x", "y"], "--d": True, "--e": False, "--f": "z"}
    assert options_of(given) == ["--a", "1", "--c", "x", "--c", "y", "--d", "--f", "z"]


def test_what_is_wrong_with_one_method_is_its_own_line(alone):
    failed = run_apart(["kcff"], ["--suite", "synth-sot", "--limit", "1", "--out", "r"])
    assert "did you mean 'kcf'" in failed["kcff"]


def test_methods_run_apart_into_one_run_and_a_crash_stops_no_other(alone, capsys, monkeypatch):
    (alone / "crashing.py").write_text(CRASHING)
    (alone / "vbench.toml").write_text(
        '[catalogue.trackers.crash]\ntarget = "crashing:Crash"\nsummary = "dies"\n'
    )
    monkeypatch.setenv("PYTHONPATH", str(alone))
    monkeypatch.syspath_prepend(str(alone))
    asked = ["--suite", "synth-sot", "--limit", 1, "--methods", "crash,hold", "--out", "r"]
    ran = vbench(capsys, "run", *asked, "--isolate", "--json")
    assert ran.code == 1
    assert "failed: crash: its process was killed by signal 9" in ran.err
    rows = {row["method"]: row for row in ran.json["results"]}
    assert rows["hold"]["clips"].startswith("1/")
    assert rows["hold"]["memory_mb"] > 0
