"""The first layers of VGG-M, in the three layouts that MDNet, RT-MDNet and FDN cut from it.

Chatfield et al., Return of the Devil in the Details, BMVC 2014; layouts of hyeonseobnam/py-MDNet
(modules/model.py), IlchaeJung/RT-MDNet (modules/model.py:78-104) and ZhiyanCui/fdn-release
(pretraining/mdnet_train.m). Layers carry the key names of py-MDNet's checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad

WIDTHS = (96, 256, 512, 512, 512)
KERNELS = (7, 5, 3, 3, 3)
STRIDES = (2, 2, 1, 1, 1)
BETA = 0.75
# Values that are normalised at a time: what is in between stays in the processor's cache.
MOST_VALUES = 1 << 18

LayoutName = Literal["patch", "scene", "image"]
NormName = Literal["matconvnet", "py-mdnet", "rt-mdnet"]


@dataclass(frozen=True)
class Layout:
    """Padding of each convolution, pools after which convolutions, their padding, dilation.

    `patch` is MDNet's, for patches of 107 px; `scene` is RT-MDNet's, which drops the second pool
    and dilates conv3 instead; `image` is FDN's, padded as VGG-M itself is.
    """

    pads: tuple[int, ...]
    pools: tuple[int, ...]
    pool_pad: int
    dilation: int

    @property
    def stride_px(self) -> int:
        """Input px between two cells of the output."""
        return int(2 ** (2 + len(self.pools)))


LAYOUTS: dict[str, Layout] = {
    "patch": Layout((0, 0, 0, 1, 1), (0, 1), 0, 1),
    "scene": Layout((0, 0, 0, 1, 1), (0,), 0, 3),
    "image": Layout((3, 2, 1, 1, 1), (0, 1), 1, 1),
}


@dataclass(frozen=True)
class NormRule:
    """x / (k + alpha * sum of x^2 over `size` neighbouring channels)^0.75."""

    size: int
    k: float
    alpha: float


# MatConvNet's of VGG-M; torch's LocalResponseNorm(2), which averages; RT-MDNet's, one channel only.
NORMS: dict[str, NormRule] = {
    "matconvnet": NormRule(5, 2.0, 1e-4),
    "py-mdnet": NormRule(2, 1.0, 1e-4 / 2),
    "rt-mdnet": NormRule(1, 2.0, 1e-4),
}


class ChannelNorm(nn.Module):
    """Local response normalisation across channels, by shifted sums."""

    def __init__(self, rule: NormRule) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w), the same shape."""
        if torch.is_grad_enabled():
            # d^-0.75 by two square roots is several times faster than a power.
            root = torch.sqrt(self.rule.k + self.rule.alpha * self._sums(features))
            return features / (root * torch.sqrt(root))
        if features.device.type != "cpu":
            return self._normalised(features, torch.empty_like(features))
        found = torch.empty_like(features)
        images = max(1, MOST_VALUES // max(1, features[:1].numel()))
        for some, into in zip(
            torch.split(features, images), torch.split(found, images), strict=True
        ):
            rows = max(1, MOST_VALUES // max(1, some[:, :, :1].numel()))
            for part, place in zip(
                torch.split(some, rows, 2), torch.split(into, rows, 2), strict=True
            ):
                self._normalised(part, place)
        return found

    def _sums(self, features: Tensor) -> Tensor:
        """Sums of squares over the neighbouring channels."""
        square = features * features
        total = square
        if self.rule.size > 1:
            total = square.clone()
            # An even window reaches one channel further back than forward, as torch's does.
            for shift in range(1, self.rule.size // 2 + 1):
                total[:, shift:] += square[:, :-shift]
            for shift in range(1, (self.rule.size - 1) // 2 + 1):
                total[:, :-shift] += square[:, shift:]
        return total

    def _normalised(self, features: Tensor, into: Tensor) -> Tensor:
        """The same as with gradients, with few new tensors."""
        root = self._sums(features).mul_(self.rule.alpha).add_(self.rule.k).sqrt_()
        return torch.div(features, root.mul_(torch.sqrt(root)), out=into)


class MaxPool(nn.Module):
    """Maximum over 3 x 3 cells at stride 2."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> (n, c, h', w')."""
        if torch.is_grad_enabled() or features.device.type != "cpu":
            return max_pool2d(features, 3, 2, self.padding)
        # Rows first, then columns: on a processor many times faster than cell by cell.
        if self.padding:
            features = pad(features, (self.padding,) * 4, value=float("-inf"))
        for dim in (2, 3):
            features = _maxima(features, dim)
        return features


def _maxima(features: Tensor, dim: int) -> Tensor:
    """Maxima of three neighbours along `dim`, at every second place."""
    count = (features.shape[dim] - 3) // 2 + 1
    first, middle, last = (
        features.narrow(dim, start, 2 * count - 1)[(slice(None),) * dim + (slice(None, None, 2),)]
        for start in range(3)
    )
    found = torch.maximum(first, middle)
    return torch.maximum(found, last, out=found)


class VggM(nn.Module):
    """Images (n, 3, h, w) -> features (n, c, h', w'); a patch of 107 px becomes 3 x 3.

    `convs` is 3, or 5 for VGG-M's other convolutions (FDN paper, fig. 8); `width` scales all
    channels.
    """

    def __init__(
        self,
        layout: LayoutName = "patch",
        norm: NormName = "matconvnet",
        convs: int = 3,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.layout = LAYOUTS[layout]
        self.widths = tuple(max(1, round(channels * width)) for channels in WIDTHS[:convs])
        for index, channels in enumerate(self.widths):
            source = self.widths[index - 1] if index else 3
            layers: list[nn.Module] = [
                nn.Conv2d(
                    source,
                    channels,
                    KERNELS[index],
                    STRIDES[index],
                    self.layout.pads[index],
                    self.layout.dilation if index == 2 else 1,
                ),
                nn.ReLU(inplace=True),
            ]
            if index < 2:
                layers.append(ChannelNorm(NORMS[norm]))
            if index in self.layout.pools:
                layers.append(MaxPool(self.layout.pool_pad))
            self.add_module(f"conv{index + 1}", nn.Sequential(*layers))

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return self.widths[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of `images` (n, 3, h, w)."""
        features = images
        for stage in self.children():
            features = stage(features)
        return features

    def conv_macs(self, height: int, width: int) -> float:
        """Multiply-accumulates of the convolutions on one image of so many px."""
        macs, source = 0.0, 3
        for index, channels in enumerate(self.widths):
            reach = (KERNELS[index] - 1) * (self.layout.dilation if index == 2 else 1)
            height, width = (
                (side + 2 * self.layout.pads[index] - reach - 1) // STRIDES[index] + 1
                for side in (height, width)
            )
            macs += height * width * channels * source * KERNELS[index] ** 2
            if index in self.layout.pools:
                pad = 2 * self.layout.pool_pad
                height, width = ((side + pad - 3) // 2 + 1 for side in (height, width))
            source = channels
        return macs
