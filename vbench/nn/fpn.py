"""Feature pyramid: coarse maps added to finer ones, five levels of one width.

Lin et al., Feature Pyramid Networks, CVPR 2017; names of open-mmlab/mmdetection v1
(mmdet/models/necks/fpn.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CHANNELS = 256


class FPN(nn.Module):
    """Maps of strides 4 to 32 with channels `sources` -> maps of strides 4 to 64 of `filters`.

    The sixth stride's map is every second value of the fifth's.
    """

    def __init__(self, sources: Sequence[int], filters: int = CHANNELS) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(
            [nn.ModuleDict({"conv": nn.Conv2d(c, filters, 1)}) for c in sources]
        )
        self.fpn_convs = nn.ModuleList(
            [nn.ModuleDict({"conv": nn.Conv2d(filters, filters, 3, 1, 1)}) for _ in sources]
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps of the pyramid, finest first."""
        sums = [_apply(conv, m) for conv, m in zip(self.lateral_convs, maps, strict=True)]
        for level in range(len(sums) - 2, -1, -1):
            size = sums[level].shape[-2:]
            coarse = nn.functional.interpolate(sums[level + 1], size, mode="nearest")
            sums[level] = sums[level] + coarse
        found = [_apply(conv, m) for conv, m in zip(self.fpn_convs, sums, strict=True)]
        return [*found, nn.functional.max_pool2d(found[-1], 1, 2)]


def resampled(maps: Sequence[Tensor], level: int) -> Tensor:
    """All maps drawn bilinearly to the size of `maps[level]`, side by side.

    Lyu et al., Plug & Play Convolutional Regression Tracker, 2020, appendix, Fig. 10.
    """
    size = maps[level].shape[-2:]
    resize = nn.functional.interpolate
    found = [
        m if i == level else resize(m, size, mode="bilinear", align_corners=False)
        for i, m in enumerate(maps)
    ]
    return torch.cat(found, dim=1)


def _apply(layer: nn.Module, features: Tensor) -> Tensor:
    assert isinstance(layer, nn.ModuleDict)  # noqa: S101  (made above)
    found: Tensor = layer["conv"](features)
    return found
