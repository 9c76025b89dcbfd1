"""`vbench sweep`: grids over suites, axes, plan, failed cells."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.commands import vbench
from vbench.run import bench
from vbench.run.bench import run

SHORT = ["--limit", 1]


def test_the_bare_form_plans_both_embedded_suites(capsys, alone) -> None:
    ran = vbench(capsys, "sweep", "keyframe-interval", "--plan")
    assert ran.code == 0
    lines = ran.err.strip().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["synth-sot", "synth-vid"]
    # One base alone, and with three propagators at 2, 3, 5, 10.
    assert "13 methods x 27 clips = 351 cells, 0 done" in lines[0]
    assert "13 methods x 12 clips = 156 cells, 0 done" in lines[1]
    assert "no time known: kcf did not run on it yet" in lines[0]
    assert not list(alone.iterdir())


def test_the_suite_of_the_settings_is_the_only_one(capsys, alone) -> None:
    (alone / "vbench.toml").write_text('suite = "synth-vid"\n')
    lines = vbench(capsys, "sweep", "keyframe-interval", "--plan").err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["synth-vid"]


def test_a_grid_gives_each_suite_its_methods_and_one_tidy_table(capsys, alone) -> None:
    asked = ["sweep", "keyframe-interval", "--suite", "synth-sot,synth-vid", *SHORT]
    asked += ["--methods", "kcf+dummy,blobs+dummy", "--intervals", "1,4"]
    ran = vbench(capsys, *asked, "--json")
    assert ran.code == 0, ran.err
    assert [one["suite"] for one in ran.json["suites"]] == ["synth-sot", "synth-vid"]
    table = pd.read_csv("results/sweep.csv")
    columns = ["suite", "swept", "keyframe-interval", "method"]
    assert table[columns].to_numpy().tolist() == [
        ["synth-sot", "kcf+dummy", 1, "kcf"],
        ["synth-sot", "kcf+dummy", 4, "kcf+dummy@fixed:4"],
        ["synth-vid", "blobs+dummy", 1, "blobs"],
        ["synth-vid", "blobs+dummy", 4, "blobs+dummy@fixed:4"],
    ]
    assert len(ran.json["points"]) == 4 and ran.json["points"][2]["success_auc"] is None
    again = vbench(capsys, *asked, "--plan").err.splitlines()
    assert all("2 cells, 2 done" in line for line in again)


def test_what_ran_says_how_long_the_rest_takes(capsys, alone) -> None:
    assert vbench(capsys, "run", "--methods", "kcf", *SHORT, "--quiet").code == 0
    asked = ["sweep", "keyframe-interval", "--suite", "synth-sot", "--methods", "kcf+dummy"]
    (line,) = vbench(capsys, *asked, "--plan").err.splitlines()
    assert "at most" in line and "by what ran" in line
    assert Path("results/synth-sot/manifest.json").exists()


def test_scales_are_benched_as_variants_of_the_base(capsys, alone) -> None:
    asked = ["sweep", "scale", "--suite", "synth-sot", *SHORT, "--methods", "kcf"]
    ran = vbench(capsys, *asked, "--scales", "0.5,1", "--json")
    assert ran.code == 0, ran.err
    points = {point["scale"]: point for point in ran.json["points"]}
    assert {s: p["method"] for s, p in points.items()} == {"0.5": "kcf[scale=0.5]", "1": "kcf"}
    assert all(0 <= point["success_auc"] <= 1 for point in points.values())
    out = vbench(capsys, "report", "results/sweep-synth-sot", "--plot", "interval")
    assert out.code == 0, out.err


def test_dtypes_are_swept(capsys, alone) -> None:
    asked = ["sweep", "dtype", "--suite", "synth-sot", "--weights", "random", "--limit", 1]
    ran = vbench(capsys, *asked, "--methods", "patchnet", "--dtypes", "fp32,bf16", "--json")
    assert ran.code == 0, ran.err
    assert [p["method"] for p in ran.json["points"]] == ["patchnet", "patchnet[dtype=bf16]"]


UNLUCKY = """
import numpy as np

