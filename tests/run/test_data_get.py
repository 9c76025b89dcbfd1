"""Getting a VOT year from a server of plain files, and what can go wrong."""

import hashlib
import io
import json
import threading
import zipfile
from collections import Counter
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from vbench import catalogue
from vbench.cli.app import Exit, invoke
from vbench.core.errors import NotReady, VBenchError
from vbench.run.data_doctor import card_of
from vbench.run.data_get import get_suite, instructions
from vbench.run.data_zips import zips_of
from vbench.store.unpack import unpack
from vbench.weights.fetch import FetchFailed


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def jpeg():
    return cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


@pytest.fixture
def server(tmp_path):
    """Serves two sequences as data.votchallenge.net does; counts what is asked for."""
    root = tmp_path / "www"
    asked: Counter[str] = Counter()
    behave: dict[str, str] = {}
    ranges: list[str | None] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(root))

        def log_message(self, *_):
            pass

        def do_GET(self):
            asked[self.path] += 1
            kind, _, where = behave.get(self.path, "").partition(" ")
            if kind == "tired" and asked[self.path] == 1:
                self.send_error(503)
            elif kind == "moved":
                self.send_response(302)
                self.send_header("Location", where)
                self.end_headers()
            elif kind == "breaks":
                self.in_parts()
            else:
                super().do_GET()

        def in_parts(self):
            """Send half and break; continue where a range asks to."""
            content = (root / self.path[1:]).read_bytes()
            asked_range = self.headers.get("Range")
            ranges.append(asked_range)
            begin = int(asked_range[6:-1]) if asked_range else 0
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.send_header("ETag", '"one"')
            if begin:
                last = len(content) - 1
                self.send_header("Content-Range", f"bytes {begin}-{last}/{len(content)}")
            self.end_headers()
            end = len(content) if begin else len(content) // 2
            self.wfile.write(content[begin:end])

    sequences = []
    for name, kind in (("bag", hashlib.md5), ("ball", hashlib.sha1)):
        notes = zipped({"groundtruth.txt": "10,10,8,8\n" * 2, "occlusion.tag": "0\n1\n"})
        color = zipped({f"{n:08d}.jpg": jpeg() for n in (1, 2)})
        for part, content in (("annotations", notes), ("color", color)):
            path = root / "vot2018/main" / f"{name}-{part}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        sequences.append(
            {
                "name": name,
                "fps": 30,
                "width": 64,
                "height": 48,
                "annotations": {
                    "url": f"{name}-annotations.zip",
                    "checksum": kind(notes).hexdigest(),
                },
                "channels": {
                    "color": {
                        "url": f"{name}-color.zip",
                        "checksum": kind(color).hexdigest(),
                        "pattern": "%08d.jpg",
                    }
                },
            }
        )
    described = root / "vot2018/main/description.json"
    described.write_text(json.dumps({"name": "VOT2018", "sequences": sequences}))
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    mirror = f"http://127.0.0.1:{httpd.server_port}"
    yield SimpleNamespace(root=root, asked=asked, behave=behave, ranges=ranges, mirror=mirror)
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_what_is_fetched_can_be_opened_and_is_fetched_once(server, tmp_path):
    card, folder = card_of("vot2018"), tmp_path / "data"
    done = get_suite(card, folder, mirror=server.mirror)
    assert (done.fetched, done.kept) == (("bag", "ball"), ())
    suite = catalogue.open_suite("vot2018", folder, None)
    assert [(c.name, len(c), c.size, c.fps) for c in suite.clips] == [
        ("bag", 2, (64, 48), 30),
        ("ball", 2, (64, 48), 30),
    ]
    assert suite.clips[0].frames[1].shape == (48, 64, 3)
    assert not list(folder.glob(".downloads/*.zip"))
    again = get_suite(card, folder, mirror=server.mirror)
    assert (again.fetched, again.kept) == ((), ("bag", "ball"))
    assert server.asked["/vot2018/main/bag-color.zip"] == 1


def test_some_sequences_alone(server, tmp_path):
    card = card_of("vot2018")
    done = get_suite(card, tmp_path / "d", mirror=server.mirror, only=("ball",))
    assert done.fetched == ("ball",)
    assert (tmp_path / "d/list.txt").read_text() == "ball\n"
    with pytest.raises(VBenchError, match="no sequence 'bal'; it has bag, ball"):
        get_suite(card, tmp_path / "d", mirror=server.mirror, only=("bal",))


