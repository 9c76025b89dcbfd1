"""Weights are found by content under any name, or taken when they are named."""

import hashlib
import shutil
from pathlib import Path

import pytest

from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.weights import find as finding
from vbench.weights.find import (
    WeightsFinder,
    cache_folder,
    check_places,
    default_places,
    find,
    parse_places,
)
from vbench.weights.registry import HERE, PublishedFile, Release


def published(name: str, content: bytes) -> PublishedFile:
    return PublishedFile(
        name,
        url=f"https://host.example/{name}",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


ONE, BACKBONE, HEAD = b"one network", b"the backbone", b"the head"
BLOB = PublishedFile("hello", bytes=6, git_blob="ce013625030ba8dba906f756967f9e9ca394464a")
KNOWN = {
    "one": Release("one", "One", (published("one.pth", ONE),)),
    "two": Release("two", "Two", (published("b.onnx", BACKBONE), published("h.onnx", HEAD))),
    "blob": Release("blob", "Known by its git object only", (BLOB,)),
    "drive": Release("drive", "Drive", (PublishedFile("drive.pth"),), manual="drive.pth is there"),
}


@pytest.fixture(autouse=True)
def small_registry(monkeypatch):
    monkeypatch.setattr(finding, "registry", lambda: KNOWN)
    monkeypatch.setattr(finding, "release", KNOWN.__getitem__)


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_names_and_folders_do_not_matter(tmp_path):
    path = put(tmp_path / "some" / "deep" / "folder" / "renamed.bin", ONE)
    put(tmp_path / "some" / "other.bin", b"eleven char")  # same size, other content
    found = find("one", [tmp_path])
    assert found is not None
    assert found.files == {"one.pth": path}
    assert found.sha256 == hashlib.sha256(ONE).hexdigest()


def test_a_file_known_by_its_git_blob_is_found(tmp_path):
    path = put(tmp_path / "x", b"hello\n")
    found = find("blob", [tmp_path])
    assert found is not None and found.files == {"hello": path}


def test_all_files_of_a_set_are_needed_and_may_lie_apart(tmp_path):
    head = put(tmp_path / "a" / "h", HEAD)
    assert find("two", [tmp_path]) is None
    backbone = put(tmp_path / "b" / "b", BACKBONE)
    found = find("two", [tmp_path])
    assert found is not None and found.files == {"b.onnx": backbone, "h.onnx": head}
    shutil.move(head, tmp_path / "elsewhere")
    again = find("two", [tmp_path])
    assert again is not None and again.sha256 == found.sha256


def test_the_digest_of_a_set_tells_files_apart(tmp_path):
    put(tmp_path / "b.onnx", BACKBONE), put(tmp_path / "h.onnx", HEAD)
    straight = WeightsFinder(named={"two": tmp_path}).weights_for("two")
    put(tmp_path / "b.onnx", HEAD), put(tmp_path / "h.onnx", BACKBONE)
    swapped = WeightsFinder(named={"two": tmp_path}).weights_for("two")
    assert straight is not None and swapped is not None
    assert straight.sha256 != swapped.sha256


def test_earlier_places_win(tmp_path):
    first, second = put(tmp_path / "1" / "x", ONE), put(tmp_path / "2" / "a", ONE)
    found = find("one", [second.parent, first.parent])
    assert found is not None and found.files["one.pth"] == second


def test_a_place_may_be_a_file(tmp_path):
    path = put(tmp_path / "x", ONE)
    found = find("one", [path])
    assert found is not None and found.files["one.pth"] == path


def test_an_absent_place_and_a_dangling_link_hold_nothing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert find("one", [tmp_path, tmp_path / "absent"]) is None


def test_an_unknown_file_is_taken_only_when_it_is_named(tmp_path):
    path = put(tmp_path / "one.pth", b"trained by me")
    with pytest.raises(
        NotReady, match=r"other content than the published.*--weights one=.*one.pth"
    ):
        WeightsFinder((tmp_path,)).weights_for("one")
    taken = WeightsFinder((tmp_path,), {"one": path}).weights_for("one")
    assert taken is not None and taken.files == {"one.pth": path}
    assert taken.sha256 == hashlib.sha256(b"trained by me").hexdigest()


def test_weights_of_no_registry_are_taken_when_they_are_named(tmp_path):
    path = put(tmp_path / "mine.pth", b"mine")
    taken = WeightsFinder(named={"mine": path}).weights_for("mine")
    assert taken is not None and taken.files == {"mine.pth": path}
    with pytest.raises(NotReady, match="--weights mine=FILE"):
        WeightsFinder((tmp_path,)).weights_for("mine")


def test_a_set_of_files_is_named_by_its_folder(tmp_path):
    path = put(tmp_path / "b.onnx", b"own")
    with pytest.raises(VBenchError, match=r"name a folder that holds b\.onnx, h\.onnx"):
        WeightsFinder(named={"two": path}).weights_for("two")
    with pytest.raises(VBenchError, match=r"the folder has no h\.onnx"):
        WeightsFinder(named={"two": tmp_path}).weights_for("two")
    head = put(tmp_path / "h.onnx", b"own head")
    taken = WeightsFinder(named={"two": tmp_path}).weights_for("two")
    assert taken is not None and taken.files == {"b.onnx": path, "h.onnx": head}


def test_random_looks_for_nothing_but_named_files(tmp_path):
    put(tmp_path / "x", ONE)
    finder = WeightsFinder((tmp_path,), {"drive": put(tmp_path / "d", b"d")}, random=True)
    assert finder.weights_for("one") is None
    assert finder.weights_for("drive") is not None


@pytest.mark.parametrize(
    ("name", "step"),
    [("one", "`vbench weights fetch one`"), ("drive", "drive.pth is there; then --weights drive=")],
)
def test_what_is_missing_comes_with_the_next_step_on_one_line(tmp_path, name, step):
    with pytest.raises(NotReady) as raised:
        WeightsFinder((tmp_path,)).weights_for(name)
    told = str(raised.value)
    assert step in told and "--weights random" in told and "\n" not in told
    assert f"{name}.pth" in told


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(VBenchError, match="no such file"):
        WeightsFinder(named={"one": tmp_path / "absent"}).weights_for("one")


def test_seems_ready_goes_by_size(tmp_path):
    assert not WeightsFinder((tmp_path,)).seems_ready("one")
    put(tmp_path / "x", b"eleven char")
    assert WeightsFinder((tmp_path,)).seems_ready("one")
    assert not WeightsFinder((tmp_path,)).seems_ready("drive")
    assert not WeightsFinder((tmp_path,)).seems_ready("not in the registry")
    assert WeightsFinder(random=True).seems_ready("drive")


def test_places_are_parsed(tmp_path):
    odd = put(tmp_path / "a=b", b"")
    places, named, random = parse_places(["DIR", f"one={tmp_path}/x", str(odd), "random"])
    assert places == (Path("DIR"), odd)
    assert named == {"one": tmp_path / "x"}
    assert random


def test_options_go_before_what_is_configured(tmp_path):
    option, configured = put(tmp_path / "1" / "x", ONE), put(tmp_path / "2" / "x", ONE)
    texts = [str(configured.parent), f"drive={configured}", "random"]
    finder = WeightsFinder.from_options([str(option.parent)], texts, {"HOME": "/"})
    assert finder.places[:2] == (option.parent, configured.parent)
    assert finder.places[2:] == default_places({"HOME": "/"})
    assert finder.named == {"drive": configured}
    assert not finder.random, "an option says where weights are: configured randomness is over"
    assert WeightsFinder.from_options([], texts).random
    named = WeightsFinder.from_options([f"drive={option}"], texts)
    assert named.named == {"drive": option}


def test_a_file_is_named_by_the_method_or_by_the_registry(tmp_path):
    path = put(tmp_path / "x", b"own")
    for name in ("tracker", "one"):
        taken = WeightsFinder(named={name: path}).weights_for("tracker", "one")
        assert taken is not None and taken.name == "one" and taken.files == {"one.pth": path}
        assert WeightsFinder(named={name: path}).seems_ready("tracker", "one")


def test_a_misspelt_name_is_not_passed_over(tmp_path):
    finder = WeightsFinder(named={"tracker": tmp_path, "drive": tmp_path})
    finder.check_names(["tracker"])
    with pytest.raises(UnknownName, match="did you mean 'trucker'"):
        finder.check_names(["trucker"])


def test_a_place_that_helps_nobody_is_refused(tmp_path):
    check_places([tmp_path, put(tmp_path / "x", ONE)])
    with pytest.raises(VBenchError, match="no such file or folder"):
        check_places([tmp_path / "absent"])
    with pytest.raises(VBenchError, match="--weights NAME="):
        check_places([put(tmp_path / "y", b"unknown")])


def test_the_cache_follows_the_platform(tmp_path, monkeypatch):
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "vbench" / "weights"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder({}) == tmp_path / ".cache" / "vbench" / "weights"
    assert cache_folder({"XDG_CACHE_HOME": "not/absolute"}) == cache_folder({})
    assert default_places({}) == (cache_folder({}), HERE)


def test_published_weights_are_found_in_the_real_folder(real_data, monkeypatch):
    monkeypatch.undo()
    finder = WeightsFinder((real_data / "weights",))
    for name in ("patchnet", "dcfnet", "nanotrack-v1", "nanotrack-v3", "nanodet", "fastestdet"):
        found = finder.weights_for(name)
        assert found is not None and found.name == name


def test_an_unknown_name_is_told(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(UnknownName, match="did you mean"):
        find("patchnett", [])


def test_one_fitted_file_stands_for_several_onnx_files(tmp_path, monkeypatch) -> None:
    pair = Release("pair", "Pair", (published("a.pth", ONE), published("b.pth", HEAD)))
    monkeypatch.setattr(finding, "registry", lambda: KNOWN | {"pair": pair})
    own, onnx = put(tmp_path / "own.pt", b"fitted"), put(tmp_path / "own.onnx", b"exported")
    found = WeightsFinder(named={"two": own}).weights_for("two")
    assert found is not None
    assert found.files == {"own.pt": own}
    # Of two torch files neither can be left out.
    for name, path in (("two", onnx), ("pair", own)):
        with pytest.raises(VBenchError, match="consists of several files"):
            WeightsFinder(named={name: path}).weights_for(name)
