import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.commands import vbench
from vbench.store.files import locked
from vbench.store.run_folder import RunFolder
from vbench.store.traces import load_trace

METHODS = "hold,hold+dummy@fixed:5"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Each test works in its own folder, away from the user's settings and weights."""
    monkeypatch.chdir(tmp_path)
    for name in ("VBENCH_DATA", "VBENCH_WEIGHTS", "VBENCH_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def two_clips(capsys, *more):
    return vbench(capsys, "run", "--methods", METHODS, "--limit", 2, "--out", "run", *more)


def test_a_run_keeps_manifest_traces_and_tables(capsys) -> None:
    ran = two_clips(capsys)
    assert ran.code == 0
    assert "hold+dummy@fixed:5" in ran.out
    manifest = RunFolder(Path("run")).read()
    assert list(manifest.methods) == ["hold", "hold+dummy@fixed:5"]
    assert manifest.methods["hold+dummy@fixed:5"].interval_max == 5
    with Path("run/tables/summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["clips"] for row in rows] == ["2/27", "2/27"]
    assert float(rows[0]["gmac_per_frame"]) == 0.0
    with Path("run/tables/per_clip.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 4
    text = Path("run/manifest.json").read_text()
    assert str(Path.cwd()) not in text


def test_json_is_one_object_with_the_fixed_names(capsys) -> None:
    ran = two_clips(capsys, "--json")
    assert ran.json["schema"] == 1
    assert ran.json["suite"] == "synth-sot"
    first = ran.json["results"][0]
    assert first["method"] == "hold"
    assert first["clips"] == "2/27"
    assert first["status"] == "ok"
    assert first["problems"] == []
    assert {"success_auc", "precision_20px", "interval", "gmac_per_frame", "fps"} <= set(first)
    assert len(ran.out.strip().splitlines()) == 1


def test_running_again_keeps_what_is_there(capsys) -> None:
    two_clips(capsys)
    traces = {p: p.stat().st_mtime_ns for p in Path("run").rglob("traces/*/*.npz")}
    assert len(traces) == 4
    assert two_clips(capsys).code == 0
    assert traces == {p: p.stat().st_mtime_ns for p in Path("run").rglob("traces/*/*.npz")}
    two_clips(capsys, "--again", "always")
    assert all(p.stat().st_mtime_ns > old for p, old in traces.items())


def test_equal_runs_give_equal_boxes_byte_for_byte(capsys) -> None:
    for out in ("a", "b"):
        vbench(capsys, "run", "--methods", "kcf", "--limit", 1, "--out", out, "--quiet")
    found = [next(Path(out).rglob("traces/*/*.npz")) for out in ("a", "b")]
    first, second = (load_trace(path)[0] for path in found)
    assert first.boxes.tobytes() == second.boxes.tobytes()


def test_without_timing_the_accuracy_is_the_same_and_no_time_is_told(capsys) -> None:
    timed = two_clips(capsys, "--json").json["results"]
    untimed = vbench(
        capsys, "run", "--methods", METHODS, "--limit", 2, "--out", "other", "--no-timing", "--json"
    ).json["results"]
    for a, b in zip(timed, untimed, strict=True):
        assert a["success_auc"] == b["success_auc"]
        assert a["fps"] > 0
        assert b["fps"] is None


def test_clips_in_parallel_give_the_same_boxes(capsys) -> None:
    alone = ["run", "--methods", METHODS, "--limit", 3, "--no-timing", "--quiet"]
    assert vbench(capsys, *alone, "--out", "one").code == 0
    assert vbench(capsys, *alone, "--out", "two", "--jobs", 2).code == 0
    paths = sorted(p.relative_to("one") for p in Path("one").rglob("traces/*/*.npz"))
    assert len(paths) == 6
    for path in paths:
        one, two = (load_trace(Path(out) / path)[0] for out in ("one", "two"))
        assert one.boxes.tobytes() == two.boxes.tobytes()


def test_a_run_that_was_killed_goes_on(tmp_path) -> None:
    # Kill the process once it has kept its first trace, then run the same command again.
    command = [
        sys.executable,
        "-m",
        "vbench",
        "run",
        "--methods",
        METHODS,
        "--out",
        "run",
        "--limit",
        "12",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list(Path("run").rglob("traces/*/*.npz")) and process.poll() is None:
        pass
    process.kill()
    process.wait()
    kept = {p: p.stat().st_mtime_ns for p in Path("run").rglob("traces/*/*.npz")}
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    there = {p: p.stat().st_mtime_ns for p in Path("run").rglob("traces/*/*.npz")}
    assert len(there) == 24
    assert kept.items() <= there.items()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--suite", "otb2105"], "did you mean 'otb2015'"),
        (["--methods", "hodl"], "did you mean 'hold'"),
        (["--methods", "hold+dumy@fixed:5"], "did you mean 'dummy'"),
        (["--methods", "hold+dummy@fixd:5"], "did you mean 'fixed'"),
        (["--methods", "hold+dummy@fixed:x"], "character 12"),
        (["--methods", "hold[a=1]"], "no parameter of hold called 'a'"),
        (["--methods", "siamfc[scales=x]"], "is not a whole number"),
        (["--methods", "hold@fixed:5"], "add a propagator"),
        (["--methods", "hold,hold"], "named twice"),
        (["--methods", ""], "no methods"),
        (["--methods", "hold", "--policy", "never"], "no policy called 'never'"),
        (["--methods", "hold", "--clips", "nowhere"], "no clip in synth-sot called 'nowhere'"),
        (["--methods", "hold", "--limit", "0"], "at least one clip"),
        (["--methods", "hold", "--jobs", "2"], "--no-timing"),
        (["--methods", "hold", "--jobs", "0", "--no-timing"], "at least one process"),
        (["--methods", "hold", "--again", "twice"], "missing, failed, always"),
        (["--methods", "hold", "--device", "tpu"], "tpu"),
        (["--methods", "hold", "--threads", "0"], "threads"),
        (["--methods", "hold", "--data", "nowhere"], "no such folder"),
        (["--methods", "hold", "--weights", "nowhere"], "no such file"),
        (["--methods", "hold", "--no-such-option"], "No such option"),
        (["--methods", "siamfc"], "--weights random"),
        (["--methods", "hold", "--suite", "otb2015"], "--data"),
        (["--methods", "stored:nowhere", "--suite", "synth-vid"], "there is no such file"),
        (["--methods", "stored:.[gmac=-1]", "--suite", "synth-vid"], "give a number from 0"),
        (["--methods", "hold", "--limit", "1", "--out", "file"], "cannot write file"),
        (["--methods", "blobs", "--suite", "vid:nowhere"], "'nowhere': there is no such file"),
        (["--methods", "hold+dummy@budget:12s"], "most in GMAC, or with ms behind it, = '12s'"),
        (["--methods", "hold+dummy@budget:nanms"], "most in ms = 'nan' must be a number from 0"),
        (["--methods", "hold+dummy@adaptive:diff:nan:5"], "'nan' must be a number from 0"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, arguments, says) -> None:
    Path("file").touch()
    assert says in vbench(capsys, "run", *arguments).one_line()


def test_an_unwritable_output_folder_is_named(capsys) -> None:
    Path("file").write_text("")
    line = vbench(capsys, "run", "--methods", "hold", "--limit", 1, "--out", "file/run").one_line()
    assert "choose another --out" in line


def test_a_second_run_into_the_same_folder_is_refused(capsys) -> None:
    with locked(Path("run")):
        assert "another run is writing" in two_clips(capsys).one_line()


def test_another_suite_in_the_same_folder_is_refused(capsys) -> None:
    two_clips(capsys)
    path = Path("run/manifest.json")
    path.write_text(path.read_text().replace('"suite": "synth-sot"', '"suite": "uav123"'))
    assert "holds a run of suite uav123" in two_clips(capsys).one_line()


def test_damage_of_an_earlier_run_is_named_set_aside_and_computed_again(capsys) -> None:
    two_clips(capsys)
    trace = sorted(Path("run").rglob("traces/hold-*/*.npz"))[0]
    trace.write_bytes(b"nonsense")
    shown = vbench(capsys, "report", "run")
    assert shown.code == 0
    assert f"not scored: hold on 1 clip: {trace.name} is damaged" in shown.err
    for text, says in (("{", "is damaged: "), ("{}", "has no schema, not 1")):
        Path("run/manifest.json").write_text(text)
        line = vbench(capsys, "report", "run").one_line()
        assert says in line and line.endswith("makes a new one, and keeps what it ran")
    ran = two_clips(capsys)
    assert ran.code == 0
    assert "has no schema, not 1; set aside as manifest.json.corrupt" in ran.err
    # Costs are counted anew, also of the method whose clips are all kept.
    assert all(record.costs for record in RunFolder(Path("run")).read().methods.values())
    assert "manifest.json.corrupt" in ran.err
    assert f"{trace.name}.corrupt" in ran.err
    assert load_trace(trace)[0].boxes.shape[1] == 4


@pytest.fixture
def folders(tmp_path):
    """Three clips of 4 frames: a good one, one with a broken image, one whose box lies outside."""
    rng = np.random.default_rng(0)
    boxes = {"good": "10,10,20,20", "broken": "10,10,20,20", "outside": "500,10,20,20"}
    for name, box in boxes.items():
        folder = tmp_path / "clips" / name
        folder.mkdir(parents=True)
        for index in range(4):
            image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / f"{index:04d}.jpg"), image)
        (folder / "groundtruth.txt").write_text(f"{box}\n" * 4)
    (tmp_path / "clips" / "broken" / "0002.jpg").write_bytes(b"no image")
    return tmp_path / "clips"


def test_a_clip_that_fails_leaves_the_others_alone(capsys, folders) -> None:
    ran = vbench(
        capsys, "run", "--suite", f"files:{folders}", "--methods", "hold", "--out", "run", "--json"
    )
    assert ran.code == 1
    result = ran.json["results"][0]
    assert result["clips"] == "1/3"
    assert result["status"] == "partial"
    problems = {p["clip"]: p["what"] for p in result["problems"]}
    assert "0002.jpg cannot be read" in problems["broken"]
    assert "outside the 80 x 60 frame" in problems["outside"]
    assert "--again failed" in ran.err
    # Mended, only what failed runs again.
    (folders / "broken" / "0002.jpg").write_bytes((folders / "broken" / "0001.jpg").read_bytes())
    again = vbench(
        capsys, "run", "--suite", f"files:{folders}", "--methods", "hold", "--out", "run", "--json",
        "--again", "failed",
    )  # fmt: skip
    assert again.json["results"][0]["clips"] == "2/3"


OWN = '''
import numpy as np

class Raises:
    """Raises in the middle of a clip."""
    def start(self, frame, box): self.n = 0
    def track(self, frame):
        self.n += 1
        if self.n == 5: raise RuntimeError("out of luck")
        return np.array([1.0, 1, 2, 2]), 0.5

class Nan:
    """Answers NaN."""
    def start(self, frame, box): pass
    def track(self, frame): return np.full(4, np.nan), 0.5

class Flat:
    """Answers three numbers."""
    def start(self, frame, box): pass
    def track(self, frame): return np.ones(3), 0.5
'''


def test_a_method_that_misbehaves_fails_its_clips_and_the_run_goes_on(capsys, tmp_path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    names = {"raises": "Raises", "nan": "Nan", "flat": "Flat"}
    lines = [f'{name} = "own:{target}"' for name, target in names.items()]
    (tmp_path / "vbench.toml").write_text(
        '[catalogue]\npath = ["."]\n[catalogue.trackers]\n' + "\n".join(lines)
    )
    ran = vbench(
        capsys, "run", "--methods", "raises,nan,flat,hold", "--limit", 1, "--out", "run", "--json"
    )
    assert ran.code == 1
    found = {r["method"]: r for r in ran.json["results"]}
    what = {name: r["problems"][0]["what"] for name, r in found.items() if r["problems"]}
    assert what == {
        "raises": "RuntimeError: out of luck",
        "nan": "frame 1: the answered box or score is not a finite number",
        "flat": "frame 1: a box of shape (3,), not (4,)",
    }
    assert found["hold"]["status"] == "ok"
    assert found["nan"]["status"] == "failed"
    assert found["nan"]["success_auc"] is None


def test_help_and_list_import_nothing_heavy() -> None:
    code = (
        "import sys; from vbench.cli.app import invoke; invoke(sys.argv[1:]);"
        "heavy = {'torch', 'pandas', 'matplotlib', 'cv2', 'scipy', 'fvcore'} & set(sys.modules);"
        "print('HEAVY', heavy)"
    )
    for arguments in (["--help"], ["list"], ["list", "trackers", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        assert re.search(r"HEAVY set\(\)", done.stdout), done.stdout[-300:]


def test_version_is_the_packages() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vbench", "--version"], capture_output=True, text=True, check=True
    )
    from vbench import __version__

    assert done.stdout.strip() == f"vbench {__version__}"
    assert json.dumps(__version__)


def test_answers_that_cannot_be_scored_are_a_problem(capsys, tmp_path) -> None:
    (tmp_path / "still.txt").write_text("0 99 0.9 10 10 40 40\n")
    asked = ["run", "--suite", "synth-vid", "--methods", "stored:still.txt", "--limit", 1]
    for quiet in ([], ["--quiet"], ["--json"]):
        ran = vbench(capsys, *asked, "--out", "run", *quiet)
        assert ran.code == 1
        assert "not scored: stored:still.txt on 1 clip: a detection has class 98" in ran.err


def test_a_preset_of_unknown_parameters_is_one_line(capsys, tmp_path) -> None:
    (tmp_path / "vbench.toml").write_text(
        '[catalogue.detectors.mine]\ntarget = "vbench.detectors.stored:Stored"\n'
        'preset = {argument = ".", gmca = 1.0}\n'
    )
    asked = ["run", "--suite", "synth-vid", "--methods", "mine", "--limit", 1]
    line = vbench(capsys, *asked).one_line()
    assert "no parameter in the preset of detector 'mine' (vbench.toml" in line
    assert "did you mean 'gmac'?" in line


def test_a_clip_that_is_named_twice_runs_once(capsys) -> None:
    ran = vbench(capsys, "run", "--methods", "hold", "--clips", "calm, calm", "--out", "run")
    assert "synth-sot, 1/27 clips" in ran.out
