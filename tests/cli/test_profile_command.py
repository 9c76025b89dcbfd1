"""`vbench profile`."""

import json

from tests.cli.commands import vbench


def test_parts_are_timed_kept_and_read_back(alone, capsys):
    said = vbench(
        capsys,
        "profile",
        "hold+dummy",
        "--seconds",
        0,
        "--repeats",
        1,
        "--objects",
        "1,3",
        "--json",
    ).json
    assert [(c["model"], c["call"]) for c in said["components"]] == [
        ("hold", "start"),
        ("hold", "track"),
        ("dummy", "anchor"),
        ("dummy", "propagate"),
    ]
    assert set(said["components"][3]["ms_by_objects"]) == {"1", "3"}
    kept = alone / "results" / "devices" / f"{said['name']}.json"
    assert json.loads(kept.read_text())["components"] == said["components"]
    again = vbench(capsys, "profile", "--import", kept, "--out", alone / "own.json", "--json").json
    assert again["source"] == "imported"
    assert "hold.track" in vbench(capsys, "profile", "--import", kept).out


def test_one_process_a_method_gives_the_same_parts(alone, capsys):
    said = vbench(
        capsys, "profile", "hold", "--isolate", "--seconds", 0, "--repeats", 1, "--json"
    ).json
    assert [c["call"] for c in said["components"]] == ["start", "track"]
    assert said["components"][0]["memory_mb"] > 10


def test_the_published_table_is_checked(alone, capsys):
    rows = vbench(capsys, "profile", "--check", "jetson-nano", "--json").json["rows"]
    assert [row["what"] for row in rows if row["verdict"].startswith("misprint")] == ["SiamFC"]
    assert "misprint: 52 ms" in vbench(capsys, "profile", "--check", "jetson-nano").out


def test_what_is_wrong_is_one_line(alone, capsys):
    (alone / "p.json").write_text('{"schema": 2}')
    assert "schema 2, not 1" in vbench(capsys, "profile", "--import", "p.json").one_line()
    assert "name methods" in vbench(capsys, "profile").one_line()
    assert "give whole numbers" in vbench(capsys, "profile", "hold", "--objects", "few").one_line()
    assert (
        "did you mean 'jetson-nano'"
        in vbench(capsys, "profile", "--check", "jetson-nan").one_line()
    )
    assert "is not here" in vbench(capsys, "profile", "hold", "--device", "cuda:9").one_line()
    assert "kcff" in vbench(capsys, "profile", "kcff", "--isolate").one_line()
