"""Scores of VOT experiments without restarts: unsupervised, and the multi-start of 2020 on.

votchallenge/toolkit-legacy analysis/analyze_overlap.m; votchallenge/toolkit vot/analysis/
accuracy.py and multistart.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError
from vbench.core.vot_run import VotRun
from vbench.metrics.vot_frames import VotTruth, lay_out
from vbench.metrics.vot_profiles import VotRules

THRESHOLDS = 100
# A target counts as lost where the overlap stays at or below this for so many frames in a row.
LOST_OVERLAP = 0.1
LOST_FRAMES = 10


@dataclass(frozen=True)
class OverlapScore:
    """Average overlap of an unsupervised run, and the share of frames above 100 thresholds."""

    average: float
    thresholds: Floats
    success: Floats


def score_unsupervised(
    truth: VotTruth, runs: Mapping[str, Sequence[VotRun]], rules: VotRules
) -> OverlapScore:
    """Score the first run of each clip.

    MATLAB counts the start and unknown frames as 0 and pools all frames; the Python toolkit leaves
    out the start with its burn-in and weighs the clips' means by their frames.

    Raises:
        VBenchError: no clip has a result.
    """
    frames = lay_out(truth, {name: group[:1] for name, group in runs.items()}, 0, rules)
    if not frames.present.any():
        raise VBenchError(f"no result of any of the {len(truth.names)} clips")
    thresholds = np.linspace(0, 1, THRESHOLDS)
    counted = frames.counted if rules.accuracy == "clips" else np.nan_to_num(frames.overlap)
    means, curves = [], []
    for index in np.flatnonzero(frames.present):
        values = counted[truth.slice_of(int(index))]
        values = values[np.isfinite(values)]
        means.append(values.mean() if len(values) else 0.0)
        curves.append([(values > t).mean() if len(values) else 0.0 for t in thresholds])
    weights = truth.lengths[frames.present]
    success = np.average(curves, axis=0, weights=None if rules.accuracy == "clips" else weights)
    return OverlapScore(float(np.average(means, weights=weights)), thresholds, success)


@dataclass(frozen=True)
class MultistartScore:
    """What one tracker reaches from all anchors; all of it is the higher the better.

    accuracy: mean overlap until a loss; robustness: share of frames until it; eao: NaN without an
    interval; curve (high,): expected overlap 0 to high - 1 frames after a start.
    """

    accuracy: float
    robustness: float
    eao: float
    curve: Floats


def score_multistart(
    overlaps: Mapping[str, Sequence[Floats]],
    lengths: Mapping[str, int],
    interval: tuple[int, int] | None = None,
) -> MultistartScore:
    """Score clips by their runs from anchors: overlaps (n,) of each, 0 on the start frame.

    `lengths` are the frames of the clips. Accuracy is weighted by the frames until a loss,
    robustness by the clips' frames.

    Raises:
        VBenchError: a clip without runs.
    """
    high = interval[1] if interval else 0
    inside = kept = held = weight = 0.0
    total, active = np.zeros(high), np.zeros(high)
    for name, group in overlaps.items():
        if not len(group):
            raise VBenchError(f"{name}: no run from any anchor")
        ends = [until_lost(run) for run in group]
        inside += sum(float(run[:end].sum()) for run, end in zip(group, ends, strict=True))
        kept += sum(ends)
        held += lengths[name] * sum(ends) / sum(len(run) for run in group)
        weight += lengths[name]
        for run, end in zip(group, ends, strict=True):
            means, known = _expected(run, end, high)
            total += means
            active += known
    curve = np.divide(total, active, out=np.zeros(high), where=active > 0)
    eao = float(curve[interval[0] :].mean()) if interval else float("nan")
    return MultistartScore(inside / kept if kept else 0.0, held / weight, eao, curve)


def until_lost(overlaps: Floats) -> int:
    """Frames until the target is lost: before the first 10 in a row with overlap at most .1."""
    low = overlaps <= LOST_OVERLAP
    steps = np.arange(1, len(low) + 1)
    # Length of the stretch of low overlaps that ends in each frame.
    stretch = steps - np.maximum.accumulate(np.where(low, 0, steps))
    lost = np.flatnonzero(stretch >= LOST_FRAMES)
    return int(lost[0]) + 1 - LOST_FRAMES if len(lost) else len(overlaps)


def _expected(overlaps: Floats, end: int, high: int) -> tuple[Floats, Floats]:
    """Mean overlap 0 to high - 1 frames after the start, and where it is known, (high,).

    Behind the end of a lost run its sum is divided by one frame less (multistart.py, as written).
    """
    means, known = np.zeros(high), np.zeros(high)
    values = np.where(np.arange(len(overlaps)) < end, overlaps, 0.0)[1:]
    steps = np.arange(1, high)
    here = min(len(values), len(steps))
    means[1 : here + 1] = np.cumsum(values[:here]) / steps[:here]
    known[1 : here + 1] = 1
    if end < len(overlaps) and high > len(overlaps):
        beyond = np.arange(len(overlaps), high)
        means[beyond] = values.sum() / np.maximum(beyond - 1, 1)
        known[beyond] = 1
    return means, known
