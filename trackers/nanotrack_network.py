"""NanoTrack's networks in torch: MobileNetV3-small, and the heads of versions 1 and 3.

Layers stand in the order in which the published ONNX files use them; norms are folded into the
convolutions there, so there are none here (HonglinChu/SiamTrackers, NanoTrack/nanotrack/models).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vbench.nn.correlation import depthwise

# Kernel, expansion, width, squeeze-and-excitation, hard swish, stride: MobileNetV3, table 2.
BLOCKS = (
    (3, 1, 16, True, False, 2),
    (3, 4.5, 24, False, False, 2),
    (3, 3.67, 24, False, False, 1),
    (5, 4, 40, True, True, 2),
    (5, 6, 40, True, True, 1),
    (5, 6, 40, True, True, 1),
    (5, 3, 48, True, True, 1),
    (5, 3, 48, True, True, 1),
    (5, 6, 96, True, True, 1),
)


class Excitation(nn.Module):
    """Scales every channel by what its mean says; the squeezed width is rounded to eights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        squeezed = max(8, (width // 4 + 4) // 8 * 8)
        self.squeeze = nn.Linear(width, squeezed)
        self.excite = nn.Linear(squeezed, width)

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) -> the same shape."""
        means = features.mean(dim=(2, 3))
        scale = nn.functional.hardsigmoid(self.excite(self.squeeze(means).relu()))
        return features * scale[:, :, None, None]


class Block(nn.Module):
    """Inverted residual: widen, depth-wise convolution, excite, narrow."""

    def __init__(
        self, source: int, kernel: int, expansion: float, width: int, excite: bool, swish: bool,
        stride: int,
    ) -> None:  # fmt: skip
        super().__init__()
        middle = _to_eights(source * expansion)
        curve: type[nn.Module] = nn.Hardswish if swish else nn.ReLU
        around = nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle)
        layers: list[nn.Module] = []
        if middle != source:
            layers += [nn.Conv2d(source, middle, 1), curve(), around]
            layers += [Excitation(middle)] if excite else []
            layers += [curve()]
        else:
            layers += [around, curve()]
            layers += [Excitation(middle)] if excite else []
        self.layers = nn.Sequential(*layers, nn.Conv2d(middle, width, 1))
        self.residual = stride == 1 and source == width

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, source, h, w) -> (n, width, h / stride, w / stride)."""
        found: Tensor = self.layers(features)
        return features + found if self.residual else found


class MobileNet(nn.Sequential):
    """The first `blocks` blocks: images (n, 3, s, s), BGR 0..255 -> (n, width, s / 16, s / 16)."""

    def __init__(self, blocks: int) -> None:
        rows: list[nn.Module] = []
        source = 16
        for kernel, expansion, width, excite, swish, stride in BLOCKS[:blocks]:
            rows.append(Block(source, kernel, expansion, width, excite, swish, stride))
            source = width
        super().__init__(nn.Conv2d(3, 16, 3, 2, 1), nn.Hardswish(), *rows)
        self.width = source


class PixelwiseCorrelation(nn.Module):
    """Each pixel of the template is a 1x1 kernel; then attention over its 64 answers."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """Template (n, c, 8, 8), search (n, c, h, w) -> (n, 64, h, w)."""
        n, _, h, w = search.shape
        answers = template.flatten(2).transpose(1, 2) @ search.flatten(2)
        maps = answers.reshape(n, -1, h, w)
        weighted: Tensor = maps * self.attention(maps)
        return weighted


class HeadV1(nn.Module):
    """Version 1: one pixel-wise correlation, a tower for scores and one for boxes."""

    side = 16
    blocks = 8

    def __init__(self) -> None:
        super().__init__()
        self.correlation = PixelwiseCorrelation()
        self.scores = nn.Sequential(
            *_separable(64, 128, 5),
            *_separable(128, 128, 5),
            *_separable(128, 128, 3),
            nn.Conv2d(128, 2, 1),
        )
        self.distances = nn.Sequential(
            *_separable(64, 96, 3),
            *_separable(96, 96, 3),
            *_separable(96, 96, 5),
            *_separable(96, 96, 5),
            nn.Conv2d(96, 4, 1),
        )

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Template (n, 48, 8, 8), search (n, 48, 16, 16) -> scores (n, 2, 16, 16), distances.

        Distances (n, 4, 16, 16) reach from each point to the left, top, right and bottom, px.
        """
        shared = self.correlation(template, search)
        return self.scores(shared), self.distances(shared).exp()


class Correlation3(nn.Module):
    """Version 3's pixel-wise half: both sides adjusted, correlated, brought to 15 x 15."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.template = nn.Conv2d(width, width, 1)
        self.search = nn.Conv2d(width, width, 1)
        self.correlation = PixelwiseCorrelation()
        self.shrink = nn.Sequential(
            nn.Conv2d(64, 64, 2, groups=64), nn.ReLU6(), nn.Conv2d(64, 64, 1)
        )

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """Template (n, c, 8, 8), search (n, c, 16, 16) -> (n, 64, 15, 15)."""
        found: Tensor = self.shrink(self.correlation(self.template(template), self.search(search)))
        return found


class DepthwiseCorrelation(nn.Module):
    """Both sides adjusted, correlated channel by channel with one pixel of zeros around."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.template = nn.Conv2d(width, width, 1)
        self.search = nn.Conv2d(width, width, 1)

    def forward(self, template: Tensor, search: Tensor) -> Tensor:
        """Template (n, c, 4, 4), search (n, c, 16, 16) -> (n, c, 15, 15)."""
        return depthwise(pad(self.search(search), (1, 1, 1, 1)), self.template(template))


class HeadV3(nn.Module):
    """Version 3: pixel-wise and depth-wise correlation for boxes and for scores, two towers."""

    side = 15
    blocks = 9

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.pixels_box, self.pixels_score = Correlation3(width), Correlation3(width)
        self.depth_box, self.depth_score = DepthwiseCorrelation(width), DepthwiseCorrelation(width)
        self.down_box = nn.Conv2d(width + 64, width, 1)
        self.down_score = nn.Conv2d(width + 64, width, 1)
        self.scores = nn.Sequential(*_tower(width), nn.Conv2d(width, 2, 1))
        self.distances = nn.Sequential(*_tower(width), nn.Conv2d(width, 4, 1))

    def forward(self, template: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
        """Template (n, 96, 8, 8), search (n, 96, 16, 16) -> scores (n, 2, 15, 15), distances."""
        middle = template[:, :, 2:6, 2:6]
        box = [self.pixels_box(template, search), self.depth_box(middle, search)]
        score = [self.pixels_score(template, search), self.depth_score(middle, search)]
        scores = self.scores(self.down_score(torch.cat(score, dim=1)))
        return scores, self.distances(self.down_box(torch.cat(box, dim=1))).exp()


class NanoTrackNetwork(nn.Module):
    """Backbone, with as many blocks as the head wants, and head."""

    def __init__(self, head: type[HeadV1] | type[HeadV3]) -> None:
        super().__init__()
        self.head = head()
        self.backbone = MobileNet(head.blocks)

    def last(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        """The last convolutions of the towers, of scores and of distances."""
        scores, distances = self.head.scores[-1], self.head.distances[-1]
        if not isinstance(scores, nn.Conv2d) or not isinstance(distances, nn.Conv2d):
            raise TypeError("towers end in convolutions")
        return scores, distances

    def begin(self, reach_px: float) -> None:
        """Let a network that learnt nothing answer boxes that reach so far to every side."""
        nn.init.constant_(self.last()[1].get_parameter("bias"), math.log(reach_px))


def _separable(source: int, width: int, kernel: int) -> list[nn.Module]:
    return [
        nn.Conv2d(source, source, kernel, padding=kernel // 2, groups=source, bias=False),
        nn.Conv2d(source, width, 1),
        nn.ReLU6(),
    ]


def _tower(width: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(6):
        around = nn.Conv2d(width, width, 3, padding=1, groups=width)
        layers += [around, nn.ReLU6(), nn.Conv2d(width, width, 1)]
    return layers


def _to_eights(width: float) -> int:
    """Round to a multiple of eight, never by more than a tenth down (MobileNetV2's rule)."""
    near = max(8, int(width + 4) // 8 * 8)
    return near if near >= 0.9 * width else near + 8
