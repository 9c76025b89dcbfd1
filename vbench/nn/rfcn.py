"""R-FCN on ResNet-101: features at stride 16, half of them for proposals, half for their votes.

Dai et al., R-FCN, NIPS 2016; layers and constants of msracver/Deep-Feature-Flow
(dff_rfcn/symbols/resnet_v1_101_flownet_rfcn.py, core/tester.py).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from vbench.core.boxes import Floats, Image
from vbench.core.roles import Detections
from vbench.nn.nms import nms_by_class
from vbench.nn.psroi import psroi_pool
from vbench.nn.resnet import STRIDE_PX, ResNet101, StrideIn, scaled
from vbench.nn.rpn import ProposalRule, anchors_of, base_anchors, clipped, decode, propose

CLASSES = 30
BINS = 7
ANCHORS = 9
# Side of the smallest anchors; others are two and four times as large.
ANCHOR_PX = 128.0
RPN_STDS = (0.1, 0.1, 0.4, 0.4)
BOX_STDS = (0.1, 0.1, 0.2, 0.2)
# Frames: short side, longest side, mean colour R G B.
SHORT_PX, LONG_PX = 600, 1000
MEANS = (123.15, 115.90, 103.06)
NMS_IOU = 0.3
MOST_DETECTIONS = 300


class Prepared(NamedTuple):
    """A frame as networks take it: tensor (1, 3, h, w), and px of it per px of the frame."""

    tensor: Tensor
    scale: float

    @property
    def size(self) -> tuple[int, int]:
        """Size (w, h) in px of the tensor."""
        return self.tensor.shape[3], self.tensor.shape[2]


def prepared(frame: Image, short: int, device: str) -> Prepared:
    """Resize the short side to `short` px, the long one to at most 5 / 3 of it; subtract means."""
    height, width = frame.shape[:2]
    longest = LONG_PX * short / SHORT_PX
    scale = min(short / min(height, width), longest / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    image = torch.from_numpy(np.ascontiguousarray(resized)).to(device)
    centred = image.float() - torch.tensor(MEANS, device=device)
    return Prepared(centred.permute(2, 0, 1)[None].contiguous(), scale)


class LastLow:
    """Low features of the frame that a detector saw last, kept where somebody shares them."""

    # Without a dict nobody who walks through a detector's networks meets the layers twice.
    __slots__ = ("_last", "resnet", "short_px", "wanted")

    def __init__(self, resnet: ResNet101, short_px: int) -> None:
        self.resnet, self.short_px = resnet, short_px
        self.wanted = False
        self._last: tuple[Image, Tensor] | None = None

    def keep(self, frame: Image, low: Tensor) -> None:
        """Keep the features (1, c, h, w) of `frame` until the next."""
        self._last = (frame, low) if self.wanted else None

    def take(self, frame: Image) -> Tensor | None:
        """Return the features if they are of this very frame, and forget them."""
        last, self._last = self._last, None
        return last[1] if last is not None and last[0] is frame else None


class RfcnTrunk(nn.Module):
    """Images (n, 3, h, w) -> features (n, 1024 width, h / 16, w / 16)."""

    def __init__(self, width: float, stride_in: StrideIn, deformable: bool = False) -> None:
        super().__init__()
        self.resnet = ResNet101(width, stride_in, deformable)
        self.channels = scaled(1024, width)
        self.feat_conv_3x3 = nn.Conv2d(self.resnet.channels, self.channels, 3, 1, 6, 6)
        nn.init.kaiming_normal_(self.feat_conv_3x3.weight, nonlinearity="relu")
        nn.init.zeros_(self.feat_conv_3x3.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Return the features that both halves of the heads share."""
        return self.high(self.resnet.low(images))

    def high(self, low: Tensor) -> Tensor:
        """Return the features from those of `ResNet101.low`."""
        return self.raised(self.resnet.high(low))

    def raised(self, last: Tensor) -> Tensor:
        """Return the features from those of the last stage."""
        return torch.relu_(self.feat_conv_3x3(last))


class HeadMaps(NamedTuple):
    """Proposals' scores (n, 18, h, w) and codes (n, 36, h, w), votes of classes and of boxes."""

    rpn_scores: Tensor
    rpn_deltas: Tensor
    class_votes: Tensor
    box_votes: Tensor


class Found(NamedTuple):
    """What heads say of one image: boxes' corners (n, 4), probabilities (n, classes + 1)."""

    corners: Tensor
    chances: Tensor


