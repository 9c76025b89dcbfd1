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
from vbench.metrics.vot_frames import VotFrames, VotTruth, lay_out
from vbench.metrics.vot_profiles import VotRules

THRESHOLDS = 100
# A target counts as lost where the overlap stays at or below this for so many frames in a row.
LOST_OVERLAP = 0.1
LOST_FRAMES = 10


@dataclass(frozen=True)
class OverlapScore:
    """Average overlap of an unsupervised run, and the share of frames above 100 thresholds.

    `means` (clips,) of the named clips and their `frames` (clips,), which weigh them.
    """

    average: float
    thresholds: Floats
    success: Floats
    clips: tuple[str, ...]
    means: Floats
    frames: Floats


def score_unsupervised(
    truth: VotTruth, runs: Mapping[str, Sequence[VotRun]], rules: VotRules
) -> OverlapScore:
    """Score the first run of each clip.

    MATLAB counts the start and unknown frames as 0 and pools all frames; the Python toolkit leaves
    out the start with its burn-in and weighs the clips' means by their frames.

    Raises:
        VBenchError: no clip has a result.
    """
    frames, counted = counted_overlaps(truth, runs, rules)
    thresholds = np.linspace(0, 1, THRESHOLDS)
    means, curves = [], []
    for index in np.flatnonzero(frames.present):
        values = counted[truth.slice_of(int(index))]
        values = values[np.isfinite(values)]
        means.append(values.mean() if len(values) else 0.0)
        curves.append([(values > t).mean() if len(values) else 0.0 for t in thresholds])
    weights = truth.lengths[frames.present]
    success = np.average(curves, axis=0, weights=None if rules.accuracy == "clips" else weights)
    names = tuple(np.array(truth.names)[frames.present].tolist())
    return OverlapScore(
        float(np.average(means, weights=weights)),
        thresholds,
        success,
        names,
        np.array(means),
        weights.astype(np.float64),
    )


def counted_overlaps(
    truth: VotTruth, runs: Mapping[str, Sequence[VotRun]], rules: VotRules
) -> tuple[VotFrames, Floats]:
    """The first run of each clip, and what each frame (n,) counts: NaN where it does not.

    Raises:
        VBenchError: no clip has a result.
    """
    frames = lay_out(truth, {name: group[:1] for name, group in runs.items()}, 0, rules)
    if not frames.present.any():
        raise VBenchError(f"no result of any of the {len(truth.names)} clips")
    counted = frames.counted if rules.accuracy == "clips" else np.nan_to_num(frames.overlap)
    return frames, np.where(np.repeat(frames.present, truth.lengths), counted, np.nan)


@dataclass(frozen=True)
class MultistartScore:
    """What one tracker reaches from all anchors; all of it is the higher the better.

    accuracy: mean overlap until a loss; robustness: share of frames until it; eao: NaN without an
    interval; curve (high,): expected overlap 0 to high - 1 frames after a start. `sums` by clip,
    of which they are made: inside, kept, held and frames (clips,), total and active (clips, high).
    """

    accuracy: float
    robustness: float
    eao: float
    curve: Floats
    sums: Mapping[str, Floats]
    low: int = 0


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
    low, high = interval or (0, 0)
    clips = [_of_clip(name, group, lengths[name], high) for name, group in overlaps.items()]
    sums = {name: np.array([clip[name] for clip in clips]) for name in clips[0]} if clips else {}
    accuracy, robustness, eao, curve = averaged(sums, np.ones((1, len(clips))), low)
    return MultistartScore(
        float(accuracy[0]),
        float(robustness[0]),
        float(eao[0]) if interval else float("nan"),
        curve[0],
        sums,
        low,
    )


def averaged(
    sums: Mapping[str, Floats], counts: Floats, low: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Accuracy, robustness, EAO (d,) and curve (d, high) of d draws; `counts` is (d, clips)."""
    drawn = {name: np.einsum("dc,c...->d...", counts, values) for name, values in sums.items()}
    accuracy = drawn["inside"] / np.maximum(drawn["kept"], 1)
    robustness = drawn["held"] / drawn["frames"]
    total, active = drawn["total"], drawn["active"]
    curve = np.divide(total, active, out=np.zeros_like(total), where=active > 0)
    part = curve[:, low:]
    eao = part.mean(axis=1) if part.shape[1] else np.full(len(curve), np.nan)
    return accuracy, robustness, eao, curve


def _of_clip(
    name: str, group: Sequence[Floats], frames: int, high: int
) -> dict[str, float | Floats]:
    """What one clip adds to the sums."""
    if not len(group):
        raise VBenchError(f"{name}: no run from any anchor")
    ends = [until_lost(run) for run in group]
    pairs = list(zip(group, ends, strict=True))
    expected = [_expected(run, end, high) for run, end in pairs]
    return {
        "inside": sum(float(run[:end].sum()) for run, end in pairs),
        "kept": float(sum(ends)),
        "held": frames * sum(ends) / sum(len(run) for run in group),
        "frames": float(frames),
        "total": np.sum([means for means, _ in expected], axis=0),
        "active": np.sum([known for _, known in expected], axis=0),
    }


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
