"""Tables of numbers in text, many files at once: boxes of raw results, one line a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from vbench.core.boxes import Floats, Ints
from vbench.store.raw_digits import Bytes, number, numbers

# Longest file that is read; the longest sequence of any suite here has under 30,000 frames.
MOST_BYTES = 64 << 20
# Bytes in front of the text, so that every number can be read with what stands before it.
PAD = b"\n" * 16
# Bytes worked on at a time, whole files: what is made of them stays in the cache of a core.
BATCH = 1 << 17
# Every separator that a table may have is at most this character.
LAST_SEPARATOR = ord(",")
# What separates numbers: 1 within a row, 2 between rows, 0 nothing that may stand there.
SEPARATOR = np.zeros(256, dtype=np.uint8)
SEPARATOR[[ord(c) for c in "\t\r ,"]] = 1
SEPARATOR[ord("\n")] = 2
TO_COMMON = bytes.maketrans(b";|,\t\x0b\x0c", b"      ")


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
    """Read texts that end in a newline; where one of them is irregular, find out which."""
    read = _read_joined(texts, columns)
    if read is None:
        if len(texts) == 1:
            return [_read_carefully(texts[0], columns)]
        half = len(texts) // 2
        return _read_batch(texts[:half], columns) + _read_batch(texts[half:], columns)
    values, row_ends = read
    edges = np.searchsorted(row_ends, np.cumsum([len(text) for text in texts]) + len(PAD))
    return [
        values[first:last] if last > first else BadTable("the file is empty")
        for first, last in zip([0, *edges[:-1]], edges, strict=True)
    ]


def _read_joined(texts: list[bytes], columns: int) -> tuple[Floats, Ints] | None:
    """Values (rows, columns) and where each row ends, or None where something is irregular."""
    data = np.frombuffer(b"".join([PAD, *texts]), dtype=np.uint8)
    ends = np.flatnonzero(data <= LAST_SEPARATOR)[len(PAD) - 1 :]
    starts, ends = ends[:-1] + 1, ends[1:]
    if not _evenly_separated(data[ends], columns) or (starts == ends).any():
        parted = _part(data, starts, ends, columns)
        if parted is None:
            return None
        starts, ends = parted
    values = numbers(data, starts, ends)
    if values is None:
        return None
    return values.reshape(-1, columns), ends[columns - 1 :: columns]


def _evenly_separated(separators: Bytes, columns: int) -> bool:
    """Tell whether every row is separated as the first one and ends with a newline."""
    if len(separators) % columns or not len(separators):
        return False
    rows = separators.reshape(-1, columns)
    usual = (SEPARATOR[rows[0]] == [*[1] * (columns - 1), 2]).all()
    if columns == 4:
        # Four separators are compared as one number.
        words = rows.view("<u4")
        return bool(usual) and bool((words == words[0]).all())
    return bool(usual) and bool((rows == rows[0]).all())


def _part(data: Bytes, starts: Ints, ends: Ints, columns: int) -> tuple[Ints, Ints] | None:
    """Where numbers start and end that are separated by more than one character, or unevenly."""
    kinds = SEPARATOR[data[ends]]
    kept = np.flatnonzero(starts != ends)
    if not kinds.all():
        return None
    if len(kept):
        # A number is followed by the strongest of the separators up to the next one.
        kinds = np.maximum.reduceat(kinds, kept)
    if len(kept) % columns:
        return None
    last = kinds[: len(kept)].reshape(-1, columns) == 2
    if not last[:, -1].all() or np.count_nonzero(last) != len(last):
        return None
    return starts[kept], ends[kept]


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
        values = [number(word) for word in words]
        if None in values:
            word = words[values.index(None)][:20].decode("utf-8", "replace")
            return BadTable(f"line {at}: '{word}' is not a number")
        if len(values) != columns:
            return BadTable(f"line {at} has {len(values)} numbers instead of {columns}")
        rows.append([value for value in values if value is not None])
    if not rows:
        return BadTable("the file is empty")
    return np.array(rows, dtype=np.float64)
