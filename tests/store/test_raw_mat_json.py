"""MATLAB and JSON results: what is read, and files that are none of it."""

import io
import json
import zlib

import numpy as np
import pytest

from vbench.store import raw_json, raw_mat
from vbench.store.raw_json import read_json, read_json_of_all
from vbench.store.raw_layout import ClipNames, find_trackers
from vbench.store.raw_mat import read_mat
from vbench.store.raw_results import read_seconds, read_tracker
from vbench.store.raw_text import BadTable

BOXES = np.array([[1, 2, 3, 4], [5, 6, 7.5, 8]])


def same(read, expected):
    assert not isinstance(read, BadTable), read.why
    return np.array_equal(read, expected, equal_nan=True)


def mat(**variables):
    scipy_io = pytest.importorskip("scipy.io")
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, variables)
    return buffer.getvalue()


def cell(record):
    results = np.empty((1, 1), dtype=object)
    results[0, 0] = record
    return results


def test_cell_of_structs_and_bare_struct():
    record = {"type": "rect", "res": BOXES, "len": 2}
    for results in (cell(record), record):
        assert same(read_mat(mat(results=results)), BOXES)


def test_only_the_first_segment_is_read():
    results = np.empty((1, 2), dtype=object)
    results[0, 0] = {"type": "rect", "res": BOXES}
    results[0, 1] = {"type": "rect", "res": BOXES + 9}
    assert same(read_mat(mat(results=results)), BOXES)


def test_corners_become_the_box_around_them():
    corners = np.array([[0.0, 0, 4, 0, 4, 2, 0, 2]])
    read = read_mat(mat(results=cell({"type": "4corner", "res": corners})))
    assert same(read, [[0, 0, 4, 2]])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not a MATLAB file"),
        (b"1,2,3,4\n" * 50, "not a MATLAB file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "a MATLAB 7.3 file; save it with -v7"),
        (b"MATLAB 5.0 MAT-file".ljust(126) + b"MI" + bytes(100), "big-endian"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"\x0e\0\0\0\xff\0\0\0junk", "damaged"),
    ],
)
def test_what_is_no_mat_file_is_named(content, why):
    pytest.importorskip("scipy.io")
    read = read_mat(content)
    assert isinstance(read, BadTable)
    assert why in read.why


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"other": BOXES}, "without the variable `results`"),
        ({"results": BOXES}, "no struct"),
        ({"results": cell({"type": "ivtAff", "res": BOXES})}, "type 'ivtAff'"),
        ({"results": cell({"type": "rect", "res": "text"})}, "no table of numbers"),
        ({"results": cell({"type": "rect", "res": BOXES[:, :3]})}, "3 columns"),
    ],
)
def test_what_is_wrong_in_a_mat_file_is_named(variables, why):
    read = read_mat(mat(**variables))
    assert isinstance(read, BadTable)
    assert why in read.why


def test_mat_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(raw_mat, "MOST_UNPACKED", 1 << 16)
    packed = zlib.compress(bytes(1 << 20), 9)
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    tag = (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little")
    read = read_mat(head + tag + packed)
    assert read == BadTable("unpacks to far too much for a result")


def test_json_of_the_otb_toolkit():
    rows = BOXES.tolist()
    for value in ([{"type": "rect", "res": rows, "len": 2}], {"res": rows}, rows):
        assert same(read_json(json.dumps(value).encode()), BOXES)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "brackets"),
        ((b"[1," + b" " * 9) * 50_000, "nested too deeply"),
        (b'{"res": []}', "no list of boxes"),
        (b'{"res": [[1, 2, 3]]}', "box 1 is not [x, y, w, h]"),
        (b'{"res": [[1, 2, 3, "4"]]}', "box 1: not all are numbers"),
        (b'{"res": [[1, 2, 3, true]]}', "box 1: not all are numbers"),
        (b'{"type": "ivtAff", "res": [[1, 2, 3, 4]]}', "type 'ivtAff'"),
        (b"[[1,2,3," + b"9" * 400 + b"]]", "too large"),
        (b"[[1,2,3," + b"9" * 5000 + b"]]", "not JSON"),
    ],
)
def test_what_is_wrong_in_json_is_named(content, why):
    read = read_json(content)
    assert isinstance(read, BadTable)
    assert why in read.why


def test_json_that_is_too_large_is_not_parsed(monkeypatch):
    monkeypatch.setattr(raw_json, "MOST_BYTES", 10)
    assert isinstance(read_json(b"[[1, 2, 3, 4]]"), BadTable)


def test_one_json_for_all_clips(tmp_path):
    rows = BOXES.tolist()
    (tmp_path / "DCFNet.json").write_text(json.dumps({"A": rows, "B": {"res": rows}, "C": rows}))
    names = ClipNames(["a", "b"])
    (tracker,) = find_trackers(tmp_path, ["a", "b"])
    read = read_tracker(tracker, names)
    assert (read.name, sorted(read.boxes), read.unknown) == ("DCFNet", ["a", "b"], ["C"])
    assert isinstance(read_json_of_all(b"[1]"), BadTable)


def test_polygons_and_mot_rows_and_times(tmp_path):
    (tmp_path / "a.txt").write_text("0,0,4,0,4,2,0,2\n1,1,5,1,5,3,1,3\n")
    (tmp_path / "b.txt").write_text("1,1,10,20,30,40,1,-1,-1,-1\n3,1,11,20,30,40,1,-1,-1,-1\n")
    (tmp_path / "c.txt").write_text("1,1,1,2,3,4,1,-1,-1,-1\n1,2,1,2,3,4,1,-1,-1,-1\n")
    (tmp_path / "a_time.txt").write_text("0.5\n0.25\n")
    (tracker,) = find_trackers(tmp_path, ["a", "b", "c"])
    read = read_tracker(tracker, ClipNames(["a", "b", "c"]))
    assert same(read.boxes["a"], [[0, 0, 4, 2], [1, 1, 4, 2]])
    assert same(read.boxes["b"], [[10, 20, 30, 40], [np.nan] * 4, [11, 20, 30, 40]])
    assert read.boxes["c"] == BadTable("a MOT file with more than one target")
    assert same(read_seconds(tracker.times["a"]), [0.5, 0.25])
