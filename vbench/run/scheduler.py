"""Fitting the scheduler of Detect or Track on clips with ground truth.

The label is strict, as in Luo et al. (arXiv 1811.05340): an object was rightly tracked only if its
carried box keeps a high IoU with the ground truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, absent, iou_matrix
from vbench.core.clip import Clip
from vbench.core.dort import FEATURES, SCHEMA, Scheduler, features
from vbench.core.errors import VBenchError
from vbench.core.moment import Moment
from vbench.core.suite import Suite
from vbench.run.compose import Composed
from vbench.run.loop import truth_by_frame

RIGHT_IOU = 0.8
RIDGE = 1e-3
STEPS = 50


@dataclass(frozen=True)
class Samples:
    """Features (n, 4) of carried objects and whether they were rightly tracked (n,)."""

    features: Floats
    right: Bools


def samples(
    composed: Composed, suite: Suite, k: int, each_clip: Callable[[str], object] = len
) -> Samples:
    """Carry objects from a keyframe every k frames and look at what became of them.

    Raises:
        VBenchError: the method has no cheap half, or nothing was carried.
    """
    if not composed.stepper.has_cheap_half:
        raise VBenchError(f"'{composed.name}' has no cheap half to schedule; add a propagator")
    found = []
    for clip in suite.clips:
        each_clip(clip.name)
        found.append(_of_clip(composed, clip, k))
    rows = np.concatenate([one.features for one in found] or [np.zeros((0, len(FEATURES)))])
    right = np.concatenate([one.right for one in found] or [np.zeros(0, bool)])
    if len(rows) == 0:
        raise VBenchError(f"'{composed.name}' carried nothing on {suite.name}: no samples")
    return Samples(rows, right)


def fitted(given: Samples) -> Scheduler:
    """Logistic regression with a little ridge, by Newton's method; deterministic."""
    x = np.column_stack([given.features, np.ones(len(given.features))])
    y = given.right.astype(np.float64)
    theta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ theta, -60, 60)))
        gradient = x.T @ (p - y) / len(y) + RIDGE * theta
        curvature = (x * (p * (1 - p))[:, None]).T @ x / len(y) + RIDGE * np.eye(x.shape[1])
        step = np.linalg.solve(curvature, gradient)
        theta -= step
        if np.abs(step).max() < 1e-10:
            break
    return Scheduler(tuple(float(w) for w in theta[:-1]), float(theta[-1]))


def as_json(scheduler: Scheduler, method: str, suite: Suite, k: int, given: Samples) -> str:
    """Write a scheduler with what it was fitted on."""
    values = {
        "schema": SCHEMA,
        "features": list(FEATURES),
        "weights": list(scheduler.weights),
        "bias": scheduler.bias,
        "method": method,
        "suite": suite.name,
        "digest": suite.digest,
        "k": k,
        "samples": len(given.right),
        "rightly_tracked": float(given.right.mean()),
    }
    return json.dumps(values, indent=1)


def _of_clip(composed: Composed, clip: Clip, k: int) -> Samples:
    stepper, truths = composed.stepper, truth_by_frame(clip)
    rows: list[Floats] = []
    right: list[Bools] = []
    moment: Moment | None = None
    for index in range(len(clip)):
        truth = truths(index)
        truth = truth[np.isfinite(truth).all(axis=1)]
        frame = clip.frames[index]
        if moment is None or moment.gap + 1 >= k:
            start = truth[0] if stepper.single and len(truth) else absent(1)[0]
            if stepper.single and not len(truth):
                moment = None
                continue
            stepper.start(frame, start)
            boxes = start[None] if stepper.single else stepper.anchored(stepper.key(frame))
            moment = Moment(0, frame, frame, boxes, boxes, np.ones(len(boxes)), truth)
            continue
        answer = stepper.inter(frame)
        moment.gap += 1
        moment.boxes, moment.belief = answer.boxes, answer.belief
        rows.append(features(moment, k))
        right.append(_right(answer.boxes, truth))
        stepper.accept(answer)
    if not rows:
        return Samples(np.zeros((0, len(FEATURES))), np.zeros(0, bool))
    return Samples(np.concatenate(rows), np.concatenate(right))


def _right(boxes: Boxes, truth: Boxes) -> Bools:
    if len(truth) == 0:
        return np.zeros(len(boxes), dtype=bool)
    return np.asarray(iou_matrix(boxes, truth).max(axis=1, initial=0.0) >= RIGHT_IOU)
