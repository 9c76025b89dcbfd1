"""Mean average precision of video detections under any rules: whole, by motion, by size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from vbench.core.boxes import Bools, Floats, Ints
from vbench.metrics.profiles import iou_thresholds
from vbench.metrics.vid_frames import VidAnswers, VidTruths, overlap, pairs
from vbench.metrics.vid_match import (
    Candidates,
    candidates,
    frame_and_class,
    kept,
    matched,
    true_corners,
)
from vbench.metrics.vid_profiles import Curve, VidRules

# Ranges of motion IoU, both ends inside (Zhu et al., Flow-Guided Feature Aggregation, ICCV 2017).
MOTIONS = {"map50_slow": (0.9, 1.0), "map50_medium": (0.7, 0.9), "map50_fast": (0.0, 0.7)}
# Ranges of area in px, both ends inside (pycocotools cocoeval.py, Params.areaRng).
SIZES = {
    "map50_s": (0.0, 32.0**2),
    "map50_m": (32.0**2, 96.0**2),
    "map50_l": (96.0**2, 1e5**2),
}


@dataclass(frozen=True)
class VidScores:
    """AP at IoU .5 of each class (classes,), NaN for one without objects, whole and by range."""

    ap: Floats
    by_range: dict[str, Floats]
    rules: VidRules

    @property
    def columns(self) -> dict[str, float]:
        """Mean over the classes that have objects, by metric name; NaN where none has."""
        return {name: mean(ap) for name, ap in {"map50": self.ap, **self.by_range}.items()}


def score_vid(
    truths: VidTruths,
    answers: VidAnswers,
    rules: VidRules,
    classes: int | None = None,
    ranges: bool = True,
) -> VidScores:
    """Average precision of each class, and with `ranges` by motion and by size of the object."""
    answers = kept(answers, rules)
    if classes is None:
        classes = int(truths.labels.max()) + 1 if len(truths) else 0
    scoring = _Scoring(truths, answers, rules, classes, candidates(truths, answers, rules))
    partner = matched(scoring.found, truths, rules)
    every = np.ones(len(truths), bool)
    whole = scoring.averaged(partner, every, partner < 0)
    by_range: dict[str, Floats] = {}
    if ranges:
        weights = _motion_weights(truths, answers, partner >= 0, rules)
        for name, inside in _motions(truths).items():
            by_range[name] = scoring.averaged(partner, inside, weights[name])
        size = areas(true_corners(truths, rules), rules), areas(answers.corners, rules)
        for name, ends in SIZES.items():
            inside, small_enough = (_between(area, *ends) for area in size)
            mates = scoring.within(partner, inside)
            by_range[name] = scoring.averaged(mates, inside, (mates < 0) & small_enough)
    return VidScores(whole, by_range, rules)


@dataclass(frozen=True)
class _Scoring:
    """What every range has in common."""

    truths: VidTruths
    answers: VidAnswers
    rules: VidRules
    classes: int
    found: Candidates

    def within(self, partner: Ints, inside: Bools) -> Ints:
        """Who finds whom when objects that are not `inside` are set aside."""
        if self.rules.aside == "after" or inside.all():
            return partner
        return matched(self.found, self.truths, self.rules, ~inside)

    def averaged(self, partner: Ints, inside: Bools, wrong: Floats | Bools) -> Floats:
        """AP of each class when only objects `inside` count (classes,)."""
        counts = inside & ~self.truths.ignore
        positives = np.bincount(self.truths.labels[counts], minlength=self.classes)
        # The last of `counts` is what no partner (-1) looks up.
        right = np.append(counts, False)[partner]
        wrong = np.where(partner < 0, wrong, 0.0)
        return average_precisions(
            self.answers.labels, right, wrong, self.found.order, positives, self.rules.curve
        )


def mean(ap: Floats) -> float:
    """Mean over the classes that have objects; NaN where none has."""
    known = ap[~np.isnan(ap)]
    return float(known.mean()) if len(known) else float("nan")


def areas(corners: Floats, rules: VidRules) -> Floats:
    """Areas in px^2 as the rules count them, (n,)."""
    width, height = corners[2:] - corners[:2] + rules.grown_px
    area: Floats = width * height
    return area


def average_precisions(
    labels: Ints, right: Bools, wrong: Floats | Bools, order: Ints, positives: Ints, curve: Curve
) -> Floats:
    """AP of each class (classes,) from detections, k in all, and its number of objects.

    right (k,): found an object that counts; wrong (k,): what it weighs as a false positive. Between
    two right ones precision only falls, so that those alone make its envelope.
    """
    small = labels.astype(np.uint16) if len(labels) and labels.max() < 1 << 16 else labels
    by_class = order[np.argsort(small[order], kind="stable")]
    edges = np.searchsorted(labels[by_class], np.arange(len(positives) + 1))
    right, wrong = right[by_class], wrong[by_class]
    found = np.full(len(positives), np.nan)
    for index in np.flatnonzero(positives > 0):
        part = slice(edges[index], edges[index + 1])
        hits = np.flatnonzero(right[part])
        true = np.arange(1.0, len(hits) + 1)
        precision = true / (true + np.cumsum(wrong[part], dtype=np.float64)[hits])
        found[index] = averaged(precision, int(positives[index]), curve)
    return found


def averaged(precision: Floats, positives: int, curve: Curve) -> float:
    """AP from the precision at each right detection, best first, of a class with such objects."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if curve == "all points":
        return float(envelope.sum() / positives)
    recall = np.arange(1, len(precision) + 1) / positives
    at = np.searchsorted(recall, levels(curve), side="left")
    return float(np.append(envelope, 0.0)[at].mean())


