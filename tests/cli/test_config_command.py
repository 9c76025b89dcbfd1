"""`vbench config` shows every value and its source."""

import json

from vbench.cli.app import invoke


def test_values_come_with_their_source(alone, capsys, monkeypatch):
    (alone / "vbench.toml").write_text(
        'device = "mps"\nmethods = ["kcf"]\n[catalogue.trackers]\nmine = "module:Mine"\n'
    )
    monkeypatch.setenv("VBENCH_RESULTS", "elsewhere")
    assert invoke(["config", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["settings"]
    assert said["device"] == {"value": "mps", "source": "vbench.toml:1"}
    assert said["methods"] == {"value": ["kcf"], "source": "vbench.toml:2"}
    assert said["results"] == {"value": "elsewhere", "source": "VBENCH_RESULTS"}
    assert said["suite"] == {"value": "synth-sot", "source": "default"}
    assert said["catalogue.trackers.mine"] == {"value": "module:Mine", "source": "vbench.toml:4"}
    assert invoke(["config"]) == 0
    shown = capsys.readouterr().out
    assert "vbench.toml:1" in shown and "VBENCH_RESULTS" in shown


def test_a_wrong_setting_is_one_line_and_exit_code_2(alone, capsys):
    (alone / "vbench.toml").write_text('\ndevcie = "cpu"')
    assert invoke(["config"]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("vbench: vbench.toml:2: ") and "'device'" in shown.err
    assert shown.err.count("\n") == 1 and not shown.out
