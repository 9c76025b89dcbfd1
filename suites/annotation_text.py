"""Box files in text: one row a frame, numbers separated by commas, tabs, semicolons or spaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from vbench.core.boxes import Boxes, Floats, absent, around_polygons, from_corners
from vbench.core.errors import ClipFailed

Form: TypeAlias = Literal["auto", "xywh", "xyxy", "cxcywh", "polygon"]

WIDTHS: dict[Form, tuple[int, ...]] = {
    "auto": (4, 8),
    "polygon": (8,),
    "xywh": (4,),
    "xyxy": (4,),
    "cxcywh": (4,),
}
MAX_BYTES = 64 << 20
MAX_NUMBER = 1e7
IN_NUMBERS = b"0123456789+-.eENna"
NOT_WHOLE = (b".", b"e", b"E", b"n", b"N")
SEPARATORS = (b",", b";", b"\t", b" ")
TO_SPACES = bytes.maketrans(b",;\t\n", b"    ")


def read_text(path: Path) -> str:
    """Read a text file of at most 64 MiB.

    Raises:
        ClipFailed: missing, too large, or not text.
    """
    return read_bytes(path).decode("utf-8-sig", errors="replace")


def read_bytes(path: Path) -> bytes:
    """Read the bytes of a text file; see `read_text`."""
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ClipFailed(f"{path.name} cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        raise ClipFailed(f"{path.name} is larger than {MAX_BYTES >> 20} MiB: no annotation file")
    if b"\0" in raw:
        raise ClipFailed(f"{path.name} is not a text file")
    return raw


def read_table(path: Path, columns: Sequence[int] = (), header: bool = False) -> Floats:
    """Read the numbers of a text file, shape (rows, columns); `nan` is a number.

    `columns` are the widths that are allowed (any if empty); with `header` the first line may hold
    names. Blank lines at the end do not count.

    Raises:
        ClipFailed: names the file and the row that is no row of numbers or too short.
    """
    raw = read_bytes(path)
    table = _regular(raw)
    if table is not None and table.shape[1] in (columns or (table.shape[1],)):
        return table
    text = raw.decode("utf-8-sig", errors="replace")
    rows = [_cells(line) for line in text.rstrip().splitlines()]
    first = 2 if rows and header and _is_header(rows[0]) else 1
    rows = rows[first - 1 :]
    if not rows:
        raise ClipFailed(f"{path.name} is empty")
    width = len(rows[0])
    if columns and width not in columns:
        wanted = " or ".join(map(str, columns))
        raise ClipFailed(f"{path.name} row {first}: {width} numbers, not {wanted}")
    for index, row in enumerate(rows):
        if len(row) != width:
            raise ClipFailed(f"{path.name} row {index + first}: {len(row)} numbers, not {width}")
    try:
        table = np.array(rows, dtype=np.float64)
    except ValueError:
        raise ClipFailed(f"{path.name} {_first_bad(rows, first)}") from None
    wild = np.abs(np.nan_to_num(table, nan=0.0, posinf=np.inf)) > MAX_NUMBER
    if wild.any():
        worst = int(wild.any(axis=1).argmax())
        raise ClipFailed(f"{path.name} row {worst + first}: a number beyond {MAX_NUMBER:g} px")
    return table


def read_boxes(path: Path, form: Form = "xywh", one_based: bool = False) -> Boxes:
    """Read one box a row, shape (n, 4); rows of zeros or with NaN are absent.

    `form` is what the columns mean; "auto" takes 4 columns as x y w h and 8 as a polygon.
    `one_based` files count pixels from 1.

    Raises:
        ClipFailed: names the file and the row that is wrong.
    """
    return boxes_of(read_table(path, WIDTHS[form]), form, one_based)


def boxes_of(table: Floats, form: Form = "xywh", one_based: bool = False) -> Boxes:
    """Turn rows of 4 or 8 columns into boxes (n, 4); see `read_boxes`."""
    empty = ~np.isfinite(table).all(axis=1) | (table == 0).all(axis=1)
    if table.shape[1] == 8:
        boxes = around_polygons(table)
    elif form == "xyxy":
        boxes = from_corners(table)
    elif form == "cxcywh":
        boxes = np.concatenate([table[:, :2] - table[:, 2:] / 2, table[:, 2:]], axis=1)
    else:
        boxes = table.copy()
    boxes[:, :2] -= 1.0 if one_based else 0.0
    return np.where(empty[:, None], absent(1), boxes)


def _regular(raw: bytes) -> Floats | None:
    """Read rows that are all separated alike at once; None where something is out of the usual."""
    raw = raw.replace(b"\r\n", b"\n").rstrip() + b"\n"
    separators = raw.translate(None, IN_NUMBERS)
    row = separators.partition(b"\n")[0] + b"\n"
    rows = len(separators) // len(row)
    if row[:-1].strip(row[:1]) or row[:1] not in SEPARATORS or separators != row * rows:
        return None
    # Whole numbers, which most annotations are, are read five times as fast.
    kind = np.float64 if any(mark in raw for mark in NOT_WHOLE) else np.int64
    try:
        values = np.fromstring(raw.translate(TO_SPACES), dtype=kind, sep=" ").astype(np.float64)
    except (ValueError, DeprecationWarning):
        return None
    if len(values) != rows * len(row) or (np.abs(values) > MAX_NUMBER).any():
        return None
    return values.reshape(rows, -1)


def _cells(line: str) -> list[str]:
    for separator in (",", ";"):
        if separator in line:
            return line.strip().rstrip(separator).split(separator)
    return line.split()


def _is_header(row: Sequence[str]) -> bool:
    return not any(_is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _first_bad(rows: Sequence[Sequence[str]], first: int) -> str:
    for index, row in enumerate(rows):
        for cell in row:
            if not _is_number(cell):
                return f"row {index + first}: {cell.strip()[:40]!r} is not a number"
    return "holds something that is not a number"
