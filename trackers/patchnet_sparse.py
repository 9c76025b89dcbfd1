"""PatchNet without its zeros: the same sums, some 40 of 160 million multiply-accumulates.

In the published weights, and in any that are trained from the structural ones with the gradients of
zeros masked (RalphMao/PatchNet, siamfc/optim.py), out patch (i, j) of a layer reads four in patches
(2i + y, 2j + x), each at one tap (4y, 4x) of the 5x5 kernel. A layer is then four shifted, scaled
maps added up. The scales of the first layer are folded into the template's kernels, whose order
puts the four maps that are added side by side in every layer.

Maps are (n, 4, out, h, w), the second and third dimension quadrant and out patch. Offsets have two
more in front, axis (y, x) and side (min, max).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .patchnet_network import (
    REACH,
    RESPONSE_SCALE,
    SIDES,
    PatchNetwork,
    SoftSelectPool,
    channels_last,
    correlate,
    normaliser,
    read_taps,
)

SHIFT = REACH - 1
QUADRANTS = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class SparsePatchNet:
    """A structured network: the taps of its layers, first index the quadrant (y, x) that is read.

    kernels (64,) scale the template's kernels; scores3 (4, 4, 1, 1) and scores4 (4, 1, 1, 1) have
    the out patch as second index, offsets3 and offsets4 (4, 2, 2, 2, 1, out, 1, 1) have axis, out
    side, in side and, after n, out patch. offset2 and offset3 (4, 2, 2, 1, ...) are the pools'
    additions by window cell, axis, side; alpha2 and alpha3 their sharpness.
    """

    kernels: Tensor
    scores3: Tensor
    scores4: Tensor
    offsets3: Tensor
    offsets4: Tensor
    offset2: Tensor
    offset3: Tensor
    alpha2: float
    alpha3: float
    batch_coupled: bool

    @classmethod
    def of(cls, network: PatchNetwork) -> SparsePatchNet | None:
        """Read a network's taps; None where its weights have another structure."""
        layers = (network.conv3, network.conv4)
        weights = [network.quad_weight().detach(), *(layer.weight.detach() for layer in layers)]
        scores = [taps for weight in weights if (taps := read_taps(weight)) is not None]
        layers = (network.conv3reg, network.conv4reg)
        mixing = [_axes(read_taps(layer.weight.detach(), SIDES)) for layer in layers]
        offsets = [taps for taps in mixing if taps is not None]
        if len(scores) < 3 or len(offsets) < 2:
            return None
        return cls(
            nested(scores[0]).flatten(),
            nested(scores[1]),
            nested(scores[2]),
            nested(offsets[0]).movedim(1, -1)[:, :, :, :, None, :, None, None],
            nested(offsets[1]).movedim(1, -1)[:, :, :, :, None, :, None, None],
            _additions(network.pool2),
            _additions(network.pool3),
            network.pool2.alpha.item(),
            network.pool3.alpha.item(),
            network.batch_coupled,
        )

    def fold(self, kernels: Tensor) -> Tensor:
        """Order and scale a template's kernels (n, 64, 3, 8, 8) for `match`."""
        scale = RESPONSE_SCALE * self.kernels[:, None, None, None]
        return channels_last(nested_patches(kernels) * scale)

    def match(self, search: Tensor, folded: Tensor) -> tuple[Tensor, Tensor]:
        """As `PatchNetwork.match`: scores (n, 1, r, r), offsets (n, 4, r, r)."""
        maps = quadrants(correlate(search, folded, stride=2))
        gain = objects_innermost(normaliser(search, 2, self.batch_coupled))
        scores = add_shifted(maps, shifted(gain[:, None].expand(-1, 4, -1, -1, -1)))

        scores, share = soft_select(quadrants(scores), self.alpha2)
        offsets = (self.offset2.reshape(4, SIDES).t() @ share.flatten(1)).view(
            2, 2, *share.shape[1:]
        )
        offsets = add_shifted_offsets(offsets, self.offsets3)
        scores = add_shifted(scores, self.scores3)

        scores, share = soft_select(quadrants(scores), self.alpha3)
        moved = cells_of_windows(offsets[:, :, :, :, None]) + self.offset3
        offsets = add_shifted_offsets((share[:, None, None] * moved).sum(0), self.offsets4)
        scores = add_shifted(scores, self.scores4)
        return scores, offsets[:, :, :, 0].flatten(0, 1).transpose(0, 1)


