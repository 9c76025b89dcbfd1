"""`vbench weights` against a registry and a server of the test."""

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vbench.cli.app import invoke
from vbench.weights import find, registry
from vbench.weights.registry import PublishedFile, Release

BODY = b"trained parameters"


@pytest.fixture
def known(monkeypatch):
    file = PublishedFile(
        "net.pth", "https://host.example/net.pth", len(BODY), hashlib.sha256(BODY).hexdigest()
    )
    entries = {
        "net": Release("net", "A network", (file,), citation="Somebody 2020"),
        "drive": Release("drive", "Another", (PublishedFile("d.pth"),), manual="d.pth is there"),
    }
    monkeypatch.setattr(registry, "registry", lambda: entries)
    monkeypatch.setattr(find, "registry", lambda: entries)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    served = tmp_path / "served"
    served.mkdir()
    (served / "net.pth").write_bytes(BODY)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("VBENCH_WEIGHTS_MIRROR", f"http://127.0.0.1:{server.server_port}")
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def told(capsys, *arguments: str, code: int = 0) -> dict:
    assert invoke(["weights", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_weights_are_fetched_found_and_verified(alone, mirror, known, capsys, tmp_path):
    there = str(tmp_path / "cache" / "vbench" / "weights" / "net" / "net.pth")
    assert told(capsys, "list")["weights"][0]["status"] == "not here"
    assert told(capsys, "fetch", "net")["fetched"] == {"net": [there]}
    assert told(capsys, "list")["weights"][0]["status"] == "ready"
    assert told(capsys, "path", "net")["files"] == {"net.pth": there}
    assert [f["status"] for f in told(capsys, "verify")["files"]] == ["ok"]
    assert invoke(["weights", "path", "net"]) == 0
    assert capsys.readouterr().out == f"{there}\n"


def test_all_that_can_be_fetched_is(alone, mirror, known, capsys):
    assert list(told(capsys, "fetch", "--all", "--into", "here")["fetched"]) == ["net"]
    assert (alone / "here" / "net" / "net.pth").read_bytes() == BODY


def test_a_table_shows_names_and_next_steps(alone, known, capsys):
    assert invoke(["weights", "list"]) == 0
    shown = capsys.readouterr().out
    assert "net: `vbench weights fetch net`" in shown
    assert "drive: d.pth is there; then --weights drive=FILE" in shown


def test_progress_and_paths_go_to_the_right_places(alone, mirror, known, capsys):
    assert invoke(["weights", "fetch", "net"]) == 0
    shown = capsys.readouterr()
    assert not shown.out
    assert "net.pth" in shown.err


def test_what_is_damaged_is_told_with_exit_code_1(alone, mirror, known, capsys):
    told(capsys, "fetch", "net", "--into", "here")
    (alone / "here" / "net" / "net.pth").write_bytes(BODY[::-1])
    places = ("--weights", "here")
    [file] = told(capsys, "verify", *places, code=1)["files"]
    assert file["status"] == "different" and file["mend"] == "`vbench weights fetch net`"
    assert invoke(["weights", "verify", *places]) == 1
    assert "different" in capsys.readouterr().out


def test_a_named_one_that_is_missing_is_told_with_exit_code_1(alone, known, capsys):
    assert [f["status"] for f in told(capsys, "verify", "net", code=1)["files"]] == ["missing"]
    assert told(capsys, "verify")["files"] == []
    assert invoke(["weights", "verify"]) == 0
    assert "no published weights are here" in capsys.readouterr().out


def test_a_named_file_is_where_it_is_said_to_be(alone, known, capsys):
    (alone / "own.pth").write_bytes(b"own")
    found = told(capsys, "path", "net", "--weights", "net=own.pth")
    assert found["files"] == {"net.pth": "own.pth"}
    assert found["sha256"] == hashlib.sha256(b"own").hexdigest()


def test_the_cache_is_the_path_of_no_name(alone, known, capsys, tmp_path):
    assert told(capsys, "path")["cache"] == str(tmp_path / "cache" / "vbench" / "weights")
    assert invoke(["weights", "path"]) == 0
    assert capsys.readouterr().out.strip().endswith("vbench/weights")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["fetch"], "name weights to fetch"),
        (["fetch", "nett"], "did you mean 'net'?"),
        (["fetch", "drive"], "d.pth is there"),
        (["path", "net"], "`vbench weights fetch net`"),
        (["path", "net", "--weights", "absent"], "no such file or folder"),
        (["verify", "nett"], "did you mean 'net'?"),
    ],
)
def test_what_can_be_mended_is_one_line_and_exit_code_2(alone, known, capsys, arguments, line):
    assert invoke(["weights", *arguments]) == 2
    shown = capsys.readouterr()
    assert line in shown.err and shown.err.count("\n") == 1 and not shown.out


def test_a_download_that_fails_is_one_line(alone, mirror, known, capsys):
    (mirror / "net.pth").unlink()
    assert invoke(["weights", "fetch", "net", "--quiet"]) == 2
    shown = capsys.readouterr()
    assert "404" in shown.err and shown.err.count("\n") == 1
