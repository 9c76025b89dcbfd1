"""How far mAP would move with other clips: drawn with replacement, scored again, all at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vbench.core.boxes import Floats, Ints
from vbench.metrics.bootstrap import DRAWS, LEVEL, Difference, Interval, drawn_clips
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_map import levels, mean, score_vid
from vbench.metrics.vid_match import candidates, kept, matched
from vbench.metrics.vid_profiles import VidRules

# A draw looks at every detection: of many of them fewer draws are made, but never fewer than this.
FEWEST, MOST_LOOKS = 200, 100_000_000
# Numbers that are held at once.
MOST_NUMBERS = 1 << 22


def map_interval(
    truths: VidTruths,
    answers: VidAnswers,
    rules: VidRules,
    seed: int = 0,
    draws: int | None = None,
    level: float = LEVEL,
) -> Interval:
    """map50 with its percentile interval over clips; NaN ends for fewer than two clips.

    Within a draw a class without objects is left out, as it is from the mean over all clips.
    """
    centre = mean(score_vid(truths, answers, rules, ranges=False).ap)
    clips = len(truths.lengths)
    if clips < 2 or not len(truths):
        return Interval(centre, float("nan"), float("nan"), level)
    if draws is None:
        draws = min(DRAWS, max(FEWEST, MOST_LOOKS // max(len(kept(answers, rules)), 1)))
    means = map_draws(truths, answers, rules, seed, draws)
    lo, hi = np.quantile(means[~np.isnan(means)], [(1 - level) / 2, (1 + level) / 2])
    return Interval(centre, float(lo), float(hi), level)


def map_difference(
    truths: VidTruths,
    a: VidAnswers,
    b: VidAnswers,
    rules: VidRules,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> Difference:
    """map50 of `a` minus that of `b`, both scored on the same drawn clips."""
    centre = [mean(score_vid(truths, answers, rules, ranges=False).ap) for answers in (a, b)]
    gap = map_draws(truths, a, rules, seed, draws) - map_draws(truths, b, rules, seed, draws)
    gap = gap[~np.isnan(gap)]
    lo, hi = np.quantile(gap, [(1 - level) / 2, (1 + level) / 2])
    interval = Interval(centre[0] - centre[1], float(lo), float(hi), level)
    other = min(float(np.mean(gap <= 0)), float(np.mean(gap >= 0)))
    return Difference(interval, len(truths.lengths), min(1.0, 2 * other))


def map_draws(
    truths: VidTruths, answers: VidAnswers, rules: VidRules, seed: int, draws: int
) -> Floats:
    """map50 on clips drawn with replacement (draws,), NaN for a draw without objects."""
    answers = kept(answers, rules)
    # Of few clips the same draws come again and again.
    counts, which = np.unique(
        drawn_clips(len(truths.lengths), seed, draws), axis=0, return_inverse=True
    )
    drawn = np.array(list(_drawn(truths, answers, rules, counts))).reshape(-1, len(counts))
    drawn = drawn[:, which.ravel()]
    known = ~np.isnan(drawn)
    sums = np.where(known, drawn, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), sums / np.maximum(known.sum(axis=0), 1), np.nan)


def _drawn(
    truths: VidTruths, answers: VidAnswers, rules: VidRules, counts: Floats
) -> Iterator[Floats]:
    """AP of each class that has objects, in each draw (draws,)."""
    found = candidates(truths, answers, rules)
    partner = matched(found, truths, rules)[found.order]
    right = np.append(~truths.ignore, False)[partner]
    label = answers.labels[found.order]
    frame = answers.frame[found.order]
    clip = np.searchsorted(np.cumsum(truths.lengths), frame, side="right")
    for number in np.unique(truths.labels[~truths.ignore]):
        own = np.flatnonzero(label == number)
        hits = own[right[own]]
        misses = own[partner[own] < 0]
        objects = truths.clip[(truths.labels == number) & ~truths.ignore]
        per_clip = np.bincount(objects, minlength=counts.shape[1])
        before = np.searchsorted(misses, hits)
        positives = counts @ per_clip
        yield _drawn_class(clip[hits], clip[misses], before, positives, counts, rules)


def _drawn_class(
    hit_clip: Ints,
    miss_clip: Ints,
    before: Ints,
    positives: Floats,
    counts: Floats,
    rules: VidRules,
) -> Floats:
    """AP of one class in each draw, from the clips of its hits and misses by falling score.

    before: how many misses come ahead of each hit. positives: the objects in each draw.
    """
    ap = np.full(len(counts), np.nan)
    step = max(1, MOST_NUMBERS // max(len(hit_clip) + len(miss_clip), 1))
    for at in range(0, len(counts), step):
        part = slice(at, at + step)
        weight = counts[part].take(hit_clip, axis=1)
        wrong = np.zeros((len(weight), len(miss_clip) + 1))
        np.cumsum(counts[part].take(miss_clip, axis=1), axis=1, out=wrong[:, 1:])
        true = np.cumsum(weight, axis=1)
        both = true + wrong.take(before, axis=1)
        precision = np.divide(true, both, out=np.zeros_like(true), where=both > 0)
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        ap[part] = _averaged(envelope, weight, true, positives[part], rules)
    return ap


def _averaged(
    envelope: Floats, weight: Floats, true: Floats, positives: Floats, rules: VidRules
) -> Floats:
    over = np.where(positives > 0, positives, np.nan)
    if rules.curve == "all points":
        every: Floats = (envelope * weight).sum(axis=1) / over
        return every
    found = np.full(len(over), np.nan)
    for row in np.flatnonzero(positives > 0):
        at = np.searchsorted(true[row] / over[row], levels(rules.curve), side="left")
        found[row] = np.append(envelope[row], 0.0)[at].mean()
    return found