@cache
def levels(curve: Curve) -> Floats:
    """Recalls at which precision is read, in the spelling of pycocotools and of MATLAB."""
    return np.linspace(0.0, 1.0, 101) if curve == "101 points" else iou_thresholds("colon", 11)


def _between(values: Floats, low: float, high: float) -> Bools:
    return (values >= low) & (values <= high)


def _motions(truths: VidTruths) -> dict[str, Bools]:
    """The objects of each range of motion; none where nothing is known of it."""
    if np.isnan(truths.motion).all():
        return {}
    return {name: _between(truths.motion, *ends) for name, ends in MOTIONS.items()}


def _motion_weights(
    truths: VidTruths, answers: VidAnswers, found: Bools, rules: VidRules
) -> dict[str, Floats]:
    """What each detection weighs as a false positive in each range of motion.

    A false positive has no motion of its own. It counts in the range of the object that it overlaps
    most; where that does not decide, by the share of its frame's objects that are outside the
    range; in an empty frame, by the share of all objects that are inside.
    """
    ranges = _motions(truths)
    if rules.neighbours == "own class":
        keys, others = frame_and_class(truths, answers)
    else:
        keys, others = answers.frame, truths.frame
    lost = np.flatnonzero(~found)
    weights = {name: np.zeros(len(answers)) for name in ranges}
    for name, inside in ranges.items():
        empty = float(inside.mean())
        # The class-wise rule turns "all" and "nothing" into a whole false positive.
        whole = rules.neighbours == "own class" and empty in (0.0, 1.0)
        weights[name][lost] = 1.0 if whole else empty
    if not ranges:
        return {}
    corners = true_corners(truths, rules)
    for i, j in pairs(keys[lost], others):
        start = np.flatnonzero(np.append(True, i[1:] != i[:-1]))
        iou = overlap(
            answers.corners.take(lost[i], axis=1), corners.take(j, axis=1), rules.grown_px
        )
        count = np.diff(np.append(start, len(i)))
        for name, inside in ranges.items():
            held = inside[j]
            near = np.maximum.reduceat(np.where(held, iou, -1.0), start)
            far = np.maximum.reduceat(np.where(held, -1.0, iou), start)
            share = np.add.reduceat(~held, start) / count
            weight = np.where(near > far, 1.0, np.where(far > near, 0.0, share))
            weights[name][lost[i[start]]] = weight
    return weights
