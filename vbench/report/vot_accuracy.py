"""Accuracy of runs under the VOT protocols: with restarts, without, and from many starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.clip import Clip
from vbench.core.frames import NoFrames
from vbench.core.trace import Trace
from vbench.core.vot_run import COLUMN, VotRun, runs_in
from vbench.metrics.vot import VotScore, score_vot
from vbench.metrics.vot_frames import VotTruth, lay_out
from vbench.metrics.vot_intervals import multistart_intervals, overlap_interval, vot_intervals
from vbench.metrics.vot_overlap import MultistartScore, score_multistart, score_unsupervised
from vbench.metrics.vot_profiles import INTERVALS, VOT_PROFILES, VotRules, vot_rules
from vbench.store.raw_vot import plain_run
from vbench.store.run_folder import Manifest
from vbench.store.traces import StoredTruth

MULTISTART, UNSUPERVISED = "vot-multistart", "vot-unsupervised"
# Lengths between which the expected overlap is averaged, where the suite's card has none: those of
# the challenges from VOT2020 on, with which multi-start began.
SINCE_2020 = INTERVALS["vot2020"]
Interval = tuple[int, int] | None


def interval_of(manifest: Manifest) -> Interval:
    """Sequence lengths between which a run's expected overlap is averaged, if its card has any."""
    found = manifest.eao_interval
    return (found[0], found[1]) if len(found) == 2 else None


def is_vot_run(protocol: str, traces: Sequence[Trace]) -> bool:
    """Tell whether traces are scored by the VOT measures."""
    return protocol == MULTISTART or any(COLUMN in trace.extras for trace in traces)


def vot_accuracy(
    suite: str,
    profile: str,
    protocol: str,
    truths: Sequence[StoredTruth],
    traces: Sequence[Trace],
    interval: Interval = None,
) -> dict[str, float]:
    """Accuracy, robustness, lost and EAO; average overlap without restarts.

    Over all repetitions of imported results; our methods repeat exactly and are run once.
    """
    if protocol == MULTISTART:
        return _multistart(suite, truths, traces, interval)
    if protocol == UNSUPERVISED:
        rules = _rules(suite, profile)
        return {"ao": score_unsupervised(_truth(truths), _runs(truths, traces), rules).average}
    score = supervised_score(suite, profile, truths, traces, interval)
    return {
        "accuracy": score.accuracy,
        "robustness": score.robustness,
        "failures_per_clip": score.failures_per_clip,
        "lost": score.lost,
        "eao": score.eao,
    }


def vot_plus_minus(
    suite: str,
    profile: str,
    protocol: str,
    truths: Sequence[StoredTruth],
    traces: Sequence[Trace],
    interval: Interval = None,
) -> dict[str, float]:
    """Half widths of 95 % bootstrap intervals over clips (of multi-start: all its pieces)."""
    if len(truths) < 2:
        return {}
    if protocol == MULTISTART:
        drawn = multistart_intervals(_multistart_score(suite, truths, traces, interval))
        return {name: one.half for name, one in drawn.items() if np.isfinite(one.half)}
    if protocol == UNSUPERVISED:
        rules = _rules(suite, profile)
        found = score_unsupervised(_truth(truths), _runs(truths, traces), rules)
        return {"ao": overlap_interval(found).half}
    each = vot_intervals(supervised_score(suite, profile, truths, traces, interval))
    return {name: one.half for name, one in each.items()}


def supervised_score(
    suite: str,
    profile: str,
    truths: Sequence[StoredTruth],
    traces: Sequence[Trace],
    interval: Interval = None,
) -> VotScore:
    """Everything there is to score of runs with restarts, curve and AR point included."""
    rules = _rules(suite, profile)
    return score_vot(_truth(truths), _runs(truths, traces), rules, interval, suite=suite)


def _multistart(
    suite: str, truths: Sequence[StoredTruth], traces: Sequence[Trace], interval: Interval
) -> dict[str, float]:
    score = _multistart_score(suite, truths, traces, interval)
    return {"accuracy": score.accuracy, "tracked": score.robustness, "eao": score.eao}


def _multistart_score(
    suite: str, truths: Sequence[StoredTruth], traces: Sequence[Trace], interval: Interval
) -> MultistartScore:
    """Scores of pieces `CLIP/ANCHOR`; the longest one of a clip starts at its first frame."""
    laid = _truth(truths)
    rules = vot_rules("vot-python", suite)
    frames = lay_out(laid, _runs(truths, traces), 0, rules)
    overlaps: dict[str, list[Floats]] = {}
    for index, name in enumerate(laid.names):
        own = np.nan_to_num(frames.overlap[laid.slice_of(index)])
        own[:1] = 0.0
        overlaps.setdefault(name.rpartition("/")[0] or name, []).append(own)
    lengths = {clip: max(len(own) for own in group) for clip, group in overlaps.items()}
    return score_multistart(overlaps, lengths, interval or INTERVALS.get(suite, SINCE_2020))


def _rules(suite: str, profile: str) -> VotRules:
    return vot_rules(profile if profile in VOT_PROFILES else "vot-pysot", suite)


def _truth(truths: Sequence[StoredTruth]) -> VotTruth:
    return VotTruth(
        [
            Clip(
                t.name,
                NoFrames(t.frames),
                t.truth,
                regions=t.regions,
                known_size=t.size,
                frame_tags=dict(t.frame_tags),
            )
            for t in truths
        ]
    )


def _runs(truths: Sequence[StoredTruth], traces: Sequence[Trace]) -> dict[str, list[VotRun]]:
    return {
        truth.name: runs_in(trace) or [plain_run(trace.boxes)]
        for truth, trace in zip(truths, traces, strict=True)
    }
