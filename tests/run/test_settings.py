"""Settings: layers, where values come from, and what is refused with file, line and a hint."""

import os
import sys
from pathlib import Path

import pytest

from vbench import catalogue
from vbench.core.entry import Entry
from vbench.core.errors import UnknownName, VBenchError
from vbench.run.settings import load_settings, read_settings, weights_finder

SUITES = {"otb2015": Entry("otb:load", "OTB"), "uav123": Entry("uav:load", "UAV")}


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    table = catalogue.table

    def two_suites(kind):
        return SUITES | catalogue._own[kind] if kind == "suites" else table(kind)

    two_suites.cache_clear = table.cache_clear  # type: ignore[attr-defined]
    monkeypatch.setattr(catalogue, "_own", {kind: {} for kind in catalogue.TABLES})
    monkeypatch.setattr(catalogue, "table", two_suites)
    table.cache_clear()
    yield
    table.cache_clear()


def write(text: str, path: str = "vbench.toml") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def read(environ=None, **overrides):
    return read_settings(Path.cwd(), environ or {}, overrides)


def test_without_anything_there_are_defaults():
    settings = read()
    assert settings.results == Path("results")
    assert settings.device == "cpu"
    assert settings.suite == "synth-sot"
    assert settings.threads == 1
    assert settings.methods == () and settings.weights == () and settings.weights_mirror == ""
    assert settings.data_for("otb2015") is None and settings.annotations_for("otb2015") is None
    assert {value.source for value in settings.values.values()} == {"default"}


def test_a_file_says_everything():
    write(
        """
        weights = ["nets", "siamfc=own/siamfc.pth", "/shared/nets"]
        results = "out"
        device = "cuda:1"
        threads = 3
        suite = "otb2015"
        methods = ["kcf,mosse", "siamfc[scales=1,x=2]@fixed:3"]
        weights_mirror = "https://mirror.example"
        annotations = "notes"
        [data]
        root = "all"
        otb2015 = "/data/otb"
        """
    )
    settings = read()
    assert settings.weights == ("nets", "siamfc=own/siamfc.pth", "/shared/nets")
    assert settings.results == Path("out")
    assert settings.device == "cuda:1"
    assert settings.threads == 3
    assert settings.suite == "otb2015"
    assert settings.methods == ("kcf", "mosse", "siamfc[scales=1,x=2]@fixed:3")
    assert settings.weights_mirror == "https://mirror.example"
    assert settings.data_for("otb2015") == Path("/data/otb")
    assert settings.data_for("uav123") == Path("all")
    assert settings.data_for("uav123[variant=1]") == Path("all")
    assert settings.annotations_for("otb2015") == Path("notes")
    assert settings.values["threads"].source == "vbench.toml:5"
    assert settings.values["data.otb2015"].source == "vbench.toml:12"


def test_later_layers_win_and_say_so():
    write('results = "file"\nthreads = 2\ndevice = "mps"\n[data]\notb2015 = "file"\n')
    environ = {"VBENCH_RESULTS": "environment", "VBENCH_DATA": "environment", "VBENCH_WEIGHTS": ""}
    settings = read(environ, results=Path("option"), threads=None)
    assert (settings.results, settings.values["results"].source) == (Path("option"), "--results")
    assert (settings.threads, settings.values["threads"].source) == (2, "vbench.toml:2")
    assert settings.values["data"].source == "VBENCH_DATA"
    assert settings.data_for("otb2015") == Path("environment"), "a later root replaces all"
    assert settings.values["weights"].source == "default", "an empty variable says nothing"


def test_weights_of_the_environment_are_a_path_list():
    both = os.pathsep.join(["nets", "", "siamfc=x.pth", "random"])
    assert read({"VBENCH_WEIGHTS": both}).weights == ("nets", "siamfc=x.pth", "random")


def test_the_nearest_file_upward_is_read_and_paths_are_relative_to_it(monkeypatch, tmp_path):
    write('results = "far"')
    write('results = "near"\nweights = ["nets", "random", "a=b"]', "sub/vbench.toml")
    write('[tool.vbench]\nresults = "never: vbench.toml goes first"', "sub/pyproject.toml")
    write("[project]\nname = 'other'", "sub/deep/pyproject.toml")
    monkeypatch.chdir(tmp_path / "sub" / "deep")
    settings = read()
    assert settings.results == tmp_path / "sub" / "near"
    assert settings.weights == (
        str(tmp_path / "sub" / "nets"), "random", f"a={tmp_path}/sub/b",
    )  # fmt: skip
    assert settings.values["results"].source == f"{tmp_path}/sub/vbench.toml:1"