def test_an_interrupted_sequence_is_fetched_again(server, tmp_path):
    card, folder = card_of("vot2018"), tmp_path / "data"
    get_suite(card, folder, mirror=server.mirror)
    (folder / "bag/sequence").unlink()  # written last
    done = get_suite(card, folder, mirror=server.mirror)
    assert (done.fetched, done.kept) == (("bag",), ("ball",))


COLOR = "/vot2018/main/bag-color.zip"


@pytest.mark.parametrize("behaviour", ["breaks", "tired", "moved /vot2018/main/else.zip"])
def test_broken_tired_and_moving_servers_still_deliver(behaviour, server, tmp_path, monkeypatch):
    monkeypatch.setattr("vbench.weights.fetch.time.sleep", lambda _: None)
    server.behave[COLOR] = behaviour
    (server.root / "vot2018/main/else.zip").write_bytes((server.root / COLOR[1:]).read_bytes())
    done = get_suite(card_of("vot2018"), tmp_path / "d", mirror=server.mirror)
    assert done.fetched == ("bag", "ball")
    assert (tmp_path / "d/bag/color/00000002.jpg").is_file()
    if behaviour == "breaks":
        half = (server.root / COLOR[1:]).stat().st_size // 2
        assert server.ranges == [None, f"bytes={half}-"]


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("moved /gone", "404"),
        (f"moved {COLOR}", "redirects in a circle"),
        ("moved file:///x", "ball-color.zip"),
    ],
)
def test_servers_that_do_not_deliver_are_told_and_what_came_is_kept(
    behaviour, why, server, tmp_path
):
    server.behave[COLOR.replace("bag", "ball")] = behaviour.replace("bag", "ball")
    with pytest.raises(FetchFailed, match=why):
        get_suite(card_of("vot2018"), tmp_path / "d", mirror=server.mirror)
    assert (tmp_path / "d/list.txt").read_text() == "bag\n"
    server.behave.clear()
    again = get_suite(card_of("vot2018"), tmp_path / "d", mirror=server.mirror)
    assert (again.fetched, again.kept) == (("ball",), ("bag",))


def test_a_description_that_is_far_too_large_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr("vbench.run.data_get.MOST_DESCRIPTION_BYTES", 100)
    with pytest.raises(FetchFailed, match="more than the 100 allowed"):
        get_suite(card_of("vot2018"), tmp_path / "d", mirror=server.mirror)


def test_other_content_than_published_is_refused(server, tmp_path):
    (server.root / "vot2018/main/bag-color.zip").write_bytes(zipped({"00000001.jpg": b"x"}))
    with pytest.raises(FetchFailed, match="bag-color.zip has another checksum"):
        get_suite(card_of("vot2018"), tmp_path / "d", mirror=server.mirror)
    assert not (tmp_path / "d/bag/color").exists()


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"sequences": [{"name": "../x"}]}', '{"sequences": [{"name": "a"}]}']
)
def test_a_description_that_is_none_is_refused(text, server, tmp_path):
    (server.root / "vot2018/main/description.json").write_text(text)
    with pytest.raises(VBenchError, match="no description of sequences"):
        get_suite(card_of("vot2018"), tmp_path / "d", mirror=server.mirror)


def test_suites_behind_forms_say_how_to_get_them(tmp_path, capsys):
    with pytest.raises(NotReady, match=r"lasot: its publisher serves no plain files; get them"):
        get_suite(card_of("lasot"), tmp_path)
    assert invoke(["data", "get", "uav123", "--data", str(tmp_path)]) == Exit.USAGE
    err = capsys.readouterr().err
    assert "licence: none stated" in err
    assert "vbench data check uav123 --data DIR" in err


def test_the_command_line(server, tmp_path, capsys):
    folder = str(tmp_path / "data")
    asked = ["data", "get", "vot2018", "--data", folder, "--mirror", server.mirror, "--json"]
    assert invoke(asked) == Exit.OK
    assert json.loads(capsys.readouterr().out)["fetched"] == ["bag", "ball"]
    assert (
        invoke(["data", "get", "vot2018", "--data", folder, "--mirror", server.mirror]) == Exit.OK
    )
    assert "0 sequences fetched, 2 were here" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "C:/out.txt"])
def test_zips_do_not_lead_out_of_their_folder(name, tmp_path):
    path = tmp_path / "in.zip"
    path.write_bytes(zipped({"good.txt": "x", name: "y"}))
    with pytest.raises(VBenchError, match="leads out of the folder"):
        unpack(path, tmp_path / "inner")
    assert not list(tmp_path.glob("**/*.txt"))


