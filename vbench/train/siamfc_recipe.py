"""Fitting SiamFC: pairs of crops, the response is 1 near the middle and 0 elsewhere.

Bertinetto et al., ECCVW 2016, sec. 3.2; huanglianghua/siamfc-pytorch (siamfc.py, transforms.py,
datasets.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from vbench.core.boxes import Box, Image
from vbench.core.clip import Clip
from vbench.nn.crop import Windows, context_sides, mean_colour, square_crops, windows_around
from vbench.train.losses import balanced_bce
from vbench.train.samplers import Footage, near_pair, pair, siamfc_usable

EXEMPLAR_PX, INSTANCE_PX, SEARCH_PX = 127, 255, 239
# The picture is stretched by up to 5 %, then cut at random out of its middle 247 px.
STRETCH, SHIFT_PX = 0.05, 4
RATE, LAST_RATE, MOMENTUM, DECAY = 1e-2, 1e-5, 0.9, 5e-4
BATCH, FARTHEST = 8, 100
# Cells whose Manhattan distance from the middle is at most 16 px / stride 8.
NEAR_CELLS = 2


class SiamFCRecipe:
    """One step is a batch of pairs, one of a clip each. `batch` is the number of pairs."""

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.module: nn.Module = tracker.network
        self.batch, self.device = batch or BATCH, device
        self.footage = Footage(clips, siamfc_usable)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum."""
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """From 1e-2 to 1e-5, by the same factor each step."""
        return float((LAST_RATE / RATE) ** share)

    def loss(self, rng: Generator) -> Tensor:
        """Balanced logistic loss of the responses of a batch."""
        templates, searches = [], []
        for _ in range(self.batch):
            clip = int(rng.integers(len(self.footage)))
            chosen = near_pair(rng, self.footage.frames[clip], FARTHEST)
            found = pair(self.footage, clip, chosen)
            templates.append(self._crop(rng, found.template, found.template_box, EXEMPLAR_PX))
            searches.append(self._crop(rng, found.search, found.search_box, SEARCH_PX))
        exemplars = self.module.backbone(torch.cat(templates))  # type: ignore[operator]
        responses = self.module(torch.cat(searches), exemplars)
        labels = near_middle(responses.shape[-1], NEAR_CELLS).to(responses.device)
        return balanced_bce(responses, labels.expand_as(responses))

    def prepare_step(self) -> None:
        """Nothing to change."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything."""
        return self.module.state_dict()

    def _crop(self, rng: Generator, frame: Image, box: Box, size: int) -> Tensor:
        """A crop (1, 3, size, size) around `box`, stretched and shifted a little."""
        stretch = 1 + rng.uniform(-STRETCH, STRETCH)
        shift_px = rng.integers(-SHIFT_PX, SHIFT_PX + 1, 2)
        windows = crop_window(box, size, stretch, shift_px)
        return square_crops(frame, windows, size, mean_colour(frame), self.device)


def crop_window(box: Box, size: int, stretch: float, shift_px: np.ndarray) -> Windows:
    """The window (1, 3) of a frame that becomes a crop of `size` px.

    In a crop of 255 px the target's exemplar is 127 px; the picture is then enlarged by `stretch`
    and moved by `shift_px` (x, y).
    """
    side = float(context_sides(np.maximum(box[2:], 1e-3)))
    step = side / EXEMPLAR_PX / stretch
    centre = box[:2] + (box[2:] - 1) / 2 + shift_px * step
    return windows_around(centre, size * step)


def near_middle(side: int, cells: int) -> Tensor:
    """Labels (side, side): 1 within so many cells of the middle, by Manhattan distance."""
    away = (torch.arange(side) - (side - 1) / 2).abs()
    return ((away[:, None] + away[None, :]) <= cells).float()