class Unlucky:
    def __init__(self, luck: int = 1): self.luck = luck
    def start(self, frame, box): self.box = box
    def track(self, frame):
        if not self.luck: raise RuntimeError("out of luck")
        return self.box, 0.5
"""


def test_cells_that_fail_are_listed_and_counted(capsys, alone) -> None:
    (alone / "own.py").write_text(UNLUCKY)
    (alone / "vbench.toml").write_text(
        '[catalogue]\npath = ["."]\n[catalogue.trackers]\nunlucky = "own:Unlucky"\n'
    )
    asked = ["sweep", "--param", "unlucky.luck=0,1", "--methods", "unlucky", *SHORT]
    ran = vbench(capsys, *asked, "--suite", "synth-sot")
    assert ran.code == 1
    assert "unlucky[luck=0] on" in ran.err and "RuntimeError: out of luck" in ran.err
    assert "1 cells failed; `--again failed` tries them again" in ran.err
    # The other cell has its numbers.
    table = pd.read_csv("results/sweep-synth-sot/tables/sweep.csv")
    assert table["status"].tolist() == ["failed", "ok"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["keyframe-intervall"], "did you mean 'keyframe-interval'"),
        (["scale", "--scales", "0"], "must lie in [0.05, 4]"),
        (["dtype", "--dtypes", "fp12", "--methods", "siamfc"], "no dtype called 'fp12'"),
        (["dtype"], "has no network whose dtype could change"),
        (["keyframe-interval", "--suite", "synth-sot,synth-vid", "--methods", "kcf"], "cheap half"),
        (["--param", "csrt.x=1"], "no method has a part called 'csrt'"),
        (["match-interval"], "wants --target"),
        (["match-interval", "--target", "nan"], "wants --target"),
        (["match-interval", "--target", "inf"], "wants --target"),
        (["match-interval", "--target", "2", "--methods", "kcf"], "method 'kcf' has no cheap half"),
        (["scale", "--param", "kcf.features=hog"], "either scale or --param kcf.features=hog"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, alone, arguments, says) -> None:
    assert says in vbench(capsys, "sweep", *arguments).one_line()


def test_an_interval_that_no_threshold_reaches_is_said(capsys, alone) -> None:
    # dummy believes in itself throughout: with c = 1 as with c = 0, a clip keys every k frames;
    # what correlates patches is sure of itself on every frame or on none of this clip.
    asked = ["sweep", "match-interval", "--suite", "synth-sot", "--limit", 1, "--out", "r"]
    line = vbench(capsys, *asked, "--methods", "kcf+dummy", "--target", 2).one_line()
    assert "lower k" in line
    far = vbench(capsys, *asked, "--methods", "kcf+patch-aggregation", "--target", 2.7)
    assert re.search(r"interval [15]\.\d+ at c = .*, not 2.7: no threshold", far.err)


def test_what_an_interrupted_sweep_has_can_be_reported(capsys, alone, monkeypatch) -> None:
    def interrupted(order, *rest):
        run(replace(order, plans=order.plans[:2]), *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "run", interrupted)
    asked = ["sweep", "keyframe-interval", "--methods", "kcf+dummy", "--intervals", "1,2,5"]
    assert vbench(capsys, *asked, *SHORT, "--suite", "synth-sot", "--out", "r").code == 130
    shown = vbench(capsys, "report", "r", "--plot", "interval")
    assert shown.code == 0, shown.err
    assert Path("r/plots/interval.png").exists()


def test_json_of_one_suite_keeps_its_form(capsys, alone) -> None:
    asked = ["sweep", "threshold", "--methods", "kcf+kcf", "--thresholds", "0,1", *SHORT]
    said = json.loads(vbench(capsys, *asked, "--json").out)
    assert (said["suite"], said["axis"]) == ("synth-sot", "threshold")
    assert [point["threshold"] for point in said["points"]] == ["0", "1"]
