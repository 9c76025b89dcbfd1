"""PatchNet: patches of the template correlated with the search area, aggregated by a small network.

Mao et al., PatchNet - Short-range Template Matching for Efficient Video Processing, sec. 4; layers
and key names of RalphMao/PatchNet (patchnet/patchnet.py, fourier_feature.py, pool_select.py), whose
checkpoint loads. This is the network as published, with gradients; `patchnet_sparse` does the same
sums without the zeros.

Maps of offsets have channels c * 4 + d, d one of y min, y max, x min, x max.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, unfold

from vbench.core.roles import Weights
from vbench.nn.state import load_into, read_state

from .template_matching import TEMPLATE_PX

# Pixels a side of a patch, patches a side of the template.
PATCH_PX = 8
PATCHES = TEMPLATE_PX // PATCH_PX
# A kernel of the aggregation reaches from one patch to the next, on a map of half the resolution.
REACH = 5
# Normalised responses are scaled to this (fourier_feature.py, forward_with_weights).
RESPONSE_SCALE = 1e-2
SIDES = 4


class FourierPatches(nn.Module):
    """Kernels from a template: its patches, their frequencies reweighted (paper, fig. 6).

    Real and imaginary parts have gains of their own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.freq_coeff = nn.Parameter(torch.ones(PATCH_PX, PATCH_PX // 2 + 1, 2))

    def forward(self, template: Tensor) -> Tensor:
        """Template (n, 3, 64, 64) -> kernels (n, 64, 3, 8, 8), patches row by row."""
        waves = torch.view_as_real(torch.fft.rfft2(split_patches(template), norm="ortho"))
        weighted = torch.view_as_complex(waves * self.freq_coeff)
        kernels: Tensor = torch.fft.irfft2(weighted, s=(PATCH_PX, PATCH_PX), norm="ortho")
        return kernels


class SoftSelectPool(nn.Module):
    """2x2 maximum of scores; offsets averaged by the softmax of the same scores (paper, eq. 1)."""

    def __init__(self) -> None:
        super().__init__()
        half = torch.tensor([-0.5, 0.5])
        y, x = half.repeat_interleave(2), half.repeat(2)
        self.offset_addi = nn.Parameter(torch.stack([y, y, x, x])[..., None, None])
        self.alpha = nn.Parameter(torch.ones(1))

    def forward(self, scores: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (n, c, h, w), offsets (n, 4c, h, w) -> the same at half the resolution."""
        n, c, h, w = scores.shape
        window = unfold(scores, 2, stride=2).view(n, c, 1, 4, h // 2, w // 2)
        moved = unfold(offsets, 2, stride=2).view(n, c, SIDES, 4, h // 2, w // 2)
        chosen = torch.softmax(window.detach() * self.alpha, dim=3)
        pooled = (chosen * (moved + self.offset_addi)).sum(dim=3)
        return window.amax(dim=3)[:, :, 0], pooled.reshape(n, c * SIDES, h // 2, w // 2)


class PatchNetwork(nn.Module):
    """The network; `grouped` is PatchNetG, whose first aggregation has one group a quad of patches.

    With `batch_coupled` the contrast term of the normaliser is that of the whole batch, as in the
    authors' code, so that objects of one frame influence each other; by default it is each
    object's own.
    """

    def __init__(self, grouped: bool = False, batch_coupled: bool = False) -> None:
        super().__init__()
        self.grouped, self.batch_coupled = grouped, batch_coupled
        quads = PATCHES**2 // 4
        self.feature_layer = FourierPatches()
        self.conv2 = nn.Conv2d(64, 16, REACH, bias=False, groups=quads if grouped else 1)
        self.conv3 = nn.Conv2d(16, 4, REACH, bias=False)
        self.conv4 = nn.Conv2d(4, 1, REACH, bias=False)
        self.conv3reg = nn.Conv2d(64, 16, REACH, bias=False)
        self.conv4reg = nn.Conv2d(16, 4, REACH, bias=False)
        self.pool2, self.pool3 = SoftSelectPool(), SoftSelectPool()
        self.load_state_dict(self._structural(), strict=False)

    def forward(self, search: Tensor, template: Tensor) -> tuple[Tensor, Tensor]:
        """Match search crops (n, 3, s, s), s = search_px(r), with templates (n, 3, 64, 64).

        Returns scores (n, 1, r, r) and offsets (n, 4, r, r), in cells of 8 template px.
        """
        return self.match(search, self.feature_layer(template))

    def match(self, search: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, with the template's kernels (n, 64, 3, 8, 8)."""
        responses = correlate(search, kernels, stride=2)
        gain = RESPONSE_SCALE * normaliser(search, 2, self.batch_coupled)
        return self.aggregate(responses * gain[:, None])

    def aggregate(self, responses: Tensor) -> tuple[Tensor, Tensor]:
        """Responses (n, 64, 28 + 4r, same) -> scores (n, 1, r, r), offsets (n, 4, r, r)."""
        if self.grouped:
            scores = self.conv2(responses[:, z_order(8)])[:, z_order(4).argsort()]
        else:
            scores = self.conv2(responses)
        still = torch.zeros_like(scores).repeat(1, SIDES, 1, 1)
        scores, offsets = self.pool2(scores, still)
        scores, offsets = self.pool3(self.conv3(scores), self.conv3reg(offsets))
        return self.conv4(scores), self.conv4reg(offsets)

    def quad_weight(self) -> Tensor:
        """Weight of the first aggregation as a dense one, (16, 64, 5, 5)."""
        return spread_groups(self.conv2.weight) if self.grouped else self.conv2.weight

    def load_published(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load a dense or grouped state dict, whichever this network is.

        Raises:
            VBenchError: names what does not fit.
        """
        weight = state.get("conv2.weight")
        if self.grouped and weight is not None and tuple(weight.shape) == (16, 64, 5, 5):
            state = {**state, "conv2.weight": cut_groups(weight)}
        load_into(self, state, source)

    def _structural(self) -> dict[str, Tensor]:
        quads = structural_weight(8)
        return {
            "conv2.weight": cut_groups(quads) if self.grouped else quads,
            "conv3.weight": structural_weight(4),
            "conv4.weight": structural_weight(2),
            "conv3reg.weight": structural_offset_weight(4),
            "conv4reg.weight": structural_offset_weight(2),
        }


def patch_network(
    weights: Weights | None, device: str, grouped: bool = False, batch_coupled: bool = False
) -> PatchNetwork:
    """Build the network in eval mode; without weights it has the structural ones."""
    network = PatchNetwork(grouped, batch_coupled)
    if weights is not None:
        path = next(iter(weights.files.values()))
        network.load_published(read_state(path), path.name)
    return network.eval().to(device)


def split_patches(template: Tensor) -> Tensor:
    """Template (n, 3, 64, 64) -> patches (n, 64, 3, 8, 8), row by row."""
    n, channels = template.shape[:2]
    grid = template.view(n, channels, PATCHES, PATCH_PX, PATCHES, PATCH_PX)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(n, PATCHES**2, channels, PATCH_PX, PATCH_PX)


def correlate(search: Tensor, kernels: Tensor, stride: int) -> Tensor:
    """Correlate every search crop (n, 3, s, s) with its own kernels (n, k, 3, 8, 8), in one call.

    Channels last is the layout in which CPUs run a grouped convolution of 3 channels fastest.
    """
    n, k = kernels.shape[:2]
    side = search.shape[-1]
    crops, grouped = search.reshape(1, -1, side, side), channels_last(kernels).flatten(0, 1)
    maps = conv2d(crops, grouped, stride=stride, groups=n)
    return maps.view(n, k, *maps.shape[-2:])


def channels_last(kernels: Tensor) -> Tensor:
    """Kernels (n, k, c, 8, 8) with the channels innermost in memory."""
    inside = kernels.movedim(2, -1).contiguous()
    return inside.movedim(-1, 2)


def normaliser(search: Tensor, stride: int, batch_coupled: bool = False) -> Tensor:
    """1 / sqrt(E + std(E) / 10 + 1e-9), E the energy of each 8x8 window; (n, h, w), no gradient.

    The standard deviation is that of the 64 channels that the authors' code repeats E to, unbiased,
    over each object or over the whole batch.
    """
    energy = window_sums(search.detach().square().sum(dim=1), PATCH_PX, stride)
    cells = energy[0].numel() * PATCHES**2
    if batch_coupled:
        spread = energy.var(correction=0) * (cells * len(energy) / (cells * len(energy) - 1))
    else:
        spread = energy.var(dim=(1, 2), correction=0, keepdim=True) * (cells / (cells - 1))
    return torch.rsqrt(energy + spread.sqrt() / 10 + 1e-9)


def window_sums(values: Tensor, size: int, stride: int = 1) -> Tensor:
    """Sums over windows of `size` (a power of two) at steps of 1 or 2, of (..., h, w)."""
    columns = _run_sums(values.transpose(-1, -2), size, stride)
    return _run_sums(columns.transpose(-1, -2), size, stride)


def _run_sums(values: Tensor, size: int, stride: int) -> Tensor:
    """Sums of `size` neighbours along the last dimension, by doubling."""
    if stride == 2:
        pairs = values.shape[-1] // 2
        values = values[..., : 2 * pairs : 2] + values[..., 1::2]
    shift = 1
    while shift * stride < size:
        values = values[..., :-shift] + values[..., shift:]
        shift *= 2
    return values


def z_order(side: int) -> Tensor:
    """Row-major indices of a grid of `side` x `side` in Morton order: 0, 1, 8, 9, 2, 3, 10 ..."""
    bits = side.bit_length() - 1
    grid = torch.arange(side * side).view((2,) * (2 * bits))
    return grid.permute([axis for bit in range(bits) for axis in (bit, bits + bit)]).flatten()


def cut_groups(weight: Tensor) -> Tensor:
    """Turn a dense first aggregation (16, 64, 5, 5) into PatchNetG's groups (16, 4, 5, 5)."""
    ordered = weight[z_order(4)][:, z_order(8)]
    groups = torch.arange(len(weight))
    return ordered.view(len(weight), len(weight), -1, REACH, REACH)[groups, groups]


def spread_groups(weight: Tensor) -> Tensor:
    """Undo `cut_groups`: zeros outside the groups."""
    quads, members = weight.shape[:2]
    groups = torch.arange(quads)
    dense = weight.new_zeros(quads, quads, members, REACH, REACH)
    dense[groups, groups] = weight
    dense = dense.view(quads, quads * members, REACH, REACH)
    return dense[z_order(4).argsort()][:, z_order(8).argsort()]


def structural_weight(side: int) -> Tensor:
    """Mean of 2x2 neighbouring patches of a grid of `side` x `side`: (side^2 / 4, side^2, 5, 5)."""
    out = side // 2
    return place_taps(torch.full((out, out, 2, 2, 1, 1), 0.25))


def structural_offset_weight(side: int) -> Tensor:
    """Offsets of a patch from those of its four parts: (side^2, 4 side^2, 5, 5).

    The least-squares fit of both sides (min, max) of an axis to the sides of two equal parts
    (patchnet/patchnet.py, create_offset_base), averaged over the other axis.
    """
    parts = torch.tensor([[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]], dtype=torch.float64)
    fit = torch.linalg.pinv(parts).view(2, 2, 2).transpose(0, 1) / 4
    mixing = torch.zeros(2, 2, SIDES, SIDES, dtype=torch.float64)
    mixing[:, :, :2, :2] = fit[:, None]
    mixing[:, :, 2:, 2:] = fit[None, :]
    out = side // 2
    return place_taps(mixing.float().expand(out, out, -1, -1, -1, -1))


def place_taps(taps: Tensor) -> Tensor:
    """Turn the values that are not zero into the weight of a 5x5 convolution.

    Out patch (i, j) of a grid of `out` x `out` reads in patches (2i + y, 2j + x), x and y 0 or 1,
    at tap (4y, 4x). `taps` is (out, out, 2, 2, d, d): i, j, y, x and a matrix between the d maps
    that every patch has; the weight is (d out^2, 4 d out^2, 5, 5).
    """
    out, d = taps.shape[0], taps.shape[-1]
    weight = taps.new_zeros(out, out, d, out, 2, out, 2, d, REACH, REACH)
    weight[_tap_index(out)] = taps
    return weight.view(out * out * d, 4 * out * out * d, REACH, REACH)


def read_taps(weight: Tensor, d: int = 1) -> Tensor | None:
    """Undo `place_taps`; None where anything else than its taps is not zero."""
    out = round((weight.shape[0] / d) ** 0.5)
    taps = weight.view(out, out, d, out, 2, out, 2, d, REACH, REACH)[_tap_index(out)]
    return taps if torch.equal(place_taps(taps), weight) else None


def _tap_index(out: int) -> tuple[Tensor | slice, ...]:
    side, part = torch.arange(out), torch.arange(2)
    i, j, y, x = torch.meshgrid(side, side, part, part, indexing="ij")
    maps = slice(None)
    return i, j, maps, i, y, j, x, maps, (REACH - 1) * y, (REACH - 1) * x
