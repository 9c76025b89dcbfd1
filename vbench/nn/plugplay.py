"""The Plug & Play tracker: a box's features correlated with those around it in the next frame.

Lyu et al., Plug & Play Convolutional Regression Tracker for Video Object Detection, 2020, sec. 4;
layers and names of YeLyuUT/MMDET (mmdet/models/anchor_heads/siamese_rpn_head.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vbench.nn.box_coder import cut, decode
from vbench.nn.correlation import depthwise
from vbench.nn.resnet import scaled
from vbench.nn.roi_align_dense import roi_align_dense

KERNEL, TARGET = 7, 21
CELLS = TARGET - KERNEL + 1
CHANNELS = 256
STDS = (0.1, 0.1, 0.2, 0.2)
# Side of the search window in sides of the box; the paper rounds it to 3.
WINDOW = (TARGET - 1) / (KERNEL - 1)
# Objects that one turn carries.
MOST = 32


class Correlation(nn.Module):
    """Both cut-outs through a layer of their own, correlated, and two layers more."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv_kernel = nn.Sequential(*_block(channels, inner))
        self.conv_search = nn.Sequential(*_block(channels, inner))
        self.head = nn.Sequential(*_block(inner, inner), nn.Conv2d(inner, inner, 1))

    def forward(self, kernel: Tensor, search: Tensor) -> Tensor:
        """Cut-outs (n, c, 7, 7) and (n, c, 21, 21) -> (n, inner, 15, 15)."""
        answer: Tensor = self.head(depthwise(self.conv_search(search), self.conv_kernel(kernel)))
        return answer


class Regression(nn.Module):
    """The correlation, and two linear layers over all of it."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.rpn_feat = Correlation(channels, inner)
        self.rpn_cls = nn.Linear(inner * CELLS**2, 1)
        self.rpn_reg = nn.Linear(inner * CELLS**2, 4)
        nn.init.normal_(self.rpn_reg.weight, std=0.001)
        nn.init.zeros_(self.rpn_reg.bias)


class PlugPlayHead(nn.Module):
    """Cut-outs of `channels` -> how well the box will fit, in [0, 1], and its code."""

    def __init__(self, channels: int, width: float = 1.0) -> None:
        super().__init__()
        self.rpn_module = Regression(channels, scaled(CHANNELS, width))

    def forward(self, kernel: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """(n, c, 7, 7) and (n, c, 21, 21) -> IoU scores (n,), codes dx dy dw dh (n, 4)."""
        inner = self.rpn_module.rpn_feat(kernel, search).flatten(1)
        scores = self.rpn_module.rpn_cls(inner)[:, 0].sigmoid()
        return scores, self.rpn_module.rpn_reg(inner)


def windows(corners: Tensor) -> Tensor:
    """Search windows around boxes, corners (n, 4): sides WINDOW (w - 1) + 1.

    The reference scales inclusive corners, whose difference is a pixel short.
    """
    size = (corners[:, 2:] - corners[:, :2] - 1).clamp(min=0)
    centre = (corners[:, 2:] + corners[:, :2]) / 2
    half = (size * WINDOW + 1) / 2
    return torch.cat([centre - half, centre + half], dim=1)


def cut_outs(before: Tensor, now: Tensor, corners: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Features of boxes on the map before, and of their windows on the map now."""
    kernel = roi_align_dense(before, corners, KERNEL, 1 / stride)
    return kernel, roi_align_dense(now, windows(corners), TARGET, 1 / stride)


def carried(
    head: PlugPlayHead,
    before: Tensor,
    now: Tensor,
    corners: Tensor,
    stride: int,
    size: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Carry boxes, corners (n, 4), to the next frame: corners inside `size` (w, h), IoU scores."""
    boxes, scores = [corners.new_zeros(0, 4)], [corners.new_zeros(0)]
    for first in range(0, len(corners), MOST):
        some = corners[first : first + MOST]
        score, codes = head(*cut_outs(before, now, some, stride))
        boxes.append(cut(decode(some, codes, STDS), size))
        scores.append(score)
    return torch.cat(boxes), torch.cat(scores)


def _block(source: int, filters: int) -> list[nn.Module]:
    conv = nn.Conv2d(source, filters, 1, bias=False)
    return [conv, nn.BatchNorm2d(filters), nn.ReLU()]
