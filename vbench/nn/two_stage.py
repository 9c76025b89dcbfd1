"""Faster R-CNN behind any pyramid: region proposals, RoIAlign, two shared layers, classes, boxes.

Ren et al., Faster R-CNN, NIPS 2015; He et al., Mask R-CNN, 2017; names and constants of
open-mmlab/mmdetection v1 (anchor_heads/rpn_head.py, bbox_heads/convfc_bbox_head.py,
roi_extractors/single_level.py). Corners are continuous pixels of the network's image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vbench.nn.box_coder import cut, decode
from vbench.nn.nms import nms
from vbench.nn.resnet import scaled
from vbench.nn.roi_align import roi_align_average

RATIOS = (0.5, 1.0, 2.0)
BINS = 7
RPN_CHANNELS, FC_CHANNELS = 256, 1024
BOX_STDS = (0.1, 0.1, 0.2, 0.2)
# Sides of boxes from which the next coarser level is taken are 2, 4, 8 times this, px.
FINEST_PX = 56


@dataclass(frozen=True)
class Pyramid:
    """Levels of the maps: strides, anchors' sides in strides, and how many serve the RoIs."""

    strides_px: tuple[int, ...]
    scales: tuple[float, ...]
    roi_levels: int

    @property
    def anchors_per_cell(self) -> int:
        """Anchors of one cell."""
        return len(RATIOS) * len(self.scales)


@dataclass(frozen=True)
class ProposalCounts:
    """Boxes of a level into the suppression, out of it, and of all levels; its IoU."""

    before: int = 6000
    after: int = 300
    most: int = 300
    overlap: float = 0.7


class RpnHead(nn.Module):
    """A 3x3 and two 1x1 convolutions, the same for every level."""

    def __init__(self, channels: int, per_cell: int, width: float = 1.0) -> None:
        super().__init__()
        inner = scaled(RPN_CHANNELS, width)
        self.rpn_conv = nn.Conv2d(channels, inner, 3, 1, 1)
        self.rpn_cls = nn.Conv2d(inner, per_cell, 1)
        self.rpn_reg = nn.Conv2d(inner, 4 * per_cell, 1)
        for layer in (self.rpn_conv, self.rpn_cls, self.rpn_reg):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, c, h, w) -> logits (n, h w a), codes (n, h w a, 4)."""
        inner = torch.relu(self.rpn_conv(features))
        logits = self.rpn_cls(inner).permute(0, 2, 3, 1).flatten(1)
        codes = self.rpn_reg(inner).permute(0, 2, 3, 1)
        return logits, codes.reshape(len(codes), -1, 4)


class BoxHead(nn.Module):
    """Two layers shared by classes (0 is background) and boxes, one box a class."""

    def __init__(self, channels: int, classes: int, width: float = 1.0) -> None:
        super().__init__()
        inner = scaled(FC_CHANNELS, width)
        self.shared_fcs = nn.ModuleList(
            [nn.Linear(channels * BINS**2, inner), nn.Linear(inner, inner)]
        )
        self.fc_cls = nn.Linear(inner, classes + 1)
        self.fc_reg = nn.Linear(inner, 4 * (classes + 1))
        nn.init.normal_(self.fc_cls.weight, std=0.01)
        nn.init.normal_(self.fc_reg.weight, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, c, 7, 7) -> logits (n, classes + 1), codes (n, classes + 1, 4)."""
        inner = features.flatten(1)
        for layer in self.shared_fcs:
            inner = torch.relu(layer(inner))
        logits, codes = self.fc_cls(inner), self.fc_reg(inner)
        return logits, codes.view(*logits.shape, 4)


def cell_anchors(stride: int, scales: Sequence[float]) -> Tensor:
    """Corners (ratios x scales, 4) of the first cell's anchors, rounded as inclusive pixels."""
    rows = []
    for ratio in RATIOS:
        for scale in scales:
            w, h = stride * scale / ratio**0.5, stride * scale * ratio**0.5
            centre = (stride - 1) / 2
            rows.append([centre - (w - 1) / 2, centre - (h - 1) / 2])
            rows[-1] += [centre + (w - 1) / 2, centre + (h - 1) / 2]
    corners = torch.tensor(rows).round()
    # The last pixel ends one further.
    return corners + torch.tensor([0.0, 0.0, 1.0, 1.0])


