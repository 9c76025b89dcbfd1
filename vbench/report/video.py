"""Accuracy of detectors on video: numbers of a run's cells, by class, by distance from a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vbench.core.clip import Objects
from vbench.core.trace import Kind, Trace
from vbench.metrics.vid_bootstrap import map_interval
from vbench.metrics.vid_frames import VidAnswers, VidTruths, refused
from vbench.metrics.vid_map import VidScores, score_vid
from vbench.metrics.vid_motion import motion_iou
from vbench.metrics.vid_profiles import vid_rules_of
from vbench.metrics.vid_stability import average_delay, distances, jitter, map_by_distance
from vbench.store.traces import StoredTruth

Truths = Sequence[StoredTruth]
Traces = Sequence[Trace]


def video_accuracy(profile: str, truths: Truths, traces: Traces) -> dict[str, float]:
    """Mean AP at IoU .5, by motion and size, delay and jitter; nothing without ground truth."""
    laid = laid_out(truths, traces)
    if laid is None:
        return {}
    rules = vid_rules_of(profile)
    found = score_vid(*laid, rules).columns
    return found | {"average_delay": average_delay(*laid), "jitter": jitter(*laid, rules)}


def video_plus_minus(profile: str, truths: Truths, traces: Traces) -> dict[str, float]:
    """Half width of the 95 % bootstrap interval of map50 over clips; nothing for a single one."""
    laid = laid_out(truths, traces)
    if laid is None or len(laid[0].lengths) < 2:
        return {}
    return {"map50": map_interval(*laid, vid_rules_of(profile)).half}


def by_class(profile: str, classes: Sequence[str], truths: Truths, traces: Traces) -> pd.DataFrame:
    """One row a class that has objects: its name, objects, AP at IoU .5, whole and by range."""
    laid = laid_out(truths, traces)
    if laid is None:
        return pd.DataFrame(columns=["class", "objects", "ap50"])
    scores: VidScores = score_vid(*laid, vid_rules_of(profile))
    objects = np.bincount(laid[0].labels[~laid[0].ignore], minlength=len(scores.ap))
    rows = pd.DataFrame({"class": _named(classes, len(objects)), "objects": objects})
    rows["ap50"] = scores.ap
    for name, ap in scores.by_range.items():
        rows[name.replace("map50", "ap50")] = ap
    return rows[rows["objects"] > 0].reset_index(drop=True)


def by_distance(profile: str, truths: Truths, traces: Traces) -> pd.DataFrame:
    """One row a distance from the last keyframe: frames, and mAP at IoU .5 over them.

    Empty for a method that answers every frame by its base model.
    """
    laid = laid_out(truths, traces)
    if laid is None or not any((trace.kind == Kind.INTER).any() for trace in traces):
        return pd.DataFrame(columns=["distance", "frames", "map50"])
    scored = [r for t, r in zip(truths, traces, strict=True) if t.objects is not None]
    distance = distances(scored)
    found = map_by_distance(*laid, distance, vid_rules_of(profile))
    frames = np.bincount(distance)
    return pd.DataFrame(
        [{"distance": at, "frames": int(frames[at]), "map50": found[at]} for at in sorted(found)]
    )


def unscorable(truth: StoredTruth, trace: Trace, classes: Sequence[str] = ()) -> str:
    """Why detections on a clip cannot be scored; empty if they can."""
    if len(trace) != truth.frames:
        return f"{len(trace)} answered frames for {truth.frames} frames"
    return refused(trace.boxes.T, trace.scores, trace.labels, classes)


def laid_out(truths: Truths, traces: Traces) -> tuple[VidTruths, VidAnswers] | None:
    """Lay out what clips have and what was answered for scoring; None without ground truth."""
    objects: list[Objects] = []
    known, answers = [], []
    for truth, trace in zip(truths, traces, strict=True):
        if truth.objects is not None:
            objects.append(truth.objects)
            known.append(truth)
            answers.append(trace)
    if not known:
        return None
    motion = [motion_iou(found) for found in objects]
    sizes = [truth.size for truth in known]
    lengths = [truth.frames for truth in known]
    return VidTruths.of(objects, lengths, motion, sizes), VidAnswers.of(answers)


def _named(classes: Sequence[str], count: int) -> list[str]:
    return [classes[k] if k < len(classes) else str(k) for k in range(count)]
