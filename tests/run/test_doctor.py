"""The doctor looks at everything, and nothing that fails stops it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.clip import Clip
from vbench.core.entry import Entry
from vbench.core.errors import VBenchError
from vbench.core.suite import Card, Suite
from vbench.run import doctor, listing
from vbench.run.doctor import examine
from vbench.run.settings import read_settings
from vbench.weights.find import WeightsFinder


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def checks(finder=None, **overrides):
    found = examine(read_settings(Path.cwd(), {}, overrides), finder or WeightsFinder())
    return {(check.area, check.name): check for check in found}


def test_all_areas_are_looked_at_and_what_is_not_well_can_be_mended():
    found = checks()
    areas = {area for area, _ in found}
    assert areas >= {"python", "torch", "device", "codec", "extra", "data", "disk"}
    for check in found.values():
        assert check.found
        assert (check.health == "ok") != bool(check.mend)
        assert "\n" not in check.found + check.mend
    for name in ("jpg", "png", "bmp", "video"):
        assert found["codec", name].health == "ok"


def test_one_look_that_fails_does_not_stop_the_rest(monkeypatch):
    def fall():
        raise RuntimeError("no")

    monkeypatch.setattr(doctor, "_torch", fall)
    found = checks()
    assert (found["torch", "torch"].health, found["torch", "torch"].found) == (
        "broken",
        "RuntimeError: no",
    )
    assert ("disk", "results") in found


def test_weights_are_told_by_their_content(monkeypatch, tmp_path):
    table = {"a": Entry("a:A", "a", weights="dcfnet"), "b": Entry("b:B", "b", weights="of nobody")}
    monkeypatch.setattr(catalogue, "table", lambda kind: table if kind == "trackers" else {})
    (tmp_path / "w").write_bytes(b"\0" * 41232)  # the published size, other content
    found = checks(WeightsFinder((tmp_path,)))
    assert found["weights", "dcfnet"].mend == "`vbench weights fetch dcfnet`"
    assert found["weights", "of nobody"].mend == "--weights of nobody=FILE"
    named = checks(WeightsFinder(named={"dcfnet": tmp_path / "w"}))
    assert named["weights", "dcfnet"].health == "ok"


def test_published_weights_are_ready(real_data):
    finder = WeightsFinder((real_data / "weights",))
    asked = {e.weights for e in catalogue.table("trackers").values()} & {"dcfnet", "nanotrack-v1"}
    found = checks(finder)
    assert all(found["weights", name].health == "ok" for name in asked)


def open_it(clips, problems=None):
    made = [Clip(f"c{i}", frames=None) for i in range(clips)]  # type: ignore[arg-type]
    card = Card("it", "It", "sot", 3, url="https://host.example")
    return lambda *_: Suite(card, made, problems or {})


def test_suites_are_opened_and_counted(monkeypatch, tmp_path):
    card = Card("it", "It", "sot", 3, url="https://host.example")
    table = {"it": Entry("it:load", "it")}
    monkeypatch.setattr(catalogue, "table", lambda kind: table if kind == "suites" else {})
    monkeypatch.setattr(listing, "_card", lambda *_: card)
    assert checks()["data", "it"].found == "needs data"
    for clips, problems, health, told in (
        (3, {}, "ok", ""),
        (2, {}, "missing", "get the rest from https://host.example"),
        (3, {"c1": "no boxes"}, "missing", "c1: no boxes"),
    ):
        monkeypatch.setattr(catalogue, "open_suite", open_it(clips, problems))
        found = checks(data=tmp_path)["data", "it"]
        assert (found.health, found.found, found.mend) == (health, f"{clips}/3 clips", told)

    def refuse(*_):
        raise VBenchError("nothing\nin it")

    monkeypatch.setattr(catalogue, "open_suite", refuse)
    assert checks(data=tmp_path)["data", "it"].mend == "nothing in it"


def test_a_device_that_is_not_there_is_broken():
    found = checks(device="cuda:99")["device", "cuda:99"]
    assert (found.health, found.found) == ("broken", "asked for by --device")


def test_a_full_disk_is_broken(monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert checks()["disk", "results"].health == "broken"


def test_a_codec_that_does_not_give_back_what_it_got_is_broken(monkeypatch):
    monkeypatch.setattr(doctor, "_through_video", lambda frame: np.zeros_like(frame))
    assert checks()["codec", "video"].health == "broken"
    monkeypatch.setattr(doctor, "_through_video", lambda frame: None)
    assert checks()["codec", "video"].found == "cannot be written and read back"
