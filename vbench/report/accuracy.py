"""From traces and ground truth to accuracy, by the task of the suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Floats
from vbench.core.clip import RESTART
from vbench.core.trace import Trace
from vbench.core.tries import tries_of
from vbench.metrics.bootstrap import intervals
from vbench.metrics.metric import OVERLAP_METRICS
from vbench.metrics.ope import PIXELS, OpeScores, Truths, score_ope
from vbench.metrics.profiles import Rules, iou_thresholds, rules_of, without_flagged
from vbench.metrics.short_range import judged, miss_rate
from vbench.metrics.vot_profiles import VOT_PROFILES
from vbench.report.long_term import long_term_of
from vbench.report.video import video_accuracy, video_plus_minus
from vbench.report.vot_accuracy import Interval, is_vot_run, vot_accuracy, vot_plus_minus
from vbench.store.traces import StoredTruth

# Protocols that make several pieces of each clip.
CUT = ("tre", "sre", "sre-compat")


def accuracy_of(
    suite: str,
    task: str,
    profile: str,
    truths: Sequence[StoredTruth],
    traces: Sequence[Trace],
    protocol: str = "",
    interval: Interval = None,
) -> dict[str, float]:
    """Accuracy over some clips by metric name; nothing where there is no ground truth."""
    if task == "vid":
        return video_accuracy(profile, truths, traces)
    if is_vot_run(protocol, traces):
        return vot_accuracy(suite, profile, protocol, truths, traces, interval)
    scored = _scored(suite, profile, truths, traces)
    found = {} if scored is None else {name: scored.mean(name) for name in OVERLAP_METRICS}
    found |= long_term_of(truths, traces)
    if any(RESTART in truth.frame_tags for truth in truths):
        found["miss_rate"] = miss_rate(*_boxes(truths, traces, _rules(suite, profile)))
    return found


def plus_minus_of(
    suite: str,
    task: str,
    profile: str,
    truths: Sequence[StoredTruth],
    traces: Sequence[Trace],
    protocol: str = "",
    interval: Interval = None,
) -> dict[str, float]:
    """Half widths of 95 % bootstrap intervals over clips, for metrics that are means of clips."""
    if task == "vid":
        return video_plus_minus(profile, truths, traces)
    if is_vot_run(protocol, traces):
        return vot_plus_minus(suite, profile, protocol, truths, traces, interval)
    if len(truths) < 2:
        return {}
    scored = _scored(suite, profile, truths, traces)
    if scored is None:
        return {}
    names = [truth.name for truth, _ in _kept(truths, traces, _rules(suite, profile))]
    values = np.column_stack([scored.columns[name] for name in OVERLAP_METRICS])
    weights = scored.weights("success_auc")
    if protocol in CUT:
        names = [name.rpartition("/")[0] for name in names]
    if len(set(names)) < len(names):
        values, weights = _by_whole_clip(names, values, weights)
        if len(values) < 2:
            return {}
    found = intervals(values, weights)
    return {name: one.half for name, one in zip(OVERLAP_METRICS, found, strict=True)}


def _by_whole_clip(names: Sequence[str], values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Means (clips, metrics) and weights of the named clips, of which there are several pieces.

    Pieces of one clip, and tries on it, are alike; drawn one by one they would make intervals too
    narrow.
    """
    _, clip = np.unique(names, return_inverse=True)
    known = np.where(np.isnan(values), 0.0, weights[:, None])
    sums, total = np.zeros((2, clip.max() + 1, values.shape[1]))
    np.add.at(sums, clip, known * np.nan_to_num(values))
    np.add.at(total, clip, known)
    means = np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0)
    heavy: Floats = np.bincount(clip, weights).astype(np.float64)
    return means, heavy


def curve_of(
    suite: str, profile: str, kind: str, truths: Sequence[StoredTruth], traces: Sequence[Trace]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Thresholds, mean curve over the clips and its one number: AUC, or the share within 20 px."""
    scored = _scored(suite, profile, truths, traces)
    rules = _rules(suite, profile)
    thresholds = iou_thresholds(rules.thresholds, rules.bins) if kind == "success" else PIXELS
    if scored is None:
        return thresholds, np.full(len(thresholds), np.nan), float("nan")
    curve = scored.curves.success if kind == "success" else scored.curves.precision
    number = scored.mean("success_auc" if kind == "success" else "precision_20px")
    return thresholds, np.nanmean(curve, axis=0), number


def _scored(
    suite: str, profile: str, truths: Sequence[StoredTruth], traces: Sequence[Trace]
) -> OpeScores | None:
    rules = _rules(suite, profile)
    kept = _kept(truths, traces, rules)
    if not kept:
        return None
    boxes, results = _boxes([truth for truth, _ in kept], [trace for _, trace in kept], rules)
    return score_ope(Truths(boxes, [truth.size for truth, _ in kept]), results, rules)


def _kept(
    truths: Sequence[StoredTruth], traces: Sequence[Trace], rules: Rules
) -> list[tuple[StoredTruth, Trace]]:
    """What is scored of each clip: its tries, where the rules pool the frames of all of them.

    A truth of the first frame alone, as of a test set, is to start from and not to score.
    """
    return [
        (_seen(truth, rules), one)
        for truth, trace in zip(truths, traces, strict=True)
        if len(truth.truth) == truth.frames
        for one in (tries_of(trace) if rules.average == "frames" else [trace])
    ]


def _rules(suite: str, profile: str) -> Rules:
    """Rules of a profile; those of the VOT profiles say nothing of runs in one pass."""
    return rules_of("vbench" if profile in VOT_PROFILES else profile, suite)


def _seen(truth: StoredTruth, rules: Rules) -> StoredTruth:
    """The truth without the frames that the rules take as flagged absent."""
    return replace(truth, truth=without_flagged(truth.truth, truth.frame_tags, rules))


def _boxes(
    truths: Sequence[StoredTruth], traces: Sequence[Trace], rules: Rules
) -> tuple[list[Boxes], list[Boxes]]:
    """True and answered boxes of each clip; where it begins anew, of the last frames before.

    Results that begin late are compared from there on, or as the rules say.
    """
    true, answered = [], []
    for truth, trace in zip(truths, traces, strict=True):
        restarts = truth.frame_tags.get(RESTART)
        last = slice(None) if restarts is None else judged(restarts)
        skipped = trace.begin if restarts is None else 0
        true.append(truth.truth[last][skipped if rules.late == "placed" else 0 :])
        answered.append(trace.boxes[last][skipped:])
    return true, answered
