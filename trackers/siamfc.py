"""SiamFC: one template, correlated with the search area at a few scales, never updated.

Bertinetto et al., Fully-Convolutional Siamese Networks for Object Tracking, ECCVW 2016; constants
and rounding of huanglianghua/siamfc-pytorch (siamfc.py:65-214), whose checkpoints load.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.core.boxes import Box, Boxes, Floats, Image, Ints, as_boxes, is_present
from vbench.core.errors import VBenchError
from vbench.core.roles import Estimate, Propagated, Weights, Work, WorkTable
from vbench.nn.alexnet import WIDTHS, AlexNet, xavier
from vbench.nn.correlation import dense
from vbench.nn.crop import (
    LARGEST_SIDE_PX,
    context_sides,
    mean_colour,
    square_crops,
    windows_around,
)
from vbench.nn.state import load_into, read_state, seeded

Maps: TypeAlias = NDArray[np.floating[Any]]

EXEMPLAR_PX, INSTANCE_PX, STRIDE_PX = 127, 255, 8
OUT_SCALE = 0.001
SCALE_STEP, SCALE_PENALTY, SCALE_RATE = 1.0375, 0.9745, 0.59
RESPONSE, RESPONSE_UP = 17, 16
UPSAMPLED = RESPONSE * RESPONSE_UP
WINDOW_SHARE = 0.176
# How far the size follows one that was carried here (PatchNet siamfc/siamfc.py, pscale_lr).
CARRIED_RATE = 0.25
CUBIC = -0.75
# More crops than these go through the backbone in turns: for the memory, and on a CPU because
# what a turn computes then stays in the cache (a fifth faster at 16 objects).
MOST_CROPS, MOST_CROPS_CPU = 48, 6


class SiamFCNetwork(nn.Module):
    """Templates and search crops to response maps; upstream's key names.

    `width` is that of all layers, relative to the published network.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        # Even numbers, for convolutions in two groups.
        widths = [max(2, round(w * width / 2) * 2) for w in WIDTHS]
        self.backbone = AlexNet(widths, eps=1e-6)
        self.channels = widths[-1]
        # A sum over fewer channels comes out as large.
        self.scale = OUT_SCALE * WIDTHS[-1] / self.channels

    def forward(self, crops: Tensor, templates: Tensor) -> Tensor:
        """Crops (n, 3, 255, 255), templates (n or 1, 256, 6, 6) -> responses (n, 1, 17, 17)."""
        return self.respond(self.backbone(crops), templates)

    def respond(self, features: Tensor, templates: Tensor) -> Tensor:
        """Features (n, 256, 22, 22), templates (n or 1, 256, 6, 6) -> responses (n, 1, 17, 17)."""
        return dense(features, templates) * self.scale


def siamfc_network(
    weights: Weights | None, device: str, seed: int, width: float = 1.0
) -> SiamFCNetwork:
    """Build the network on `device` in eval mode, from a file or drawn from `seed`.

    Raises:
        VBenchError: a width that nobody can mean, or a file of another network.
    """
    if not 0 < width <= 4:
        raise VBenchError(f"siamfc[width={width}]: give a factor above 0 and up to 4")
    with seeded(seed):
        network = SiamFCNetwork(width)
        xavier(network)
    if weights is not None:
        path = next(iter(weights.files.values()))
        load_into(network, read_state(path), path.name)
    return network.eval().to(device)


