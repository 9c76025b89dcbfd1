"""Losses of what is fitted here."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    relu,
    smooth_l1_loss,
)

# PatchNet: how much a wrong cell's score must stay below, at most; share of all cells together.
MOST_MARGIN, CELLS_SHARE, OFFSET_GAIN = 2.0, 4.0, 10.0


def balanced_bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Logistic loss; positives and negatives weigh the same (SiamFC, sec. 3.2).

    `logits` and `labels` (0 or 1) have one shape.
    """
    positive = labels > 0.5
    weight = torch.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    return binary_cross_entropy_with_logits(logits, labels, weight, reduction="sum")


def patchnet_loss(scores: Tensor, offsets: Tensor, cell: tuple[int, int], target: Tensor) -> Tensor:
    """Score margins and the offsets at the right cell (RalphMao/PatchNet; paper, eq. 2).

    scores (r, r); offsets (4, r, r); cell is row and column; target (4,) in cells. A cell's score
    must stay below the right one's by its Manhattan distance, at most 2.
    """
    row, column = cell
    side = scores.shape[-1]
    place = torch.arange(side, device=scores.device)
    away = (place[:, None] - row).abs() + (place[None, :] - column).abs()
    margin = away.clamp(max=MOST_MARGIN).to(scores.dtype)
    ranking = relu(scores - scores[row, column] + margin).sum() * (CELLS_SHARE / side**2)
    gain = OFFSET_GAIN
    return smooth_l1_loss(gain * offsets[:, row, column], gain * target) + ranking


def domain_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Mean cross entropy of scores (n, 2) of targets and (m, 2) of background (MDNet)."""
    labels = torch.zeros(len(positive) + len(negative), dtype=torch.long, device=positive.device)
    labels[: len(positive)] = 1
    return cross_entropy(torch.cat([positive, negative]), labels)


def embedding_loss(scores: Tensor, domain: int) -> Tensor:
    """Cross entropy over domains of the target scores (n, k) of one domain's targets (RT-MDNet)."""
    labels = torch.full((len(scores),), domain, dtype=torch.long, device=scores.device)
    return cross_entropy(scores, labels)


def proposal_loss(
    offsets: Tensor, logits: Tensor, wanted: Tensor, positive: Tensor, negative: Tensor
) -> Tensor:
    """SiamRPN, eqs. 5-7: cross entropy of chosen anchors, smooth L1 of the positive ones' offsets.

    offsets (4, m), logits (2, m), wanted (4, m); positive and negative are indices of anchors.
    """
    chosen = torch.cat([positive, negative])
    labels = torch.zeros(len(chosen), dtype=torch.long, device=logits.device)
    labels[: len(positive)] = 1
    loss = cross_entropy(logits[:, chosen].T, labels)
    if len(positive):
        loss = loss + smooth_l1_loss(offsets[:, positive], wanted[:, positive])
    return loss