def test_pyproject_has_a_part_for_vbench():
    text = (
        '[project]\nname = "x"\n\n[tool.vbench]\ndevice = "mps"\n\n[tool.vbench.data]\nroot = "d"'
    )
    write(text, "pyproject.toml")
    settings = read()
    assert (settings.device, settings.values["device"].source) == ("mps", "pyproject.toml:5")
    assert settings.values["data"].source == "pyproject.toml:8"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\ndevcie = "cpu"', r"vbench\.toml:2: .*'devcie'.*did you mean 'device'"),
        ('[data]\n\notb2051 = "x"', r"vbench\.toml:3: no suite called 'otb2051'.*'otb2015'"),
        ("[catalog]", r"vbench\.toml:1: .*'catalogue'"),
        ('[catalogue]\ntracker.x = "m:C"', r"vbench\.toml:2: .*'tracker'.*'trackers'"),
        ("threads = 'many'", r"vbench\.toml:1: a whole number from 1 .*text 'many'"),
        ("threads = true", r"vbench\.toml:1: a whole number"),
        ("threads = 0", r"vbench\.toml:1: a whole number"),
        ("device = 'gpu'", r"vbench\.toml:1: device 'gpu': there are cpu, cuda"),
        ("results = 3", r"vbench\.toml:1: a text is wanted, not the number 3"),
        ("methods = [\n'kcf',\n3]", r"vbench\.toml:1: a text is wanted"),
        ("weights = [1.5]", r"vbench\.toml:1: a text is wanted"),
        ("data = {root = []}", r"vbench\.toml:1: a text is wanted, not the list"),
        ("data = 1", r"vbench\.toml:1: a text is wanted, not the number"),
        ("catalogue = 1", r"vbench\.toml:1: catalogue is a table"),
        ("weights_mirror = 'ftp://x'", r"vbench\.toml:1: a mirror is an http address"),
        ("[catalogue.trackers]\nmine = 'module.Class'", r'vbench\.toml:2: .*"module:Class"'),
        ("[catalogue.trackers]\nmine = 1", r"vbench\.toml:2: .* is a table, not the number"),
        (
            "[catalogue.trackers.mine]\ntarget = 'm:C'\nsumary = ''",
            r"vbench\.toml:3: .*'sumary'.*'summary'",
        ),
        ("[catalogue.trackers.mine]\ntarget = 'm:C'\npaper = 1", r"vbench\.toml:1: .*paper is"),
        ("\nsuite = = 1", r"vbench\.toml cannot be read: .*line 2"),
        ("\n\nx = '\xff'", r"vbench\.toml:3: .*'x'"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_hint(text, told):
    write(text)
    with pytest.raises(VBenchError, match=told) as raised:
        read()
    assert "\n" not in str(raised.value)


def test_what_is_wrong_in_environment_and_options_is_named():
    with pytest.raises(VBenchError, match="VBENCH_WEIGHTS_MIRROR: a mirror"):
        read({"VBENCH_WEIGHTS_MIRROR": "mirror.example"})
    with pytest.raises(VBenchError, match="--device: device 'gpu'"):
        read(device="gpu")
    with pytest.raises(UnknownName, match="did you mean 'results'"):
        read(result="x")


def test_a_file_that_is_no_text_or_far_too_large_is_refused():
    Path("vbench.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(VBenchError, match="cannot be read"):
        read()
    write("#" * (2 << 20))
    with pytest.raises(VBenchError, match="larger than"):
        read()


def test_keys_inside_values_do_not_move_the_line():
    write('weights = [\n  "results=x.pth",\n]\nresults = 1')
    with pytest.raises(VBenchError, match=r"vbench\.toml:4"):
        read()


def test_weights_are_found_by_options_and_settings(tmp_path):
    (tmp_path / "x.pth").touch()
    finder = weights_finder(read({"VBENCH_WEIGHTS": "siamfc=x.pth"}), ["dcfnet=x.pth"])
    assert set(finder.named) == {"siamfc", "dcfnet"}
    with pytest.raises(UnknownName, match="did you mean 'siamfc'"):
        weights_finder(read(), ["siamfcc=x.pth"])


OWN = '''
"""A tracker of the user."""

class Mine:
    """Answers the first box."""
'''


def test_own_catalogue_entries_are_known_and_loaded(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_own_tracker", raising=False)
    write(OWN, "code/my_own_tracker.py")
    write(
        """
        [data]
        mysuite = "here"
        [catalogue]
        path = "code"
        [catalogue.trackers]
        mine = "my_own_tracker:Mine"
        absent = {target = "not_there:Mine", summary = "gone", weights = "mine"}
        classless = "my_own_tracker:Yours"
        [catalogue.suites]
        mysuite = "my_own_tracker:load"
        """
    )
    settings = load_settings(Path.cwd(), {})
    assert settings.data_for("mysuite") == Path("here")
    assert catalogue.load("trackers", "mine").__name__ == "Mine"
    assert catalogue.entry("trackers", "mine").package == "vbench.toml:7"
    assert catalogue.entry("trackers", "absent").weights == "mine"
    assert catalogue.entry("trackers", "absent").summary == "gone"
    with pytest.raises(VBenchError, match=r"'absent'.*vbench\.toml:8.*No module named 'not_there'"):
        catalogue.load("trackers", "absent")
    with pytest.raises(VBenchError, match=r"'classless'.*AttributeError"):
        catalogue.load("trackers", "classless")
    load_settings(Path.cwd(), {})  # again: nothing is in its own way


def test_own_entries_do_not_hide_ours():
    write("[catalogue.trackers]\nhold = 'm:C'")
    with pytest.raises(VBenchError, match=r"vbench\.toml:2: tracker 'hold' is taken by vbench"):
        load_settings(Path.cwd(), {})
