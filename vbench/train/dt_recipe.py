"""Fitting Detect and Track: both frames of a pair as R-FCN, and the moves of their objects.

Feichtenhofer et al., Detect to Track and Track to Detect, ICCV 2017, sec. 3.2 and eq. 1; targets as
in feichtenhofer/Detect-Track. The moves of all objects that both frames have are learnt from, as
the boxes of the first frame stand, weighed like R-FCN's boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from vbench.core.clip import Clip
from vbench.nn.rfcn import HeadMaps
from vbench.nn.rpn import encode
from vbench.train.detection_recipe import DetectionRecipe, corners_of
from vbench.train.object_frames import ObjectFrames, Scene
from vbench.train.plugplay_recipe import found_again

# Frames of a pair are next to each other, in either order.
APART = 1
TRACK_STDS = (0.1, 0.1, 0.2, 0.2)


class Learnt(NamedTuple):
    """A frame's inclusive corners (n, 4) and labels (n,) in px of its image."""

    corners: Tensor
    labels: Tensor


class DtRecipe(DetectionRecipe):
    """One step is `batch` pairs of neighbouring frames, half of them mirrored."""

    def __init__(
        self, detector: Any, clips: Sequence[Clip], batch: int | None, device: str
    ) -> None:
        super().__init__(detector, clips, batch, device)
        self.pairs = ObjectFrames(self.clips, detector.network.heads.classes)

    def _sample_loss(self, rng: Generator) -> Tensor:
        scenes = self.pairs.draw_pair(rng, APART)
        images = [self.detector.prepare(scene.frame) for scene in scenes]
        learnt = [
            self._learnt(scene, image.scale) for scene, image in zip(scenes, images, strict=True)
        ]
        network = self.module
        stages = network.trunk.resnet.stages(torch.cat([image.tensor for image in images]))
        maps = network.heads(network.trunk.raised(stages[-1]))
        alone = [HeadMaps(*(m[i : i + 1] for m in maps)) for i in range(2)]
        losses = [
            self._maps_loss(own, images[0].size, *truth, rng)
            for own, truth in zip(alone, learnt, strict=True)
        ]
        before, now = ([stage[i : i + 1] for stage in stages] for i in range(2))
        votes = network.track(before, now, alone[0].box_votes, alone[1].box_votes)
        there = corners_of(found_again(*scenes), images[1].scale, 0, False).to(votes)
        moves = network.moves(votes, learnt[0].corners)
        return torch.stack(losses).mean() + moves_loss(moves, learnt[0].corners, there)

    def _learnt(self, scene: Scene, scale: float) -> Learnt:
        corners = corners_of(scene.boxes, scale, 0, False).float()
        return Learnt(corners.to(self.device), torch.from_numpy(scene.labels).to(self.device))


def moves_loss(moves: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """Smooth L1 of normalised codes (n, 4), the mean over the boxes that are in both frames.

    before, now: inclusive corners (n, 4) of the same objects, NaN rows where one is gone.
    """
    there = torch.isfinite(now).all(dim=1)
    if not there.any():
        return moves.sum() * 0
    wanted = encode(before[there], now[there]) / moves.new_tensor(TRACK_STDS)
    return smooth_l1_loss(moves[there], wanted, reduction="sum") / int(there.sum())
