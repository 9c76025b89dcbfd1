"""Box files: what is read, and what is said of a file that cannot be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.errors import ClipFailed
from vbench.suites.annotation_text import MAX_BYTES, boxes_of, read_boxes, read_table


def written(tmp_path, text, name="gt.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


numbers = st.floats(-9999, 9999).map(lambda v: round(v, 3))


@given(
    rows=st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=20),
    separator=st.sampled_from([",", "\t", " ", "  ", ", ", ";", "\t "]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    tail=st.sampled_from(["", "\n", "\n\n \n"]),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_every_separator_and_line_end_reads_the_same(
    tmp_path_factory, rows, separator, newline, tail, mark
):
    text = mark + newline.join(separator.join(map(repr, row)) for row in rows) + tail
    path = written(tmp_path_factory.mktemp("text"), text)
    np.testing.assert_array_equal(read_table(path), np.array(rows))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, raw):
    path = written(tmp_path_factory.mktemp("bytes"), raw)
    try:
        boxes = read_boxes(path, form="auto", one_based=True)
    except ClipFailed as error:
        assert "gt.txt" in str(error)
        assert "\n" not in str(error)
    else:
        assert boxes.shape[1:] == (4,)
        assert not np.isinf(boxes).any()


def test_forms_agree_on_one_box():
    expected = [[10.0, 20.0, 30.0, 40.0]]
    forms = {
        "xywh": [10, 20, 30, 40],
        "xyxy": [10, 20, 40, 60],
        "cxcywh": [25, 40, 30, 40],
        "polygon": [10, 20, 40, 20, 40, 60, 10, 60],
        "auto": [40, 60, 10, 60, 10, 20, 40, 20],
    }
    for form, row in forms.items():
        np.testing.assert_array_equal(boxes_of(np.array([row], float), form), expected)
    one_based = np.array([[11.0, 21, 30, 40]])
    np.testing.assert_array_equal(boxes_of(one_based, one_based=True), expected)


def test_rows_of_zeros_and_nan_are_absent(tmp_path):
    path = written(tmp_path, "1,2,3,4\nNaN,NaN,NaN,NaN\n0,0,0,0\n5,nan,7,8\n0,0,9,9\n")
    absent = np.isnan(read_boxes(path, one_based=True)).all(axis=1)
    assert absent.tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "gt.txt is empty"),
        ("\n \n", "gt.txt is empty"),
        ("1,2,3\n", "gt.txt row 1: 3 numbers, not 4"),
        ("1,2,3,4\n1,2,3\n", "gt.txt row 2: 3 numbers, not 4"),
        ("1,2,3,4\n\n1,2,3,4\n", "gt.txt row 2: 0 numbers, not 4"),
        ("1,2,3,4\n1,2,,4\n", "gt.txt row 2: '' is not a number"),
        ("1 2 3 4\n1 2 x 4\n", "gt.txt row 2: 'x' is not a number"),
        ("1,2,3,4\n1,2,inf,4\n", "gt.txt row 2: a number beyond 1e+07 px"),
        ("1,2,3,1e300\n", "gt.txt row 1: a number beyond 1e+07 px"),
        (b"1,2\x003,4", "gt.txt is not a text file"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path, text, why):
    with pytest.raises(ClipFailed) as caught:
        read_boxes(written(tmp_path, text))
    assert str(caught.value) == why


def test_a_header_is_skipped_only_where_it_may_stand(tmp_path):
    path = written(tmp_path, "x,y,w,h\n1,2,3,4\n1,2,3,z\n")
    with pytest.raises(ClipFailed, match="row 1: 'x' is not a number"):
        read_table(path)
    with pytest.raises(ClipFailed, match="row 3: 'z' is not a number"):
        read_table(path, header=True)


def test_missing_and_giant_files_are_refused(tmp_path):
    with pytest.raises(ClipFailed, match=r"none\.txt cannot be read: No such file"):
        read_table(tmp_path / "none.txt")
    giant = tmp_path / "giant.txt"
    with giant.open("wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    with pytest.raises(ClipFailed, match="larger than 64 MiB"):
        read_table(giant)


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4\n5,6,7,8\n",
        "1\t2\t3\t4\r\n5\t6\t7\t8",
        "1 2 3 4\n5 6 7 8\n\n",
        "\ufeff1;2;3;4\n5;6;7;8;\n",
        "1, 2, 3, 4\n5,6, 7,8",
        "+1,2.0,3e0,4\n5.,6,.7e1,8",
    ],
)
def test_rows_read_the_same_however_they_are_separated(tmp_path, text) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    assert read_table(tmp_path / "a.txt").tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


@pytest.mark.parametrize("text", ["1,2\n3,,4\n5,6\n", "1,2\n3,a\n", "1,2\n3,e\n", "1,2\n3,4-5\n"])
def test_a_cell_that_is_no_number_is_named(tmp_path, text) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ClipFailed, match=r"a\.txt row 2"):
        read_table(tmp_path / "a.txt")
