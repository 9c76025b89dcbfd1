"""Non-maximum suppression within a frame: greedy, and soft.

Greedy as in torchvision.ops.batched_nms (an overlap above the threshold suppresses); soft as in
Bodla et al., Soft-NMS, ICCV 2017, equations 2 and 3 (bharatsingh430/soft-nms lib/nms/cpu_nms.pyx).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints, iou_matrix
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections


def survivors(boxes: Boxes, scores: Floats, labels: Ints, overlap: float) -> Ints:
    """Indices of the boxes (n, 4) that greedy suppression keeps, best first, shape (k,).

    Within a label, whatever overlaps a better box by more than `overlap` goes; of equal scores the
    earlier box is the better.
    """
    order = np.argsort(-scores, kind="stable")
    kept = [_greedy(boxes, order[labels[order] == label], overlap) for label in np.unique(labels)]
    found = np.concatenate([np.zeros(0, np.int64), *kept])
    return found[np.lexsort((found, -scores[found]))]


def softened(boxes: Boxes, scores: Floats, labels: Ints, weight: Weight) -> Floats:
    """Scores (n,) after every box has weakened the worse ones of its label that it overlaps."""
    found = np.array(scores, dtype=np.float64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        factors = weight(iou_matrix(boxes[rows], boxes[rows]))
        left = found[rows]
        waiting = np.ones(len(rows), bool)
        for _ in rows:
            best = int(np.argmax(np.where(waiting, left, -np.inf)))
            waiting[best] = False
            left = np.where(waiting, left * factors[best], left)
        found[rows] = left
    return found


class Weight:
    """What a score is multiplied by, given its overlap with a better box."""

    def __init__(self, rule: str, sigma: float, overlap: float) -> None:
        self.rule, self.sigma, self.overlap = rule, sigma, overlap

    def __call__(self, iou: Floats) -> Floats:
        """Weights of the shape of `iou`: exp(-iou^2 / sigma), or 1 - iou above the threshold."""
        if self.rule == "gaussian":
            return np.asarray(np.exp(-(iou**2) / self.sigma))
        return np.where(iou > self.overlap, 1 - iou, 1.0)


class Nms:
    """Greedy suppression in every frame; with `agnostic`, across classes as well."""

    def __init__(self, overlap: float = 0.5, agnostic: bool = False) -> None:
        self.overlap, self.agnostic = checked_share("nms", "overlap", overlap), agnostic

    def apply(self, clip: Sequence[Detections]) -> list[Detections]:
        """Keep the best of what overlaps; the order within a frame stays."""
        return [self._frame(*found) for found in clip]

    def _frame(self, boxes: Boxes, scores: Floats, labels: Ints) -> Detections:
        groups = np.zeros_like(labels) if self.agnostic else labels
        kept = np.sort(survivors(boxes, scores, groups, self.overlap))
        return Detections(boxes[kept], scores[kept], labels[kept])


class SoftNms:
    """Scores shrink with overlap; those that fall below `least` go.

    Args:
        rule: how much: exp(-iou^2 / sigma), or 1 - iou for an IoU above `overlap`.
        sigma: of the Gaussian rule.
        overlap: of the linear rule.
        least: score that a detection must keep.
    """

    def __init__(
        self,
        rule: Literal["gaussian", "linear"] = "gaussian",
        sigma: float = 0.5,
        overlap: float = 0.3,
        least: float = 0.001,
    ) -> None:
        if not sigma > 0:
            raise VBenchError(f"soft-nms[sigma={sigma:g}]: sigma must be above 0")
        self.weight = Weight(rule, sigma, checked_share("soft-nms", "overlap", overlap))
        self.least = least

    def apply(self, clip: Sequence[Detections]) -> list[Detections]:
        """Weaken what overlaps something better; the order within a frame stays."""
        return [self._frame(*found) for found in clip]

    def _frame(self, boxes: Boxes, scores: Floats, labels: Ints) -> Detections:
        scores = softened(boxes, scores, labels, self.weight)
        kept = scores >= self.least
        return Detections(boxes[kept], scores[kept], labels[kept])


def checked_share(method: str, name: str, value: float) -> float:
    """Return `value`, which must lie in [0, 1]. Raises VBenchError."""
    if not 0 <= value <= 1:
        raise VBenchError(f"{method}[{name}={value:g}]: give a number from 0 to 1")
    return value


def _greedy(boxes: Boxes, order: Ints, overlap: float) -> Ints:
    """Rows of `order`, best first, that no better kept one suppresses."""
    suppresses = iou_matrix(boxes[order], boxes[order]) > overlap
    gone = np.zeros(len(order), bool)
    kept = []
    for row in range(len(order)):
        if not gone[row]:
            kept.append(row)
            gone |= suppresses[row]
    return order[kept]
