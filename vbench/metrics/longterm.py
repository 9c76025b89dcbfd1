"""Long-term tracking: precision, recall and F over thresholds of the tracker's confidence.

Lukezic et al., "Now you see me: evaluating performance in long-term visual tracking", 2018, eqs.
1-3; averaged over sequences at each threshold as in its section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vbench.core.boxes import Boxes, Floats, iou, is_present

# Thresholds, spread over the ranks of all confidences as the VOT toolkit spreads them.
THRESHOLDS = 100


@dataclass(frozen=True)
class LongTerm:
    """Curves over confidence thresholds (t,), and the point where F is largest."""

    thresholds: Floats
    precision: Floats
    recall: Floats

    @property
    def f(self) -> Floats:
        """F-measure at each threshold, 0 where precision and recall are 0 (t,)."""
        total = self.precision + self.recall
        over = np.where(total > 0, total, 1.0)
        f: Floats = 2 * self.precision * self.recall / over
        return f

    @property
    def best(self) -> dict[str, float]:
        """Precision, recall and F where F is largest, by metric name."""
        at = int(np.argmax(self.f))
        return {
            "lt_precision": float(self.precision[at]),
            "lt_recall": float(self.recall[at]),
            "lt_f": float(self.f[at]),
        }


def long_term(
    truths: Sequence[Boxes], results: Sequence[Boxes], scores: Sequence[Floats]
) -> LongTerm:
    """Score boxes that count as an answer only where their confidence reaches a threshold.

    NaN rows of a truth: the target is absent; NaN rows of a result: no answer. The first frame,
    which the tracker was given, does not count.
    """
    thresholds = _thresholds([s[1:] for s in scores])
    curves = [
        _curves(truth[1:], result[1:], score[1:], thresholds)
        for truth, result, score in zip(truths, results, scores, strict=True)
    ]
    precision, recall = np.array(curves).transpose(1, 0, 2)
    return LongTerm(thresholds, _mean(precision), _mean(recall))


def _thresholds(scores: Sequence[Floats]) -> Floats:
    """Confidences at evenly spread ranks, ascending, without NaN; never empty."""
    known = np.sort(np.concatenate([s[~np.isnan(s)] for s in scores] or [np.zeros(0)]))
    if not len(known):
        return np.full(1, -np.inf)
    at = np.unique(np.linspace(0, len(known) - 1, THRESHOLDS).astype(int))
    return np.unique(np.append(-np.inf, known[at]))


def _curves(truth: Boxes, result: Boxes, score: Floats, thresholds: Floats) -> tuple[Floats, ...]:
    """Precision and recall at each threshold, NaN where nothing is answered or nothing is there."""
    overlap = iou(truth, result)
    score = np.where(is_present(result), np.nan_to_num(score, nan=-np.inf), np.nan)
    order = np.argsort(-score)[: np.count_nonzero(~np.isnan(score))]
    gained = np.append(0.0, np.cumsum(overlap[order]))
    answers = np.searchsorted(-score[order], -thresholds, side="right")
    over = np.where(answers > 0, answers, np.nan)
    there = np.count_nonzero(is_present(truth))
    recall = gained[answers] / there if there else np.full(len(thresholds), np.nan)
    return gained[answers] / over, recall


def _mean(curves: Floats) -> Floats:
    """Mean over sequences (t,); a threshold that no sequence reaches counts 0."""
    known = ~np.isnan(curves)
    sums = np.where(known, curves, 0.0).sum(axis=0)
    mean: Floats = sums / np.maximum(known.sum(axis=0), 1)
    return mean
