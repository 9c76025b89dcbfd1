"""Accuracy, robustness and expected average overlap of VOT runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp

import numpy as np

from vbench.core.boxes import Bools, Floats, Ints
from vbench.core.errors import VBenchError
from vbench.core.vot_run import VotRun
from vbench.metrics.vot_curve import (
    Fragment,
    averaged,
    cut,
    expected_overlaps,
    part_of,
    weighed,
)
from vbench.metrics.vot_frames import VotFrames, VotTruth, burnt, lay_out
from vbench.metrics.vot_profiles import INTERVALS, SENSITIVITY, VotRules


@dataclass(frozen=True)
class VotScore:
    """What one tracker reaches on the clips that have results, under one set of rules.

    robustness: failures per 100 frames; failures_per_clip: their mean a clip, weighted by frames
    (both units are in use). lost: failures in all, mean of repetitions. eao: NaN without an
    interval. curve (l,): expected overlap at lengths 1 to l. ar: (exp(-S failures/frames),
    accuracy), the AR plot's point. Per tag: accuracy, failures, frames, eao.
    by_clip: columns (clips,) accuracy, failures, counted (frames that count for accuracy), frames.
    sums: weighted overlaps and weights (clips, lengths of the interval) whose ratio is the curve.
    """

    profile: str
    clips: tuple[str, ...]
    frames: int
    accuracy: float
    robustness: float
    failures_per_clip: float
    lost: float
    eao: float
    interval: tuple[int, int] | None
    curve: Floats
    ar: tuple[float, float]
    by_clip: Mapping[str, Floats]
    sums: tuple[Floats, Floats]
    tags: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def score_vot(
    truth: VotTruth,
    runs: Mapping[str, Sequence[VotRun]],
    rules: VotRules,
    interval: tuple[int, int] | None = None,
    *,
    suite: str = "",
) -> VotScore:
    """Score the repetitions of each clip that has any; `interval` is the suite's if not given.

    Raises:
        VBenchError: no clip has a result, or a result is shorter or longer than its clip.
    """
    interval = interval or INTERVALS.get(suite)
    chosen = {name: counted(runs[name], rules) for name in truth.names if runs.get(name)}
    if not chosen:
        raise VBenchError(f"no result of any of the {len(truth.names)} clips")
    rounds = [
        lay_out(truth, chosen, number, rules)
        for number in range(max(len(group) for group in chosen.values()))
    ]
    present = rounds[0].present
    clip_accuracy, clip_failures = _by_clip(truth, rounds)
    tags = _by_tag(truth, rounds, rules)
    accuracy, rate, mean_failures = _means(truth, rounds, rules, clip_failures, tags)
    pieces = _Pieces(truth, rounds, rules)
    curve, *tagged = pieces.curves([truth.tags[name] for name in tags])
    for values, one in zip(tags.values(), tagged, strict=True):
        values["eao"] = averaged(one, interval, rules.first_length)
    return VotScore(
        profile=rules.title,
        clips=tuple(np.array(truth.names)[present].tolist()),
        frames=int(truth.lengths[present].sum()),
        accuracy=accuracy,
        robustness=100 * rate,
        failures_per_clip=mean_failures,
        lost=float(clip_failures[present].sum()),
        eao=averaged(curve, interval, rules.first_length),
        interval=interval,
        curve=curve,
        ar=(exp(-SENSITIVITY * rate), accuracy),
        by_clip={
            "accuracy": clip_accuracy[present],
            "failures": clip_failures[present],
            "counted": _counted_frames(truth, rounds)[present],
            "frames": truth.lengths[present].astype(np.float64),
        },
        sums=pieces.sums_by_clip(np.flatnonzero(present), interval),
        tags=tags,
    )


def counted(group: Sequence[VotRun], rules: VotRules) -> Sequence[VotRun]:
    """The repetitions of a clip that the toolkit takes into account."""
    if rules.repetitions == "fifteen or the first":
        return group if len(group) == 15 else group[:1]
    alike = len(group) > 3 and all(group[0].same_as(other) for other in group[1:3])
    return group[:3] if rules.repetitions == "three if alike" and alike else group


class _Pieces:
    """Fragments of all runs of a tracker, and how much each of them weighs."""

    def __init__(self, truth: VotTruth, rounds: Sequence[VotFrames], rules: VotRules) -> None:
        self.rules = rules
        self.pieces: list[tuple[int, float, Fragment]] = []
        self.clip: list[int] = []
        for frames in rounds:
            for index in np.flatnonzero(frames.present):
                place = truth.slice_of(int(index))
                times = sum(bool(other.present[index]) for other in rounds)
                share = 1.0 / times if rules.fragments == "vot-matlab" else 1.0
                found = cut(frames.codes[place], frames.whole[place], rules.fragments)
                new = [(place.start, share, fragment) for fragment in found]
                self.pieces += new
                self.clip += [int(index)] * len(new)
        if rules.fragments == "vot-python":
            self.length = max(len(fragment.overlaps) for _, _, fragment in self.pieces)
        else:
            self.length = int(truth.lengths[rounds[0].present].max())

    def curves(self, flags: Sequence[Bools]) -> Floats:
        """Expected overlap at lengths 1, 2, ...: of all frames, and of each of `flags`.

        With flags (n,) a fragment weighs as much as its share of flagged frames.
        """
        weights = np.array([[share for _, share, _ in self.pieces]] * (1 + len(flags)))
        for row, flag in zip(weights[1:], flags, strict=True):
            row *= [
                flag[start + piece.first : start + piece.last].sum() / (piece.last - piece.first)
                for start, _, piece in self.pieces
            ]
        fragments = [fragment for _, _, fragment in self.pieces]
        return expected_overlaps(fragments, weights, self.length)

    def sums_by_clip(self, clips: Ints, interval: tuple[int, int] | None) -> tuple[Floats, Floats]:
        """Weighted overlaps and weights (clips, l) at the lengths of the interval."""
        if interval is None:
            return np.zeros((len(clips), 0)), np.zeros((len(clips), 0))
        shares = np.array([share for _, share, _ in self.pieces])
        weights = (clips[:, None] == np.array(self.clip)) * shares
        fragments = [fragment for _, _, fragment in self.pieces]
        total, weight = weighed(fragments, weights, self.length)
        shift = self.rules.first_length
        return part_of(total, interval, shift), part_of(weight, interval, shift)


def _counted_frames(truth: VotTruth, rounds: Sequence[VotFrames]) -> Floats:
    """Frames of each clip (clips,) that count for accuracy in any repetition."""
    known = np.logical_or.reduce([np.isfinite(frames.counted) for frames in rounds])
    ends = np.concatenate([[0], np.cumsum(known)])
    counts: Floats = (ends[truth.starts + truth.lengths] - ends[truth.starts]).astype(np.float64)
    return counts


def _by_clip(truth: VotTruth, rounds: Sequence[VotFrames]) -> tuple[Floats, Floats]:
    """Mean overlap and mean failures of each clip (clips,); NaN where there is no result."""
    accuracy = np.full(len(truth.names), np.nan)
    failures = np.full(len(truth.names), np.nan)
    for index in np.flatnonzero(rounds[0].present):
        place = truth.slice_of(int(index))
        here = [frames for frames in rounds if frames.present[index]]
        accuracy[index] = _nanmean(np.concatenate([frames.counted[place] for frames in here]))
        failures[index] = np.mean([frames.failed[place].sum() for frames in here])
    return accuracy, failures


def _nanmean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _means(
    truth: VotTruth,
    rounds: Sequence[VotFrames],
    rules: VotRules,
    clip_failures: Floats,
    tags: Mapping[str, Mapping[str, float]],
) -> tuple[float, float, float]:
    """Accuracy, failures a frame, and mean failures a clip of the whole suite."""
    present = rounds[0].present
    weight = truth.lengths[present]
    rate = float(clip_failures[present].sum() / weight.sum())
    mean_failures = float((clip_failures[present] * weight).sum() / weight.sum())
    if rules.accuracy == "clips":
        return _weighted_clips(truth, rounds), rate, mean_failures
    if rules.accuracy == "tags" and tags:
        return _weighted_tags(tags)
    return _nanmean(_over_rounds([frames.counted for frames in rounds])), rate, mean_failures


def _weighted_tags(tags: Mapping[str, Mapping[str, float]]) -> tuple[float, float, float]:
    """The same means over tags, weighted by their frames (report_ranking.m, weighted_mean)."""
    frames = np.array([values["frames"] for values in tags.values()])
    inside = np.nan_to_num(np.array([values["accuracy"] for values in tags.values()]))
    failed = np.array([values["failures"] for values in tags.values()])
    total = frames.sum()
    sums = (inside * frames).sum(), failed.sum(), (failed * frames).sum()
    accuracy, rate, mean_failures = (float(value / total) for value in sums)
    return accuracy, rate, mean_failures


def _weighted_clips(truth: VotTruth, rounds: Sequence[VotFrames]) -> float:
    """Mean over clips, weighted by their frames, of the mean over repetitions; none counts as 0."""
    total, weight = 0.0, 0
    for index in np.flatnonzero(rounds[0].present):
        place, length = truth.slice_of(int(index)), int(truth.lengths[index])
        means = [_nanmean(frames.counted[place]) for frames in rounds if frames.present[index]]
        total += float(np.mean(np.nan_to_num(means))) * length
        weight += length
    return total / weight


def _over_rounds(values: Sequence[Floats]) -> Floats:
    """Mean of repetitions frame by frame (n,), NaN where none has a value."""
    if len(values) == 1:
        return values[0]
    total, known = np.zeros(len(values[0])), np.zeros(len(values[0]))
    for one in values:
        total += np.nan_to_num(one)
        known += np.isfinite(one)
    with np.errstate(invalid="ignore"):
        mean: Floats = total / known
    return mean


def _by_tag(
    truth: VotTruth, rounds: Sequence[VotFrames], rules: VotRules
) -> dict[str, dict[str, float]]:
    """Accuracy, failures and frames of each tag.

    The MATLAB toolkit cuts the tag's frames out first and burns in among those that are left
    (create_tag_selectors.m).
    """
    found = {}
    here = np.repeat(rounds[0].present, truth.lengths)
    for name, flags in truth.tags.items():
        where = np.flatnonzero(flags & here)
        inside = [frames.counted[where] for frames in rounds]
        if rules.accuracy == "tags":
            inside = [
                np.where(burnt(truth, frames.codes[where], where), np.nan, frames.overlap[where])
                for frames in rounds
            ]
        found[name] = {
            "accuracy": _nanmean(_over_rounds(inside)),
            "failures": float(np.mean([frames.failed[where].sum() for frames in rounds])),
            "frames": float(len(where)),
        }
    return found
