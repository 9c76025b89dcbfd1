"""ResNet-101 at stride 16 for R-FCN: stored norm statistics, stage 5 dilated instead of strided.

He et al., Deep Residual Learning, CVPR 2016; layers and names of msracver/Deep-Feature-Flow
(dff_rfcn/symbols/resnet_v1_101_flownet_rfcn.py), the cut of jiangzhengkai/LSTS
(lsts_rfcn/symbols/lsts_network_gaussian.py). Every layer carries the name that the published
parameters have, so keys are `<layer>.weight`, `<layer>.gamma` ...
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vbench.nn.deform import DeformableConv2d

StrideIn = Literal["1x1", "3x3"]
# Blocks and inner channels of stages 2 to 5.
STAGES = ((3, 64), (4, 128), (23, 256), (3, 512))
STRIDE_PX = 16
# The last block below LSTS's cut.
CUT = "4b3"
EPS = 1e-5
OFFSET_GROUPS = 4


def scaled(channels: int, width: float) -> int:
    """Return `channels` times `width`, a multiple of 4 and at least 4."""
    return max(4, 4 * round(channels * width / 4))


class FrozenNorm(nn.Module):
    """Batch norm with stored statistics: one multiply-add a value."""

    gamma: nn.Parameter
    beta: nn.Parameter
    moving_mean: Tensor
    moving_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("moving_mean", torch.zeros(channels))
        self.register_buffer("moving_var", torch.ones(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w), the same shape."""
        scale = self.gamma * torch.rsqrt(self.moving_var + EPS)
        shift = self.beta - self.moving_mean * scale
        return torch.addcmul(shift[:, None, None], features, scale[:, None, None])


class ResNet101(nn.Module):
    """Images (n, 3, h, w) -> features (n, 2048 width, h / 16, w / 16), sides rounded up.

    `stride_in` is where a stage's stride stands: its first 1x1 (v1, the published weights) or its
    3x3 (v1.5, torchvision). `deformable` makes the 3x3 of stage 5 deformable with four groups of
    offsets, as in the Deformable ConvNets repository. With `low_only` there are no layers above
    those of `low`.
    """

    def __init__(
        self,
        width: float = 1.0,
        stride_in: StrideIn = "1x1",
        deformable: bool = False,
        low_only: bool = False,
    ) -> None:
        super().__init__()
        source = scaled(64, width)
        self.conv1 = nn.Conv2d(3, source, 7, 2, 3, bias=False)
        self.bn_conv1 = FrozenNorm(source)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.names: list[str] = []
        self.stride_in = stride_in
        for stage, (blocks, inner) in enumerate(STAGES, start=2):
            for block in range(blocks):
                if low_only and CUT in self.names:
                    break
                name = _block_name(stage, block, blocks)
                self.names.append(name)
                self._add_block(name, source, scaled(inner, width), deformable and stage == 5)
                source = 4 * scaled(inner, width)
        self.channels = source
        self.low_channels = 4 * scaled(STAGES[2][1], width)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features after the last ReLU."""
        return self.high(self.low(images))

    def low(self, images: Tensor) -> Tensor:
        """Return what block res4b3 sums up, before its ReLU: (n, 1024 width, h / 16, w / 16)."""
        features = self.pool(torch.relu_(self.bn_conv1(self.conv1(images))))
        last = self.names.index(CUT)
        for name in self.names[:last]:
            features = torch.relu_(self._block(name, features))
        return self._block(CUT, features)

    def high(self, low: Tensor) -> Tensor:
        """Return the features after the last ReLU from those of `low`."""
        features = torch.relu(low)
        for name in self.names[self.names.index(CUT) + 1 :]:
            features = torch.relu_(self._block(name, features))
        return features

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the outputs of stages 3, 4 and 5, the first at stride 8."""
        found, features = [], self.pool(torch.relu_(self.bn_conv1(self.conv1(images))))
        for name, after in zip(self.names, (*self.names[1:], "6a"), strict=True):
            features = torch.relu_(self._block(name, features))
            if after[0] != name[0] and name[0] in "345":
                found.append(features)
        return found

    def _add_block(self, name: str, source: int, inner: int, deformable: bool) -> None:
        stride = 2 if name in ("3a", "4a") else 1
        dilation = 2 if name[0] == "5" else 1
        first, second = (stride, 1) if self.stride_in == "1x1" else (1, stride)
        if name[1:] == "a":
            self._add(f"{name}_branch1", nn.Conv2d(source, 4 * inner, 1, stride, bias=False))
        self._add(f"{name}_branch2a", nn.Conv2d(source, inner, 1, first, bias=False))
        if deformable:
            offsets = nn.Conv2d(inner, 18 * OFFSET_GROUPS, 3, 1, dilation, dilation)
            nn.init.zeros_(offsets.weight)
            self.add_module(f"res{name}_branch2b_offset", offsets)
            middle: nn.Module = DeformableConv2d(inner, inner, 3, 1, dilation, dilation)
        else:
            middle = nn.Conv2d(inner, inner, 3, second, dilation, dilation, bias=False)
        self._add(f"{name}_branch2b", middle)
        self._add(f"{name}_branch2c", nn.Conv2d(inner, 4 * inner, 1, bias=False))
        # Untrained sums of 33 blocks stay in range.
        nn.init.constant_(getattr(self, f"bn{name}_branch2c").gamma, 0.2)

    def _add(self, name: str, layer: nn.Module) -> None:
        self.add_module(f"res{name}", layer)
        assert isinstance(layer.weight, Tensor)  # noqa: S101  (they are convolutions)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.add_module(f"bn{name}", FrozenNorm(len(layer.weight)))

    def _block(self, name: str, features: Tensor) -> Tensor:
        """One bottleneck, before its last ReLU."""
        own = self._modules
        short = self._normed(f"{name}_branch1", features) if name[1:] == "a" else features
        inside = torch.relu_(self._normed(f"{name}_branch2a", features))
        offset = own.get(f"res{name}_branch2b_offset")
        if offset is None:
            inside = torch.relu_(self._normed(f"{name}_branch2b", inside))
        else:
            inside = torch.relu_(self._normed(f"{name}_branch2b", inside, offset(inside)))
        return short + self._normed(f"{name}_branch2c", inside)

    def _normed(self, name: str, *inputs: Tensor) -> Tensor:
        found: Tensor = getattr(self, f"bn{name}")(getattr(self, f"res{name}")(*inputs))
        return found


def _block_name(stage: int, block: int, blocks: int) -> str:
    """2a 2b 2c, 3a 3b1 3b2 3b3, 4a 4b1 ... 4b22, 5a 5b 5c."""
    if block == 0:
        return f"{stage}a"
    return f"{stage}{'abc'[block]}" if blocks == 3 else f"{stage}b{block}"
