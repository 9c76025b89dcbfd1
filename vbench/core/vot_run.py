"""One repetition of a VOT experiment on one clip: a code or a region for every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Floats
from vbench.core.trace import Trace


class Code(IntEnum):
    """What a frame of a VOT result file says: a lone 0, 1 or 2, or a region."""

    SKIPPED = 0
    START = 1
    FAILURE = 2
    REGION = 3


@dataclass(frozen=True)
class VotRun:
    """Codes (n,) int8; regions (n, 4) x y w h or (n, 8) corners, NaN where there is none.

    `seconds` (n,) of the tracker a frame where they are known.
    """

    codes: NDArray[np.int8]
    regions: Floats
    seconds: Floats | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def failures(self) -> int:
        """Number of failures."""
        return int((self.codes == Code.FAILURE).sum())

    def same_as(self, other: VotRun) -> bool:
        """Tell whether another repetition gave the same answer on every frame."""
        return np.array_equal(self.codes, other.codes) and np.array_equal(
            self.regions, other.regions, equal_nan=True
        )


# Column of a trace that says which code a frame has. What a trace has no place for stands in
# further columns: `vot_2_code`, `vot_2_seconds` and `vot_2_0` to `vot_2_3` (of polygons to
# `vot_2_7`) are the second repetition, `vot_1_0` to `vot_1_7` the polygons of the first.
COLUMN = "vot_code"


def columns_of(runs: Sequence[VotRun]) -> dict[str, Floats]:
    """Columns of a trace, each (n,), that hold the repetitions of a clip beside its boxes."""
    found = {COLUMN: runs[0].codes.astype(np.float64)}
    for number, run in enumerate(runs, start=1):
        if number > 1:
            found[f"vot_{number}_code"] = run.codes.astype(np.float64)
            if run.seconds is not None:
                found[f"vot_{number}_seconds"] = run.seconds
        if number > 1 or run.regions.shape[1] == 8:
            found |= {f"vot_{number}_{i}": column for i, column in enumerate(run.regions.T)}
    return found


def run_in(trace: Trace) -> VotRun | None:
    """Return the first repetition that a trace holds, None where it ran without restarts."""
    codes = trace.extras.get(COLUMN)
    if codes is None:
        return None
    regions = _regions(trace, 1)
    boxes = trace.boxes if regions is None else regions
    return VotRun(codes.astype(np.int8), boxes, trace.seconds)


def runs_in(trace: Trace) -> list[VotRun]:
    """Return all repetitions that a trace holds; none where it ran without restarts."""
    first = run_in(trace)
    found = [] if first is None else [first]
    while (codes := trace.extras.get(f"vot_{len(found) + 1}_code")) is not None:
        number = len(found) + 1
        regions = _regions(trace, number)
        if regions is None:
            break
        seconds = trace.extras.get(f"vot_{number}_seconds")
        found.append(VotRun(codes.astype(np.int8), regions, seconds))
    return found


def _regions(trace: Trace, number: int) -> Floats | None:
    names = [f"vot_{number}_{i}" for i in range(8)]
    columns = [trace.extras[name] for name in names if name in trace.extras]
    return np.stack(columns, axis=1) if len(columns) in (4, 8) else None
