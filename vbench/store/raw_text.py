"""Numbers out of text files, many files at once: boxes of raw results, one line a frame.

Plain decimal numbers (`-123.456`) are read eight characters at a time with integer arithmetic on
whole arrays: digits are summed pairwise as in D. Lemire, "Number parsing at a gigabyte per second"
(2021), section 6, and the decimal point divides out in one correctly rounded operation, so that the
values equal `float(text)` bit for bit. Anything else (NaN, exponents, 17 digits) goes through
`float`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints

Words: TypeAlias = NDArray[np.uint64]

# Longest file that is read; the longest sequence of any suite here has under 30,000 frames.
MOST_BYTES = 64 << 20
# Bytes in front of the text, so that every number can be read with what stands before it.
PAD = 16
# Numbers of at most this many characters are read with integers, as 15 digits are exact in float64.
LONGEST = 16
ZEROS = np.uint64(0x3030303030303030)
DOTS = np.uint64(0x2E2E2E2E2E2E2E2E)
ONES = np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)
OVER_NINE = np.uint64(0x7676767676767676)
MINUS_TO_ZERO = np.uint64(0x2D ^ 0x30)
POWERS = 10.0 ** np.arange(LONGEST + 1)
# Which characters of a word of 8 belong to a number of n characters that ends with it.
KEEP = np.array([((1 << 8 * n) - 1) << 8 * (8 - n) for n in range(9)], dtype=np.uint64)
FILL = ~KEEP & ZEROS
# What separates numbers: 1 within a row, 2 between rows, 0 nothing that may stand there.
SEPARATOR = np.zeros(256, dtype=np.uint8)
SEPARATOR[[ord(c) for c in "\t\r ,"]] = 1
SEPARATOR[ord("\n")] = 2
UNUSUAL = bytes.maketrans(b";|\x0b\x0c", b"    ")


@dataclass(frozen=True)
class BadTable:
    """A file that is no table of numbers, and why."""

    why: str


Table: TypeAlias = Floats | BadTable


def parse_table(text: bytes, columns: int = 4) -> Table:
    """Read one file's rows of `columns` numbers, shape (rows, columns)."""
    return parse_tables([text], columns)[0]


def parse_tables(texts: Sequence[bytes], columns: int = 4) -> list[Table]:
    """Read the rows of `columns` numbers of each text; a text that is no such table says why.

    Numbers may be separated by commas, tabs, spaces or semicolons, in any mixture.
    """
    if not texts:
        return []
    ended = [text if text.endswith(b"\n") else text + b"\n" for text in texts]
    read = _read_joined(b"".join(ended), columns)
    if read is None:
        if len(texts) == 1:
            return [_read_carefully(texts[0], columns)]
        half = len(texts) // 2
        return parse_tables(texts[:half], columns) + parse_tables(texts[half:], columns)
    values, row_ends = read
    edges = np.searchsorted(row_ends, np.cumsum([len(text) for text in ended]) + PAD)
    return [
        values[first:last] if last > first else BadTable("the file is empty")
        for first, last in zip([0, *edges[:-1]], edges, strict=True)
    ]


def _read_joined(text: bytes, columns: int) -> tuple[Floats, Ints] | None:
    """Values (rows, columns) and where each row ends, or None where something is irregular."""
    data = np.frombuffer(b"\n" * PAD + text, dtype=np.uint8)
    separators = np.flatnonzero(data <= ord(","))[PAD - 1 :]
    kinds = SEPARATOR[data[separators]]
    starts, ends, kinds = separators[:-1] + 1, separators[1:], kinds[1:]
    lengths = ends - starts
    if not lengths.all():
        starts, ends, kinds, lengths = _without_gaps(starts, ends, kinds, lengths)
    if len(ends) % columns or not kinds.all():
        return None
    last = kinds.reshape(-1, columns) == 2
    if not last[:, -1].all() or np.count_nonzero(last) != len(last):
        return None
    values = _numbers(data, starts, ends, lengths)
    if values is None:
        return None
    return values.reshape(-1, columns), ends[columns - 1 :: columns]


