"""Fitting the Plug & Play tracker on a detector that stays as it is: pairs of frames, moved boxes.

Lyu et al., Plug & Play Convolutional Regression Tracker, 2020, sec. 4 and 6.2; YeLyuUT/MMDET
(mmdet/models/detectors/siamese_rcnn.py, anchor_heads/siamese_rpn_head.py). Equation 3 of the paper
keeps boxes with an IoU below 0.5; the code keeps those from 0.5 on, and so does this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss
from torch.optim import SGD, Optimizer

from vbench.core.boxes import Boxes, Ints, centres, from_centres, iou, iou_matrix
from vbench.core.clip import Clip
from vbench.nn.box_coder import decode, encode
from vbench.nn.frcnn import TRACKER
from vbench.nn.plugplay import STDS, cut_outs
from vbench.train.object_frames import ObjectFrames, Scene

RATE, MOMENTUM, DECAY, CLIP, BATCH = 1e-3, 0.9, 1e-4, 35.0, 4
# 80k steps of 120k at the full rate.
DROP_AFTER, DROP = 2 / 3, 0.1
FARTHEST = 9
DRAWN, KEPT, LEAST_IOU = 256, 128, 0.5
SHIFT, LEAST_SIZE, MOST_SIZE = 1.0, 0.5, 1.5


class Moved(NamedTuple):
    """Boxes of the first frame (n, 4) and where their objects are in the second, NaN if gone."""

    boxes: Boxes
    targets: Boxes


class PlugPlayRecipe:
    """One step is a batch of pairs of frames; only the tracker is fitted."""

    def __init__(self, method: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.method, self.batch, self.device = method, batch or BATCH, device
        self.module: nn.Module = method.head
        self.features = method.features
        self.frames = ObjectFrames(clips, self.features.network.classes)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum."""
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """A tenth after two thirds; a short rise at the start."""
        return min(1.0, share / 0.02 + 0.1) * (1.0 if share < DROP_AFTER else DROP)

    def loss(self, rng: Generator) -> Tensor:
        """Loss over all boxes of a batch of pairs."""
        kernels, searches, corners, targets = [], [], [], []
        for _ in range(self.batch):
            first, second = self.frames.draw_pair(rng, FARTHEST)
            moved = moved_boxes(first, second, rng)
            before, now = self.features.look(first.frame), self.features.look(second.frame)
            places = before.corners_of(moved.boxes)
            kernel, search = cut_outs(
                # Maps made without gradients cannot enter a graph.
                before.track_map.clone(), now.track_map.clone(), places,
                self.features.track_stride_px,
            )  # fmt: skip
            kernels.append(kernel)
            searches.append(search)
            corners.append(places)
            targets.append(now.corners_of(moved.targets))
        self.features.forget()
        fits, codes = self.module(torch.cat(kernels), torch.cat(searches))
        return tracking_loss(fits, codes, torch.cat(corners), torch.cat(targets))

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """The detector as it was and the tracker, as one checkpoint."""
        detector: dict[str, Tensor] = self.features.network.state_dict()
        return detector | {f"{TRACKER}{k}": v for k, v in self.module.state_dict().items()}


def moved_boxes(first: Scene, second: Scene, rng: Generator) -> Moved:
    """At most 128 boxes around the objects of `first`, and these in `second` by their tracks.

    256 are drawn for each object by eq. 3 and kept from an IoU of 0.5 on with the object that they
    are nearest to; the objects themselves are among them.
    """
    around = drawn_around(first.boxes, rng)
    shared = iou_matrix(around, first.boxes)
    owner = shared.argmax(axis=1) if len(first.boxes) else np.zeros(0, np.int64)
    good = np.flatnonzero(shared.max(axis=1, initial=0) >= LEAST_IOU)
    boxes = np.concatenate([first.boxes, around[good]])
    owner = np.concatenate([np.arange(len(first.boxes)), owner[good]])
    chosen = np.sort(rng.permutation(len(boxes))[:KEPT])
    return Moved(boxes[chosen], found_again(first, second)[owner[chosen]])


def drawn_around(boxes: Boxes, rng: Generator, count: int = DRAWN) -> Boxes:
    """Boxes (n count, 4) shifted by up to a size and scaled by 0.5 ... 1.5 (eq. 3)."""
    shift = rng.uniform(-SHIFT, SHIFT, (len(boxes), count, 2))
    factor = rng.uniform(LEAST_SIZE, MOST_SIZE, (len(boxes), count, 2))
    size = boxes[:, None, 2:]
    centre = centres(boxes)[:, None] + shift * size
    return from_centres(centre, factor * size).reshape(-1, 4)


def found_again(first: Scene, second: Scene) -> Boxes:
    """Where each object of `first` is in `second` (n, 4), NaN where its track is not there."""
    place: dict[int, int] = {int(track): i for i, track in enumerate(second.tracks) if track >= 0}
    rows: Ints = np.array([place.get(int(track), -1) for track in first.tracks], np.int64)
    padded = np.concatenate([second.boxes, np.full((1, 4), np.nan)])
    return np.asarray(padded[rows])


def tracking_loss(fits: Tensor, codes: Tensor, corners: Tensor, targets: Tensor) -> Tensor:
    """Smooth L1 of codes (n, 4) of objects that are there, and of IoU scores (n,) of all.

    The wanted score is the IoU of the predicted box, 0 where `targets` (n, 4) is NaN; both sums are
    divided by the number of boxes.
    """
    if not len(fits):
        return codes.sum() * 0
    there = torch.isfinite(targets).all(dim=1)
    wanted = encode(corners[there], targets[there], STDS)
    boxes = smooth_l1_loss(codes[there], wanted, reduction="sum")
    score = torch.zeros_like(fits)
    with torch.no_grad():
        predicted = decode(corners[there], codes[there], STDS)
        score[there] = _iou(predicted, targets[there])
    return (boxes + smooth_l1_loss(fits, score, reduction="sum")) / len(fits)


def _iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of rows (n,) of corners."""
    found = iou(
        *(torch.cat([x[:, :2], x[:, 2:] - x[:, :2]], dim=1).double().cpu().numpy() for x in (a, b))
    )
    return torch.from_numpy(found).to(a)
