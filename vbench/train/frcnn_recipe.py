"""Fitting Faster R-CNN: proposals against anchors, the hardest regions of a frame.

Ren et al., Faster R-CNN, NIPS 2015; Shrivastava et al., OHEM, CVPR 2016; Lyu et al., Plug & Play,
2020, sec. 6.2; numbers of YeLyuUT/MMDET configs/siamese_hr_faster_rcnn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss
from torch.optim import SGD, Adam, Optimizer

from vbench.core.boxes import to_corners
from vbench.core.clip import Clip
from vbench.nn.two_stage import BOX_STDS, ProposalCounts, TwoStage, map_anchors
from vbench.train.detection_losses import (
    hard_region_loss,
    proposal_targets,
    region_targets,
)
from vbench.train.object_frames import ObjectFrames, Scene

RATE, MOMENTUM, DECAY, CLIP, BATCH = 1e-3, 0.9, 1e-4, 35.0, 2
# The rate falls to a tenth after 90k of 135k steps.
DROP_AFTER, DROP = 2 / 3, 0.1
RPN_BETA = 1 / 9
COUNTS = ProposalCounts(before=12000, after=2000, most=2000)


class FrcnnRecipe:
    """One step is a batch of frames, half of them mirrored. All of the network is fitted."""

    def __init__(
        self, detector: Any, clips: Sequence[Clip], batch: int | None, device: str
    ) -> None:
        self.detector, self.batch, self.device = detector, batch or BATCH, device
        self.module: nn.Module = detector.network
        self.network: TwoStage = detector.network
        self.frames = ObjectFrames(clips, self.network.classes)
        self.counts = COUNTS

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum, as published, which begins with weights of ImageNet; else Adam."""
        if not self.detector.pretrained:
            return Adam(self.module.parameters(), lr=rate or RATE)
        return SGD(self.module.parameters(), lr=rate or RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """A tenth after two thirds; a short rise at the start."""
        return min(1.0, share / 0.02 + 0.1) * (1.0 if share < DROP_AFTER else DROP)

    def loss(self, rng: Generator) -> Tensor:
        """Mean loss of a batch; frames go one after the other, as they may differ in size."""
        losses = [self._frame_loss(self.frames.draw(rng), rng) for _ in range(self.batch)]
        return torch.stack(losses).mean()

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """All tensors of the network, under mmdetection's names."""
        return self.module.state_dict()

    def _frame_loss(self, scene: Scene, rng: Generator) -> Tensor:
        image, size, scale = self.detector.features.images(scene.frame)
        truth = torch.from_numpy(to_corners(scene.boxes) * scale).to(image)
        labels = torch.from_numpy(scene.labels).to(image.device)
        maps = self.network.maps(image)
        loss = self._proposal_loss(maps, size, truth, rng)
        with torch.no_grad():
            found = self.network.propose(maps, size, self.counts)
        # Ground truth takes part, so that there are objects from the start.
        regions = torch.cat([truth, found])
        logits, codes = self.network.judge(maps, regions)
        targets = region_targets(inclusive(regions), inclusive(truth), labels)
        own = codes[torch.arange(len(codes)), targets.labels]
        return loss + hard_region_loss(logits, own, targets, own.new_tensor(BOX_STDS))

    def _proposal_loss(
        self, maps: Sequence[Tensor], size: tuple[int, int], truth: Tensor, rng: Generator
    ) -> Tensor:
        pyramid = self.network.pyramid
        heads = [self.network.rpn_head(m) for m in maps]
        logits, codes = (torch.cat([head[i][0] for head in heads]) for i in range(2))
        anchors = torch.cat(
            [
                map_anchors(m.shape[-2:], stride, pyramid.scales)
                for m, stride in zip(maps, pyramid.strides_px, strict=True)
            ]
        ).to(logits)
        wanted = proposal_targets(inclusive(anchors), inclusive(truth), size, rng)
        chosen, positive = wanted.labels >= 0, wanted.labels == 1
        if not chosen.any():
            return logits.sum() * 0
        objects = binary_cross_entropy_with_logits(
            logits[chosen], wanted.labels[chosen].to(logits), reduction="sum"
        )
        gap = smooth_l1_loss(
            codes[positive], wanted.codes[positive], reduction="sum", beta=RPN_BETA
        )
        # Over those drawn, 256 but in small images (mmdetection, anchor_head.py).
        return (objects + gap) / int(chosen.sum())


def inclusive(corners: Tensor) -> Tensor:
    """Continuous corners as those of first and last pixels: the same codes, the same overlaps."""
    return corners - corners.new_tensor([0.0, 0.0, 1.0, 1.0])
