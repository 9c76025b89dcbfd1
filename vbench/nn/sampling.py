"""Learnable spatio-temporal sampling: a feature is rebuilt from N learned places around it.

Jiang et al., Learning Where to Focus for Efficient Video Object Detection, ECCV 2020, eqs. 1-6;
softmax and sizes of jiangzhengkai/LSTS (lsts_rfcn/symbols/lsts_network_gaussian.py,
align_conv_feat_dynamic), where the paper divides by the plain sum.

The offsets are the same at every cell, so a bilinear sample at p + o is a fixed mix of four whole
displacements. Similarities and sums are linear in samples: both are computed at the distinct whole
displacements, and no sample is ever interpolated.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vbench.nn.local_correlation import correlation_at, gathered_at


class Taps(NamedTuple):
    """Whole displacements (d, 2) x y, and the share (n, d) that each offset has in each."""

    displacements: Tensor
    shares: Tensor


def taps_of(offsets: Tensor, shape: tuple[int, int]) -> Taps:
    """Split offsets (n, 2) x y in cells into whole displacements.

    The shares carry the gradient of eq. 6. Offsets that leave a map of `shape` (h, w) from every
    cell are cut to just outside it.
    """
    height, width = shape
    limit = offsets.new_tensor([width, height])
    near = torch.minimum(torch.maximum(offsets, -limit), limit)
    low = near.detach().floor()
    part = near - low
    corners, shares = [], []
    for right in (0, 1):
        for down in (0, 1):
            corners.append(low.long() + low.new_tensor([right, down]).long())
            across = part[:, 0] if right else 1 - part[:, 0]
            along = part[:, 1] if down else 1 - part[:, 1]
            shares.append(across * along)
    flat, share = torch.cat(corners), torch.cat(shares)
    if not share.requires_grad:
        # Without gradients a tap of no share need not be read.
        used = share > 0
        rows = torch.arange(len(offsets), device=flat.device).repeat(4)[used]
        flat, share = flat[used], share[used]
    else:
        rows = torch.arange(len(offsets), device=flat.device).repeat(4)
    displacements, column = torch.unique(flat, dim=0, return_inverse=True)
    matrix = share.new_zeros(len(offsets), len(displacements))
    return Taps(displacements, matrix.index_put((rows, column), share, accumulate=True))


def similarities(source: Tensor, target: Tensor, taps: Taps) -> Tensor:
    """Dot products of target(p) with source at p + each offset: (b, n, h, w). Eq. 5.

    source and target (b, c, h, w) are embedded features.
    """
    whole = correlation_at(source, target, taps.displacements)
    return torch.einsum("bdhw,nd->bnhw", whole, taps.shares)


def sampled(features: Tensor, weights: Tensor, taps: Taps) -> Tensor:
    """Sum of features (b, c, h, w) at p + each offset, by weights (b, n, h, w). Eq. 4."""
    whole = torch.einsum("bnhw,nd->bdhw", weights, taps.shares)
    return gathered_at(features, whole, taps.displacements)


def aligned(
    features: Tensor, source: Tensor, target: Tensor, offsets: Tensor, norm: str = "softmax"
) -> Tensor:
    """Features (b, c, h, w) carried to where the target's embedding says.

    `norm` is softmax, or sum as the paper's eq. 3 prints it.
    """
    taps = taps_of(offsets, (features.shape[-2], features.shape[-1]))
    found = similarities(source, target, taps)
    weights = found.softmax(dim=1) if norm == "softmax" else found / found.sum(dim=1, keepdim=True)
    return sampled(features, weights, taps)


def went(here: Tensor, there: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Where cells of one frame are in a later one: (b, 2, h, w) x y in cells, likeness (b, h, w).

    here and there (b, c, h, w) are embedded features of the two. A later cell q finds itself at
    q + o in the earlier frame, so a cell p of that is looked for at p - o: the mean of these places
    by softmax of the same similarities. Likeness is the cosine of p's feature and those so mixed.
    """
    taps = taps_of(-offsets, (here.shape[-2], here.shape[-1]))
    weights = similarities(there, here, taps).softmax(dim=1)
    motion = torch.einsum("bnhw,nk->bkhw", weights, -offsets)
    return motion, torch.cosine_similarity(here, sampled(there, weights, taps), dim=1)


def went_macs(offsets: Tensor, shape: tuple[int, int], embedded: int) -> float:
    """Products in the answer of `went` on maps of `shape` (h, w)."""
    cells, axes, cosine = shape[0] * shape[1], 2, 3 * embedded
    mixed = sampling_macs(-offsets, shape, embedded, embedded)
    return mixed + cells * (axes * len(offsets) + cosine)


def sampling_macs(offsets: Tensor, shape: tuple[int, int], embedded: int, channels: int) -> float:
    """Products in the answer of `aligned` on a map of `shape` (h, w): similarities, mix, sum.

    Similarities are cut from matrix products, which hold others that nobody asks for.
    """
    displacements, shares = taps_of(offsets.detach().cpu(), shape)
    taps, n = len(displacements), len(shares)
    return float(shape[0] * shape[1] * (taps * (embedded + channels) + 2 * taps * n + n))
