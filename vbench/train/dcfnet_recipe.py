"""Fitting DCFNet: the filter that one frame teaches must answer a Gaussian on a later frame.

Wang et al., DCFNet: Discriminant Correlation Filters Network for Visual Tracking, 2017;
foolwood/DCFNet_pytorch (train/train_DCFNet.py, net.py, dataset.py, dataset/gen_snippet.py,
dataset/crop_image.py), but that its crops went through JPEG files.
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
from vbench.nn.correlation import wrapped_gaussian
from vbench.train.losses import filter_loss
from vbench.train.samplers import Footage, dcfnet_usable, later_pair, pair, starts

# train_DCFNet.py:20-35, 123: learning rate, its end, momentum, weight decay, pairs, epochs.
RATE, LAST_RATE, MOMENTUM, DECAY = 1e-2, 1e-5, 0.9, 5e-5
BATCH, EPOCHS = 32, 50
# dataset.py:9, 25: the search is 1 ... 10 frames later.
FARTHEST = 10
# train_DCFNet.py:54-65, net.py:21-23: features have no rim where a convolution would see zeros, and
# no cosine window; the Gaussian's width goes by the crop of 125 px.
RIM_PX, SIDE, RIDGE, SIGMA = 2, 121, 1e-4, 125 / 3 * 0.1
# dataset.py:14; the released tracker takes off 104, 117, 123 instead.
MEAN_BGR = (109.0, 120.0, 119.0)


class DCFNetRecipe:
    """One step is a batch of pairs of any clips. `batch` is the number of pairs."""

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.tracker, self.batch = tracker, batch or BATCH
        self.module: nn.Module = tracker.network
        self.footage = Footage(clips, dcfnet_usable)
        self.starts = starts(self.footage)
        self.mean = torch.tensor(MEAN_BGR, device=device)[:, None, None]
        self.wanted = torch.from_numpy(wrapped_gaussian(SIDE, SIGMA)).float().to(device)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum."""
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """From 1e-2 to 1e-5 by equal factors, one for each of 50 epochs."""
        # Shares such as 29 / 50 come a little short.
        epoch = min(int(share * EPOCHS + 1e-6), EPOCHS - 1)
        return float((LAST_RATE / RATE) ** (epoch / (EPOCHS - 1)))

    def loss(self, rng: Generator) -> Tensor:
        """Squared error of the responses, mean over a batch."""
        templates, searches = [], []
        for _ in range(self.batch):
            clip, chosen = later_pair(rng, self.starts, FARTHEST)
            found = pair(self.footage, clip, chosen)
            templates.append(self._crop(found.template, found.template_box))
            searches.append(self._crop(found.search, found.search_box))
        features = self.features(torch.cat(templates)), self.features(torch.cat(searches))
        return filter_loss(*features, self.wanted, RIDGE)

    def features(self, crops: Tensor) -> Tensor:
        """Features (n, 32, 121, 121) of crops (n, 3, 125, 125), of convolutions without padding."""
        found: Tensor = self.module(crops)[..., RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
        return found

    def prepare_step(self) -> None:
        """Nothing to change."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything."""
        return self.module.state_dict()

    def _crop(self, frame: Image, box: Box) -> Tensor:
        """A crop (1, 3, 125, 125) with the target in its middle, as the tracker takes it."""
        centre, size = box[:2] + box[2:] / 2, np.maximum(box[2:], 1e-3)
        planes: Tensor = self.tracker.planes(frame, centre, size, np.ones(1)) - self.mean
        return planes
