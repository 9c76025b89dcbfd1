"""Decimal numbers out of bytes, whole arrays at a time.

Plain decimal numbers (`-123.456`) are read eight characters at a time with integer arithmetic:
digits are summed pairwise as in D. Lemire, "Number parsing at a gigabyte per second" (2021),
section 6, and the decimal point divides out in one correctly rounded operation, so that the values
equal `float(text)` bit for bit. Anything else (NaN, exponents, 17 digits) goes through `float` or
the C library.

A word is the eight characters in front of a position, the last one in its highest byte, every
character as its distance (exclusive or) from "0".
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.uint64]

# Numbers of at most this many characters are read with integers, as 15 digits are exact in float64.
LONGEST = 16
MINUS, ZERO = ord("-"), ord("0")
ZEROS = np.uint64(0x3030303030303030)
DOTS = np.uint64(0x1E1E1E1E1E1E1E1E)
DOT = np.uint64(0x1E)
SIGN = np.uint64(MINUS ^ ZERO)
ONES = np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)
OVER_NINE = np.uint64(0x7676767676767676)
PAIRS = np.uint64(0x000000FF000000FF)
ONE, SEVEN, BYTE, TWO_BYTES = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(16)
POWERS = 10.0 ** np.arange(LONGEST + 1)
# Which characters of a word belong to a number of n characters that ends with it.
KEEP = np.array([((1 << 8 * n) - 1) << 8 * (8 - n) for n in range(9)], dtype=np.uint64)
# Times a byte's unit 256**p, its top three bits are 7 - p.
DIGITS_BEHIND = np.uint64(sum((7 - p) << (61 - 8 * p) for p in range(8)) & (2**64 - 1))
TO_SPACES = bytes.maketrans(b",\t\r\n", b"    ")


def numbers(data: Bytes, starts: Ints, ends: Ints) -> Floats | None:
    """Value of each run of characters of `data` (n,); None where one is no number.

    16 bytes of `data` must stand before the first run.
    """
    lengths = ends - starts
    longest = lengths.max() if len(lengths) else 0
    if longest > LONGEST and np.count_nonzero(lengths > LONGEST) * 8 > len(lengths):
        return _all_at_once(data[starts[0] : ends[-1]], len(lengths))
    words = _words_before(data, ends)
    words &= KEEP[np.minimum(lengths, 8) if longest > 8 else lengths]
    signed = _signed(data, starts)
    signed = signed[lengths[signed] <= 8]
    words[signed] ^= SIGN << (8 * (8 - lengths[signed])).astype(np.uint64)
    places = _shared_places(words)
    behind = _close_dots(words) if places is None else np.full(1, places)
    odd = _not_digits(words)
    if longest > 8:
        odd |= lengths > 8
    # "-" and "." and "-." have no digit at all.
    brief = np.flatnonzero(lengths <= 2)
    odd[brief] |= data[ends[brief] - 1] < ZERO
    values = _spelled(words).astype(np.float64)
    values /= POWERS[behind]
    values[signed] *= -1.0
    rest = np.flatnonzero(odd)
    return _with_longer(values, rest, data, starts, ends) if len(rest) else values


def number(text: bytes) -> float | None:
    """Value of one number, None where it is none."""
    try:
        return None if b"_" in text else float(text)
    except ValueError:
        return None


def _with_longer(
    values: Floats, rest: Ints, data: Bytes, starts: Ints, ends: Ints
) -> Floats | None:
    """Fill in numbers of 9 to 16 characters, two words each, and then what else is unusual."""
    starts, ends = starts[rest], ends[rest]
    lengths = ends - starts
    upper = np.clip(lengths, 9, LONGEST) - 8
    low, high = _words_before(data, ends), _words_before(data, ends - 8)
    high &= KEEP[upper]
    signed = data[starts] == MINUS
    high[signed] ^= SIGN << (8 * (8 - upper[signed])).astype(np.uint64)
    marks = _dots(low)
    behind = _close_dots(low)
    # The gap that closes in the low word is filled by the last digit of the high one.
    moved = np.flatnonzero(marks)
    low[moved] |= high[moved] >> np.uint64(56)
    high[moved] <<= BYTE
    above = np.flatnonzero(marks == 0)
    without = high[above]
    dotted = _dots(without) != 0
    behind[above] = np.where(dotted, _close_dots(without) + 8, 0)
    high[above] = without
    whole = _spelled(high) * np.uint64(10**8) + _spelled(low)
    odd = _not_digits(low) | _not_digits(high) | (lengths <= 8) | (lengths > LONGEST)
    odd |= whole > np.uint64(10**15)
    found = whole.astype(np.float64) / POWERS[behind]
    found[signed] *= -1.0
    values[rest] = found
    return values if _one_by_one(values, rest[odd], data, starts[odd], ends[odd]) else None


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
        value = number(data[first:last].tobytes())
        if value is None:
            return False
        values[index] = value
    return True


def _signed(data: Bytes, starts: Ints) -> Ints:
    """Which runs begin with a minus: few or none do, so the bytes are searched, not the runs."""
    found = np.flatnonzero(data == MINUS)
    at = np.minimum(np.searchsorted(starts, found), len(starts) - 1)
    return at[starts[at] == found] if len(starts) else found


def _shared_places(words: Words) -> int | None:
    """Take the dot out of each word, in place, where all have it at one place: `%.3f`.

    Returns the number of digits behind it; None, and nothing done, where they differ.
    """
    shift = int(words[0] ^ DOTS).to_bytes(8, "little").find(0) * 8 if len(words) else -8
    if shift < 0:
        return None
    digit = words >> np.uint64(shift)
    digit &= np.uint64(255)
    if not (digit == DOT).all():
        return None
    before = words << BYTE
    before &= np.uint64((256 << shift) - 1)
    words &= np.uint64(2**64 - (256 << shift))
    words |= before
    return 7 - shift // 8


def _words_before(data: Bytes, ends: Ints) -> Words:
    # Items of eight single bytes are copied faster than integers that are not aligned.
    everywhere = np.ndarray((len(data) - 7,), "S8", buffer=data, strides=(1,))
    words: Words = everywhere[ends - 8].view("<u8")
    words ^= ZEROS
    return words


def _dots(words: Words) -> Words:
    """0x80 at the first dot of each word; 0 where there is none."""
    gaps = words ^ DOTS
    marks = gaps - ONES
    marks &= np.invert(gaps, out=gaps)
    marks &= TOPS
    marks &= np.negative(marks)
    return marks


def _close_dots(words: Words) -> Ints:
    """Take the first dot out of each word, in place; return the number of digits behind it."""
    units = _dots(words)
    units >>= SEVEN
    # What stands before the dot moves up by one character, a 0 comes in below.
    before = units - ONE
    before &= words
    none = np.flatnonzero(units == 0)
    if len(none) == len(units):
        return np.zeros(len(words), dtype=np.int64)
    before[none] = 0
    before *= np.uint64(255)
    words += before
    words -= units * DOT
    units *= DIGITS_BEHIND
    units >>= np.uint64(61)
    return units.view(np.int64)


def _not_digits(words: Words) -> Bools:
    """Tell which words are not eight digits."""
    over = words + OVER_NINE
    over |= words
    over &= TOPS
    wrong: Bools = over != 0
    return wrong


def _spelled(words: Words) -> Words:
    """The number that eight digits spell, the first digit in the lowest byte."""
    pairs = words * np.uint64(10)
    words = words >> BYTE
    pairs += words
    high: Words = np.bitwise_and(pairs, PAIRS, out=words)
    high *= np.uint64(100 + (1_000_000 << 32))
    pairs >>= TWO_BYTES
    pairs &= PAIRS
    pairs *= np.uint64(1 + (10_000 << 32))
    high += pairs
    high >>= np.uint64(32)
    return high