def test_bombs_links_and_no_zips_are_refused(tmp_path):
    path = tmp_path / "in.zip"
    path.write_bytes(zipped({"big.bin": bytes(1 << 20)}))
    with pytest.raises(VBenchError, match="more than any sequence has"):
        unpack(path, tmp_path, most_bytes=1 << 16)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(VBenchError, match="'link' leads out"):
        unpack(path, tmp_path)
    path.write_bytes(b"PK\x03\x04 no")
    with pytest.raises(VBenchError, match="is no zip"):
        unpack(path, tmp_path)


def test_cards_that_can_be_fetched_say_from_where():
    for year in range(2013, 2020):
        address = str(card_of(f"vot{year}").rules["description"])
        assert address.startswith(f"http://data.votchallenge.net/vot{year}/")
    with pytest.raises(NotReady):
        get_suite(replace(card_of("vot2018"), rules={}), None)  # type: ignore[arg-type]


@pytest.fixture
def plain_zips(server):
    """Jogging (two targets) and Deer as the OTB server has them; no checksums are published."""
    seq = server.root / "tracker_benchmark/seq"
    seq.mkdir(parents=True)
    rows = "11,11,8,8\n" * 2
    truths = {
        "Deer": {"groundtruth_rect.txt": rows},
        "Jogging": {"groundtruth_rect.1.txt": rows, "groundtruth_rect.2.txt": rows},
    }
    for video, files in truths.items():
        images = {f"img/{n:04d}.jpg": jpeg() for n in (1, 2)}
        packed = zipped({f"{video}/{name}": text for name, text in (files | images).items()})
        (seq / f"{video}.zip").write_bytes(packed)
    return server


def test_zips_without_checksums_keep_those_of_the_first_download(plain_zips, tmp_path):
    card, folder, only = card_of("otb2015"), tmp_path / "data", ("Deer", "Jogging-2")
    done = get_suite(card, folder, mirror=plain_zips.mirror, only=only)
    assert (done.fetched, done.kept) == (("Deer", "Jogging"), ())
    suite = catalogue.open_suite("otb2015", folder, None)
    assert [(c.name, len(c)) for c in suite.clips] == [
        ("Deer", 2),
        ("Jogging-1", 2),
        ("Jogging-2", 2),
    ]
    again = get_suite(card, folder, mirror=plain_zips.mirror, only=only)
    assert (again.fetched, again.kept) == ((), ("Deer", "Jogging"))
    content = (plain_zips.root / "tracker_benchmark/seq/Deer.zip").read_bytes()
    assert (
        f"{hashlib.sha256(content).hexdigest()}  Deer\n" in (folder / "checksums.txt").read_text()
    )
    # Unpacked halfway: it is fetched again, and only the same file is taken.
    (folder / ".downloads/done/Deer").unlink()
    assert get_suite(card, folder, mirror=plain_zips.mirror, only=only).fetched == ("Deer",)
    (folder / ".downloads/done/Deer").unlink()
    (plain_zips.root / "tracker_benchmark/seq/Deer.zip").write_bytes(zipped({"Deer/x": "y"}))
    with pytest.raises(FetchFailed, match="another file than the first download"):
        get_suite(card, folder, mirror=plain_zips.mirror, only=only)
    with pytest.raises(VBenchError, match="otb2015 has no sequence 'Dear'"):
        get_suite(card, folder, mirror=plain_zips.mirror, only=("Dear",))


def test_a_broken_zip_is_continued(plain_zips, tmp_path, monkeypatch):
    monkeypatch.setattr("vbench.weights.fetch.time.sleep", lambda _: None)
    plain_zips.behave["/tracker_benchmark/seq/Deer.zip"] = "breaks"
    done = get_suite(card_of("tb50"), tmp_path, mirror=plain_zips.mirror, only=("Deer",))
    assert done.fetched == ("Deer",)
    assert plain_zips.ranges[0] is None
    assert str(plain_zips.ranges[1]).startswith("bytes=")


def test_every_card_is_served_or_says_how_to_get_it():
    assert len(zips_of(card_of("otb2015"))) == 98
    assert list(zips_of(card_of("tcolor128"))) == ["tcolor128"]
    for name in ("lasot", "nfs", "dtb70", "uav123", "uav20l", "got10k-val", "got10k-test"):
        assert zips_of(card_of(name)) == {}
        told = instructions(card_of(name))
        assert all(part in told for part in ("http", "licence", "lay them out as", "--data DIR"))
