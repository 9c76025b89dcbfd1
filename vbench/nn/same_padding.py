"""TensorFlow's "same" padding: sides shrink to ceil(side / stride), the odd pixel goes after.

zylo117/Yet-Another-EfficientDet-Pytorch efficientnet/utils_extra.py; rwightman/pytorch-image-models
timm/layers/padding.py.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, pad


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after a side: what ceil(side / stride) outputs need, halved downwards."""
    total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return total // 2, total - total // 2


def same_padded(features: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Features (n, c, h, w) with the border that a convolution of this kernel needs."""
    height, width = features.shape[-2:]
    top, bottom = same_padding(height, kernel, stride)
    left, right = same_padding(width, kernel, stride)
    return pad(features, (left, right, top, bottom), value=value)


class SameConv2d(nn.Conv2d):
    """A convolution with "same" padding: (n, c, h, w) -> (n, o, ceil(h / s), ceil(w / s))."""

    def __init__(
        self,
        source: int,
        filters: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(source, filters, kernel, stride, groups=groups, bias=bias)

    def forward(self, features: Tensor) -> Tensor:
        """Pad, then convolve."""
        padded = same_padded(features, self.kernel_size[0], self.stride[0])
        return super().forward(padded)


def same_max_pool(features: Tensor, kernel: int = 3, stride: int = 2) -> Tensor:
    """Maxima over windows with "same" padding, which never win."""
    return max_pool2d(same_padded(features, kernel, stride, float("-inf")), kernel, stride)
