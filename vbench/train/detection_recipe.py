"""Fitting detectors on R-FCN's heads: one frame, a keyframe and a frame, or two and a frame.

Dai et al., R-FCN, 2016; Zhu et al., Deep Feature Flow, 2017; Jiang et al., LSTS, 2020; Zhu et al.,
FGFA, 2017; numbers of msracver/Deep-Feature-Flow (config.py, core/loader.py), jiangzhengkai/LSTS
(core/loader.py) and msracver/Flow-Guided-Feature-Aggregation (lib/utils/image.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from vbench.core.boxes import Boxes, Ints, is_present, to_corners
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.nn.rfcn import BOX_STDS, RPN_STDS, HeadMaps
from vbench.nn.rpn import ProposalRule
from vbench.train.detection_losses import (
    hard_region_loss,
    proposal_loss,
    proposal_targets,
    region_targets,
)

RATE, MOMENTUM, DECAY, CLIP = 2.5e-4, 0.9, 5e-4, 35.0
# LSTS's locations learn this much faster (10000 x the rate of 2.5e-4).
OFFSET_SPEED = 2.5
# The rate falls to a tenth after two thirds of the published 2 epochs.
DROP_AFTER, DROP = 2 / 3, 0.1
# How far before a frame its keyframe stands (DFF), and a new and an old one (LSTS; the released
# configuration has them in the middle of segments of 10).
DFF_BEFORE = (0, 9)
LSTS_BEFORE = ((0, 9), (10, 14))
MIDDLE_BEFORE = ((-4, 5), (6, 10))
# How far off FGFA's two other frames are, on either side.
FARTHEST = 9
KeysAt = Literal["first", "middle", "around"]

# What published weights keep, besides the norms.
KEPT = ("trunk.resnet.conv1.", "trunk.resnet.res2")


class Annotated(NamedTuple):
    """Objects of one frame in px of the frame."""

    boxes: Boxes
    labels: Ints


class Seen(NamedTuple):
    """Features (1, c, h, w) to find the objects of a frame in, the size (w, h) and scale it had."""

    features: Tensor
    size: tuple[int, int]
    scale: float


class DetectionRecipe:
    """One step is `batch` samples of frames (1, 2 or 3 by the detector), half of them mirrored.

    Losses are those of the last frame. A network without published weights has nothing to keep, so
    all of it is fitted; otherwise conv1, stage 2 and the norms stay, as published.
    """

    def __init__(
        self, detector: Any, clips: Sequence[Clip], batch: int | None, device: str
    ) -> None:
        self.detector, self.batch, self.device = detector, batch or 1, device
        self.module: Any = detector.network
        self.clips = [clip for clip in clips if clip.objects is not None and len(clip)]
        if not self.clips:
            raise VBenchError("no clip of this suite has objects with classes to learn from")
        most = max(int(c.objects.labels.max(initial=-1)) for c in self.clips if c.objects) + 1
        if most > detector.network.heads.classes:
            raise VBenchError(
                f"this suite has {most} classes, the detector {detector.network.heads.classes}; "
                f"add classes={most} to its parameters"
            )
        self.rule = ProposalRule()
        if detector.pretrained:
            for name, parameter in self.module.named_parameters():
                if name.startswith(KEPT) or name.endswith((".gamma", ".beta")):
                    parameter.requires_grad_(False)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum; sampled locations faster and without decay, as biases."""
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, parameter in self.module.named_parameters():
            if parameter.requires_grad:
                speed = OFFSET_SPEED if name.endswith("init_offset") else 1.0
                decay = DECAY if name.endswith(("weight", "gamma")) else 0.0
                groups.setdefault((speed, decay), []).append(parameter)
        lr = rate or RATE
        return SGD(
            [
                {"params": params, "lr": lr * speed, "weight_decay": decay}
                for (speed, decay), params in groups.items()
            ],
            lr=lr,
            momentum=MOMENTUM,
        )

    def factor(self, share: float) -> float:
        """A tenth after two thirds; a short rise at the start."""
        return min(1.0, share / 0.02 + 0.1) * (1.0 if share < DROP_AFTER else DROP)

    def loss(self, rng: Generator) -> Tensor:
        """Mean loss of `batch` samples."""
        losses = [self._sample_loss(rng) for _ in range(self.batch)]
        loss = torch.stack(losses).mean()
        if loss.requires_grad:
            return loss
        # Only layers that stay took part: a clip's first frame has no keyframe but itself.
        fitted = [p for p in self.module.parameters() if p.requires_grad]
        nothing: Tensor = torch.stack([p.flatten()[0] for p in fitted]).sum() * 0
        return loss + nothing

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """All tensors of the network."""
        found: Mapping[str, Tensor] = self.module.state_dict()
        return found

    def _sample_loss(self, rng: Generator) -> Tensor:
        number = int(rng.integers(len(self.clips)))
        clip = self.clips[number]
        keys: KeysAt = getattr(self.detector, "key_position", "first")
        indices = drawn_frames(rng, len(clip), self.detector.frames_a_sample, keys)
        mirrored = bool(rng.integers(2))
        seen = self._seen(number, indices, mirrored)
        objects = annotated(clip, indices[-1])
        truth = corners_of(objects.boxes, seen.scale, seen.size[0], mirrored).to(seen.features)
        labels = torch.from_numpy(objects.labels).to(truth.device)
        return self._heads_loss(seen.features, seen.size, truth, labels, rng)

    def _seen(self, clip: int, indices: Sequence[int], mirrored: bool) -> Seen:
        """What the network makes of the frames of a sample; of equal ones the same tensor."""
        images, scale = self._images(clip, indices, mirrored)
        last = images[-1]
        return Seen(self.module.joint(images), (last.shape[3], last.shape[2]), scale)

    def _images(
        self, clip: int, indices: Sequence[int], mirrored: bool
    ) -> tuple[list[Tensor], float]:
        images: dict[int, Tensor] = {}
        scale = 1.0
        for index in indices:
            if index not in images:
                prepared = self.detector.prepare(self.clips[clip].frames[index])
                scale = prepared.scale
                images[index] = prepared.tensor.flip(3) if mirrored else prepared.tensor
        return [images[index] for index in indices], scale

    def _heads_loss(
        self, features: Tensor, size: tuple[int, int], truth: Tensor, labels: Tensor, rng: Generator
    ) -> Tensor:
        return self._maps_loss(self.module.heads(features), size, truth, labels, rng)

    def _maps_loss(
        self, maps: HeadMaps, size: tuple[int, int], truth: Tensor, labels: Tensor, rng: Generator
    ) -> Tensor:
        heads = self.module.heads
        scores, deltas = heads.rpn_rows(maps, 0)
        targets = proposal_targets(heads.all_anchors(maps), truth, size, rng)
        loss = proposal_loss(scores, deltas, targets, deltas.new_tensor(RPN_STDS))
        # Ground truth takes part, so that there are positive regions from the start.
        regions = torch.cat([heads.proposals(maps, 0, size, self.rule), truth])
        rois = torch.cat([regions.new_zeros(len(regions), 1), regions], dim=1)
        scores, deltas = heads.votes(maps, rois)
        wanted = region_targets(regions, truth, labels)
        return loss + hard_region_loss(scores, deltas, wanted, deltas.new_tensor(BOX_STDS))


