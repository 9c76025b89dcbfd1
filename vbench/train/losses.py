"""Losses of what is fitted here."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    mse_loss,
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


def point_loss(
    logits: Tensor, distances: Tensor, wanted: Tensor, positive: Tensor, negative: Tensor
) -> Tensor:
    """SiamBAN's loss of points: cross entropy, half by either class, and 1 - IoU of the boxes.

    logits (m, 2), distances and wanted (m, 4) to the left, top, right and bottom in px; positive
    and negative are indices of points (hqucv/siamban siamban/models/loss.py, iou_loss.py).
    """
    chances = logits.log_softmax(dim=1)
    loss = -(chances[positive, 1].mean() + chances[negative, 0].mean()) / 2
    return loss + (1 - distance_iou(distances[positive], wanted[positive])).mean()


def distance_iou(one: Tensor, other: Tensor) -> Tensor:
    """IoU (n,) of boxes that reach so far left, top, right and bottom (n, 4) of one point.

    One px^2 is added above and below, which keeps boxes without an area apart from 0 / 0.
    """
    sides = torch.minimum(one, other)
    shared = (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])
    areas = [(box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3]) for box in (one, other)]
    return (shared + 1) / (areas[0] + areas[1] - shared + 1)


def filter_loss(template: Tensor, search: Tensor, wanted: Tensor, ridge: float) -> Tensor:
    """How far a correlation filter's response is off: squares summed over cells, mean over pairs.

    Features (n, c, h, w) of templates and searches; wanted (h, w), at zero displacement its origin.
    The filter is the ridge regression from the template to `wanted`, whose closed form in Fourier
    space hands gradients on to both (foolwood/DCFNet_pytorch train/net.py:38-48,
    train_DCFNet.py:78, 170).
    """
    spectrum, other = torch.fft.rfft2(template), torch.fft.rfft2(search)
    energy = (spectrum.real**2 + spectrum.imag**2).sum(dim=1)
    kernel = (other * spectrum.conj()).sum(dim=1)
    filtered = kernel * torch.fft.rfft2(wanted) / (energy + ridge)
    response = torch.fft.irfft2(filtered, s=wanted.shape)
    return mse_loss(response, wanted.expand_as(response), reduction="sum") / len(template)