def map_anchors(shape: Sequence[int], stride: int, scales: Sequence[float]) -> Tensor:
    """Corners (h w a, 4) of the anchors of a map of `shape` (h, w), in the order of the head."""
    y, x = torch.meshgrid(
        torch.arange(shape[0]) * stride, torch.arange(shape[1]) * stride, indexing="ij"
    )
    shift = torch.stack([x, y, x, y], dim=-1).view(-1, 1, 4)
    return (shift + cell_anchors(stride, scales)).view(-1, 4)


def level_of(corners: Tensor, levels: int) -> Tensor:
    """Level whose map serves each box (n,): the coarser, the larger the box."""
    side = (corners[:, 2:] - corners[:, :2]).clamp(min=0).prod(dim=1).sqrt()
    return torch.floor(torch.log2(side / FINEST_PX + 1e-6)).clamp(0, levels - 1).long()


class TwoStage(nn.Module):
    """The network: `backbone` and `neck` make maps, heads propose and judge boxes of one image."""

    def __init__(
        self,
        backbone: nn.Module,
        neck: nn.Module,
        channels: int,
        pyramid: Pyramid,
        classes: int,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone, self.neck, self.pyramid = backbone, neck, pyramid
        self.rpn_head = RpnHead(channels, pyramid.anchors_per_cell, width)
        self.bbox_head = BoxHead(channels, classes, width)
        self.channels, self.classes = channels, classes

    def maps(self, images: Tensor) -> list[Tensor]:
        """Images (n, 3, h, w), sides multiples of 32 -> the pyramid's maps, finest first."""
        found: list[Tensor] = self.neck(self.backbone(images))
        return found

    def forward(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What every image costs: maps, and the proposals' logits and codes on every level."""
        return [self.rpn_head(m) for m in self.maps(images)]

    def propose(
        self, maps: Sequence[Tensor], size: tuple[int, int], counts: ProposalCounts
    ) -> Tensor:
        """Best boxes of one image of `size` (w, h): corners (n, 4), best first."""
        corners, scores = [], []
        for features, stride in zip(maps, self.pyramid.strides_px, strict=True):
            logits, codes = (found[0] for found in self.rpn_head(features))
            anchors = map_anchors(features.shape[-2:], stride, self.pyramid.scales)
            best = torch.argsort(logits, descending=True, stable=True)[: counts.before]
            boxes = cut(decode(anchors.to(codes.device)[best], codes[best]), size)
            kept = suppressed(boxes, logits[best], counts.overlap, counts.after)
            corners.append(boxes[kept])
            scores.append(logits[best][kept])
        order = torch.argsort(torch.cat(scores), descending=True, stable=True)
        return torch.cat(corners)[order[: counts.most]]

    def judge(self, maps: Sequence[Tensor], corners: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits (n, classes + 1), background first, and codes (n, classes + 1, 4)."""
        found: tuple[Tensor, Tensor] = self.bbox_head(self.cut_out(maps, corners))
        return found

    def cut_out(self, maps: Sequence[Tensor], corners: Tensor, image: Tensor | int = 0) -> Tensor:
        """Features (n, c, 7, 7) of boxes (n, 4) of one image, or of the `image` (n,) of each."""
        levels = level_of(corners, self.pyramid.roi_levels)
        image = torch.as_tensor(image, device=corners.device).expand(len(corners))
        rois = torch.cat([image[:, None].to(corners.dtype), corners], dim=1)
        found = maps[0].new_zeros(len(corners), self.channels, BINS, BINS)
        for level in range(self.pyramid.roi_levels):
            rows = torch.nonzero(levels == level)[:, 0]
            scale = 1 / self.pyramid.strides_px[level]
            cuts = roi_align_average(maps[level], rois[rows], BINS, scale)
            found = found.index_copy(0, rows, cuts)
        return found


def suppressed(corners: Tensor, scores: Tensor, overlap: float, most: int | None = None) -> Tensor:
    """Rows that greedy suppression keeps, best first."""
    kept = nms(
        corners.detach().double().cpu().numpy(),
        scores.detach().double().cpu().numpy(),
        overlap,
        most,
        one_px=0.0,
    )
    return torch.from_numpy(kept).to(corners.device)
