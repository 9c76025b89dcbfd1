"""How learning rates change over a fit."""

from __future__ import annotations

# The share of the epochs in which a rate rises (5 of 50: STVIR/pysot's and NanoTrack's configs).
WARM_SHARE = 0.1


def warmed(share: float, begin: float, end: float) -> float:
    """The rate's factor: from `begin` up to 1 in even steps, then down to `end` by equal factors.

    `share` (0 ... 1) of the fit is done; STVIR/pysot pysot/utils/lr_scheduler.py, "step" and "log".
    """
    if share < WARM_SHARE:
        return begin + (1 - begin) * share / WARM_SHARE
    return float(end ** ((share - WARM_SHARE) / (1 - WARM_SHARE)))
