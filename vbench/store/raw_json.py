"""Results in JSON: those of the OTB python toolkit, one file a clip, or one file for all clips."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from vbench.core.boxes import Boxes
from vbench.store.raw_text import BadTable

MOST_BYTES = 16 << 20
MOST_ROWS = 1_000_000
# Brackets a byte that numbers can need: `[0,0,0,0],` has two in ten.
MOST_BRACKETS = 0.25


def read_json(content: bytes) -> Boxes | BadTable:
    """Read one clip's boxes (n, 4) in the file's own coordinates; only the first segment (OPE)."""
    value = _parsed(content)
    return value if isinstance(value, BadTable) else _boxes(value)


def read_json_of_all(content: bytes) -> dict[str, Boxes | BadTable] | BadTable:
    """Read a file that maps names of clips to boxes or to records of the OTB python toolkit."""
    value = _parsed(content)
    if isinstance(value, BadTable):
        return value
    if not isinstance(value, dict):
        return BadTable("a JSON file for all clips must map their names to boxes")
    return {name: _boxes(found) for name, found in value.items()}


def _parsed(content: bytes) -> Any:
    if len(content) > MOST_BYTES:
        return BadTable(f"a JSON file of more than {MOST_BYTES >> 20} MiB")
    if content.count(b"[") + content.count(b"{") > MOST_BRACKETS * len(content) + 16:
        return BadTable("a JSON file of brackets, not of boxes")
    try:
        return json.loads(content)
    except RecursionError:
        return BadTable("a JSON file that is nested too deeply")
    except ValueError as error:
        return BadTable(f"not JSON: {str(error)[:80]}")


def _boxes(value: Any) -> Boxes | BadTable:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0]
    if isinstance(value, dict):
        kind = value.get("type", "rect")
        if kind != "rect":
            return BadTable(f"boxes of type '{str(kind)[:20]}' are not read")
        value = value.get("res")
    if not isinstance(value, list) or not 0 < len(value) <= MOST_ROWS:
        return BadTable("no list of boxes")
    for at, row in enumerate(value, start=1):
        if not isinstance(row, list) or len(row) != 4:
            return BadTable(f"box {at} is not [x, y, w, h]")
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in row):
            return BadTable(f"box {at}: not all are numbers")
    try:
        return np.array(value, dtype=np.float64)
    except OverflowError:
        return BadTable("a number is too large")
