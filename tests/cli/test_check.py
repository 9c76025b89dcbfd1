import json
import sys
from pathlib import Path

import pytest

from tests.cli.commands import vbench


@pytest.fixture(autouse=True)
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vbench(capsys, "run", "--methods", "hold", "--limit", 3, "--quiet")


def test_a_run_passes_against_itself(capsys) -> None:
    assert vbench(capsys, "check", "--update").code == 0
    assert Path("results/reference/synth-sot.json").exists()
    ran = vbench(capsys, "check", "--json", "--junit", "j.xml", "--markdown", "c.md")
    assert ran.code == 0
    assert ran.json["passed"]
    assert Path("j.xml").exists()
    assert "passed" in Path("c.md").read_text()
    explained = vbench(capsys, "check", "--explain")
    assert "sees drops from" in explained.out and "over 3 clips" in explained.err


def test_a_planted_drop_closes_the_gate(capsys) -> None:
    vbench(capsys, "check", "--update")
    path = Path("results/reference/synth-sot.json")
    reference = json.loads(path.read_text())
    values = reference["methods"]["hold"]["success_auc"]
    reference["methods"]["hold"]["success_auc"] = [v + 0.1 for v in values]
    path.write_text(json.dumps(reference))
    ran = vbench(capsys, "check", "--github")
    assert ran.code == 1
    assert "::error title=vbench regressed::hold success_auc" in ran.err
    assert vbench(capsys, "check", "--tolerance", "15pt").code == 0


def test_other_clips_are_not_comparable(capsys) -> None:
    vbench(capsys, "check", "--update")
    vbench(capsys, "run", "--methods", "hold", "--limit", 2, "--quiet", "--out", "results/less")
    assert vbench(capsys, "check", "results/less").code == 3


def test_a_method_that_was_not_run_fails_when_strict(capsys) -> None:
    vbench(capsys, "run", "--methods", "hold+dummy@fixed:2", "--limit", 3, "--quiet")
    vbench(capsys, "check", "--update")
    out = ["--out", "results/one"]
    vbench(capsys, "run", "--methods", "hold", "--limit", 3, "--quiet", *out)
    assert vbench(capsys, "check", "results/one").code == 0
    assert vbench(capsys, "check", "results/one", "--strict").code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--update"),
        (["--tolerance", "much"], "0.5pt"),
        (["--confidence", "2"], "--confidence"),
        (["--tolerance", "5"], "write 5%"),
        (["--against", "half.json"], "half.json is no JSON"),
        (["--against", "results/synth-sot/manifest.json"], "no reference of `vbench check`"),
        (["--against-command", "true", "--against", "ref.json"], "true is no vbench"),
        (["nowhere"], "not a run"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, arguments, says) -> None:
    Path("half.json").write_text('{"schema"')
    if "ref.json" in arguments:
        vbench(capsys, "check", "--update", "--against", "ref.json")
    assert says in vbench(capsys, "check", *arguments).one_line()


def test_two_versions_are_timed_in_turn(capsys) -> None:
    vbench(capsys, "run", "--methods", "kcf", "--limit", 1, "--quiet", "--out", "results/kcf")
    vbench(capsys, "check", "results/kcf", "--update")
    ran = vbench(
        capsys, "check", "results/kcf", "--against-command", f"{sys.executable} -m vbench",
        "--repeats", 3, "--latency-tolerance", "900%", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    time = ran.json["findings"][-1]
    assert time["metric"] == "ms_p50"
    assert 0.1 < time["now"] < 10


def test_a_rival_that_does_not_run_is_named(capsys) -> None:
    vbench(capsys, "check", "--update")
    line = vbench(capsys, "check", "--against-command", "no-such-vbench").one_line()
    assert "no-such-vbench does not run" in line


def test_parameters_of_methods_are_no_markup(capsys) -> None:
    method = "kcf[features=gray]"
    vbench(capsys, "run", "--methods", method, "--limit", 1, "--quiet", "--out", "results/gray")
    vbench(capsys, "check", "results/gray", "--update")
    assert method in vbench(capsys, "check", "results/gray").out
    one = ["--methods", f"{method}+dummy@budget:0.01", "--limit", 1, "--out", "results/budget"]
    assert f"{method}+dummy@budget:0.01 stands for online:" in vbench(capsys, "run", *one).err
    assert f"{method}+dummy@budget:0.01" in vbench(capsys, "report", "results/budget").out
    dear = ["--methods", f"{method}+dummy@budget:0", "--limit", 1, "--out", "results/dear"]
    assert f"failed: {method}+dummy@budget:0 on " in vbench(capsys, "run", *dear).err
