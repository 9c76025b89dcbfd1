"""Deep Feature Flow: keyframes in full, their features carried along the flow in between.

Zhu et al., Deep Feature Flow for Video Recognition, CVPR 2017; msracver/Deep-Feature-Flow
(dff_rfcn/symbols/resnet_v1_101_flownet_rfcn.py, core/tester.py), whose parameters load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from vbench.core.boxes import Image
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.flownet import FlowWarp
from vbench.nn.rfcn import ANCHOR_PX, CLASSES, SHORT_PX, RfcnHeads, RfcnTrunk

from .rfcn import FrameDetector, check


class DffNetwork(nn.Module):
    """R-FCN's trunk and heads, FlowNet-S with its scale map."""

    def __init__(
        self,
        classes: int,
        width: float,
        stride_in: Literal["1x1", "3x3"],
        anchor_px: float = ANCHOR_PX,
    ) -> None:
        super().__init__()
        self.trunk = RfcnTrunk(width, stride_in)
        self.heads = RfcnHeads(self.trunk.channels, classes, anchor_px)
        self.warp = FlowWarp(width, self.trunk.channels)

    def joint(self, images: Sequence[Tensor]) -> Tensor:
        """Features for a fit: those of the keyframe images[0] at images[1] (n, 3, h, w).

        The same image twice is a keyframe, whose features are taken as they are.
        """
        key, image = images
        features: Tensor = self.trunk(key)
        moved: Tensor = features if key is image else self.warp(features, key, image)
        return moved


class Dff(FrameDetector):
    """The video detector; the state is the last keyframe's image and features."""

    frames_a_sample = 2

    def __init__(
        self,
        classes: int = CLASSES,
        stride_in: Literal["1x1", "3x3"] = "1x1",
        short_px: int = SHORT_PX,
        floor: float = 1e-4,
        anchor_px: float = ANCHOR_PX,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check(classes, width, short_px, anchor_px)
        super().__init__(
            lambda: DffNetwork(classes, width, stride_in, anchor_px), weights, device, seed
        )
        self.short_px, self.floor = short_px, floor
        self.start((0, 0))

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip; the last keyframe is forgotten."""
        self.key_features: Tensor | None = None
        self.key_image: Tensor | None = None

    def key(self, frame: Image) -> Detections:
        """Run all layers and keep their features."""
        image = self.prepare(frame)
        with torch.inference_mode():
            features: Tensor = self.network.trunk(image.tensor)
            self.key_features, self.key_image = features, image.tensor
            return self.read(features, image, frame)

    def inter(self, frame: Image) -> Detections:
        """Carry the keyframe's features along the flow and run the heads."""
        image = self.prepare(frame)
        if self.key_image is None or self.key_image.shape != image.tensor.shape:
            return self.key(frame)
        with torch.inference_mode():
            moved = self.network.warp(self.key_features, self.key_image, image.tensor)
            return self.read(moved, image, frame)

    def work(self) -> WorkTable:
        """Keyframes: features and heads. Others: flow, warp, heads."""
        network, image = self.network, self.image()
        return {
            "key": [Work("features", network.trunk, (image,)), self.heads_work()],
            "inter": [
                Work("flow and warp", network.warp, (self.features(), image, image)),
                self.heads_work(),
            ],
        }
