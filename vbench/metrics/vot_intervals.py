"""How far VOT scores would move with other sequences: bootstrap over clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError
from vbench.metrics.bootstrap import LEVEL, Difference, Interval, drawn_clips, intervals
from vbench.metrics.vot import VotScore
from vbench.metrics.vot_overlap import MultistartScore, OverlapScore, averaged

NAMES = ("eao", "accuracy", "robustness", "failures_per_clip", "lost")
ENDS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


def vot_intervals(score: VotScore, seed: int = 0) -> dict[str, Interval]:
    """Intervals of accuracy, robustness, lost and, where there is one, EAO."""
    columns, clips = score.by_clip, len(score.clips)
    found = {
        "accuracy": _mean(columns["accuracy"], columns["counted"], seed),
        "robustness": _mean(100 * columns["failures"] / columns["frames"], columns["frames"], seed),
        "failures_per_clip": _mean(columns["failures"], columns["frames"], seed),
        "lost": _mean(clips * columns["failures"], np.ones(clips), seed),
    }
    if np.isfinite(score.eao):
        found["eao"] = _eao(score, seed)
    return {
        name: Interval(float(getattr(score, name)), one.lo, one.hi) for name, one in found.items()
    }


def vot_differences(ours: VotScore, theirs: VotScore, seed: int = 0) -> dict[str, Difference]:
    """Paired differences ours - theirs by metric, over the clips that both have.

    Each draw of clips is the same for both; `p` as in `Difference`.

    Raises:
        VBenchError: they have no clip in common.
    """
    common = [clip for clip in ours.clips if clip in set(theirs.clips)]
    if not common:
        raise VBenchError("the two trackers have no clip in common")
    counts = drawn_clips(len(common), seed)
    drawn = [_drawn(score, common, counts) for score in (ours, theirs)]
    whole = [_drawn(score, common, np.ones((1, len(common)))) for score in (ours, theirs)]
    found = {}
    for name in drawn[0].keys() & drawn[1].keys():
        gap = drawn[0][name] - drawn[1][name]
        gap = gap[np.isfinite(gap)]
        lo, hi = (np.nan, np.nan) if len(common) < 2 else np.quantile(gap, ENDS)
        mean = float((whole[0][name] - whole[1][name])[0])
        share = min(float(np.mean(gap <= 0)), float(np.mean(gap >= 0)))
        interval = Interval(mean, float(lo), float(hi))
        found[name] = Difference(interval, len(common), min(1.0, 2 * share))
    return {name: found[name] for name in NAMES if name in found}


def overlap_interval(score: OverlapScore, seed: int = 0) -> Interval:
    """Interval of the average overlap of an unsupervised run."""
    found = _mean(score.means, score.frames, seed)
    return Interval(score.average, found.lo, found.hi)


def multistart_intervals(score: MultistartScore, seed: int = 0) -> dict[str, Interval]:
    """Intervals of accuracy, the share of tracked frames and EAO of a multi-start run."""
    clips = len(score.sums["frames"])
    drawn = averaged(score.sums, drawn_clips(clips, seed), score.low)
    centres = {"accuracy": score.accuracy, "tracked": score.robustness, "eao": score.eao}
    found = {}
    for (name, centre), values in zip(centres.items(), drawn, strict=False):
        lo, hi = (np.nan, np.nan) if clips < 2 else np.quantile(values, ENDS)
        found[name] = Interval(centre, float(lo), float(hi))
    return found


def overlap_difference(ours: OverlapScore, theirs: OverlapScore, seed: int = 0) -> Difference:
    """Paired difference ours - theirs of average overlaps, over the clips that both have.

    Raises:
        VBenchError: they have no clip in common.
    """
    other = {clip: index for index, clip in enumerate(theirs.clips)}
    pairs = [(index, other[clip]) for index, clip in enumerate(ours.clips) if clip in other]
    if not pairs:
        raise VBenchError("the two trackers have no clip in common")
    a, b = np.array(pairs).T
    gap, weights = ours.means[a] - theirs.means[b], ours.frames[a]
    counts = drawn_clips(len(gap), seed)
    drawn = _ratio(_sum(counts, weights * gap), _sum(counts, weights))
    share = min(float(np.mean(drawn <= 0)), float(np.mean(drawn >= 0)))
    return Difference(_mean(gap, weights, seed), len(gap), min(1.0, 2 * share))


def _drawn(score: VotScore, clips: Sequence[str], counts: Floats) -> dict[str, Floats]:
    """Metrics of each draw (d,) of `clips`, which `counts` (d, clips) says how often is drawn."""
    place = {clip: index for index, clip in enumerate(score.clips)}
    rows = np.array([place[clip] for clip in clips])
    known = {name: np.nan_to_num(column[rows]) for name, column in score.by_clip.items()}
    inside = known["accuracy"] * known["counted"]
    failures = _sum(counts, known["failures"])
    frames = known["frames"]
    found = {
        "accuracy": _ratio(_sum(counts, inside), _sum(counts, known["counted"])),
        "robustness": 100 * _ratio(failures, _sum(counts, frames)),
        "failures_per_clip": _ratio(_sum(counts, known["failures"] * frames), _sum(counts, frames)),
        "lost": failures,
    }
    if np.isfinite(score.eao):
        total, weight = (np.einsum("dc,cl->dl", counts, sums[rows]) for sums in score.sums)
        found["eao"] = np.nanmean(_ratio(total, weight), axis=1)
    return found


def _sum(counts: Floats, values: Floats) -> Floats:
    # Not the matrix product, whose last bits depend on the number of threads.
    sums: Floats = np.einsum("dc,c->d", counts, values)
    return sums


def _ratio(sums: Floats, over: Floats) -> Floats:
    ratio: Floats = sums / np.where(over > 0, over, np.nan)
    return ratio


def _mean(values: Floats, weights: Floats, seed: int) -> Interval:
    return intervals(values[:, None], weights, seed)[0]


def _eao(score: VotScore, seed: int) -> Interval:
    """EAO of each draw from the clips' sums, whose ratio is the curve."""
    counts = drawn_clips(len(score.clips), seed)
    total, weight = (np.einsum("dc,cl->dl", counts, sums) for sums in score.sums)
    eao = np.nanmean(_ratio(total, weight), axis=1)
    lo, hi = np.nanquantile(eao, ENDS)
    if len(score.clips) < 2:
        lo = hi = np.nan
    return Interval(score.eao, float(lo), float(hi))
