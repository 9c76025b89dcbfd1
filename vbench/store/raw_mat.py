"""Results in MATLAB files of the OTB toolkit: a cell `results` of structs with `res` and `type`."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np

from vbench.core.boxes import Boxes, around_polygons
from vbench.core.errors import NotReady
from vbench.store.raw_text import BadTable

MOST_UNPACKED = 256 << 20
MOST_ROWS = 1_000_000
COMPRESSED = 15
HEADER = 128


def read_mat(content: bytes) -> Boxes | BadTable:
    """Read boxes (n, 4) in the file's own coordinates; only the first segment (OPE).

    Raises:
        NotReady: scipy is not installed.
    """
    why = _refused(content)
    if why:
        return BadTable(why)
    try:
        import scipy.io
    except ModuleNotFoundError:
        raise NotReady("results in .mat files need scipy: pip install 'vbench[mat]'") from None
    try:
        reader: Any = scipy.io.loadmat
        loaded = reader(io.BytesIO(content), variable_names=["results"])
    except Exception as error:
        # A damaged file can fail anywhere inside the reader.
        return BadTable(f"a damaged MATLAB file ({type(error).__name__})")
    if "results" not in loaded:
        return BadTable("a MATLAB file without the variable `results`")
    return _boxes(loaded["results"])


def _refused(content: bytes) -> str:
    """Why this is no MATLAB file that is read; empty if it is one."""
    if content[:8] == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in content[:HEADER]:
        return "a MATLAB 7.3 file; save it with -v7"
    if not content.startswith(b"MATLAB 5.0") or len(content) < HEADER + 8:
        return "not a MATLAB file"
    if content[126:128] != b"IM":
        return "a MATLAB file of a big-endian machine; save it again"
    return "" if _unpacked(content) <= MOST_UNPACKED else "unpacks to far too much for a result"


def _unpacked(content: bytes) -> int:
    """Bytes that the compressed variables unpack to, counted no further than allowed."""
    total, at = 0, HEADER
    while at + 8 <= len(content) and total <= MOST_UNPACKED:
        kind = int.from_bytes(content[at : at + 4], "little")
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        if kind == COMPRESSED:
            total += _inflated(content[at + 8 : at + 8 + size])
        at += 8 + size
    return total


def _inflated(packed: bytes) -> int:
    total, reader = 0, zlib.decompressobj()
    try:
        while packed and total <= MOST_UNPACKED:
            total += len(reader.decompress(packed, 1 << 20))
            packed = reader.unconsumed_tail
    except zlib.error:
        return total
    return total


def _boxes(results: Any) -> Boxes | BadTable:
    record = results.ravel()[0] if results.size else None
    while isinstance(record, np.ndarray) and record.dtype.names is None and record.size:
        record = record.ravel()[0]
    names = getattr(getattr(record, "dtype", None), "names", None)
    if not names or "res" not in names:
        return BadTable("`results` holds no struct with a field `res`")
    kind = str(np.asarray(_field(record, "type")).ravel()[0]) if "type" in names else "rect"
    rows = np.asarray(_field(record, "res"))
    if rows.dtype.kind not in "iuf" or rows.ndim != 2 or not 0 < len(rows) <= MOST_ROWS:
        return BadTable("`res` is no table of numbers")
    table = rows.astype(np.float64)
    if kind == "rect" and table.shape[1] == 4:
        return table
    if kind == "4corner" and table.shape[1] == 8:
        return around_polygons(table)
    return BadTable(f"boxes of type '{kind}' with {table.shape[1]} columns are not read")


def _field(record: Any, name: str) -> Any:
    value = record[name]
    while isinstance(value, np.ndarray) and value.dtype == object and value.size:
        value = value.ravel()[0]
    return value
