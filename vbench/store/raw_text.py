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

Bytes: TypeAlias = NDArray[np.uint8]
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
ONE = np.uint64(1)
PAIRS = np.uint64(0x000000FF000000FF)
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
TO_COMMON = bytes.maketrans(b";|,\t\x0b\x0c", b"      ")
TO_SPACES = bytes.maketrans(b",\t\r\n", b"    ")
# Times a byte's unit 256**p, its top three bits are 7 - p.
DIGITS_BEHIND = np.uint64(sum((7 - p) << (61 - 8 * p) for p in range(8)) & (2**64 - 1))
MINUS, ZERO, LAST_SEPARATOR = ord("-"), ord("0"), ord(",")
# Bytes worked on at a time, whole files: what is made of them stays in the cache of a core.
BATCH = 1 << 17


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
    tables: list[Table] = []
    batch: list[bytes] = []
    size = 0
    for text in texts:
        batch.append(text if text.endswith(b"\n") else text + b"\n")
        size += len(text)
        if size > BATCH:
            tables += _read_batch(batch, columns)
            batch, size = [], 0
    return tables + (_read_batch(batch, columns) if batch else [])


def _read_batch(texts: list[bytes], columns: int) -> list[Table]:
    read = _read_joined(b"".join(texts), columns)
    if read is None:
        if len(texts) == 1:
            return [_read_carefully(texts[0], columns)]
        half = len(texts) // 2
        return _read_batch(texts[:half], columns) + _read_batch(texts[half:], columns)
    values, row_ends = read
    edges = np.searchsorted(row_ends, np.cumsum([len(text) for text in texts]) + PAD)
    return [
        values[first:last] if last > first else BadTable("the file is empty")
        for first, last in zip([0, *edges[:-1]], edges, strict=True)
    ]


def _read_joined(text: bytes, columns: int) -> tuple[Floats, Ints] | None:
    """Values (rows, columns) and where each row ends, or None where something is irregular."""
    data = np.frombuffer(b"\n" * PAD + text, dtype=np.uint8)
    separators = np.flatnonzero(data <= LAST_SEPARATOR)[PAD - 1 :]
    kinds = SEPARATOR[data[separators[1:]]]
    if not kinds.all():
        return None
    starts, ends = separators[:-1] + 1, separators[1:]
    gaps = starts == ends
    if gaps.any():
        # Empty numbers, as between ", " or at the end of "\r\n": a number is followed by the
        # strongest of the separators up to the next one.
        kept = np.flatnonzero(~gaps)
        kinds = np.maximum.reduceat(kinds, kept) if len(kept) else kinds[:0]
        starts, ends = starts[kept], ends[kept]
    if len(ends) % columns:
        return None
    last = kinds.reshape(-1, columns) == 2
    if not last[:, -1].all() or np.count_nonzero(last) != len(last):
        return None
    values = _numbers(data, starts, ends)
    if values is None:
        return None
    return values.reshape(-1, columns), ends[columns - 1 :: columns]


def _numbers(data: Bytes, starts: Ints, ends: Ints) -> Floats | None:
    """Value of each run of characters; None where one is no number."""
    lengths = ends - starts
    if np.count_nonzero(lengths > LONGEST) * 8 > len(lengths):
        return _all_at_once(data[starts[0] : ends[-1]], len(lengths))
    short = np.minimum(lengths, 8)
    words = _words_before(data, ends)
    words &= KEEP[short]
    words |= FILL[short]
    signed = np.flatnonzero(data[starts] == MINUS)
    signed = signed[lengths[signed] <= 8]
    words[signed] ^= MINUS_TO_ZERO << (8 * (8 - lengths[signed])).astype(np.uint64)
    decimals = _close_dots(words)
    odd = ~_all_digits(words)
    odd |= lengths > 8
    # "-" and "." and "-." have no digit at all.
    brief = np.flatnonzero(lengths <= 2)
    odd[brief] |= data[ends[brief] - 1] < ZERO
    values = _spelled(words).astype(np.float64)
    values /= POWERS[decimals]
    values[signed] *= -1.0
    rest = np.flatnonzero(odd)
    if not len(rest):
        return values
    return _with_longer(values, rest, data, starts, ends)


