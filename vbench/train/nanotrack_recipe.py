"""Fitting NanoTrack: points inside the target are it, and know how far its sides are.

HonglinChu/SiamTrackers NanoTrack/nanotrack/datasets/point_target.py (SiamBAN's labels),
nanotrack/core/config.py, models/config/configv3.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from vbench.core.boxes import Boxes, Floats, Ints
from vbench.core.clip import Clip
from vbench.train.losses import point_loss
from vbench.train.pair_crops import PairSampler
from vbench.train.rates import warmed
from vbench.train.samplers import Footage, siamfc_usable

SEARCH_PX = 255
RATE, FIRST_SHARE, LAST_SHARE, MOMENTUM, DECAY = 5e-3, 0.2, 0.1, 0.9, 1e-4
BATCH, CLIP = 8, 10.0
MOST_POSITIVES, MOST_NEGATIVES = 16, 48


class Normed(nn.Module):
    """A convolution and the norm after it, which `folded` makes one convolution of."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, nn.BatchNorm2d(convolution.out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve and norm."""
        found: Tensor = self.norm(self.convolution(features))
        return found

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution that does the same in eval mode."""
        norm, bias = self.norm, self.convolution.get_parameter("bias")
        scale = norm.weight / (norm.get_buffer("running_var") + norm.eps).sqrt()
        shift = norm.bias + (bias - norm.get_buffer("running_mean")) * scale
        return self.convolution.weight * scale[:, None, None, None], shift


class NanoTrackRecipe:
    """One step is a batch of pairs, one of a clip each. `batch` is the number of pairs.

    An untrained network learns with norms after its convolutions, which are folded into them at the
    end, as the published ones are; one that was trained goes on without.
    """

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.tracker, self.batch = tracker, batch or BATCH
        self.module: nn.Module = tracker.network
        if not tracker.trained:
            put_norms(self.module)
            self.module.to(device)
        reach_px = float(np.abs(tracker.points).max())
        footage = Footage(clips, siamfc_usable)
        self.pairs = PairSampler(footage, SEARCH_PX, reach_px, True, device)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum."""
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """From 1e-3 up to 5e-3, then down to 5e-4."""
        return warmed(share, FIRST_SHARE, LAST_SHARE)

    def loss(self, rng: Generator) -> Tensor:
        """Loss of the points of all pairs together."""
        drawn = self.pairs.draw(rng, self.batch)
        backbone, head = self.tracker.network.backbone, self.tracker.network.head
        logits, distances = head(backbone(drawn.exemplars), backbone(drawn.searches))
        points = self.tracker.points
        chosen = [chosen_points(rng, points, box) for box in drawn.boxes]
        good, bad = (
            torch.from_numpy(np.concatenate([i * len(points) + c[k] for i, c in enumerate(chosen)]))
            for k in (0, 1)
        )
        wanted = np.concatenate([reaches(points, box) for box in drawn.boxes])
        return point_loss(
            by_point(logits),
            by_point(distances),
            torch.from_numpy(wanted).to(distances.device, distances.dtype),
            good.to(logits.device),
            bad.to(logits.device),
        )

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """Everything, norms folded."""
        return folded_state(self.module)


def put_norms(network: Any) -> None:
    """Follow every convolution by a norm, but those without a bias, in attention, and the last."""
    last = {id(layer) for layer in network.last()}
    chosen = [
        (parent, name, layer)
        for path, parent in network.named_modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.Conv2d) and layer.bias is not None
        and id(layer) not in last and "attention" not in path
    ]  # fmt: skip
    for parent, name, layer in chosen:
        setattr(parent, name, Normed(layer))


def folded_state(network: nn.Module) -> dict[str, Tensor]:
    """The state of `network` under the names that it had before it was given norms."""
    state = dict(network.state_dict())
    for path, layer in normed(network):
        for key in [key for key in state if key.startswith(f"{path}.")]:
            del state[key]
        with torch.no_grad():
            state[f"{path}.weight"], state[f"{path}.bias"] = layer.folded()
    return state


def normed(network: nn.Module) -> Iterator[tuple[str, Normed]]:
    """Normed convolutions and where they are."""
    for path, layer in network.named_modules():
        if isinstance(layer, Normed):
            yield path, layer


def by_point(maps: Tensor) -> Tensor:
    """Maps (n, c, r, r) -> rows (n r r, c)."""
    return maps.flatten(2).transpose(1, 2).reshape(-1, maps.shape[1])


def reaches(points: Floats, box: Boxes) -> Floats:
    """How far the sides of a box cx cy w h are left, top, right and bottom of points: (m, 4)."""
    half = box[2:] / 2
    return np.concatenate([points - (box[:2] - half), box[:2] + half - points], axis=1)


def chosen_points(rng: Generator, points: Floats, box: Boxes) -> tuple[Ints, Ints]:
    """Indices of at most 16 points of the target's inner ellipse, and of 48 beyond the outer one.

    The axes are half of the box's sides, and all of them. Where no point is inside, it is the
    nearest.
    """
    away = (np.square((points - box[:2]) / box[2:])).sum(axis=1)
    good, bad = np.flatnonzero(away < 1 / 16), np.flatnonzero(away > 1 / 4)
    if not len(good):
        good = np.array([int(away.argmin())])
        bad = bad[bad != good[0]]
    return rng.permutation(good)[:MOST_POSITIVES], rng.permutation(bad)[:MOST_NEGATIVES]
