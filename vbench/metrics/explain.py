"""Why the same files score differently elsewhere: one rule at a time, and the frames it touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.suite import Suite
from vbench.metrics.ope import PIXELS, SIZES, FrameValues, ranks
from vbench.metrics.profiles import (
    PROFILES,
    RULES,
    VBENCH,
    Rules,
    differing,
    iou_thresholds,
    rules_of,
)
from vbench.metrics.suite_score import Pair, Result, Scorer, Scores

# Rules that say nothing alone are changed with the one that they belong to.
TOGETHER = {"valid_precision": ("valid_precision", "centre_origin_px")}
BELONGING = frozenset({"centre_origin_px"})
# What values of rules are, where they do not say it themselves.
WORDS = {
    "None": "none",
    "True": "yes",
    "False": "no",
    "finite": "no NaN",
    "size": "w, h > 0",
    "box": "x, y, w, h > 0",
    "centre": "centre > 0",
    "1.0": "1",
    "0.0": "0",
    "('hidden',)": "those of no cover",
    "('full_occlusion', 'out_of_view')": "occluded, out of view",
    "()": "none",
}
SHOWN = ("success_auc", "precision_20px", "norm_precision")


@dataclass(frozen=True)
class Cause:
    """What one rule changes, on the way from `vbench` to another profile.

    `frames` whose part in a curve changes (all of them where the mean is taken otherwise),
    `clips` that only one of the two scores, `changes` of the means by metric name.
    """

    rule: str
    what: str
    before: str
    after: str
    frames: int
    clips: int
    changes: dict[str, float]


@dataclass(frozen=True)
class Explanation:
    """One profile's means on the same files, and the rules behind the difference from `vbench`.

    The rules are changed one after the other, so that their changes add up to the difference.
    """

    profile: str
    source: str
    clips: str
    means: dict[str, float]
    causes: tuple[Cause, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def explain(suite: Suite, results: Mapping[str, Result]) -> list[Explanation]:
    """Score the same boxes under every profile, and name what makes each differ from `vbench`."""
    base = _Scored(suite, VBENCH, results)
    return [_explained(suite, results, rules_of(name, suite.name), base) for name in PROFILES]


class _Scored:
    """Boxes under some rules: means, and each frame's part in the curves by clip."""

    def __init__(self, suite: Suite, rules: Rules, results: Mapping[str, Result]) -> None:
        scorer = Scorer(suite, rules)
        self.scores: Scores = scorer.score(results, allow_partial=True)
        kept, values = scorer.frames(results)
        self.parts = _parts(kept, values, rules)

    def mean(self, metric: str) -> float:
        """Mean of a metric over the clips that could be scored."""
        return self.scores.metrics.get(metric, float("nan"))


def _explained(
    suite: Suite, results: Mapping[str, Result], rules: Rules, base: _Scored
) -> Explanation:
    causes = []
    before, at = VBENCH, base
    for rule in differing(VBENCH, rules):
        if rule in BELONGING:
            continue
        changed = {name: getattr(rules, name) for name in TOGETHER.get(rule, (rule,))}
        after = replace(before, **changed)
        there = _Scored(suite, after, results)
        cause = _cause(rule, before, after, at, there)
        if cause.frames or cause.clips:
            causes.append(cause)
        before, at = after, there
    means = {metric: at.mean(metric) for metric in SHOWN}
    return Explanation(rules.name, rules.source, at.scores.coverage, means, tuple(causes))


def _cause(rule: str, before: Rules, after: Rules, at: _Scored, there: _Scored) -> Cause:
    frames, clips = _touched(at.parts, there.parts)
    if rule == "average":
        frames = sum(len(parts) for parts in at.parts.values())
    return Cause(
        rule,
        RULES[rule],
        spelled(getattr(before, rule)),
        spelled(getattr(after, rule)),
        frames,
        clips,
        {metric: _gap(there.mean(metric), at.mean(metric)) for metric in SHOWN},
    )


def spelled(value: object) -> str:
    """A rule's value for people."""
    return WORDS.get(str(value), str(value))


def _gap(a: float, b: float) -> float:
    """Difference of two means, 0 where one is not known."""
    gap = a - b
    return 0.0 if np.isnan(gap) else gap


def _parts(kept: Sequence[Pair], values: FrameValues, rules: Rules) -> dict[str, Floats]:
    """What each frame adds to the curves, by clip: rows that compare equal add the same."""
    n = len(values.overlap)
    counted = (values.success, values.precision, values.normalisable)
    everywhere = np.ones(n, dtype=bool)
    error = np.nan_to_num(values.error, nan=np.inf)
    normalised = np.nan_to_num(values.normalised, nan=np.inf)
    columns = [
        np.maximum(values.overlap, 0.0),
        ranks(values.overlap, iou_thresholds(rules.thresholds, rules.bins)) / rules.bins,
        ranks(error, PIXELS),
        ranks(normalised, SIZES),
        *(everywhere if chosen is None else chosen for chosen in counted),
    ]
    table = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    edges = np.cumsum(values.truths.lengths)[:-1]
    names = [clip.name for clip, _, _ in kept]
    return dict(zip(names, np.split(table, edges), strict=True)) if names else {}


def _touched(ours: Mapping[str, Floats], theirs: Mapping[str, Floats]) -> tuple[int, int]:
    """Frames that add something else, and clips that only one of the two scores."""
    frames = 0
    for clip in ours.keys() & theirs.keys():
        a, b = ours[clip], theirs[clip]
        n = min(len(a), len(b))
        frames += int((a[:n] != b[:n]).any(axis=1).sum()) + max(len(a), len(b)) - n
    alone = ours.keys() ^ theirs.keys()
    frames += sum(len(ours.get(clip, theirs.get(clip, ()))) for clip in alone)
    return frames, len(alone)
