"""Fitting EfficientDet: which anchors see which object, focal loss, Huber's loss of their codes.

Tan et al., EfficientDet, CVPR 2020; numbers of rwightman/efficientdet-pytorch (effdet/loss.py,
anchors.py, config/model_config.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn.functional import huber_loss
from torch.optim import AdamW, Optimizer

from vbench.core.boxes import to_corners
from vbench.core.clip import Clip
from vbench.nn.box_coder import encode
from vbench.train.detection_losses import focal_loss
from vbench.train.object_frames import ObjectFrames

# zylo117/Yet-Another-EfficientDet-Pytorch train.py: the rate and optimiser.
RATE, DECAY, CLIP, BATCH = 1e-4, 4e-5, 10.0, 4
POSITIVE_IOU = 0.5
ALPHA, GAMMA = 0.25, 1.5
DELTA, BOX_WEIGHT = 0.1, 50.0
BACKGROUND = -1


class EfficientDetRecipe:
    """One step is a batch of frames, half of them mirrored. All of the network is fitted."""

    def __init__(
        self, detector: Any, clips: Sequence[Clip], batch: int | None, device: str
    ) -> None:
        self.detector, self.batch, self.device = detector, batch or BATCH, device
        self.module: nn.Module = detector.network
        self.frames = ObjectFrames(clips, detector.classes)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Adam with decoupled decay."""
        return AdamW(self.module.parameters(), lr=rate or RATE, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """A rise over the first twentieth, then a line down to a hundredth."""
        return min(1.0, share / 0.05 + 0.02) * (1 - 0.99 * share)

    def loss(self, rng: Generator) -> Tensor:
        """Mean loss of a batch."""
        images, truths = [], []
        for _ in range(self.batch):
            scene = self.frames.draw(rng)
            image, scale = self.detector.images(scene.frame)
            images.append(image)
            corners = torch.from_numpy(to_corners(scene.boxes) * scale).to(image)
            truths.append((corners, torch.from_numpy(scene.labels).to(image.device)))
        logits, codes = self.module(torch.cat(images))
        losses = [
            frame_loss(logits[i], codes[i], self.detector.anchors, *truth)
            for i, truth in enumerate(truths)
        ]
        return torch.stack(losses).mean()

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """All tensors of the network."""
        return self.module.state_dict()


def frame_loss(
    logits: Tensor, codes: Tensor, anchors: Tensor, truth: Tensor, labels: Tensor
) -> Tensor:
    """Loss of one frame: logits (a, classes), codes and anchors (a, 4), truth (n, 4), labels (n,).

    Sums over the anchors that see an object and one, as in effdet; a code's four parts average.
    """
    owner = owners(anchors, truth)
    seeing = owner >= 0
    wanted = torch.zeros_like(logits)
    wanted[seeing, labels[owner[seeing]]] = 1
    count = int(seeing.sum()) + 1
    classes = focal_loss(logits, wanted, GAMMA, ALPHA) / count
    # Our code is x y w h, the network's y x h w.
    target = encode(anchors[seeing], truth[owner[seeing]])[:, [1, 0, 3, 2]]
    boxes = huber_loss(codes[seeing], target, reduction="sum", delta=DELTA) / (4 * count)
    return classes + BOX_WEIGHT * boxes


def owners(anchors: Tensor, truth: Tensor) -> Tensor:
    """Object that each anchor sees (a,), -1 for none: IoU of 0.5, or the best of an object."""
    found = torch.full((len(anchors),), BACKGROUND, dtype=torch.long, device=anchors.device)
    if not len(truth):
        return found
    shared = iou(anchors, truth)
    best, owner = shared.max(dim=1)
    found[best >= POSITIVE_IOU] = owner[best >= POSITIVE_IOU]
    top = shared.argmax(dim=0)
    found[top] = torch.arange(len(truth), device=anchors.device)
    return found


def iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU (n, m) of continuous corners (n, 4) and (m, 4)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clamp(min=0).prod(dim=2)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).clamp(min=0).prod(dim=1) for x in (a, b))
    return both / (area_a[:, None] + area_b[None] - both).clamp(min=1e-12)
