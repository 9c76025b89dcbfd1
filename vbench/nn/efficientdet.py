"""EfficientDet-D0: EfficientNet-B0, three rounds of BiFPN, box and class heads shared by levels.

Tan et al., EfficientDet, CVPR 2020; names of rwightman/efficientdet-pytorch, anchors and codes as
in it and in zylo117/Yet-Another-EfficientDet-Pytorch (efficientdet/utils.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vbench.nn.bifpn import LEVELS, BiFPN, SeparableConv
from vbench.nn.box_coder import decode
from vbench.nn.efficientnet import EfficientNetB0, norm
from vbench.nn.resnet import scaled

CHANNELS, CELLS, LAYERS = 64, 3, 3
STRIDES_PX = (8, 16, 32, 64, 128)
# Widths and heights of the nine anchors of a cell: 4 strides, by scale, then by aspect.
ANCHOR_STRIDES = 4.0
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
ASPECTS = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))
PER_CELL = len(SCALES) * len(ASPECTS)
# Of an untrained anchor: the focal loss wants rare objects.
PRIOR = 0.01
# A size of more than a thousand anchors is cut at the border anyway.
MOST_LOG = math.log(1000.0)


class Head(nn.Module):
    """Separable convolutions shared by all levels, each level with norms of its own."""

    def __init__(self, channels: int, outputs: int, prior: float = 0.5) -> None:
        super().__init__()
        self.conv_rep = nn.ModuleList([SeparableConv(channels, channels) for _ in range(LAYERS)])
        self.bn_rep = nn.ModuleList(
            [
                nn.ModuleList([nn.ModuleDict({"bn": norm(channels)}) for _ in range(LEVELS)])
                for _ in range(LAYERS)
            ]
        )
        self.predict = SeparableConv(channels, outputs * PER_CELL)
        bias = self.predict.conv_pw.bias
        assert bias is not None  # noqa: S101  (it was asked for)
        nn.init.constant_(bias, -math.log((1 - prior) / prior))
        self.outputs = outputs

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of five levels -> (n, anchors, outputs), by level, row, column, anchor."""
        found = []
        for level, features in enumerate(maps):
            answer = self.predict(self._tower(features, level)).permute(0, 2, 3, 1)
            found.append(answer.reshape(len(answer), -1, self.outputs))
        return torch.cat(found, dim=1)

    def _tower(self, features: Tensor, level: int) -> Tensor:
        norms: Any = self.bn_rep
        for conv, own in zip(self.conv_rep, norms, strict=True):
            features = nn.functional.silu(own[level]["bn"](conv(features)))
        return features


class EfficientDetD0(nn.Module):
    """Images (n, 3, s, s), s a multiple of 128 -> class logits and box codes of every anchor.

    Logits (n, a, classes); codes (n, a, 4) are dy dx dh dw.
    """

    def __init__(self, classes: int, width: float = 1.0) -> None:
        super().__init__()
        channels = scaled(CHANNELS, width)
        self.backbone = EfficientNetB0(width)
        self.fpn = BiFPN(self.backbone.channels, channels, CELLS)
        self.class_net = Head(channels, classes, PRIOR)
        self.box_net = Head(channels, 4)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and codes."""
        maps = self.fpn(self.backbone(images))
        return self.class_net(maps), self.box_net(maps)


def pyramid_anchors(side: int) -> Tensor:
    """Corners (a, 4) of the anchors of a `side` x `side` image, in the order of the heads."""
    rows = []
    for stride in STRIDES_PX:
        centres = (torch.arange(side // stride, dtype=torch.float64) + 0.5) * stride
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        place = torch.stack([x, y], dim=-1).reshape(-1, 1, 2)
        sizes = torch.tensor(
            [[w * s, h * s] for s in SCALES for w, h in ASPECTS], dtype=torch.float64
        )
        half = sizes * (ANCHOR_STRIDES * stride / 2)
        rows.append(torch.cat([place - half, place + half], dim=-1).reshape(-1, 4))
    return torch.cat(rows).float()


def boxes_of(anchors: Tensor, codes: Tensor) -> Tensor:
    """Apply codes dy dx dh dw (..., 4) to anchors: corners (..., 4)."""
    return decode(anchors, codes[..., [1, 0, 3, 2]], most_log=MOST_LOG)
