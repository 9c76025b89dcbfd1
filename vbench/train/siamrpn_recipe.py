"""Fitting SiamRPN: which anchors are the target, and how far they are off.

Li et al., High Performance Visual Tracking with Siamese Region Proposal Network, CVPR 2018, sec. 3;
STVIR/pysot for what the paper leaves open: anchors (pysot/datasets/anchor_target.py), crops and
rates (experiments/siamrpn_alex_dwxcorr_16gpu/config.yaml).
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
from vbench.train.losses import proposal_loss
from vbench.train.pair_crops import PairSampler
from vbench.train.rates import warmed
from vbench.train.samplers import Footage, siamfc_usable

RATE, FIRST_SHARE, LAST_SHARE, MOMENTUM, DECAY = 1e-2, 0.5, 0.05, 0.9, 1e-4
BATCH, CLIP = 8, 10.0
POSITIVE_IOU, NEGATIVE_IOU = 0.6, 0.3
MOST_POSITIVES, MOST_ANCHORS = 16, 64


class SiamRPNRecipe:
    """One step is a batch of pairs, one of a clip each. `batch` is the number of pairs."""

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.tracker, self.batch = tracker, batch or BATCH
        self.module: nn.Module = tracker.network
        self.pairs = PairSampler(
            Footage(clips, siamfc_usable),
            tracker.instance_px,
            float(np.abs(tracker.places.boxes[:, :2]).max()),
            tracker.recipe.bgr,
            device,
        )

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum."""
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """From 5e-3 up to 1e-2, then down to 5e-4; the paper's 1e-6 follows other epochs."""
        return warmed(share, FIRST_SHARE, LAST_SHARE)

    def loss(self, rng: Generator) -> Tensor:
        """Mean loss over pairs."""
        drawn = self.pairs.draw(rng, self.batch)
        kernels = self.module.template(drawn.exemplars)  # type: ignore[operator]
        offsets, logits = self.module(drawn.searches, *kernels)
        losses = [
            self._pair_loss(rng, offsets[i].reshape(4, -1), logits[i].reshape(2, -1), box)
            for i, box in enumerate(drawn.boxes)
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
