"""What is listed, what it needs, and whether it is ready here."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from vbench import catalogue
from vbench.core.entry import Entry
from vbench.core.errors import UnknownName
from vbench.core.suite import Card
from vbench.run import listing
from vbench.run.data_folder import holds_any
from vbench.run.devices import devices, torch_cuda
from vbench.run.extras import EXTRAS, install_command, is_here, missing_modules
from vbench.run.listing import KINDS, rows
from vbench.run.settings import read_settings
from vbench.weights.find import WeightsFinder

ROOT = Path(__file__).parents[2]


def listed(kind, settings=None, finder=None):
    found = rows(kind, settings or read_settings(Path("/"), {}), finder or WeightsFinder())
    return {row.name: row for row in found}


@pytest.fixture
def one_entry(monkeypatch):
    """Make a catalogue of one entry, called `it`."""

    def put(**card):
        entry = Entry(**{"target": "it:It", "summary": "a thing", **card})
        monkeypatch.setattr(catalogue, "table", lambda _: {"it": entry})

    return put


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_complete(kind):
    for row in listed(kind).values():
        assert row.name and row.form.startswith(row.name) and row.summary
        assert (row.status == listing.READY) != bool(row.mend), "what is not ready can be mended"
        assert not {"\n"} & {*row.summary, *row.mend}
        assert {"name", "summary", "paper", "needs", "status", "mend"} <= set(row.as_json())


def test_an_unknown_kind_gets_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'trackers'"):
        listed("tracker")


def test_ours_are_there():
    assert listed("propagators")["dummy"].status == "ready"
    assert listed("policies")["online"].form == "online:c:k"
    assert listed("policies")["budget"].form == "budget:most[:k]"
    assert listed("metrics")["success_auc"].as_json()["unit"] == "share"
    assert listed("devices")["cpu"].status == "ready"


def test_weights_decide_by_name_and_size(one_entry, tmp_path):
    one_entry(weights="patchnet")
    row = listed("trackers")["it"]
    assert (row.status, row.mend) == ("needs weights", "`vbench weights fetch patchnet`")
    assert row.needs == ("weights patchnet",)
    (tmp_path / "any").write_bytes(b"\0" * 220292)  # the published size
    assert listed("trackers", finder=WeightsFinder((tmp_path,)))["it"].status == "ready"
    assert listed("trackers", finder=WeightsFinder(random=True))["it"].status == "ready"
    one_entry(weights="of nobody")
    assert listed("trackers")["it"].mend == "--weights of nobody=FILE"


def test_weights_that_only_a_browser_gets_say_where(one_entry):
    one_entry(weights="siamfc")
    assert "drive.google.com" in listed("trackers")["it"].mend


def test_an_extra_that_is_missing_comes_with_its_command(one_entry, monkeypatch):
    one_entry(extras=("onnx",))
    monkeypatch.setitem(EXTRAS, "onnx", (("no_such_module",), ""))
    row = listed("detectors")["it"]
    assert (row.status, row.mend) == ("needs extra", "pip install 'vbench[onnx]'")
    assert row.needs == ("extra onnx",)


def test_an_argument_is_part_of_how_a_name_is_written(one_entry):
    one_entry(takes="PATH")
    assert listed("detectors")["it"].form == "it:PATH"
    one_entry(takes="train", optional=True)
    assert listed("detectors")["it"].form == "it[:train]"


def test_a_module_of_another_package_must_be_there(one_entry):
    one_entry(target="no_such_module.part:It", package="elsewhere")
    row = listed("trackers")["it"]
    assert row.status == "needs module" and "no_such_module" in row.mend
    assert row.package == "elsewhere"


def test_data_decide_by_folder(one_entry, monkeypatch, tmp_path):
    rules = {"sequences": ["Jogging-1", "Human4-2"]}
    card = Card(
        "it", "It", "sot", 100, url="https://host.example", citation="Somebody 2015", rules=rules
    )
    one_entry()
    monkeypatch.setattr(listing, "_card", lambda *_: card)
    row = listed("suites")["it"]
    assert row.status == "needs data" and "https://host.example" in row.mend
    assert row.paper == "Somebody 2015" and row.needs == ("data",)
    absent = read_settings(tmp_path, {}, {"data": tmp_path / "absent"})
    assert "there is no folder" in listed("suites", absent)["it"].mend
    (tmp_path / "empty").mkdir()
    empty = read_settings(tmp_path, {}, {"data": tmp_path / "empty"})
    assert "holds no sequence" in listed("suites", empty)["it"].mend
    (tmp_path / "otb" / "Jogging").mkdir(parents=True)
    full = read_settings(tmp_path, {}, {"data": tmp_path})
    assert listed("suites", full)["it"].status == "ready"


@pytest.mark.parametrize("place", ["anno/human4.2.txt", "a/b/Human4/x.jpg", "Human4-2.txt"])
def test_sequences_are_known_by_their_names(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).touch()
    assert holds_any(tmp_path, ["Human4-2"])
    assert not holds_any(tmp_path, ["Human5"])


def test_a_data_root_is_not_searched_without_end(tmp_path):
    deep = tmp_path / "1" / "2" / "3" / "Crossing"
    deep.mkdir(parents=True)
    assert not holds_any(tmp_path, ["Crossing"])
    assert holds_any(tmp_path / "1", ["Crossing"])
    assert not holds_any(tmp_path / "absent", ["Crossing"])


def test_the_suites_of_the_real_folder(real_data):
    here = read_settings(Path("/"), {}, {"data": real_data / "sequences" / "otb"})
    assert listed("suites", here)["otb2015"].status == "ready"
    here = read_settings(Path("/"), {}, {"data": real_data / "annotations" / "imagenet_vid"})
    assert listed("suites", here)["otb2015"].status == "needs data"


def test_extras_are_those_of_the_package():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    offered = config["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(offered) - {"all", "dev", "docs"}
    for extra in EXTRAS:
        assert f"{extra}" in offered["all"][0]
        assert install_command(extra) == f"pip install 'vbench[{extra}]'"


def test_modules_are_looked_for_without_importing_them():
    assert is_here("this") and "this" not in sys.modules
    assert not is_here("no_such_module.part") and not is_here("")
    assert missing_modules("no such extra") == ()


def test_devices_are_seen_without_torch(tmp_path, monkeypatch):
    card = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    card.parent.mkdir(parents=True)
    card.write_text("Model: \t\t NVIDIA H200\nIRQ: 1\n")
    monkeypatch.setattr("vbench.run.devices.torch_cuda", lambda: None)
    found = {device.name: device for device in devices(tmp_path)}
    assert found["cuda:0"].summary == "NVIDIA H200" and "built with CUDA" in found["cuda:0"].lacks
    monkeypatch.setattr("vbench.run.devices.torch_cuda", lambda: "12.8")
    assert [d.lacks for d in devices(tmp_path)] == ["", ""]


def test_the_cuda_of_torch_is_read_from_its_file(tmp_path, monkeypatch):
    import torch

    assert torch_cuda() == torch.version.cuda
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch")
    assert torch_cuda() is None
    (package / "version.py").write_text("cuda: Optional[str] = '12.8'\n")
    assert torch_cuda() == "12.8"


def run(code: str, folder: Path, **environ: str) -> str:
    """Run Python in a fresh process and a folder of its own."""
    paths = os.pathsep.join([str(ROOT), environ.pop("PYTHONPATH", "")])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("VBENCH_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=kept | environ | {"PYTHONPATH": paths, "XDG_CACHE_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_listing_imports_nothing_heavy(tmp_path):
    heavy = "{'torch', 'pandas', 'cv2', 'matplotlib', 'scipy', 'onnxruntime', 'got10k'}"
    code = (
        "import sys; from vbench.cli.app import invoke; assert invoke(['list']) == 0; "
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr); "
        f"assert not {heavy} & set(sys.modules)"
    )
    told = run(code, tmp_path)
    assert "dummy" in told and "patchnet" in told and "success_auc" in told


MODULE = '''
"""A tracker of another package."""

from vbench.core.roles import Estimate


class Corner:
    """Answers the upper left corner."""

    def start(self, frame, box):
        """Keep the size."""
        self.size = box[2:]

    def track(self, frame):
        """Answer the corner."""
        return Estimate([0.0, 0.0, *self.size], 1.0)
'''
INFO = "corner_tracker-0.1.dist-info"


def wheel(folder: Path) -> Path:
    """Pack a package of one class and one entry point."""
    path = folder / "corner_tracker-0.1-py3-none-any.whl"
    files = {
        "corner_tracker.py": MODULE,
        f"{INFO}/METADATA": (
            "Metadata-Version: 2.1\nName: corner-tracker\nVersion: 0.1\n"
            "Summary: always answers the corner\n"
        ),
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/entry_points.txt": "[vbench.trackers]\ncorner = corner_tracker:Corner\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{INFO}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in [*files.items(), (f"{INFO}/RECORD", record)]:
            archive.writestr(name, text)
    return path


def test_an_installed_package_shows_up_and_runs(tmp_path):
    site = tmp_path / "site"
    offline = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", site, wheel(tmp_path)],
        check=True,
        capture_output=True,
    )
    code = (
        "import sys; from vbench.cli.app import invoke; assert invoke(['list', 'trackers']) == 0; "
        "from vbench import catalogue; assert 'corner_tracker' not in sys.modules; "
        "print(catalogue.entry('trackers', 'corner').package); "
        "print(catalogue.build('trackers', 'corner'))"
    )
    told = run(code, tmp_path, PYTHONPATH=str(site))
    assert "always answers the corner" in told
    assert "corner-tracker\n<corner_tracker.Corner object" in told
    ran = run(
        "from vbench.cli.app import invoke; "
        "raise SystemExit(invoke('run --methods corner --limit 1 --json'.split()))",
        tmp_path,
        PYTHONPATH=str(site),
    )
    (result,) = json.loads(ran)["results"]
    assert (result["method"], result["clips"], result["status"]) == ("corner", "1/27", "ok")
    # It does not say what it computes, and that is no 0.
    assert result["gmac_per_frame"] is None