class RfcnHeads(nn.Module):
    """The layers on shared features that every frame runs, key or not."""

    anchors: Tensor

    def __init__(self, channels: int, classes: int = CLASSES, anchor_px: float = ANCHOR_PX) -> None:
        super().__init__()
        self.half_channels = channels // 2
        self.classes = classes
        self.rpn_cls_score = nn.Conv2d(self.half_channels, 2 * ANCHORS, 1)
        self.rpn_bbox_pred = nn.Conv2d(self.half_channels, 4 * ANCHORS, 1)
        self.rfcn_cls = nn.Conv2d(self.half_channels, BINS**2 * (classes + 1), 1)
        self.rfcn_bbox = nn.Conv2d(self.half_channels, BINS**2 * 8, 1)
        for layer in (self.rpn_cls_score, self.rpn_bbox_pred, self.rfcn_cls, self.rfcn_bbox):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        scales = [anchor_px / STRIDE_PX * k for k in (1, 2, 4)]
        base = torch.from_numpy(base_anchors(scales=scales)).float()
        self.register_buffer("anchors", base, persistent=False)

    def forward(self, features: Tensor) -> HeadMaps:
        """Run the four layers on features (n, c, h, w)."""
        first, second = features.chunk(2, dim=1)
        return HeadMaps(
            self.rpn_cls_score(first),
            self.rpn_bbox_pred(first),
            self.rfcn_cls(second),
            self.rfcn_bbox(second),
        )

    def proposals(
        self, maps: HeadMaps, image: int, size: tuple[int, int], rule: ProposalRule
    ) -> Tensor:
        """Boxes to look at in one image of `size` (w, h): corners (n, 4)."""
        objectness, deltas = self.rpn_rows(maps, image)
        chances = objectness.softmax(dim=1)[:, 1]
        scale = deltas.new_tensor(RPN_STDS)
        anchors = self.all_anchors(maps)
        return propose(chances, deltas * scale, anchors, size, rule)[0]

    def rpn_rows(self, maps: HeadMaps, image: int) -> tuple[Tensor, Tensor]:
        """Scores (h w a, 2) background, object, and normalised codes (h w a, 4) of one image."""
        # Channels of the scores: nine of background, then nine of objects.
        scores = maps.rpn_scores[image].view(2, ANCHORS, -1).permute(2, 1, 0).reshape(-1, 2)
        deltas = maps.rpn_deltas[image].view(ANCHORS, 4, -1).permute(2, 0, 1).reshape(-1, 4)
        return scores, deltas

    def all_anchors(self, maps: HeadMaps) -> Tensor:
        """Anchors (h w a, 4) in the order of `rpn_rows`."""
        height, width = maps.rpn_scores.shape[-2:]
        return anchors_of(self.anchors, (height, width), STRIDE_PX)

    def votes(self, maps: HeadMaps, rois: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores (n, classes + 1) and normalised codes (n, 4) of rois (n, 5)."""
        scores = psroi_pool(maps.class_votes, rois, BINS, 1 / STRIDE_PX).mean(dim=(2, 3))
        deltas = psroi_pool(maps.box_votes, rois, BINS, 1 / STRIDE_PX).mean(dim=(2, 3))
        return scores, deltas[:, 4:8]

    def found(self, features: Tensor, size: tuple[int, int], rule: ProposalRule) -> Found:
        """Boxes and probabilities of one image of `size` (w, h) from features (1, c, h, w)."""
        return self.found_in(self(features), size, rule)

    def found_in(self, maps: HeadMaps, size: tuple[int, int], rule: ProposalRule) -> Found:
        """Boxes and probabilities of one image of `size` (w, h) from its maps."""
        corners = self.proposals(maps, 0, size, rule)
        rois = torch.cat([corners.new_zeros(len(corners), 1), corners], dim=1)
        scores, deltas = self.votes(maps, rois)
        boxes = clipped(decode(corners, deltas * deltas.new_tensor(BOX_STDS)), size)
        return Found(boxes, scores.softmax(dim=1))


def read_detections(found: Found, scale: float, size: tuple[int, int], floor: float) -> Detections:
    """Turn one image's answer into boxes of a frame of `size` (w, h).

    Scores above `floor`, suppressed per class at IoU 0.3, at most 300 of them, best first. Classes
    are 0-based without the background.
    """
    corners: Floats = found.corners.double().cpu().numpy() / scale
    chances: Floats = found.chances[:, 1:].double().cpu().numpy()
    rows, labels = np.nonzero(nms_by_class(corners, chances, NMS_IOU, floor))
    scores = chances[rows, labels]
    best = np.lexsort((labels, rows, -scores))[:MOST_DETECTIONS]
    low = np.clip(corners[rows[best], :2], 0, np.array(size) - 1.0)
    # Inclusive pixels become lengths.
    high = np.clip(corners[rows[best], 2:] + 1.0, low + 1.0, np.array(size, dtype=np.float64))
    boxes = np.concatenate([low, high - low], axis=1)
    return Detections(boxes, scores[best], labels[best].astype(np.int64))


def image_size(short: int = SHORT_PX) -> tuple[int, int]:
    """Height and width of the image that costs are stated for: 600 x 1000."""
    return short, round(LONG_PX * short / SHORT_PX)
