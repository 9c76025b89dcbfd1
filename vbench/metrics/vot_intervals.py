"""How far VOT scores would move with other sequences: bootstrap over clips."""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import Floats
from vbench.metrics.bootstrap import LEVEL, Interval, drawn_clips, intervals
from vbench.metrics.vot import VotScore


def vot_intervals(score: VotScore, seed: int = 0) -> dict[str, Interval]:
    """Intervals of accuracy, robustness, lost and, where there is one, EAO."""
    columns, clips = score.by_clip, len(score.clips)
    found = {
        "accuracy": _mean(columns["accuracy"], columns["counted"], seed),
        "robustness": _mean(100 * columns["failures"] / columns["frames"], columns["frames"], seed),
        "lost": _mean(clips * columns["failures"], np.ones(clips), seed),
    }
    if np.isfinite(score.eao):
        found["eao"] = _eao(score, seed)
    centres = {"accuracy": score.accuracy, "robustness": score.robustness, "lost": score.lost}
    return {
        name: Interval(centres.get(name, score.eao), one.lo, one.hi) for name, one in found.items()
    }


def _mean(values: Floats, weights: Floats, seed: int) -> Interval:
    return intervals(values[:, None], weights, seed)[0]


def _eao(score: VotScore, seed: int) -> Interval:
    """EAO of each draw from the clips' sums, whose ratio is the curve."""
    counts = drawn_clips(len(score.clips), seed)
    total, weight = (np.einsum("dc,cl->dl", counts, sums) for sums in score.sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        eao = np.nanmean(np.where(weight > 0, total / weight, np.nan), axis=1)
    lo, hi = np.nanquantile(eao, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if len(score.clips) < 2:
        lo = hi = np.nan
    return Interval(score.eao, float(lo), float(hi))