class Matcher:
    """Templates of n objects and where each is searched next.

    Centres are pixel centres x y: that of a box is x + (w - 1) / 2.
    """

    def __init__(
        self, scales: int, weights: Weights | None, device: str, seed: int, width: float = 1.0
    ) -> None:
        if scales < 1 or scales % 2 == 0:
            raise VBenchError(f"siamfc[scales={scales}]: give an odd number of scales, 1 or 3, say")
        self.network = siamfc_network(weights, device, seed, width)
        self.device = device
        self.factors = SCALE_STEP ** np.linspace(-(scales // 2), scales // 2, scales)

    def learn(self, frame: Image, boxes: Boxes) -> None:
        """Take the templates of `boxes` (n, 4) from `frame`."""
        self.sizes = boxes[:, 2:].copy()
        self.centres = boxes[:, :2] + (self.sizes - 1) / 2
        self.template_sides = context_sides(self.sizes)
        self.fill = mean_colour(frame)
        self.templates = self._features(frame, self.centres, self.template_sides, EXEMPLAR_PX)

    def boxes(self) -> Boxes:
        """The boxes (n, 4) that the next search is centred on."""
        return np.concatenate([self.centres - (self.sizes - 1) / 2, self.sizes], axis=1)

    def responses(self, frame: Image) -> Maps:
        """Search around every object at every scale: (n, scales, 17, 17) float32."""
        n, s = len(self.centres), len(self.factors)
        sides = self.template_sides[:, None] * self.factors * INSTANCE_PX / EXEMPLAR_PX
        features = self._features(
            frame, self.centres.repeat(s, axis=0), sides.reshape(-1), INSTANCE_PX
        )
        templates = self.templates if n == 1 else self.templates.repeat_interleave(s, dim=0)
        with torch.inference_mode():
            maps = self.network.respond(features, templates)
        found: Maps = maps.reshape(n, s, RESPONSE, RESPONSE).cpu().numpy()
        return found

    def follow(self, maps: Maps) -> Maps:
        """Move to the peaks of upsampled maps (n, scales, 272, 272); returns the peaks (n,)."""
        scale, places, peaks = read_peaks(maps)
        factor = self.factors[scale]
        to_image = self.template_sides * factor / EXEMPLAR_PX
        self.centres = self.centres + places * to_image[:, None]
        self._grow(1 - SCALE_RATE + SCALE_RATE * factor)
        return peaks

    def carry(self, boxes: Boxes) -> None:
        """Move to where `boxes` (n, 4) say; sizes follow at a quarter of the change.

        As PatchNet siamfc/siamfc.py, update_with_patchnet: the centre is the middle of the box's
        corners, half a pixel off this tracker's own.
        """
        self.centres = boxes[:, :2] + boxes[:, 2:] / 2
        change = np.mean(boxes[:, 2:] / self.sizes, axis=1)
        self._grow(1 - CARRIED_RATE + CARRIED_RATE * change)

    def place(self, boxes: Boxes) -> None:
        """Search exactly around `boxes` (n, 4) next."""
        self.sizes = boxes[:, 2:].copy()
        self.centres = boxes[:, :2] + (self.sizes - 1) / 2
        self.template_sides = context_sides(self.sizes)

    def _grow(self, factor: Floats) -> None:
        """Scale sizes and windows; stops where a window would leave what can be cropped."""
        bounded = np.clip(self.template_sides * factor, 0.5, LARGEST_SIDE_PX / 4)
        factor = bounded / self.template_sides
        self.sizes = self.sizes * factor[:, None]
        self.template_sides = bounded

    def _features(self, frame: Image, centres: Floats, sides: Floats, size: int) -> Tensor:
        windows = windows_around(centres, sides)
        most = MOST_CROPS_CPU if torch.device(self.device).type == "cpu" else MOST_CROPS
        parts = []
        with torch.inference_mode():
            for first in range(0, len(windows), most):
                some = windows[first : first + most]
                crops = square_crops(frame, some, size, self.fill, self.device)
                parts.append(self.network.backbone(crops))
        return torch.cat(parts)


class SiamFC:
    """The tracker: boxes follow the peak of the response under a cosine window.

    The score is the logistic of the highest response, the probability that the training's
    logistic loss made of it.
    """

    def __init__(
        self,
        scales: int = 3,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.matcher = Matcher(scales, weights, device, seed, width)
        self.network = self.matcher.network

    def start(self, frame: Image, box: Box) -> None:
        """Take the template from `box` (4,)."""
        self.matcher.learn(frame, as_boxes(box))

    def track(self, frame: Image) -> Estimate:
        """Search around the last place."""
        peaks = self.matcher.follow(upsampled(self.matcher.responses(frame)))
        return Estimate(self.matcher.boxes()[0], float(logistic(peaks)[0]))

    def reseat(self, box: Box) -> Box:
        """Move the search to the middle of `box`; the size follows by a quarter of its change."""
        self.matcher.carry(as_boxes(box))
        place: Box = self.matcher.boxes()[0]
        return place

    def work(self) -> WorkTable:
        """One exemplar at the start; every scale's backbone and correlation on each frame."""
        scales = len(self.matcher.factors)
        return {
            "start": [template_work(self.matcher)],
            "track": search_work(self.matcher, scales),
        }


class SiamFCPropagator:
    """Carries n boxes: templates of the keyframe, all objects' crops in one batch.

    Belief is the logistic of the highest response, in [0, 1].
    """

    def __init__(
        self,
        scales: int = 1,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.matcher = Matcher(scales, weights, device, seed, width)

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take templates of `boxes` (n, 4); absent ones stay absent."""
        self.present = is_present(boxes)
        if self.present.any():
            self.matcher.learn(frame, boxes[self.present])

    def propagate(self, frame: Image) -> Propagated:
        """Search each object around its last place."""
        boxes = np.full((len(self.present), 4), np.nan)
        belief = np.full(len(self.present), np.nan)
        if self.present.any():
            peaks = self.matcher.follow(upsampled(self.matcher.responses(frame)))
            boxes[self.present] = self.matcher.boxes()
            belief[self.present] = logistic(peaks)
        return Propagated(boxes, belief)

    def seat(self, boxes: Boxes) -> None:
        """Search around `boxes` (n, 4) next; rows that are absent leave things as they are."""
        if self.present.any():
            wanted = boxes[self.present]
            known = is_present(wanted)[:, None]
            self.matcher.place(np.where(known, wanted, self.matcher.boxes()))

    def work(self) -> WorkTable:
        """Per object: one exemplar at the keyframe, the search after it."""
        scales = len(self.matcher.factors)
        return {
            "anchor": [template_work(self.matcher, per_object=True)],
            "propagate": search_work(self.matcher, scales, per_object=True),
        }


def template_work(matcher: Matcher, per_object: bool = False) -> Work:
    """The backbone on one exemplar."""
    crop = torch.zeros(1, 3, EXEMPLAR_PX, EXEMPLAR_PX, device=matcher.device)
    return Work("exemplar", matcher.network.backbone, (crop,), per_object=per_object)


def search_work(matcher: Matcher, scales: int, per_object: bool = False) -> list[Work]:
    """Backbone and cross-correlation, once a scale."""
    crop = torch.zeros(1, 3, INSTANCE_PX, INSTANCE_PX, device=matcher.device)
    channels = matcher.network.channels
    features = torch.zeros(1, channels, 22, 22, device=matcher.device)
    template = torch.zeros(1, channels, 6, 6, device=matcher.device)
    left_out = ("crops", "cubic upsampling of the response")
    return [
        Work("backbone", matcher.network.backbone, (crop,), None, None, scales, per_object),
        Work("correlation", dense, (features, template), None, None, scales, per_object, left_out),
    ]


def upsampled(responses: Maps) -> Maps:
    """Enlarge maps (..., 17, 17) to (..., 272, 272) bicubically, as OpenCV does."""
    matrix = cubic_matrix(responses.shape[-1], UPSAMPLED)
    larger: Maps = matrix @ responses @ matrix.T
    return larger


def read_peaks(maps: Maps) -> tuple[Ints, Floats, Maps]:
    """Best scale (n,), displacement x y in 127-px exemplar pixels (n, 2), highest response (n,).

    `maps` is (n, scales, 272, 272); other scales than the middle one are discounted.
    """
    n, scales = maps.shape[:2]
    discount = np.full(scales, SCALE_PENALTY, dtype=maps.dtype)
    discount[scales // 2] = 1
    highest = maps.max(axis=(2, 3)) * discount
    scale = highest.argmax(axis=1)
    rows = np.arange(n)
    chosen = maps[rows, scale] * discount[scale][:, None, None]
    chosen -= chosen.min(axis=(1, 2), keepdims=True)
    chosen /= chosen.sum(axis=(1, 2), keepdims=True) + 1e-16
    windowed = (1 - WINDOW_SHARE) * chosen + WINDOW_SHARE * _cosine_window()
    y, x = np.unravel_index(windowed.reshape(n, -1).argmax(axis=1), windowed.shape[1:])
    places = (np.stack([x, y], axis=1) - (UPSAMPLED - 1) / 2) * STRIDE_PX / RESPONSE_UP
    return scale, places, highest[rows, scale]


@cache
def cubic_matrix(source: int, target: int) -> Maps:
    """Weights (target, source) of bicubic enlargement, borders repeated (OpenCV's A = -0.75)."""
    place = (np.arange(target) + 0.5) * source / target - 0.5
    first = np.floor(place).astype(int)
    matrix = np.zeros((target, source), dtype=np.float32)
    for tap in range(-1, 3):
        index = np.clip(first + tap, 0, source - 1)
        np.add.at(matrix, (np.arange(target), index), _cubic(np.abs(place - first - tap)))
    return matrix


def _cubic(distance: Floats) -> Floats:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance - 4
    return np.where(distance <= 1, near, CUBIC * far)


@cache
def _cosine_window() -> Floats:
    window = np.outer(np.hanning(UPSAMPLED), np.hanning(UPSAMPLED))
    normed: Floats = window / window.sum()
    return normed


def logistic(response: Maps) -> Floats:
    """1 / (1 + exp(-response))."""
    chance: Floats = 1 / (1 + np.exp(-np.clip(response.astype(np.float64), -700, 700)))
    return chance
