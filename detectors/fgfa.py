"""Flow-Guided Feature Aggregation: every frame's features, with those of other frames warped to it.

Zhu et al., Flow-Guided Feature Aggregation for Video Object Detection, ICCV 2017;
msracver/Flow-Guided-Feature-Aggregation (fgfa_rfcn/symbols/resnet_v1_101_flownet_rfcn.py), whose
parameters load. The published test looks 9 frames back and 9 ahead; frames are given one by one
here, so all of them are taken from the past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from vbench.core.boxes import Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.flownet import FlowNetS, warped
from vbench.nn.resnet import scaled
from vbench.nn.rfcn import ANCHOR_PX, CLASSES, SHORT_PX, RfcnHeads, RfcnTrunk

from .rfcn import FrameDetector, check

# The published 2 x 9 frames around the current one.
PAST = 18


class Embedding(nn.Module):
    """Features by which frames are weighed: 1x1, 3x3, 1x1."""

    def __init__(self, channels: int, width: float) -> None:
        super().__init__()
        inner, self.channels = scaled(512, width), scaled(2048, width)
        self.em_conv1 = nn.Conv2d(channels, inner, 1)
        self.em_conv2 = nn.Conv2d(inner, inner, 3, 1, 1)
        self.em_conv3 = nn.Conv2d(inner, self.channels, 1)
        for layer in (self.em_conv1, self.em_conv2, self.em_conv3):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None  # noqa: S101  (convolutions have one here)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> (n, 2048 width, h, w)."""
        inner = torch.relu_(self.em_conv2(torch.relu_(self.em_conv1(features))))
        found: Tensor = self.em_conv3(inner)
        return found


class FgfaNetwork(nn.Module):
    """R-FCN's trunk and heads, FlowNet-S without a scale map, the embedding."""

    def __init__(self, classes: int, width: float, anchor_px: float = ANCHOR_PX) -> None:
        super().__init__()
        self.trunk = RfcnTrunk(width, "1x1")
        self.heads = RfcnHeads(self.trunk.channels, classes, anchor_px)
        self.flownet = FlowNetS(width)
        self.embedding = Embedding(self.trunk.channels, width)

    def joint(self, images: Sequence[Tensor]) -> Tensor:
        """Features for a fit: at images[-1] (1, 3, h, w), those of the others alone, weighed.

        As upstream's training, embeddings are taken after the warp, and the frame itself only says
        how others are weighed.
        """
        *others, image = images
        features = self.trunk(torch.cat([image, *others]))
        flows = self.flownet(image.expand(len(others), -1, -1, -1), torch.cat(others))[0]
        there = warped(features[1:], flows)
        embedded = self.embedding(torch.cat([features[:1], there]))
        alike = cosine_similarity(embedded[1:], embedded[:1], eps=1e-10)
        return (alike.softmax(dim=0)[:, None] * there).sum(dim=0, keepdim=True)


# Column of a trace: frames of the memory that were carried to this one.
REMEMBERED = "remembered"


class Seen(NamedTuple):
    """A frame in memory: its image, and its features and embedding side by side."""

    image: Tensor
    features: Tensor


class Warp(nn.Module):
    """Carries features and embedding from one frame to another."""

    def __init__(self, flownet: FlowNetS) -> None:
        super().__init__()
        self.flownet = flownet

    def forward(self, features: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Features (1, c, h, w) of image `source`, at image `target`."""
        return warped(features, self.flownet(target, source)[0])


class Fgfa(FrameDetector):
    """The video detector; it has no cheap half: every frame runs all layers once.

    `past` frames before the current one are kept: a flow to each, on every frame. A fit takes the
    two other frames from either side, as the published one does.
    """

    frames_a_sample = 3
    key_position = "around"

    def __init__(
        self,
        past: int = PAST,
        classes: int = CLASSES,
        short_px: int = SHORT_PX,
        floor: float = 1e-4,
        anchor_px: float = ANCHOR_PX,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check(classes, width, short_px, anchor_px)
        if not 0 <= past <= 64:
            raise VBenchError(f"fgfa[past={past}]: give 0 to 64 frames")
        super().__init__(lambda: FgfaNetwork(classes, width, anchor_px), weights, device, seed)
        self.short_px, self.floor, self.past = short_px, floor, past
        self.warp = Warp(self.network.flownet).eval()
        self.start((0, 0))

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip; all frames of the last one are dropped."""
        self.memory: deque[Seen] = deque(maxlen=self.past)
        self.spent = {REMEMBERED: 0.0}

    def key(self, frame: Image) -> Detections:
        """Run all layers, mix in the frames in memory, answer."""
        image = self.prepare(frame)
        with torch.inference_mode():
            features = self.network.trunk(image.tensor)
            own = torch.cat([features, self.network.embedding(features)], dim=1)
            if self.memory and self.memory[-1].image.shape != image.tensor.shape:
                self.memory.clear()
            self.spent = {REMEMBERED: float(len(self.memory))}
            mixed = self._mixed(own, image.tensor)
            self.memory.append(Seen(image.tensor, own))
            return self.read(mixed, image, frame)

    def inter(self, frame: Image) -> Detections:
        """Do the same: there is no cheaper way through this network."""
        return self.key(frame)

    def _mixed(self, own: Tensor, image: Tensor) -> Tensor:
        """Sum of all frames' features at `image`, weighed by how alike their embeddings are.

        As upstream's test, the current frame too goes through a flow, that to itself. Running sums
        of the softmax hold one frame at a time.
        """
        channels = self.network.trunk.channels
        current = self.warp(own, image, image)
        total = torch.zeros_like(own[:, :channels])
        mass = torch.zeros_like(own[:, :1])
        for seen in (*self.memory, None):
            there = current if seen is None else self.warp(seen.features, seen.image, image)
            alike = cosine_similarity(there[:, channels:], current[:, channels:], eps=1e-10)
            # A cosine is at most 1, so its exponential needs no shift.
            weight = torch.exp(alike)[:, None]
            total.addcmul_(weight, there[:, :channels])
            mass += weight
        return total / mass

    def work(self) -> WorkTable:
        """A frame, and each frame of the memory that is carried to it."""
        network, image = self.network, self.image()
        features = self.features()
        both = torch.cat([features] * 3, dim=1)
        # A cosine of embeddings, of twice as many channels, and a share of the features.
        weighing = Work("weighing", macs=7.0 * features.numel())
        carried = [Work("flow and warp", self.warp, (both, image, image)), weighing]
        works = [
            Work("features", network.trunk, (image,)),
            Work("embedding", network.embedding, (features,)),
            *carried,
            self.heads_work(),
        ]
        return {"key": works, "inter": works, REMEMBERED: carried}