def drawn_frames(
    rng: Generator, length: int, count: int, keys: KeysAt = "first"
) -> tuple[int, ...]:
    """Frames of a sample, keyframes in order, then the one that is learnt from.

    Keyframes stand where they would be found when frames come one by one, for `middle` where
    segments have theirs in the middle, for `around` anywhere near. Those outside the clip are its
    first or last frame.
    """
    last = int(rng.integers(length))
    if count == 1:
        return (last,)
    if count == 2:
        return max(0, last - int(rng.integers(DFF_BEFORE[0], DFF_BEFORE[1] + 1))), last
    if keys == "around":
        steps = rng.choice(2 * FARTHEST + 1, 2, replace=False) - FARTHEST
        return (*(min(max(0, last + int(step)), length - 1) for step in steps), last)
    new_before, old_before = MIDDLE_BEFORE if keys == "middle" else LSTS_BEFORE
    new, old = (
        min(max(0, last - int(rng.integers(low, high + 1))), length - 1)
        for low, high in (new_before, old_before)
    )
    return old, new, last


def annotated(clip: Clip, index: int) -> Annotated:
    """Objects of a frame that count and have a place in it."""
    assert clip.objects is not None  # noqa: S101  (the recipe keeps such clips only)
    found = clip.objects
    rows = (found.frame == index) & ~found.ignore & is_present(found.boxes)
    return Annotated(found.boxes[rows], found.labels[rows])


def corners_of(boxes: Boxes, scale: float, width: int, mirrored: bool) -> Tensor:
    """Inclusive corners (n, 4) in px of an image of `width` px."""
    corners = to_corners(boxes) * scale
    corners[:, 2:] = np.maximum(corners[:, 2:] - 1, corners[:, :2])
    if mirrored:
        corners[:, [0, 2]] = width - 1 - corners[:, [2, 0]]
    return torch.from_numpy(corners)
