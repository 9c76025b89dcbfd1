"""Fitting LSTS: all of it, or what joins frames alone, on layers of R-FCN that stay.

Jiang et al., Learning Where to Focus for Efficient Video Object Detection, ECCV 2020. Layers that
stay make the same of a frame at every step, so they see each frame once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from vbench.core.clip import Clip
from vbench.train.detection_recipe import DetectionRecipe, Seen

# What was made of frames is kept while it fits.
MOST_BYTES = 1 << 30
# Adam's rate where only new layers learn, and how much faster places move: 0.01 cells a step.
ADAM_RATE, PLACES_SPEED = 3e-4, 33.0
STAYS = ("trunk.", "heads.")


class Made(NamedTuple):
    """Low features of a frame and all of them (1, c, h, w), the size (w, h) and scale it had."""

    low: Tensor
    high: Tensor
    size: tuple[int, int]
    scale: float

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.low.nbytes + self.high.nbytes


class MadeOnce:
    """What was made of frames, the latest that fit into memory."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.known: OrderedDict[Hashable, Made] = OrderedDict()
        self._bytes = 0

    def of(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` returned for this key, now or before."""
        found = self.known.pop(key, None)
        if found is None:
            found = make()
            self._bytes += found.nbytes
        self.known[key] = found
        while self._bytes > self.most_bytes and len(self.known) > 1:
            self._bytes -= self.known.popitem(last=False)[1].nbytes
        return found


class LstsRecipe(DetectionRecipe):
    """One step is `batch` samples of three frames; the trunk and the heads stay where they came.

    They do for a detector that began `untrained` with R-FCN's weights; otherwise all is fitted.
    Recipes of several detectors that stand on the same layers and clips may share what was `made`.
    """

    def __init__(
        self, detector: Any, clips: Sequence[Clip], batch: int | None, device: str
    ) -> None:
        super().__init__(detector, clips, batch, device)
        self.made = MadeOnce()
        self.trunk_stays = detector.untrained and detector.pretrained
        if self.trunk_stays:
            for name, parameter in self.module.named_parameters():
                if name.startswith(STAYS):
                    parameter.requires_grad_(False)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum, as published, for all of it; else Adam for what begins anew.

        Similarities are products of layers that all start small: descent takes long to get them
        going, as each waits for the other.
        """
        if not self.trunk_stays:
            return super().optimiser(rate)
        lr = rate or ADAM_RATE
        groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        for name, parameter in self.module.named_parameters():
            if parameter.requires_grad:
                groups[name.endswith("init_offset")].append(parameter)
        speeds = {False: 1.0, True: PLACES_SPEED}
        chosen = [{"params": p, "lr": lr * speeds[k]} for k, p in groups.items() if p]
        return Adam(chosen, lr=lr)

    def _seen(self, clip: int, indices: Sequence[int], mirrored: bool) -> Seen:
        if not self.trunk_stays or self.module.flow_align is not None:
            return super()._seen(clip, indices, mirrored)
        old, new, last = (
            self.made.of((clip, index, mirrored), partial(self._made, clip, index, mirrored))
            for index in indices
        )
        features = self.module.joined(
            None if indices[0] == indices[1] else old.high,
            new.high,
            None if indices[1] == indices[2] else last.low,
            [made.low for made in (old, new, last)],
        )
        return Seen(features, last.size, last.scale)

    def _made(self, clip: int, index: int, mirrored: bool) -> Made:
        (image,), scale = self._images(clip, (index,), mirrored)
        with torch.no_grad():
            low = self.module.trunk.resnet.low(image)
            high = self.module.trunk.high(low)
        return Made(low, high, (image.shape[3], image.shape[2]), scale)