def _with_longer(
    values: Floats, rest: Ints, data: Bytes, starts: Ints, ends: Ints
) -> Floats | None:
    """Fill in numbers of 9 to 16 characters, two words each, and then what else is unusual."""
    starts, ends = starts[rest], ends[rest]
    lengths = ends - starts
    two = np.clip(lengths, 9, LONGEST)
    low, high = _words_before(data, ends), _words_before(data, ends - 8)
    high &= KEEP[two - 8]
    high |= FILL[two - 8]
    signed = data[starts] == MINUS
    high[signed] ^= MINUS_TO_ZERO << (8 * (16 - two[signed])).astype(np.uint64)
    marks = _dots(low)
    behind = _close_dots(low)
    # The gap that closes in the low word is filled by the last digit of the high one.
    moved = np.flatnonzero(marks)
    last = high[moved] >> np.uint64(56)
    low[moved] += last - np.uint64(ZERO)
    high[moved] = (high[moved] << np.uint64(8)) | np.uint64(ZERO)
    above = np.flatnonzero(marks == 0)
    upper = high[above]
    in_high = _dots(upper) != 0
    behind_high = _close_dots(upper) + 8
    high[above] = upper
    behind[above] = np.where(in_high, behind_high, 0)
    whole = _spelled(high) * np.uint64(10**8) + _spelled(low)
    good = _all_digits(low) & _all_digits(high) & (lengths > 8) & (lengths <= LONGEST)
    good &= whole <= np.uint64(10**15)
    found = whole.astype(np.float64) / POWERS[behind]
    found[signed] *= -1.0
    values[rest] = found
    odd = rest[~good]
    return values if _one_by_one(values, odd, data, starts[~good], ends[~good]) else None


def _all_at_once(data: Bytes, count: int) -> Floats | None:
    """Read everything with the C library: files written with 17 digits."""
    spaced = data.tobytes().translate(TO_SPACES)
    try:
        values = np.fromstring(spaced, dtype=np.float64, sep=" ")
    except (ValueError, DeprecationWarning):
        return None
    return values if len(values) == count else None


def _one_by_one(values: Floats, odd: Ints, data: Bytes, starts: Ints, ends: Ints) -> bool:
    """Read NaN, infinities, exponents and long numbers with `float`; False where one is none."""
    for index, first, last in zip(odd.tolist(), starts.tolist(), ends.tolist(), strict=True):
        number = _number(data[first:last].tobytes())
        if number is None:
            return False
        values[index] = number
    return True


def _number(text: bytes) -> float | None:
    try:
        return None if b"_" in text else float(text)
    except ValueError:
        return None


def _words_before(data: Bytes, ends: Ints) -> Words:
    """The eight bytes in front of each position, the nearest one in the highest byte."""
    # Items of eight single bytes are copied faster than integers that are not aligned.
    everywhere = np.ndarray((len(data) - 7,), "S8", buffer=data, strides=(1,))
    words: Words = everywhere[ends - 8].view("<u8")
    return words


def _dots(words: Words) -> Words:
    """0x80 at the lowest dot of each word; 0 where there is none."""
    gaps = words ^ DOTS
    marks = gaps - ONES
    marks &= ~gaps
    marks &= TOPS
    marks &= ~marks + ONE
    return marks


def _close_dots(words: Words) -> Ints:
    """Take the first dot out of each word, in place; return the number of digits behind it."""
    units = _dots(words)
    units >>= np.uint64(7)
    if not units.any():
        return np.zeros(len(words), dtype=np.int64)
    # What stands before the dot moves up by one character, a 0 comes in below.
    before = (units - ONE) & words
    none = np.flatnonzero(units == 0)
    before[none] = 0
    before *= np.uint64(255)
    words += before
    words -= units * np.uint64(ord("."))
    words += np.uint64(ZERO)
    words[none] -= np.uint64(ZERO)
    units *= DIGITS_BEHIND
    units >>= np.uint64(61)
    return units.view(np.int64)


def _all_digits(words: Words) -> Bools:
    """Tell which words are eight digits."""
    digits = words ^ ZEROS
    digits |= digits + OVER_NINE
    good: Bools = (digits & TOPS) == 0
    return good


def _spelled(words: Words) -> Words:
    """The number that eight digits spell, the first digit in the lowest byte."""
    digits = words ^ ZEROS
    pairs = digits * np.uint64(10)
    pairs += digits >> np.uint64(8)
    high = (pairs & PAIRS) * np.uint64(100 + (1_000_000 << 32))
    pairs >>= np.uint64(16)
    pairs &= PAIRS
    pairs *= np.uint64(1 + (10_000 << 32))
    high += pairs
    high >>= np.uint64(32)
    return high


def _read_carefully(text: bytes, columns: int) -> Table:
    """Read one irregular file row by row, or say what is wrong with which row."""
    if b"\0" in text:
        return BadTable("not a text file")
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    rows: list[list[float]] = []
    for at, line in enumerate(text.translate(TO_COMMON).split(b"\n"), start=1):
        words = line.split()
        if not words:
            continue
        numbers = [_number(word) for word in words]
        if None in numbers:
            word = words[numbers.index(None)][:20].decode("utf-8", "replace")
            return BadTable(f"line {at}: '{word}' is not a number")
        if len(numbers) != columns:
            return BadTable(f"line {at} has {len(numbers)} numbers instead of {columns}")
        rows.append([number for number in numbers if number is not None])
    if not rows:
        return BadTable("the file is empty")
    return np.array(rows, dtype=np.float64)
