"""Region proposals: anchors, the coding of boxes against them, the best boxes of a map.

Ren et al., Faster R-CNN, NIPS 2015; numbers and rounding of msracver/Deep-Feature-Flow
(lib/rpn/generate_anchor.py, lib/bbox/bbox_transform.py, operator_py/proposal.py). Corners here are
x1 y1 x2 y2 of whole pixels, inclusive: a width is x2 - x1 + 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Floats
from vbench.nn.nms import nms

# exp() of a coded size beyond this would only be cut at the image's border again.
MOST_LOG_SIZE = float(np.log(1000.0))


def base_anchors(
    side: int = 16,
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    scales: Sequence[float] = (8, 16, 32),
) -> Floats:
    """Corners (ratios x scales, 4) of the anchors of the first cell; ratio is height / width."""
    centre = (side - 1) / 2
    rows = []
    for ratio in ratios:
        width = np.round(np.sqrt(side * side / ratio))
        height = np.round(width * ratio)
        for scale in scales:
            half = (np.array([width, height]) * scale - 1) / 2
            rows.append([centre - half[0], centre - half[1], centre + half[0], centre + half[1]])
    return np.array(rows)


def anchors_of(base: Tensor, shape: tuple[int, int], stride: int) -> Tensor:
    """Anchors (h w a, 4) of a map of `shape` (h, w): cell by cell, each cell's a in order."""
    rows = torch.arange(shape[0], device=base.device) * stride
    columns = torch.arange(shape[1], device=base.device) * stride
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    shift = torch.stack([x, y, x, y], dim=-1).view(-1, 1, 4)
    return (shift + base).view(-1, 4)


def encode(corners: Tensor, targets: Tensor) -> Tensor:
    """Code `targets` against `corners`, each (n, 4): dx dy dw dh."""
    size, centre = _size_centre(corners)
    target_size, target_centre = _size_centre(targets)
    return torch.cat([(target_centre - centre) / size, torch.log(target_size / size)], dim=1)


def decode(corners: Tensor, deltas: Tensor) -> Tensor:
    """Apply dx dy dw dh (n, 4) to `corners` (n, 4)."""
    size, centre = _size_centre(corners)
    moved = centre + deltas[:, :2] * size
    half = (size * torch.exp(deltas[:, 2:].clamp(max=MOST_LOG_SIZE)) - 1) / 2
    return torch.cat([moved - half, moved + half], dim=1)


def clipped(corners: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut at the last pixels of an image of `size` (w, h)."""
    most = corners.new_tensor([size[0] - 1, size[1] - 1, size[0] - 1, size[1] - 1])
    return torch.minimum(corners.clamp(min=0), most)


@dataclass(frozen=True)
class ProposalRule:
    """How many boxes go into the suppression and come out of it, and its IoU."""

    before: int = 6000
    after: int = 300
    threshold: float = 0.7


def propose(
    objectness: Tensor,
    deltas: Tensor,
    anchors: Tensor,
    size: tuple[int, int],
    rule: ProposalRule,
) -> tuple[Tensor, Tensor]:
    """Best boxes of one image: corners (n, 4) inside it, and their objectness (n,).

    objectness (a h w,), deltas and anchors (a h w, 4), all in the same order; no gradient flows.
    """
    with torch.no_grad():
        most = min(rule.before, len(objectness))
        # A stable order makes equal scores come out alike everywhere.
        chosen = torch.argsort(objectness, descending=True, stable=True)[:most]
        corners = clipped(decode(anchors[chosen], deltas[chosen]), size)
        scores = objectness[chosen]
        kept = nms(
            corners.double().cpu().numpy(),
            scores.double().cpu().numpy(),
            rule.threshold,
            rule.after,
        )
        rows = torch.from_numpy(kept).to(corners.device)
        return corners[rows], scores[rows]


def _size_centre(corners: Tensor) -> tuple[Tensor, Tensor]:
    size = corners[:, 2:] - corners[:, :2] + 1
    return size, corners[:, :2] + (size - 1) / 2
