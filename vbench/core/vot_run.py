"""One repetition of a VOT experiment on one clip: a code or a region for every frame."""

from __future__ import annotations

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


# Column of a trace that says which code a frame has.
COLUMN = "vot_code"


def run_in(trace: Trace) -> VotRun | None:
    """Return the VOT run that a trace holds, None where it ran without restarts."""
    codes = trace.extras.get(COLUMN)
    if codes is None:
        return None
    return VotRun(codes.astype(np.int8), trace.boxes, trace.seconds)
