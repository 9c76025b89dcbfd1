"""R-FCN with ResNet-101: position-sensitive votes on proposals, frame by frame.

Dai et al., R-FCN, NIPS 2016; the single-frame baseline of msracver/Deep-Feature-Flow, whose
parameters load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vbench.core.boxes import Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.mxnet_params import load_weights
from vbench.nn.resnet import STRIDE_PX
from vbench.nn.rfcn import (
    ANCHOR_PX,
    CLASSES,
    SHORT_PX,
    LastLow,
    Prepared,
    RfcnHeads,
    RfcnTrunk,
    image_size,
    prepared,
    read_detections,
)
from vbench.nn.rpn import ProposalRule
from vbench.nn.state import seeded

# Left out of the counts of every detector on these heads.
UNCOUNTED = ("resizing", "box decoding and suppression")


class RfcnNetwork(nn.Module):
    """Images to shared features to maps of proposals and votes."""

    def __init__(
        self,
        classes: int,
        width: float,
        stride_in: Literal["1x1", "3x3"],
        deformable: bool = False,
        anchor_px: float = ANCHOR_PX,
    ) -> None:
        super().__init__()
        self.trunk = RfcnTrunk(width, stride_in, deformable)
        self.heads = RfcnHeads(self.trunk.channels, classes, anchor_px)

    def joint(self, images: Sequence[Tensor]) -> Tensor:
        """Features that a fit reads objects of the last of `images` from: one image here."""
        found: Tensor = self.trunk(images[-1])
        return found


class FrameDetector:
    """What every detector on R-FCN's heads shares: frames in, features read as detections."""

    def __init__(
        self,
        make: Callable[[], Any],
        weights: Weights | None,
        device: str,
        seed: int,
        loaded: Callable[[Any], nn.Module] | None = None,
    ) -> None:
        """Build the network; `loaded` is the part of it that weights are of, if not all."""
        with seeded(seed):
            network = make()
        load_weights(network if loaded is None else loaded(network), weights)
        self.pretrained = weights is not None
        self.network: Any = network.eval().to(device)
        self.device = device
        self.short_px = SHORT_PX
        self.floor = 1e-4
        self.rule = ProposalRule()

    def prepare(self, frame: Image) -> Prepared:
        """Resize a frame and subtract the mean colour."""
        return prepared(frame, self.short_px, self.device)

    def read(self, features: Tensor, image: Prepared, frame: Image) -> Detections:
        """Run the heads on features (1, c, h, w) of `image`, which was `frame`."""
        found = self.network.heads.found(features, image.size, self.rule)
        size = (frame.shape[1], frame.shape[0])
        return read_detections(found, image.scale, size, self.floor)

    def image(self) -> Tensor:
        """An image (1, 3, h, w) of the size that costs are stated for."""
        return torch.zeros(1, 3, *image_size(self.short_px), device=self.device)

    def features(self) -> Tensor:
        """Features (1, c, h, w) of that image."""
        height, width = (-(-side // STRIDE_PX) for side in image_size(self.short_px))
        channels = self.network.trunk.channels
        return torch.zeros(1, channels, height, width, device=self.device)

    def heads_work(self) -> Work:
        """The heads' layers; pooling takes no products but four a bin."""
        return Work("heads", self.network.heads, (self.features(),), uncounted=UNCOUNTED)


class Rfcn(FrameDetector):
    """The detector. `stride_in` 3x3 is torchvision's variant, `short_px` the image's short side.

    `anchor_px` is the side of the smallest anchors in px of the image.
    """

    frames_a_sample = 1

    def __init__(
        self,
        classes: int = CLASSES,
        stride_in: Literal["1x1", "3x3"] = "1x1",
        dcn: bool = False,
        short_px: int = SHORT_PX,
        floor: float = 1e-3,
        anchor_px: float = ANCHOR_PX,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check(classes, width, short_px, anchor_px)
        super().__init__(
            lambda: RfcnNetwork(classes, width, stride_in, dcn, anchor_px), weights, device, seed
        )
        self.short_px, self.floor = short_px, floor
        self.last_low = LastLow(self.network.trunk.resnet, short_px)

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        image = self.prepare(frame)
        with torch.inference_mode():
            low = self.network.trunk.resnet.low(image.tensor)
            self.last_low.keep(frame, low)
            return self.read(self.network.trunk.high(low), image, frame)

    def work(self) -> WorkTable:
        """Features and heads of an image of 600 x 1000 px."""
        return {
            "detect": [Work("features", self.network.trunk, (self.image(),)), self.heads_work()]
        }


def single_frame(network: Any) -> nn.Module:
    """Return the layers of a video detector that R-FCN has too, under R-FCN's names."""
    part = nn.Module()
    part.trunk, part.heads = network.trunk, network.heads
    return part


def check(classes: int, width: float, short_px: int, anchor_px: float = ANCHOR_PX) -> None:
    """Refuse numbers that make no network."""
    sizes = 32 <= short_px <= 4096 and 4 <= anchor_px <= 4096
    if not 1 <= classes <= 10_000 or not 0 < width <= 4 or not sizes:
        raise VBenchError(
            f"classes={classes}, width={width}, short_px={short_px}, anchor_px={anchor_px}: give "
            "1 to 10000 classes, a width in (0, 4], a short side of 32 to 4096 px and anchors of "
            "4 to 4096 px"
        )
