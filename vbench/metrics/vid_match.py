"""Which detection finds which object: greedy by score within frame and class, all frames at once.

Every detection wants its best object and every object keeps the best-scored of those who want it;
who is turned away wants its next best. That is what going through the detections by falling score
gives, since all objects rank detections alike (Gale and Shapley, College Admissions, 1962), in as
many rounds as the longest chain of refusals instead of one a detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbench.core.boxes import Bools, Floats, Ints
from vbench.metrics.vid_frames import VidAnswers, VidTruths, overlap, pairs
from vbench.metrics.vid_profiles import VidRules

NOTHING = -1
# Tolerance of VID's threshold for small objects, px (Russakovsky et al., ILSVRC, IJCV 2015).
TOLERANCE_PX = 10.0


@dataclass(frozen=True)
class Candidates:
    """Pairs of a detection and an object of its class that overlap enough, ordered by detection.

    rank (k,): place of each detection by falling score. order (k,): detections in that order.
    """

    detection: Ints
    wanted: Ints
    iou: Floats
    rank: Ints
    order: Ints


def by_score(answers: VidAnswers) -> Ints:
    """Detections by falling score; equal ones stay in their order."""
    order: Ints = np.argsort(-answers.scores, kind="stable")
    return order


def candidates(truths: VidTruths, answers: VidAnswers, rules: VidRules) -> Candidates:
    """Find all pairs that may match, frame and class by frame and class."""
    corners = true_corners(truths, rules)
    enough = thresholds(truths, corners, rules)
    crowd = truths.ignore if rules.ignored == "crowd" and truths.ignore.any() else None
    found: list[tuple[Ints, Ints, Floats]] = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
    for i, j in pairs(*frame_and_class(truths, answers)):
        iou = overlap(
            answers.corners.take(i, axis=1),
            corners.take(j, axis=1),
            rules.grown_px,
            None if crowd is None else crowd[j],
        )
        close = np.flatnonzero(iou >= enough[j])
        found.append((i[close], j[close], iou[close]))
    detection, wanted, overlaps = (np.concatenate(part) for part in zip(*found, strict=True))
    order = by_score(answers)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return Candidates(detection, wanted, overlaps, rank, order)


def matched(
    found: Candidates, truths: VidTruths, rules: VidRules, aside: Bools | None = None
) -> Ints:
    """Index of the object that each detection finds, -1 for none, shape (k,).

    Objects set `aside` (m,) are taken only by detections that no other object is left for.
    """
    last = np.zeros(len(truths), bool) if aside is None else aside
    shared = truths.ignore & (rules.ignored in ("crowd", "difficult"))
    if rules.ignored == "crowd":
        last = last | truths.ignore
    wish, start, end, detection = _wishes(found, last, rules)
    partner = np.full(len(found.rank), NOTHING)
    partner[detection] = _settled(wish, start, end, shared, len(truths), rules.partner == "best")
    return partner


def thresholds(truths: VidTruths, corners: Floats, rules: VidRules) -> Floats:
    """IoU that a match with each object needs, shape (m,)."""
    if rules.threshold == "half":
        return np.full(len(truths), 0.5)
    width, height = corners[2:] - corners[:2] + rules.grown_px
    small: Floats = width * height / ((width + TOLERANCE_PX) * (height + TOLERANCE_PX))
    return np.minimum(0.5, small, out=small)


def true_corners(truths: VidTruths, rules: VidRules) -> Floats:
    """The objects' corners as the rules see them (4, m)."""
    if not rules.inside:
        return truths.corners
    limits = np.concatenate([truths.limits, truths.limits])
    return np.clip(truths.corners, 0.0, limits)


def kept(answers: VidAnswers, rules: VidRules) -> VidAnswers:
    """Return the detections that count: the best of their frame and class, by the rules."""
    per_frame = np.bincount(answers.frame, minlength=1)
    if rules.most is None or per_frame.max() <= rules.most:
        return answers
    keys = answers.frame * (int(answers.labels.max()) + 1) + answers.labels
    order = by_score(answers)
    order = order[np.argsort(keys[order], kind="stable")]
    ordered = keys[order]
    surplus = order[rules.most :][ordered[rules.most :] == ordered[: -rules.most]]
    if not len(surplus):
        return answers
    stays = np.ones(len(answers), bool)
    stays[surplus] = False
    return VidAnswers(
        answers.frame[stays],
        answers.corners[:, stays],
        answers.labels[stays],
        answers.scores[stays],
    )


def frame_and_class(truths: VidTruths, answers: VidAnswers) -> tuple[Ints, Ints]:
    """One number for frame and class of every detection and object."""
    classes = 1 + max(
        (int(labels.max()) for labels in (truths.labels, answers.labels) if len(labels)), default=0
    )
    return answers.frame * classes + answers.labels, truths.frame * classes + truths.labels


def _wishes(found: Candidates, last: Bools, rules: VidRules) -> tuple[Ints, Ints, Ints, Ints]:
    """Every detection's objects, best first, and the detections by falling score.

    Returns the objects wanted, where each detection's begin and end, and the detections.
    """
    detection, wanted = found.detection, found.wanted
    new = np.ones(len(detection), bool)
    new[1:] = detection[1:] != detection[:-1]
    start = np.flatnonzero(new)
    counts = np.diff(np.append(start, len(detection)))
    # Only detections that have a choice need to be sorted.
    choice = np.flatnonzero(np.repeat(counts > 1, counts))
    if len(choice):
        tie = -wanted[choice] if rules.last_wins else wanted[choice]
        better = (tie, -found.iou[choice], last[wanted[choice]], detection[choice])
        wanted = wanted.copy()
        wanted[choice] = wanted[choice[np.lexsort(better)]]
    one = detection[start]
    best_first = np.argsort(found.rank[one])
    start = start[best_first]
    return wanted, start, start + counts[best_first], one[best_first]


def _settled(
    wish: Ints, start: Ints, end: Ints, shared: Bools, objects: int, one_try: bool
) -> Ints:
    """The object of each detection, -1 for none; detections come by falling score."""
    nobody = len(start)
    holder = np.full(objects, nobody)
    at = start.copy()
    active = np.arange(nobody)
    while active.size:
        wanted = wish[at[active]]
        own = ~shared[wanted]
        active, wanted = active[own], wanted[own]
        before = holder[wanted]
        np.minimum.at(holder, wanted, active)
        won = holder[wanted] == active
        refused = np.concatenate([active[~won], before[won & (before < nobody)]])
        at[refused] = end[refused] if one_try else at[refused] + 1
        active = refused[at[refused] < end[refused]]
    found = np.full(nobody, NOTHING)
    lucky = at < end
    found[lucky] = wish[at[lucky]]
    return found
