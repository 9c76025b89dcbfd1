"""EfficientNet-B0 without its classifier: maps of strides 8, 16 and 32.

Tan and Le, EfficientNet, ICML 2019, Table 1; names of rwightman/pytorch-image-models
(timm/models/efficientnet.py), eps and padding of the TensorFlow weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vbench.nn.resnet import scaled
from vbench.nn.same_padding import SameConv2d

# Blocks, kernel, stride, expansion, channels of every stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM = 32
# Stages whose output leaves at strides 8, 16, 32.
TAPPED = (2, 4, 6)
EPS, MOMENTUM = 1e-3, 0.01


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with TensorFlow's constants."""
    return nn.BatchNorm2d(channels, eps=EPS, momentum=MOMENTUM)


class Squeeze(nn.Module):
    """Squeeze and excitation: every channel times a share that the mean of all decides."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, inner, 1)
        self.conv_expand = nn.Conv2d(inner, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w), the same shape."""
        inner = nn.functional.silu(self.conv_reduce(features.mean((2, 3), keepdim=True)))
        return features * torch.sigmoid(self.conv_expand(inner))


class MobileBlock(nn.Module):
    """Inverted bottleneck: expand, depthwise, squeeze, project; a shortcut where shapes allow.

    The first stage does not expand, and its norms count from the depthwise convolution.
    """

    def __init__(
        self, source: int, channels: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = source * expansion
        self.expands, self.shortcut = expansion > 1, stride == 1 and source == channels
        depthwise = SameConv2d(inner, inner, kernel, stride, groups=inner, bias=False)
        squeeze = Squeeze(inner, max(1, source // 4))
        if self.expands:
            self.conv_pw = nn.Conv2d(source, inner, 1, bias=False)
            self.bn1 = norm(inner)
            self.conv_dw, self.bn2, self.se = depthwise, norm(inner), squeeze
            self.conv_pwl = nn.Conv2d(inner, channels, 1, bias=False)
            self.bn3 = norm(channels)
        else:
            self.conv_dw, self.bn1, self.se = depthwise, norm(inner), squeeze
            self.conv_pw = nn.Conv2d(inner, channels, 1, bias=False)
            self.bn2 = norm(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> (n, channels, ceil(h / stride), ceil(w / stride))."""
        silu = nn.functional.silu
        if self.expands:
            inner = silu(self.bn1(self.conv_pw(features)))
            inner = self.se(silu(self.bn2(self.conv_dw(inner))))
            found: Tensor = self.bn3(self.conv_pwl(inner))
        else:
            inner = self.se(silu(self.bn1(self.conv_dw(features))))
            found = self.bn2(self.conv_pw(inner))
        return found + features if self.shortcut else found


class EfficientNetB0(nn.Module):
    """Images (n, 3, h, w) -> maps of strides 8, 16, 32 with 40, 112, 320 channels times `width`."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        source = scaled(STEM, width)
        self.conv_stem = SameConv2d(3, source, 3, 2, bias=False)
        self.bn1 = norm(source)
        stages, self.channels = [], []
        for index, (blocks, kernel, stride, expansion, filters) in enumerate(STAGES):
            channels = scaled(filters, width)
            stage = []
            for block in range(blocks):
                first = stride if block == 0 else 1
                stage.append(MobileBlock(source, channels, kernel, first, expansion))
                source = channels
            stages.append(nn.Sequential(*stage))
            if index in TAPPED:
                self.channels.append(channels)
        self.blocks = nn.Sequential(*stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the three maps, finest first."""
        features = nn.functional.silu(self.bn1(self.conv_stem(images)))
        found = []
        for index, stage in enumerate(self.blocks):
            features = stage(features)
            if index in TAPPED:
                found.append(features)
        return found
