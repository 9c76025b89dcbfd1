"""Downloads against a server that breaks, lies and runs in circles."""

import errno
import hashlib
import re
import shutil
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vbench.core.errors import NotReady
from vbench.weights.fetch import FetchFailed, download, fetch, mirrored
from vbench.weights.registry import PublishedFile, Release

BODY = bytes(range(256)) * 1024  # 256 KiB
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY under several vices; counts requests and keeps their Range headers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.tag = '"first"'
        self.body = BODY

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.close_connection = True
        self.server.seen[self.path] += 1
        self.server.ranges.append(self.headers["Range"])
        vice = getattr(self, "do_" + self.path.strip("/").split("/")[0].replace(".", "_"), None)
        vice() if vice else self.answer(404)

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        headers.setdefault("Content_Length", str(len(body)))
        for name, value in headers.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_plain(self):
        body, start = self.server.body, self.start()
        if start == 0:
            self.answer(200, body, ETag=self.server.tag)
        elif start >= len(body):
            self.answer(416)
        else:
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.answer(206, body[start:], Content_Range=span, ETag=self.server.tag)

    def start(self):
        held = self.headers["If-Range"]
        if self.headers["Range"] is None or (held and held != self.server.tag):
            return 0
        return int(re.findall(r"\d+", self.headers["Range"])[0])

    def do_broken(self):
        """Half of the body, then the connection ends; whole from the second request on."""
        if self.server.seen[self.path] > 1:
            return self.do_plain()
        half = self.server.body[: len(self.server.body) // 2]
        length = str(len(self.server.body))
        return self.answer(200, half, Content_Length=length, ETag=self.server.tag)

    def do_always_broken(self):
        self.answer(200, BODY[:1000], Content_Length=str(len(BODY)))

    def do_stubborn(self):
        """Knows no ranges."""
        if self.server.seen[self.path] == 1:
            return self.answer(200, BODY[:1000], Content_Length=str(len(BODY)))
        return self.answer(200, BODY)

    def do_wrong(self):
        self.answer(200, BODY[::-1])

    def do_long(self):
        """Says nothing of its length and never stops by itself."""
        self.answer(200, BODY * 4, Content_Length="")

    def do_moved(self):
        self.answer(302, Location="/plain/x")

    def do_circle(self):
        self.answer(302, Location="/circle/x")

    def do_farther(self):
        step = int(self.path.rpartition("/")[2])
        self.answer(302, Location=f"/farther/{step + 1}")

    def do_ftp(self):
        self.answer(302, Location="ftp://127.0.0.1/x")

    def do_tired(self):
        if self.server.seen[self.path] < 3:
            return self.answer(503)
        return self.do_plain()

    def do_shifted(self):
        """Answers another part than asked for."""
        if self.headers["Range"]:
            return self.answer(206, BODY[5:], Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")
        return self.answer(200, BODY[:1000], Content_Length=str(len(BODY)))


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def get(server, tmp_path):
    def run(path: str, **known) -> Path:
        known.setdefault("sha256", SHA256)
        known.setdefault("bytes", len(BODY))
        known.setdefault("tries", 1)
        target = tmp_path / "in" / "w.pth"
        return download(server.url(path), target, pause_seconds=0.0, timeout_seconds=5.0, **known)

    return run


def left(tmp_path: Path) -> list[str]:
    folder = tmp_path / "in"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_arrives_whole_and_alone(get, tmp_path):
    seen = []
    path = get("/plain/x", progress=lambda here, total: seen.append((here, total)))
    assert path.read_bytes() == BODY
    assert left(tmp_path) == ["w.pth"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert [here for here, _ in seen] == sorted(here for here, _ in seen)


def test_a_git_blob_hash_is_checked(get):
    blob = hashlib.sha1(b"blob %d\0" % len(BODY) + BODY, usedforsecurity=False).hexdigest()
    assert get("/plain/x", sha256="", git_blob=blob).read_bytes() == BODY
    with pytest.raises(FetchFailed, match="git blob"):
        get("/plain/y", sha256="", git_blob="0" * 40)


def test_a_broken_download_continues_at_once(get, server):
    assert get("/broken/x", tries=2).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY) // 2}-"]


def test_a_broken_download_continues_by_the_next_call(get, server, tmp_path):
    with pytest.raises(FetchFailed, match=r"ended after 131072 of 262144 bytes; run it again"):
        get("/broken/x")
    assert left(tmp_path) == ["w.pth.part", "w.pth.part.tag"]
    assert get("/broken/x").read_bytes() == BODY
    assert server.ranges[-1] == f"bytes={len(BODY) // 2}-"
    assert left(tmp_path) == ["w.pth"]


def test_without_a_hash_only_the_same_version_is_continued(get, server):
    with pytest.raises(FetchFailed):
        get("/broken/x", sha256="", bytes=None)
    server.tag, server.body = '"second"', BODY[::-1]
    assert get("/broken/x", sha256="", bytes=None).read_bytes() == BODY[::-1]


def test_without_hash_and_version_it_starts_again(get, server):
    with pytest.raises(FetchFailed):
        get("/stubborn/x", sha256="", bytes=None)
    get("/stubborn/x", sha256="", bytes=None)
    assert server.ranges == [None, None]


def test_a_server_without_ranges_sends_all_again(get, server):
    assert get("/stubborn/x", tries=2).read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000-"]


def test_a_server_that_sends_another_part_is_refused(get):
    with pytest.raises(FetchFailed, match="another part"):
        get("/shifted/x", tries=2)


def test_a_download_that_breaks_every_time_is_told(get, server):
    with pytest.raises(FetchFailed, match="continues where it stopped"):
        get("/always_broken/x", tries=3)
    assert server.seen["/always_broken/x"] == 3


def test_a_wrong_hash_leaves_nothing_behind(get, tmp_path):
    with pytest.raises(FetchFailed, match=r"sha256 .* instead of"):
        get("/wrong/x")
    assert left(tmp_path) == []


def test_a_wrong_hash_keeps_an_older_file(get, tmp_path):
    old = tmp_path / "in" / "w.pth"
    old.parent.mkdir()
    old.write_bytes(b"older")
    with pytest.raises(FetchFailed):
        get("/wrong/x")
    assert old.read_bytes() == b"older"


def test_a_damaged_part_is_noticed_and_dropped(get, tmp_path):
    part = tmp_path / "in" / "w.pth.part"
    part.parent.mkdir()
    part.write_bytes(b"x" * 1000)
    with pytest.raises(FetchFailed, match="sha256"):
        get("/plain/x")
    assert get("/plain/x").read_bytes() == BODY


def test_a_complete_part_needs_no_server(get, server, tmp_path):
    part = tmp_path / "in" / "w.pth.part"
    part.parent.mkdir()
    part.write_bytes(BODY)
    assert get("/plain/x").read_bytes() == BODY
    assert not server.seen


def test_a_part_longer_than_the_file_starts_again(get, tmp_path):
    part = tmp_path / "in" / "w.pth.part"
    part.parent.mkdir()
    part.write_bytes(BODY * 2)
    assert get("/plain/x").read_bytes() == BODY


def test_a_part_that_the_server_cannot_continue_starts_again(get, tmp_path):
    part = tmp_path / "in" / "w.pth.part"
    part.parent.mkdir()
    part.write_bytes(BODY * 2)
    assert get("/plain/x", bytes=None, tries=2).read_bytes() == BODY


def test_not_found_is_not_tried_again(get, server):
    with pytest.raises(FetchFailed, match="404 Not Found"):
        get("/absent/x", tries=3)
    assert server.seen["/absent/x"] == 1


def test_a_tired_server_is_asked_again(get):
    assert get("/tired/x", tries=3).read_bytes() == BODY


def test_redirects_are_followed_but_not_in_circles(get, server):
    assert get("/moved/x").read_bytes() == BODY
    with pytest.raises(FetchFailed, match="redirects in a circle") as raised:
        get("/circle/x", bytes=None)
    assert "\n" not in str(raised.value)
    with pytest.raises(FetchFailed, match="more than 5 times"):
        get("/farther/0", sha256="0" * 64)
    assert sum(count for path, count in server.seen.items() if "farther" in path) <= 6


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://127.0.0.1/x", "w.pth"])
def test_only_http_addresses_are_fetched(url, tmp_path):
    with pytest.raises(FetchFailed, match="only http"):
        download(url, tmp_path / "w.pth")


def test_a_redirect_to_another_kind_of_address_is_refused(get):
    with pytest.raises(FetchFailed):
        get("/ftp/x")


def test_a_file_of_another_size_is_refused_before_it_is_read(get):
    with pytest.raises(FetchFailed, match="has 262144 bytes instead of 10"):
        get("/plain/x", bytes=10)


def test_a_body_without_end_is_cut_off(get):
    with pytest.raises(FetchFailed, match="more than the 300000 bytes"):
        get("/long/x", bytes=None, most_bytes=300_000)
    with pytest.raises(FetchFailed, match="more than the 1000 allowed"):
        get("/plain/x", bytes=None, most_bytes=1000)


def test_a_server_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(FetchFailed, match="cannot be reached"):
        download("http://127.0.0.1:9/x", tmp_path / "w.pth", tries=1)


class FullDisk:
    """A file that takes 100000 bytes."""

    def __init__(self, file):
        self.file, self.here = file, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def seek(self, to):
        self.file.seek(to)

    def write(self, chunk):
        self.here += len(chunk)
        if self.here > 100_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.file.write(chunk)


def test_a_full_disk_is_told_and_what_came_is_kept(get, monkeypatch, tmp_path):
    opened = Path.open

    def full(path, mode="r", *rest, **more):
        file = opened(path, mode, *rest, **more)
        return FullDisk(file) if path.suffix == ".part" and "b" in mode and mode != "rb" else file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(FetchFailed, match=r"no space for w\.pth"):
        get("/plain/x")
    monkeypatch.undo()
    assert (tmp_path / "in" / "w.pth.part").stat().st_size > 0
    assert get("/plain/x").read_bytes() == BODY


def test_what_cannot_fit_is_not_begun(get, server, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchFailed, match="1000 bytes of 262144 are free"):
        get("/plain/x")
    assert not server.seen


def test_a_folder_that_cannot_be_made_is_told(get, tmp_path):
    (tmp_path / "in").write_text("a file where the folder should be")
    with pytest.raises(FetchFailed, match="cannot write"):
        get("/plain/x")


def entry(name: str = "plain") -> Release:
    file = PublishedFile("x", "https://host.example/plain/x", len(BODY), SHA256)
    return Release(name, "A network", (file,))


def test_a_mirror_takes_the_place_of_every_host(server, tmp_path):
    assert (
        mirrored("https://host.example/a/b?c=1", "http://mirror/up/") == "http://mirror/up/a/b?c=1"
    )
    assert mirrored("https://host.example/a", "") == "https://host.example/a"
    [path] = fetch(entry(), tmp_path, mirror=server.url(""))
    assert path == tmp_path / "plain" / "x"
    assert path.read_bytes() == BODY


def test_right_files_are_not_fetched_again_and_wrong_ones_are(server, tmp_path):
    names = []

    def progress(name):
        names.append(name)
        return lambda here, total: None

    [path] = fetch(entry(), tmp_path, server.url(""), progress)
    fetch(entry(), tmp_path, server.url(""), progress)
    assert names == ["x"] and server.seen["/plain/x"] == 1
    path.write_bytes(b"damaged")
    fetch(entry(), tmp_path, server.url(""), progress)
    assert path.read_bytes() == BODY


def test_what_only_a_browser_gets_is_told(tmp_path):
    drive = Release("net", "A network", (PublishedFile("n.pth"),), manual="n.pth is on a drive")
    with pytest.raises(NotReady, match=r"n\.pth is on a drive"):
        fetch(drive, tmp_path)
