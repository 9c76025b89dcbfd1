"""What mAP does not see of a video: delay of a first sight, trembling boxes, decay between keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.boxes import Bools, Floats, Ints
from vbench.core.trace import Kind, Trace
from vbench.metrics.vid_frames import VidAnswers, VidTruths, overlap, pairs
from vbench.metrics.vid_map import mean, score_vid
from vbench.metrics.vid_match import candidates, frame_and_class, kept, matched
from vbench.metrics.vid_profiles import VID_PROFILES, VidRules

# False positives an object at which delays are read, and the longest delay that is told apart
# (RalphMao/VMetrics @ 381f593 experiments/eval_map_ad.py:64-76, 117-129).
FALSE_PER_OBJECT = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
MOST_DELAY = 30
SEEN = 0.5


def average_delay(truths: VidTruths, answers: VidAnswers) -> float:
    """Frames from an object's first frame to its first detection; NaN without tracks.

    Mao et al., A Delay Metric for Video Object Detection, ICCV 2019: the score threshold is set so
    that there are .1 to 3.2 false positives an object; the six mean delays, each of at most 30
    frames, are averaged by the harmonic mean of 1 + delay.
    """
    track = _track_numbers(truths)
    known = track >= 0
    if not known.any():
        return float("nan")
    tracks = int(track.max()) + 1
    first = _extreme(np.minimum, track[known], truths.frame[known], tracks)
    last = _extreme(np.maximum, track[known], truths.frame[known], tracks)
    seen, seen_by = _sightings(truths, answers, known)
    found = []
    for threshold in score_thresholds(truths, answers):
        sure = answers.scores[seen_by] >= threshold
        sight = last.copy()
        np.minimum.at(sight, track[seen[sure]], truths.frame[seen[sure]])
        found.append(float(np.minimum(sight - first, MOST_DELAY).mean()))
    return 1.0 / float(np.mean(1.0 / (np.array(found) + 1.0))) - 1.0


def score_thresholds(truths: VidTruths, answers: VidAnswers) -> Floats:
    """Scores at which there are as many false positives an object as asked, -inf if never."""
    rules = VID_PROFILES["voc07"]
    found = candidates(truths, answers, rules)
    wrong = (matched(found, truths, rules) < 0)[found.order]
    rate = np.cumsum(wrong) / max(len(truths), 1)
    at = np.searchsorted(rate, FALSE_PER_OBJECT, side="right")
    return np.append(answers.scores[found.order], -np.inf)[at]


def jitter(truths: VidTruths, answers: VidAnswers, rules: VidRules) -> float:
    """Spread along a track of where its detections err, mean over tracks; NaN without tracks.

    Zhang & Wang, On the Stability of Video Detection and Tracking, 2016, equations 2 to 5: standard
    deviations of the centre's error over the object's size, in x and y, plus those of the square
    root of the ratio of areas and of the ratio of shapes. All matched detections count.
    """
    answers = kept(answers, rules)
    partner = matched(candidates(truths, answers, rules), truths, rules)
    track = np.append(_track_numbers(truths), -1)[partner]
    of_track = np.flatnonzero((partner >= 0) & (track >= 0))
    track = track[of_track]
    given, true = answers.corners[:, of_track], truths.corners[:, partner[of_track]]
    size, true_size = given[2:] - given[:2], true[2:] - true[:2]
    usable = (size > 0).all(axis=0) & (true_size > 0).all(axis=0)
    track, given, true = track[usable], given[:, usable], true[:, usable]
    size, true_size = size[:, usable], true_size[:, usable]
    offset = ((given[:2] + given[2:]) - (true[:2] + true[2:])) / 2 / true_size
    ratio = size / true_size
    values = np.stack([*offset, np.sqrt(ratio[0] * ratio[1]), ratio[0] / ratio[1]])
    counts = np.bincount(track) if len(track) else np.zeros(0, np.int64)
    followed = counts > 1
    if not followed.any():
        return float("nan")
    spread = sum(_deviations(row, track, counts)[followed] for row in values)
    return float(np.mean(spread))


def distances(traces: Sequence[Trace]) -> Ints:
    """Frames since the last keyframe, of all frames of all clips, 0 on a keyframe (n,)."""
    found = []
    for trace in traces:
        index = np.arange(len(trace))
        key = np.where(trace.kind == Kind.INTER, 0, index)
        found.append(index - np.maximum.accumulate(key))
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def map_by_distance(
    truths: VidTruths, answers: VidAnswers, distance: Ints, rules: VidRules
) -> dict[int, float]:
    """map50 over the frames at each distance from the last keyframe; distance (frames,)."""
    found = {}
    for value in np.unique(distance):
        here = distance == value
        part = _of_frames(truths, answers, here)
        found[int(value)] = mean(score_vid(*part, rules, ranges=False).ap)
    return found


def _of_frames(
    truths: VidTruths, answers: VidAnswers, frames: Bools
) -> tuple[VidTruths, VidAnswers]:
    own, given = frames[truths.frame], frames[answers.frame]
    return (
        VidTruths(
            truths.frame[own],
            truths.corners[:, own],
            truths.labels[own],
            truths.tracks[own],
            truths.clip[own],
            truths.ignore[own],
            truths.motion[own],
            truths.limits[:, own],
            truths.lengths,
        ),
        VidAnswers(
            answers.frame[given],
            answers.corners[:, given],
            answers.labels[given],
            answers.scores[given],
        ),
    )


def _track_numbers(truths: VidTruths) -> Ints:
    """Tracks of all clips numbered from 0, -1 where unknown (m,)."""
    numbers = np.full(len(truths), -1)
    known = np.flatnonzero((truths.tracks >= 0) & ~truths.ignore)
    both = np.stack([truths.clip[known], truths.tracks[known]], axis=1)
    numbers[known] = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    return numbers


def _sightings(truths: VidTruths, answers: VidAnswers, known: Bools) -> tuple[Ints, Ints]:
    """Objects seen and the detections that see them: the object of their class overlapped most."""
    objects, detections = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for i, j in pairs(*frame_and_class(truths, answers)):
        iou = overlap(answers.corners.take(i, axis=1), truths.corners.take(j, axis=1), 0.0)
        start = np.flatnonzero(np.append(True, i[1:] != i[:-1]))
        counts = np.diff(np.append(start, len(i)))
        best = np.repeat(np.maximum.reduceat(iou, start), counts)
        seen = (iou == best) & (iou > SEEN) & known[j]
        objects.append(j[seen])
        detections.append(i[seen])
    return np.concatenate(objects), np.concatenate(detections)


def _extreme(which: np.ufunc, track: Ints, frame: Ints, tracks: int) -> Ints:
    found = np.full(tracks, np.iinfo(np.int64).max if which is np.minimum else -1)
    which.at(found, track, frame)
    return found


def _deviations(values: Floats, track: Ints, counts: Ints) -> Floats:
    """Standard deviation of the values of each track."""
    safe = np.maximum(counts, 1)
    centre = np.bincount(track, values, len(counts)) / safe
    squares = np.bincount(track, (values - centre[track]) ** 2, len(counts)) / safe
    deviation: Floats = np.sqrt(squares)
    return deviation
