"""The two Faster R-CNNs of Plug & Play, and how they look at a frame.

Lyu et al., Plug & Play Convolutional Regression Tracker for Video Object Detection, 2020, sec. 6
and appendix; YeLyuUT/MMDET configs/siamese_hr_faster_rcnn (HRNet-W32 at stride 8) and
configs/siamese_faster_rcnn (ResNeXt-101 32x4d, FPN, deformable). Keys of their mmdetection v1
checkpoints load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vbench.core.boxes import Boxes, Image, clipped, from_corners, to_corners
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.nn.fpn import CHANNELS, FPN, resampled
from vbench.nn.hrnet import HRNet, gathered
from vbench.nn.plugplay import PlugPlayHead
from vbench.nn.resnet import scaled
from vbench.nn.resnext import ResNeXt101
from vbench.nn.state import load_into, read_state, seeded
from vbench.nn.two_stage import Pyramid, TwoStage

Backbone = Literal["hrnet", "x101"]
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
# mmdetection's img_scale, and the multiple of which sides must be.
LONG_PX, SHORT_PX, SIDE_STEP = 1800, 600, 32
PYRAMIDS = {
    "hrnet": Pyramid((8,), (4.0, 8.0, 16.0, 32.0, 64.0), 1),
    "x101": Pyramid((4, 8, 16, 32, 64), (8.0,), 4),
}
# Stride of the map that the tracker reads.
TRACK_STRIDES_PX = {"hrnet": 8, "x101": 16}
# The pyramid's levels that it reads in the second, and the one that sets their size.
TRACK_LEVELS, TRACK_LEVEL = slice(1, 4), 1
TRACKER = "siameserpn_head."


class Gathering(nn.Module):
    """All branches of HRNet as one map of stride 8."""

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Four maps -> one, in a list."""
        return [gathered(maps)]


def two_stage(backbone: Backbone, classes: int, width: float = 1.0) -> TwoStage:
    """Build one of the networks, untrained."""
    pyramid = PYRAMIDS[backbone]
    if backbone == "hrnet":
        branches = HRNet(width)
        channels = sum(branches.channels)
        return TwoStage(branches, Gathering(), channels, pyramid, classes, width)
    trunk, filters = ResNeXt101(width), scaled(CHANNELS, width)
    return TwoStage(trunk, FPN(trunk.channels, filters), filters, pyramid, classes, width)


@dataclass(frozen=True)
class Look:
    """What a network made of a frame: its maps, the size (w, h) it saw, and how it was scaled.

    `track_map` (1, c, h, w) is the one that the tracker reads.
    """

    maps: list[Tensor]
    track_map: Tensor
    size: tuple[int, int]
    scale: float
    frame_size: tuple[int, int]

    def corners_of(self, boxes: Boxes) -> Tensor:
        """Boxes x y w h of the frame -> corners (n, 4) of the network's image."""
        corners = torch.from_numpy(to_corners(boxes) * self.scale).float()
        return corners.to(self.track_map.device)

    def boxes_of(self, corners: Tensor) -> Boxes:
        """Corners (n, 4) of the network's image -> boxes x y w h inside the frame."""
        found = from_corners(corners.detach().double().cpu().numpy() / self.scale)
        return clipped(found, self.frame_size)


class FrcnnFeatures:
    """A two-stage network and its way to look: short side 600 px, padded to multiples of 32."""

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        width: float = 1.0,
        short_px: int = SHORT_PX,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if not 1 <= classes <= 10_000 or not 0 < width <= 4 or not SIDE_STEP <= short_px <= 4096:
            raise VBenchError(
                f"classes={classes}, width={width}, short_px={short_px}: give 1 to 10000 classes, "
                f"a width in (0, 4] and a short side of {SIDE_STEP} to 4096 px"
            )
        self.backbone, self.width, self.short_px, self.device = backbone, width, short_px, device
        with seeded(seed):
            self.network = two_stage(backbone, classes, width)
        if weights is not None:
            state = {k: v for k, v in checkpoint(weights).items() if not k.startswith(TRACKER)}
            load_into(self.network, state, weights.name)
        self.network.to(device).eval()
        self.track_stride_px = TRACK_STRIDES_PX[backbone]
        self.last: tuple[Image, Look] | None = None

    @property
    def track_channels(self) -> int:
        """Channels of the map that the tracker reads."""
        levels = 1 if self.backbone == "hrnet" else TRACK_LEVELS.stop - TRACK_LEVELS.start
        return self.network.channels * levels

    def forget(self) -> None:
        """Drop what was seen last."""
        self.last = None

    def look(self, frame: Image) -> Look:
        """Run backbone and neck on `frame`; no gradient flows."""
        images, size, scale = self.images(frame)
        with torch.inference_mode():
            maps = self.network.maps(images)
            track_map = self.track_map(maps)
        found = Look(maps, track_map, size, scale, (frame.shape[1], frame.shape[0]))
        self.last = frame, found
        return found

    def seen(self, frame: Image) -> Look:
        """The last look if it was at this very frame, a new one otherwise."""
        if self.last is not None and self.last[0] is frame:
            return self.last[1]
        return self.look(frame)

    def track_map(self, maps: Sequence[Tensor]) -> Tensor:
        """The map that the tracker reads, (n, c, h, w)."""
        if self.backbone == "hrnet":
            return maps[0]
        return resampled(maps[TRACK_LEVELS], TRACK_LEVEL)

    def images(self, frame: Image) -> tuple[Tensor, tuple[int, int], float]:
        """Normalised and padded (1, 3, h, w), the size (w, h) without padding, and the scale."""
        height, width = frame.shape[:2]
        long = self.short_px * LONG_PX // SHORT_PX
        scale = min(long / max(height, width), self.short_px / min(height, width))
        size = max(1, int(width * scale + 0.5)), max(1, int(height * scale + 0.5))
        values = (cv2.resize(frame, size).astype(np.float32) - MEAN) / STD
        padded = [-(-side // SIDE_STEP) * SIDE_STEP for side in size]
        canvas = np.zeros((padded[1], padded[0], 3), np.float32)
        canvas[: size[1], : size[0]] = values
        return torch.from_numpy(canvas).permute(2, 0, 1)[None].to(self.device), size, scale


def tracker_head(
    features: FrcnnFeatures,
    weights: Weights | None = None,
    seed: int = 0,
    untrained: bool = False,
) -> PlugPlayHead:
    """The tracker on these features: from its part of a checkpoint, or untrained.

    Raises:
        VBenchError: the checkpoint is of a detector alone, and `untrained` does not allow that.
    """
    with seeded(seed):
        head = PlugPlayHead(features.track_channels, features.width)
    if weights is not None:
        state = checkpoint(weights)
        own = {k.removeprefix(TRACKER): v for k, v in state.items() if k.startswith(TRACKER)}
        if own:
            load_into(head, own, weights.name)
        elif not untrained:
            raise VBenchError(
                f"weights {weights.name} hold a detector without a tracker ({TRACKER}*); fit one: "
                "vbench train plugplay-hrnet[untrained=1] --weights FILE --out FILE"
            )
    return head.to(features.device).eval()


def checkpoint(weights: Weights) -> dict[str, Tensor]:
    """Read a checkpoint of mmdetection v1 under our names."""
    return native(read_state(next(iter(weights.files.values()))))


def native(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under our names: version 1.1 moved the offsets into the convolution."""
    return {key.replace(".conv2.conv_offset.", ".conv2_offset."): v for key, v in state.items()}
