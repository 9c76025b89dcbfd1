"""Several tries of one method on one clip: the first is the trace, the others columns beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vbench.core.boxes import Boxes, Floats
from vbench.core.trace import Trace

# Columns of the boxes of the second try: `try_2_0` to `try_2_3`.
PREFIX = "try_"


def columns_of(tries: Sequence[Boxes]) -> dict[str, Floats]:
    """Columns of a trace, each (n,), that hold the boxes (n, 4) of tries after the first."""
    return {
        f"{PREFIX}{number}_{i}": np.ascontiguousarray(column)
        for number, boxes in enumerate(tries, start=2)
        for i, column in enumerate(boxes.T)
    }


def tries_of(trace: Trace) -> list[Trace]:
    """All tries that a trace holds, the first one first; of the others boxes alone are known."""
    found = [trace]
    unknown = np.full(len(trace), np.nan)
    while (first := f"{PREFIX}{len(found) + 1}_0") in trace.extras:
        columns = [trace.extras[first[:-1] + str(i)] for i in range(4)]
        boxes = np.stack(columns, axis=1)
        found.append(replace(trace, boxes=boxes, scores=unknown, seconds=unknown, extras={}))
    return found
