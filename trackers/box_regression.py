"""Box regression: from the features of a box to the target's box, by ridge regression.

Girshick et al., Region-based Convolutional Networks, PAMI 2016, appendix C; hyseob/MDNet
utils/train_bbox_regressor.m and hyeonseobnam/py-MDNet tracking/bbreg.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Box, Boxes, Floats, areas, centres, from_centres, iou

ALPHA = 1000.0
# Added to the variances of the targets before they are whitened.
WHITENING = 1e-3
# Answers that differ more than this from the boxes that they refine are not taken.
OVERLAP, AREA_RATIO = (0.6, 1.0), (1.0, 2.0)

Features = NDArray[np.floating[Any]]


class BoxRegression:
    """Learns from boxes around one target, then refines other boxes.

    With `whitened` as MDNet does: targets decorrelated, the bias among the weights that are kept
    small. Without it as py-MDNet does: a bias of its own, and answers that overlap too little with
    their box, or whose box is smaller than they are or more than twice as large, are dropped.
    """

    def __init__(self, whitened: bool = False) -> None:
        self.whitened = whitened

    def fit(self, features: Features, boxes: Boxes, target: Box) -> None:
        """Learn from the features (n, d) of `boxes` (n, 4) where the `target` (4,) is."""
        x = features.astype(np.float64)
        wanted = offsets(boxes, target)
        if self.whitened:
            self.mean = wanted.mean(axis=0)
            y, self.unwhiten = whiten(wanted - self.mean)
            x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
            self.weight = ridge(x, y)
        else:
            self.mean, centre = wanted.mean(axis=0), x.mean(axis=0)
            self.weight = ridge(x - centre, wanted - self.mean)
            self.mean = self.mean - centre @ self.weight

    def refine(self, features: Features, boxes: Boxes, size: tuple[int, int]) -> Boxes:
        """Move `boxes` (n, 4) by what their features (n, d) tell, in a frame of `size` (w, h)."""
        x = features.astype(np.float64)
        if self.whitened:
            found = x @ self.weight[:-1] + self.weight[-1]
            return moved(boxes, found @ self.unwhiten + self.mean)
        refined = moved(boxes, x @ self.weight + self.mean)
        shared, ratio = iou(refined, boxes), areas(boxes) / np.maximum(areas(refined), 1e-9)
        good = (shared >= OVERLAP[0]) & (ratio >= AREA_RATIO[0]) & (ratio <= AREA_RATIO[1])
        refined = np.where(good[:, None], refined, boxes)
        corner = np.maximum(refined[:, :2], 0.0)
        room = np.maximum(np.asarray(size) - boxes[:, :2], 1.0)
        return np.concatenate([corner, np.minimum(refined[:, 2:], room)], axis=1)


def offsets(boxes: Boxes, target: Box) -> Floats:
    """Targets of the regression (n, 4): dx / w, dy / h, log of the ratios of the sides."""
    shift = (centres(target) - centres(boxes)) / boxes[:, 2:]
    return np.concatenate([shift, np.log(target[2:] / boxes[:, 2:])], axis=1)


def moved(boxes: Boxes, found: Floats) -> Boxes:
    """Undo `offsets`."""
    sides = boxes[:, 2:] * np.exp(np.clip(found[:, 2:], -4, 4))
    return from_centres(centres(boxes) + found[:, :2] * boxes[:, 2:], sides)


def ridge(x: Floats, y: Floats, alpha: float = ALPHA) -> Floats:
    """Weights (d, k) of least |x w - y|^2 + alpha |w|^2, of x (n, d) and y (n, k).

    Solved in n x n or d x d, whichever is smaller: x' (x x' + alpha)^-1 = (x' x + alpha)^-1 x'.
    """
    n, d = x.shape
    if n < d:
        return np.asarray(x.T @ np.linalg.solve(x @ x.T + alpha * np.eye(n), y))
    return np.asarray(np.linalg.solve(x.T @ x + alpha * np.eye(d), x.T @ y))


def whiten(y: Floats) -> tuple[Floats, Floats]:
    """Decorrelate centred targets (n, k); also the matrix (k, k) that undoes it."""
    values, vectors = np.linalg.eigh(y.T @ y / len(y))
    root = np.sqrt(np.maximum(values, 0) + WHITENING)
    return y @ (vectors / root) @ vectors.T, (vectors * root) @ vectors.T
