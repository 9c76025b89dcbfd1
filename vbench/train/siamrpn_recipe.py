"""Fitting SiamRPN: which anchors are the target, and how far they are off.

Li et al., High Performance Visual Tracking with Siamese Region Proposal Network, CVPR 2018, sec. 3;
STVIR/pysot pysot/datasets/anchor_target.py for how many anchors are learnt from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from vbench.core.boxes import Box, Boxes, Floats, Ints, from_centres, iou
from vbench.core.clip import Clip
from vbench.nn.crop import context_sides, mean_colour, square_crops, windows_around
from vbench.train.losses import proposal_loss
from vbench.train.samplers import Footage, near_pair, pair, siamfc_usable

EXEMPLAR_PX = 127
RATE, LAST_RATE, MOMENTUM, DECAY = 1e-2, 1e-6, 0.9, 5e-4
BATCH, FARTHEST, CLIP = 8, 100, 10.0
POSITIVE_IOU, NEGATIVE_IOU = 0.6, 0.3
MOST_POSITIVES, MOST_ANCHORS = 16, 64
# The search is moved and scaled at random, so that the target is not always in the middle.
SHIFT_PX, STRETCH = 32, 0.1


class SiamRPNRecipe:
    """One step is a batch of pairs, one of a clip each. `batch` is the number of pairs."""

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.tracker, self.batch, self.device = tracker, batch or BATCH, device
        self.module: nn.Module = tracker.network
        self.footage = Footage(clips, siamfc_usable)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum."""
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """From 1e-2 to 1e-6, by the same factor each step."""
        return float((LAST_RATE / RATE) ** share)

    def loss(self, rng: Generator) -> Tensor:
        """Mean loss over pairs."""
        templates, searches, boxes = [], [], []
        for _ in range(self.batch):
            clip = int(rng.integers(len(self.footage)))
            chosen = near_pair(rng, self.footage.frames[clip], FARTHEST)
            found = pair(self.footage, clip, chosen)
            crop, _ = self._crop(found.template, found.template_box, EXEMPLAR_PX, np.zeros(2), 1.0)
            templates.append(crop)
            shift = rng.uniform(-SHIFT_PX, SHIFT_PX, 2)
            stretch = 1 + rng.uniform(-STRETCH, STRETCH)
            crop, box = self._crop(
                found.search, found.search_box, self.tracker.instance_px, shift, stretch
            )
            searches.append(crop)
            boxes.append(box)
        kernels = self.module.template(torch.cat(templates))  # type: ignore[operator]
        offsets, logits = self.module(torch.cat(searches), *kernels)
        losses = [
            self._pair_loss(rng, offsets[i].reshape(4, -1), logits[i].reshape(2, -1), box)
            for i, box in enumerate(boxes)
        ]
        return torch.stack(losses).mean()

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """Everything."""
        return self.module.state_dict()

    def _pair_loss(self, rng: Generator, offsets: Tensor, logits: Tensor, box: Box) -> Tensor:
        places = self.tracker.places
        positive, negative = chosen_anchors(rng, places.boxes, box)
        wanted = torch.from_numpy(encoded(places.boxes, box).T).to(offsets.device, offsets.dtype)
        index = torch.from_numpy(places.index).to(offsets.device)
        return proposal_loss(
            offsets[:, index],
            logits[:, index],
            wanted,
            torch.from_numpy(positive).to(offsets.device),
            torch.from_numpy(negative).to(offsets.device),
        )

    def _crop(
        self, frame: Any, box: Box, size: int, shift_px: Floats, stretch: float
    ) -> tuple[Tensor, Box]:
        """A crop (1, 3, size, size), and the box in it as cx cy w h from its middle."""
        side = float(context_sides(np.maximum(box[2:], 1e-3)))
        step = side / EXEMPLAR_PX / stretch
        centre = box[:2] + (box[2:] - 1) / 2
        windows = windows_around(centre + shift_px * step, size * step, "up")
        crop = square_crops(frame, windows, size, mean_colour(frame), self.device)
        left, top, width = windows[0]
        scale = size / width
        place = (centre - (np.array([left, top]) + (width - 1) / 2)) * scale
        crop = crop[:, [2, 1, 0]] if self.tracker.recipe.bgr else crop
        return crop, np.concatenate([place, box[2:] * scale])


def encoded(anchors: Boxes, box: Box) -> Floats:
    """Offsets dx dy dw dh (m, 4) from anchors cx cy w h to a box cx cy w h (eq. 4)."""
    shift = (box[:2] - anchors[:, :2]) / anchors[:, 2:]
    return np.concatenate([shift, np.log(box[2:] / anchors[:, 2:])], axis=1)


def chosen_anchors(rng: Generator, anchors: Boxes, box: Box) -> tuple[Ints, Ints]:
    """Indices of at most 16 anchors that are the target and of others, 64 together.

    Where none overlaps it by 0.6, the nearest is it.
    """
    shared = iou(from_centres(anchors[:, :2], anchors[:, 2:]), from_centres(box[:2], box[2:]))
    good, bad = np.flatnonzero(shared > POSITIVE_IOU), np.flatnonzero(shared < NEGATIVE_IOU)
    if not len(good):
        good = np.array([int(shared.argmax())])
    good = rng.permutation(good)[:MOST_POSITIVES]
    return good, rng.permutation(bad)[: MOST_ANCHORS - len(good)]
