"""NanoDet-m at 416 px, trained on COCO: boxes as distributions of distances, three strides.

RangiLyu/nanodet nanodet/model/head/gfl_head.py and config/legacy_v0.x_configs/nanodet-m-416.yml:
BGR, the image's shape kept, 100 answers above .05 after suppression at .6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Floats, Image
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.onnx_file import layer_weights

from .candidates import Choice, Classes, Resize, shrunk
from .onnx_network import OnnxNetwork, Planes

SIDE_PX = 416
STRIDES = (8, 16, 32)
BINS = 8
# Of blue, green, red.
MEAN = np.array([103.53, 116.28, 123.675], np.float32)
DEVIATION = np.array([57.375, 57.12, 58.395], np.float32)


class NanoDet:
    """The detector; `score`, `overlap`, `most`, `classes` and `inside` are those of `Choice`.

    `resize` "bilinear" weighs every pixel under a triangle, as Pillow does; "area" is what the
    authors run on videos, and a third of the time.
    """

    def __init__(
        self,
        score: float = 0.05,
        overlap: float = 0.6,
        most: int = 100,
        classes: Classes = "vid",
        resize: Resize = "bilinear",
        inside: bool = False,
        weights: Weights | None = None,
        device: str = "cpu",
    ) -> None:
        self.choice = Choice("nanodet", score, overlap, most, classes, inside)
        self.resize: Resize = resize
        self.network = OnnxNetwork("nanodet", weights, device)
        cells = [SIDE_PX // stride for stride in STRIDES]
        centres = [_centres(n, s) for n, s in zip(cells, STRIDES, strict=True)]
        self.centres = np.concatenate(centres)
        self.strides = np.repeat(np.array(STRIDES, np.float32), [n * n for n in cells])

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        planes, scale = fitted(frame, self.resize)
        outputs = self.network(planes)
        scores = np.concatenate([found[0] for found in outputs[:3]])
        likely = np.flatnonzero(scores[:, self.choice.columns].max(axis=1) > self.choice.score)
        bins = np.concatenate([found[0] for found in outputs[3:]])[likely]
        corners = self._corners(bins, likely) / np.tile(scale, 2)
        return self.choice(corners, scores[likely], (frame.shape[1], frame.shape[0]))

    def work(self) -> WorkTable:
        """The network."""
        return {"detect": [Work("nanodet", onnx=self.network.path, uncounted=("suppression",))]}

    def parameter_count(self) -> int:
        """Weights of all convolutions and layers."""
        return sum(
            w.size + (0 if b is None else b.size) for w, b in layer_weights(self.network.path)
        )

    def _corners(self, bins: NDArray[np.float32], cells: NDArray[np.int64]) -> Floats:
        """Boxes x1 y1 x2 y2 (k, 4) in the network's image from (k, 4 * BINS) logits."""
        logits = bins.reshape(len(bins), 4, BINS)
        share = np.exp(logits - logits.max(axis=-1, keepdims=True))
        share /= share.sum(axis=-1, keepdims=True)
        distance = (share @ np.arange(BINS)) * self.strides[cells, None]
        centres = self.centres[cells]
        return np.concatenate([centres - distance[:, :2], centres + distance[:, 2:]], axis=1)


def fitted(frame: Image, how: Resize) -> tuple[Planes, Floats]:
    """The frame at the top left of the network's black image, and its scale (x, y) there."""
    height, width = frame.shape[:2]
    ratio = min(SIDE_PX / width, SIDE_PX / height)
    w, h = max(int(width * ratio), 1), max(int(height * ratio), 1)
    canvas = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    canvas[:h, :w] = shrunk(frame, (w, h), how)[..., ::-1]
    planes = ((canvas - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(planes, np.float32), np.array([w / width, h / height])


def _centres(cells: int, stride: int) -> Floats:
    """Centres x y of a grid, row by row (cells * cells, 2)."""
    places = (np.arange(cells) + 0.5) * stride
    x, y = np.meshgrid(places, places)
    return np.stack([x.ravel(), y.ravel()], axis=1)