def _without_gaps(
    starts: Ints, ends: Ints, kinds: NDArray[np.uint8], lengths: Ints
) -> tuple[Ints, Ints, NDArray[np.uint8], Ints]:
    """Drop the empty numbers between `, ` or `\\r\\n`; a number keeps the strongest separator."""
    kept = np.flatnonzero(lengths)
    if not len(kept):
        return starts[:0], ends[:0], kinds[:0], lengths[:0]
    kinds = np.maximum.reduceat(kinds, kept) * np.minimum.reduceat(kinds > 0, kept)
    return starts[kept], ends[kept], kinds, lengths[kept]


def _numbers(data: NDArray[np.uint8], starts: Ints, ends: Ints, lengths: Ints) -> Floats | None:
    """Value of each run of characters; None where many of them are unusual or one is no number."""
    words = _words_before(data, ends)
    short = np.minimum(lengths, 8)
    words = (words & KEEP[short]) | FILL[short]
    signed = np.flatnonzero(data[starts] == ord("-"))
    near = signed[lengths[signed] <= 8]
    words[near] ^= MINUS_TO_ZERO << (8 * (8 - lengths[near])).astype(np.uint64)
    words, decimals = _without_dot(words)
    fine = _all_digits(words)
    values = _eight_digits(words).astype(np.float64)
    values /= POWERS[decimals]
    values[near] *= -1.0
    fine &= (lengths > 1) | (data[starts] >= ord("0"))
    rest = np.flatnonzero(~fine | (lengths > 8))
    if len(rest) and not _fill_long(values, rest, data, starts, ends):
        return None
    return values


def _words_before(data: NDArray[np.uint8], ends: Ints) -> Words:
    """The eight bytes in front of each position, the nearest one in the highest byte."""
    # Items of eight single bytes are copied faster than integers that are not aligned.
    everywhere = np.ndarray((len(data) - 7,), "S8", buffer=data, strides=(1,))
    words: Words = everywhere[ends - 8].view("<u8")
    return words


def _dots(words: Words) -> Words:
    """The lowest 0x80 of each result marks the first dot; 0 where there is none."""
    gaps = words ^ DOTS
    marks: Words = (gaps - ONES) & ~gaps & TOPS
    return marks & (~marks + np.uint64(1))


def _without_dot(words: Words) -> tuple[Words, Ints]:
    """Close the gap of the first dot of each word; also the number of digits behind it."""
    marks = _dots(words)
    if not marks.any():
        return words, np.zeros(len(words), dtype=np.int64)
    below = ((marks >> np.uint64(7)) - np.uint64(1)) & -(marks != 0).astype(np.uint64)
    above = ~((below << np.uint64(8)) | np.uint64(0xFF))
    above |= -(marks == 0).astype(np.uint64)
    closed = (words & above) | ((words & below) << np.uint64(8))
    closed |= (marks != 0) * np.uint64(ord("0"))
    return closed, _digits_behind(marks)


def _digits_behind(marks: Words) -> Ints:
    """7 - (byte of the mark), 0 where there is no mark."""
    # A mark is a power of two, so its exponent is exact in float64.
    exponents = np.frexp(marks.astype(np.float64))[1]
    behind = 8 - (exponents >> 3)
    return np.where(marks == 0, 0, behind).astype(np.int64)


def _all_digits(words: Words) -> Bools:
    """Tell which words are eight digits."""
    digits = words ^ ZEROS
    good: Bools = ((digits | (digits + OVER_NINE)) & TOPS) == 0
    return good


def _eight_digits(words: Words) -> Words:
    """The number that eight digits spell, first digit in the lowest byte."""
    digits = words ^ ZEROS
    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    mask = np.uint64(0x000000FF000000FF)
    high = (pairs & mask) * np.uint64((100 << 0) + (1000000 << 32))
    low = ((pairs >> np.uint64(16)) & mask) * np.uint64(1 + (10000 << 32))
    spelled: Words = (high + low) >> np.uint64(32)
    return spelled
