"""Text to numbers: equal to `float`, bit for bit, and named where it is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.boxes import Floats
from vbench.store.raw_text import BadTable, parse_table, parse_tables

FORMATS = ("%d", "%.1f", "%.2f", "%.3f", "%.4f", "%.7f", "%.12f", "%.17g", "%g", "%e", "%8.3f")


def table(text: bytes, columns: int = 4) -> Floats:
    read = parse_table(text, columns)
    assert not isinstance(read, BadTable), read.why
    return read


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("delimiter", [",", "\t", " ", ", ", " ,\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n", "\n\n"])
def test_equal_to_float(form, delimiter, end):
    values = np.random.default_rng(0).uniform(-99, 1999, (40, 4))
    words = [[form % value for value in row] for row in values]
    text = "".join(delimiter.join(row) + end for row in words).encode()
    assert np.array_equal(table(text), [[float(word) for word in row] for row in words])


numbers = st.one_of(
    st.floats(width=64).map(repr),
    st.integers(-(10**17), 10**17).map(str),
    st.decimals(-99999, 99999, places=3, allow_nan=False).map(str),
    st.from_regex(r"-?[0-9]{0,9}\.[0-9]{1,8}", fullmatch=True),
    st.from_regex(r"[+-]?[0-9]{1,9}\.?", fullmatch=True),
)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=8))
def test_any_number_equals_float(rows):
    text = "\n".join(",".join(row) for row in rows).encode()
    expected = np.array([[float(word) for word in row] for row in rows])
    assert np.array_equal(table(text), expected, equal_nan=True)


@given(
    st.integers(0, 7),
    st.lists(st.integers(-(10**6), 10**8), min_size=4, max_size=40),
    st.sampled_from([b"", b"1.5", b"7", b"-.5", b"1.2.3", b".", b"1..2"]),
)
def test_numbers_with_their_dots_at_one_place(places, digits, stranger):
    words = [b"%.*f" % (places, whole / 10**places) for whole in digits[: len(digits) // 4 * 4]]
    if stranger:
        words[-1] = stranger
    text = b"\n".join(b",".join(words[i : i + 4]) for i in range(0, len(words), 4))
    if stranger in (b"1.2.3", b".", b"1..2"):
        assert isinstance(parse_table(text), BadTable)
    else:
        assert table(text).ravel().tolist() == [float(word) for word in words]


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_a_reason(blob):
    read = parse_table(blob)
    assert isinstance(read, BadTable) or read.shape[1] == 4


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"1,2,3\n", "line 1 has 3 numbers instead of 4"),
        (b"1,2,3,4\n1,2,3,4,5\n", "line 2 has 5 numbers instead of 4"),
        (b"1,2,,4\n", "line 1 has 3 numbers instead of 4"),
        (b"1,2\n3,4\n", "line 1 has 2 numbers instead of 4"),
        (b"1,2,3,4\n1,2,x4,4\n", "line 2: 'x4' is not a number"),
        (b"1,-,3,4", "line 1: '-' is not a number"),
        (b"1,.,3,4", "line 1: '.' is not a number"),
        (b"1,-.,3,4", "line 1: '-.' is not a number"),
        (b"1,1..2,3,4", "line 1: '1..2' is not a number"),
        (b"1,1-2,3,4", "line 1: '1-2' is not a number"),
        (b"1,1_0,3,4", "line 1: '1_0' is not a number"),
        (b"1,2,3,4\n\0\0\0", "not a text file"),
    ],
)
def test_what_is_wrong_is_named(text, why):
    assert parse_table(text) == BadTable(why)


def test_one_bad_file_spoils_no_other():
    texts = [b"1 2 3 4", b"oops", b"5\t6\t7\t8\n", b"", b"NaN,NaN,NaN,NaN\n", b"9;9;9;9"]
    read = parse_tables(texts)
    assert [isinstance(table, BadTable) for table in read] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]
    good = [found for found in read if not isinstance(found, BadTable)]
    assert np.array_equal(good[1], [[5, 6, 7, 8]])
    assert np.isnan(good[2]).all()


def test_files_with_marks_of_windows():
    assert np.array_equal(table(b"\xef\xbb\xbf1,2,3,4\r5,6,7,8"), [[1, 2, 3, 4], [5, 6, 7, 8]])


def test_other_columns():
    assert np.array_equal(table(b"0.25\n.5\n", columns=1), [[0.25], [0.5]])