def objects_innermost(gain: Tensor) -> Tensor:
    """A map for each object (n, h, w) as (n, 1, h, w), in memory as the correlation's maps lie."""
    return gain.permute(1, 2, 0).contiguous().permute(2, 0, 1)[:, None]


def quadrants(maps: Tensor) -> Tensor:
    """Maps (n, c, h, w) in the order of `nested_patches` as (n, 4, c / 4, h, w)."""
    return torch.unflatten(maps, 1, (4, maps.shape[1] // 4))


def add_shifted(maps: Tensor, scales: Sequence[Tensor] | Tensor) -> Tensor:
    """One layer of scores: four shifted maps, each times its scale, added up; (n, out, h, w)."""
    parts = shifted(maps)
    total = parts[0] * scales[0]
    for part, scale in zip(parts[1:], scales[1:], strict=True):
        total.addcmul_(part, scale)
    return total


def add_shifted_offsets(offsets: Tensor, scales: Tensor) -> Tensor:
    """One layer of offsets: as of scores, but both sides (min, max) of an axis mix."""
    parts = shifted(offsets)
    total = offsets.new_zeros(parts[0].shape)
    for part, scale in zip(parts, scales, strict=True):
        for side in (0, 1):
            total.addcmul_(part[:, side, None], scale[:, :, side])
    return total


def shifted(maps: Tensor) -> list[Tensor]:
    """The four views of maps (..., 4, out, h, w) that a layer adds: (..., out, h - 4, w - 4)."""
    h, w = maps.shape[-2] - SHIFT, maps.shape[-1] - SHIFT
    return [
        maps[..., quadrant, :, SHIFT * y : SHIFT * y + h, SHIFT * x : SHIFT * x + w]
        for quadrant, (y, x) in enumerate(QUADRANTS)
    ]


def soft_select(scores: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Pool scores (..., h, w) by 2x2: their maximum, and each cell's share (4, ..., h/2, w/2)."""
    cells = cells_of_windows(scores)
    return cells.amax(0), torch.softmax(cells * alpha, dim=0)


def cells_of_windows(maps: Tensor) -> Tensor:
    """The four cells of every 2x2 window of maps (..., h, w): (4, ..., h / 2, w / 2)."""
    h, w = maps.shape[-2:]
    grid = torch.unflatten(torch.unflatten(maps, -1, (w // 2, 2)), -3, (h // 2, 2))
    return grid.movedim((-3, -1), (0, 1)).flatten(0, 1)


def nested_patches(kernels: Tensor) -> Tensor:
    """Order kernels (n, 64, ...) as quadrants of quadrants: last bits of row and column first."""
    grid = torch.unflatten(kernels, 1, (2,) * 6)
    return grid.permute(0, 3, 6, 2, 5, 1, 4, *range(7, grid.dim())).flatten(1, 6)


def nested(taps: Tensor) -> Tensor:
    """Order taps (out, out, 2, 2, ...) as quadrants: (4, out^2, ...).

    Rows and columns of the grid in bits: the last ones, which are the quadrant that this layer
    reads, come first, then those of the next layer.
    """
    out, rest = taps.shape[0], taps.shape[4:]
    bits = out.bit_length() - 1
    order = [axis for bit in range(bits, -1, -1) for axis in (bit, bits + 1 + bit)]
    grid = taps.permute(0, 2, 1, 3, *range(4, taps.dim())).reshape((2,) * (2 * bits + 2) + rest)
    ordered = grid.permute(*order, *range(2 * bits + 2, grid.dim()))
    return ordered.reshape(4, out * out, *rest)


def _additions(pool: SoftSelectPool) -> Tensor:
    """A pool's offsets as window cell, axis, side."""
    return (
        pool.offset_addi.detach().view(2, 2, 4).permute(2, 0, 1)[..., None, None, None, None, None]
    )


def _axes(taps: Tensor | None) -> Tensor | None:
    """Keep the mixing of each axis (..., 2, 2, 2) from (..., 4, 4); None where axes mix."""
    if taps is None:
        return None
    axes = taps.reshape(*taps.shape[:-2], 2, 2, 2, 2)
    crossed = axes[..., 0, :, 1, :].any() or axes[..., 1, :, 0, :].any()
    return None if crossed else axes.diagonal(dim1=-4, dim2=-2).movedim(-1, -3)
