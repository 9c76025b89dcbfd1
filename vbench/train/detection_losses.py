"""Losses of proposal networks and of region votes: targets, chosen examples, sums.

Ren et al., Faster R-CNN, NIPS 2015; Shrivastava et al., Training Region-based Object Detectors with
Online Hard Example Mining, CVPR 2016; Lin et al., Focal Loss, ICCV 2017; numbers of
msracver/Deep-Feature-Flow (lib/rpn/rpn.py, dff_rfcn/core/rcnn.py, operator_py/
box_annotator_ohem.py, config.py). Boxes are corners x1 y1 x2 y2 of whole pixels, inclusive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    smooth_l1_loss,
)

from vbench.nn.nms import overlaps
from vbench.nn.rpn import encode

# Anchors: IoU from which one is an object, below which background; examples a frame.
RPN_POSITIVE, RPN_NEGATIVE, RPN_EXAMPLES, RPN_POSITIVES = 0.7, 0.3, 256, 128
# Regions: IoU from which one is an object; the hardest of a frame that count.
REGION_POSITIVE, HARD_REGIONS = 0.5, 128
IGNORED = -1


class Targets(NamedTuple):
    """Labels (n,), -1 where ignored, and codes (n, 4) of the box each belongs to."""

    labels: Tensor
    codes: Tensor


def iou_of(a: Tensor, b: Tensor) -> Tensor:
    """IoU (n, m) of corners (n, 4) and (m, 4)."""
    found = overlaps(a.double().cpu().numpy()[:, None], b.double().cpu().numpy()[None])
    return torch.from_numpy(found).to(a)


def proposal_targets(
    anchors: Tensor, truth: Tensor, size: tuple[int, int], rng: Generator
) -> Targets:
    """What each anchor (n, 4) should say of `truth` (m, 4) in an image of `size` (w, h).

    Positive: IoU of 0.7, or the best of a box; background: below 0.3. Of those inside the image 256
    are drawn, at most half of them positive.
    """
    inside = (anchors[:, :2] >= 0).all(dim=1)
    inside &= (anchors[:, 2] < size[0]) & (anchors[:, 3] < size[1])
    labels = torch.full((len(anchors),), IGNORED, dtype=torch.long, device=anchors.device)
    codes = torch.zeros_like(anchors)
    if not len(truth):
        labels[inside] = 0
        return Targets(_drawn(labels, rng), codes)
    # An image smaller than its anchors is still learnt from.
    eligible = inside if inside.any() else torch.ones_like(inside)
    iou = iou_of(anchors, truth).masked_fill(~eligible[:, None], -1)
    best, owner = iou.max(dim=1)
    labels[eligible & (best < RPN_NEGATIVE)] = 0
    top = iou.max(dim=0).values
    labels[((iou == top) & (top > 0)).any(dim=1)] = 1
    labels[eligible & (best >= RPN_POSITIVE)] = 1
    return Targets(_drawn(labels, rng), encode(anchors, truth[owner]))


def _drawn(labels: Tensor, rng: Generator) -> Tensor:
    """Ignore all but 256 examples, at most 128 of them positive."""
    positive = torch.nonzero(labels == 1)[:, 0]
    positive = positive[_choice(rng, len(positive), RPN_POSITIVES).to(positive.device)]
    negative = torch.nonzero(labels == 0)[:, 0]
    left = RPN_EXAMPLES - len(positive)
    negative = negative[_choice(rng, len(negative), left).to(negative.device)]
    chosen = torch.full_like(labels, IGNORED)
    chosen[positive], chosen[negative] = 1, 0
    return chosen


def _choice(rng: Generator, n: int, most: int) -> Tensor:
    return torch.from_numpy(np.sort(rng.permutation(n)[:most]))


def proposal_loss(scores: Tensor, deltas: Tensor, targets: Targets, stds: Tensor) -> Tensor:
    """Cross entropy of scores (n, 2), and smooth L1 of normalised codes (n, 4) over 256."""
    if not (targets.labels >= 0).any():
        return scores.sum() * 0
    positive = targets.labels == 1
    gap = smooth_l1_loss(deltas[positive], targets.codes[positive] / stds, reduction="sum")
    return cross_entropy(scores, targets.labels, ignore_index=IGNORED) + gap / RPN_EXAMPLES


def region_targets(regions: Tensor, truth: Tensor, labels: Tensor) -> Targets:
    """What each region (n, 4) should say of `truth` (m, 4) with `labels` (m,) from 0.

    Label 0 is the background: an IoU below 0.5 with every box.
    """
    wanted = torch.zeros(len(regions), dtype=torch.long, device=regions.device)
    if not len(truth):
        return Targets(wanted, torch.zeros_like(regions))
    best, owner = iou_of(regions, truth).max(dim=1)
    positive = best >= REGION_POSITIVE
    wanted[positive] = labels[owner[positive]] + 1
    return Targets(wanted, encode(regions, truth[owner]))


def hard_region_loss(
    scores: Tensor, deltas: Tensor, targets: Targets, stds: Tensor, most: int = HARD_REGIONS
) -> Tensor:
    """Mean cross entropy and smooth L1 over the `most` regions that are wrong by most.

    scores (n, classes + 1), deltas (n, 4) normalised; background has no box.
    """
    entropy = cross_entropy(scores, targets.labels, reduction="none")
    gap = smooth_l1_loss(deltas, targets.codes / stds, reduction="none").sum(dim=1)
    each = entropy + torch.where(targets.labels > 0, gap, torch.zeros_like(gap))
    hardest = each.detach().topk(min(most, len(each))).indices
    # A frame with few regions weighs no more for it.
    return each[hardest].sum() / most


def focal_loss(logits: Tensor, labels: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    """Sum of binary cross entropies, each weighed by how wrong it is: (1 - p)^gamma alpha."""
    entropy = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    chance = torch.sigmoid(logits)
    wrong = labels * (1 - chance) + (1 - labels) * chance
    weight = labels * alpha + (1 - labels) * (1 - alpha)
    return (weight * wrong**gamma * entropy).sum()
