"""Bootstrap over sequences: how far a suite's mean would move with other sequences.

Percentile intervals as in Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), ch. 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError

DRAWS = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with the interval in which it lies at `level`; NaN ends for fewer than two clips."""

    mean: float
    lo: float
    hi: float
    level: float = LEVEL

    @property
    def half(self) -> float:
        """Half of the interval's width: what stands behind +-."""
        return (self.hi - self.lo) / 2


@dataclass(frozen=True)
class Difference:
    """Mean of a - b over the clips that both have, its interval, and how sure its sign is.

    `p` is the two-sided share of draws whose difference has the other sign or none.
    """

    interval: Interval
    clips: int
    p: float

    @property
    def clear(self) -> bool:
        """Tell whether the interval leaves out 0."""
        return self.interval.lo > 0 or self.interval.hi < 0


def intervals(
    values: Floats,
    weights: Floats | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> list[Interval]:
    """Intervals of the weighted means of the columns of `values` (clips, metrics).

    Clips are drawn with replacement, the same draws for every column; a NaN counts nowhere.
    """
    weights = np.ones(len(values)) if weights is None else weights
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0) * weights[:, None]
    means = _ratio(filled.sum(axis=0), (known * weights[:, None]).sum(axis=0))
    counts = _draws_by_clip(len(values), seed, draws)
    # Where nothing is missing all columns have the same weights.
    over = weights[:, None] if known.all() else known * weights[:, None]
    drawn = _ratio(_sums(counts, filled), _sums(counts, over))
    lo, hi = _ends(drawn, known.sum(axis=0), level)
    return [
        Interval(float(m), float(a), float(b), level) for m, a, b in zip(means, lo, hi, strict=True)
    ]


def difference(
    a: Floats, b: Floats, seed: int = 0, draws: int = DRAWS, level: float = LEVEL
) -> Difference:
    """Compare two methods on the same clips: values (clips,) in the same order, NaN left out.

    Raises:
        VBenchError: the two do not have the same number of clips, or none in common.
    """
    if a.shape != b.shape:
        raise VBenchError(f"{len(a)} clips against {len(b)}: a paired difference needs the same")
    gap = a - b
    gap = gap[~np.isnan(gap)]
    if not len(gap):
        raise VBenchError("the two methods have no clip in common")
    interval = intervals(gap[:, None], None, seed, draws, level)[0]
    drawn = _sums(_draws_by_clip(len(gap), seed, draws), gap[:, None])[:, 0] / len(gap)
    other = min(float(np.mean(drawn <= 0)), float(np.mean(drawn >= 0)))
    return Difference(interval, len(gap), min(1.0, 2 * other))


def drawn_clips(clips: int, seed: int = 0, draws: int = DRAWS) -> Floats:
    """How often each clip is in each draw (draws, clips); the draws that `intervals` uses."""
    return _draws(clips, seed, draws)


@lru_cache(maxsize=8)
def _draws(clips: int, seed: int, draws: int) -> Floats:
    """How often each clip is in each draw (draws, clips)."""
    if not clips:
        return np.zeros((draws, 0))
    chosen = np.random.default_rng(seed).integers(clips, size=(draws, clips))
    chosen += np.arange(draws)[:, None] * clips
    counts = np.bincount(chosen.ravel(), minlength=draws * clips)
    return counts.reshape(draws, clips).astype(np.float64)


@lru_cache(maxsize=8)
def _draws_by_clip(clips: int, seed: int, draws: int) -> Floats:
    return np.ascontiguousarray(_draws(clips, seed, draws).T)


def _sums(counts: Floats, values: Floats) -> Floats:
    """Sums of each draw (draws, metrics); counts (clips, draws)."""
    # Not the matrix product: for so little work its threads cost more than they give, and its
    # last bits depend on their number.
    sums: Floats = np.einsum("cd,cm->md", counts, values).T
    return sums


def _ratio(sums: Floats, over: Floats) -> Floats:
    ratio: Floats = sums / np.where(over > 0, over, np.nan)
    return ratio


def _ends(drawn: Floats, known: Floats, level: float) -> tuple[Floats, Floats]:
    lo, hi = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    sure = np.flatnonzero((known > 1) & ~np.isnan(drawn).any(axis=0))
    ends = [(1 - level) / 2, (1 + level) / 2]
    if len(sure):
        lo[sure], hi[sure] = np.quantile(drawn[:, sure], ends, axis=0)
    for column in np.setdiff1d(np.flatnonzero(known > 1), sure):
        found = drawn[:, column]
        lo[column], hi[column] = np.quantile(found[~np.isnan(found)], ends)
    return lo, hi
