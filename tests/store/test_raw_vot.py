"""VOT result files: codes, boxes, polygons, repetitions, and what can be wrong with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.errors import ClipFailed, NotReady
from vbench.core.vot_run import Code, VotRun
from vbench.store.raw_vot import (
    parse_vot,
    plain_run,
    read_seconds,
    read_vot,
    write_seconds,
    write_vot,
    write_vot_runs,
)


def lay(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_codes_and_boxes_are_told_apart():
    run = parse_vot(b"1\n1.5,2,3,4\n2\n0\n0\n0\n0\n1\n-1,0,1e1,5\n")
    assert run.codes.tolist() == [1, 3, 2, 0, 0, 0, 0, 1, 3]
    assert run.failures == 1
    np.testing.assert_array_equal(run.regions[[1, 8]], [[1.5, 2, 3, 4], [-1, 0, 10, 5]])
    assert np.isnan(run.regions[[0, 2, 3, 7]]).all()


def test_polygons_codes_with_decimals_and_windows_lines_are_read():
    run = parse_vot(b"1.0000\r\n0,0,4,0,4,4,0,4\r\n2.0000\r\n")
    assert run.codes.tolist() == [Code.START, Code.REGION, Code.FAILURE]
    assert run.regions.shape == (3, 8)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"1\n1,2,3\n", "line 2: '1,2,3' is neither"),
        (b"1\n7\n", "line 2: '7' is neither"),
        (b"1\n1,2,3,x\n", "line 2: '1,2,3,x' is not numbers"),
        (b"1\n1,2,3,4\n\n1,2,3,4\n", "line 3: '' is neither"),
        (b"1\n1,2,3,4\n1,2,3,4,5,6,7,8\n", "mixed"),
        (b"1\nnan,nan,nan,nan\n", "line 2: a region that cannot"),
        (b"1\n0,0,1e9,1\n", "line 2: a region that cannot"),
        (b"1\n0,0,-1,1\n", "line 2: a box of negative size"),
        (b"", "line 1: '' is neither"),
        (b"\x00\x01\x02", "line 1"),
    ],
)
def test_what_is_wrong_is_named(text, why):
    with pytest.raises(ClipFailed, match=why):
        parse_vot(text)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([0, 1, 2]),
            st.tuples(*[st.integers(-(10**8), 10**8)] * 2, *[st.integers(0, 10**8)] * 2),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_is_written_with_four_decimals_is_read_back(tmp_path_factory, lines):
    codes = np.array([3 if isinstance(line, tuple) else line for line in lines], np.int8)
    regions = np.full((len(lines), 4), np.nan)
    for index, line in enumerate(lines):
        if isinstance(line, tuple):
            regions[index] = np.array(line) / 1e4
    path = tmp_path_factory.mktemp("vot") / "a_001.txt"
    write_vot(path, VotRun(codes, regions))
    assert parse_vot(path.read_bytes()).same_as(VotRun(codes, regions))


def test_repetitions_are_found_under_the_experiment_and_problems_are_kept(tmp_path):
    good = "1\n1,2,3,4\n"
    lay(
        tmp_path,
        {
            "baseline/a/a_001.txt": good,
            "baseline/a/a_002.txt": "1\n2\n",
            "baseline/a/a_time.txt": "0.1,0.2\n0.3,0.4\n",
            "baseline/b/b_001.txt": "1\n",
            "baseline/c/c_001.txt": "1\nten,2,3,4\n",
            "baseline/e/e_001.txt": "\n",
            "baseline/f/f_001.txt": "1\n\0\n",
        },
    )
    found = read_vot(tmp_path, dict.fromkeys("abcdef", 2))
    assert [run.codes.tolist() for run in found.runs["a"]] == [[1, 3], [1, 2]]
    assert found.problems == {
        "b": "b_001.txt: 1 lines for 2 frames",
        "c": "c_001.txt: line 2: 'ten,2,3,4' is not numbers",
        "d": "no result file",
        "e": "e_001.txt: the file is empty",
        "f": "f_001.txt: not a text file",
    }
    seconds = read_seconds(tmp_path / "baseline/a/a_time.txt")
    np.testing.assert_array_equal(seconds, [[0.1, 0.2], [0.3, 0.4]])


def test_flat_folders_are_read_and_empty_ones_refused(tmp_path):
    lay(tmp_path, {"a_001.txt": "1\n1,2,3,4\n"})
    assert len(read_vot(tmp_path, {"a": 2}).runs["a"]) == 1
    with pytest.raises(NotReady, match="no VOT result"):
        read_vot(tmp_path, {"z": 2})


def test_seconds_come_back(tmp_path):
    path = tmp_path / "a_time.txt"
    write_seconds(path, [np.array([0.25, 1e-3]), np.array([2.0, 0.0])])
    np.testing.assert_array_equal(read_seconds(path), [[0.25, 2.0], [0.001, 0.0]])


def test_runs_are_written_where_they_are_read_from(tmp_path):
    boxes = np.array([[1.0, 2, 3, 4], [1.25, 2, 3, 4], [np.nan] * 4, [5, 6, 7, 8]])
    run = plain_run(boxes, np.array([0.5, 0.25, np.nan, 0.125]))
    assert run.codes.tolist() == [1, 3, 0, 3]
    assert write_vot_runs(tmp_path / "KCF/unsupervised", {"a": [run]}) == 2
    (read,) = read_vot(tmp_path / "KCF/unsupervised", {"a": 4}).runs["a"]
    assert read.codes.tolist() == run.codes.tolist()
    np.testing.assert_array_equal(read.regions[[1, 3]], boxes[[1, 3]])
    times = read_seconds(tmp_path / "KCF/unsupervised/a/a_time.txt")
    assert times[:, 0].tolist() == [0.5, 0.25, 0, 0.125]


def test_four_decimals_are_written_where_they_are_enough(tmp_path):
    run = plain_run(np.array([[0, 0, 1, 1], [1.5, 0, 1, 1], [1 / 3, 0, 1, 1]]))
    assert write_vot_runs(tmp_path / "x", {"a": [run]}) == 1
    written = (tmp_path / "x/a/a_001.txt").read_text()
    assert written == "1\n1.5000,0.0000,1.0000,1.0000\n0.3333333333333333,0.0,1.0,1.0\n"
    (read,) = read_vot(tmp_path / "x", {"a": 3}).runs["a"]
    np.testing.assert_array_equal(read.regions[1:], run.regions[1:])
