"""FastestDet at 352 px, trained on COCO: one grid of 22 x 22 cells, a box a cell.

dog-qiuqiu/FastestDet example/onnx-runtime/runtime.py and utils/tool.py: BGR in [0, 1], the image
squeezed into a square, score = objectness^.6 * class^.4. There a cell answers its best class alone;
here all that score enough, as detectors are evaluated: a truck is often a car as well.
"""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import Image
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.onnx_file import layer_weights

from .candidates import Choice, Classes, Resize, shrunk
from .onnx_network import OnnxNetwork

SIDE_PX = 352
OBJECTNESS, CLASS = 0.6, 0.4


class FastestDet:
    """The detector; `score`, `overlap`, `most`, `classes` and `inside` are those of `Choice`.

    `resize` "bilinear" weighs every pixel under a triangle, as Pillow does. The authors' program
    runs `[resize=area,overlap=0.45]`.
    """

    def __init__(
        self,
        score: float = 0.1,
        overlap: float = 0.6,
        most: int = 100,
        classes: Classes = "vid",
        resize: Resize = "bilinear",
        inside: bool = False,
        weights: Weights | None = None,
        device: str = "cpu",
    ) -> None:
        self.choice = Choice("fastestdet", score, overlap, most, classes, inside)
        self.resize: Resize = resize
        self.network = OnnxNetwork("fastestdet", weights, device)

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        size = frame.shape[1], frame.shape[0]
        small = shrunk(frame, (SIDE_PX, SIDE_PX), self.resize)
        planes = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1)[None], np.float32)
        found = self.network(planes / np.float32(255))[0][0]
        rows, columns = found.shape[1:]
        flat = found.reshape(len(found), -1).astype(np.float64)
        y, x = np.divmod(np.arange(rows * columns), columns)
        centre = np.stack([(x + np.tanh(flat[1])) / columns, (y + np.tanh(flat[2])) / rows], axis=1)
        half = 0.5 / (1 + np.exp(-flat[3:5].T))
        corners = np.concatenate([centre - half, centre + half], axis=1) * np.tile(size, 2)
        scores = flat[0, :, None] ** OBJECTNESS * flat[5:].T ** CLASS
        return self.choice(corners, scores, size)

    def work(self) -> WorkTable:
        """The network."""
        return {"detect": [Work("fastestdet", onnx=self.network.path, uncounted=("suppression",))]}

    def parameter_count(self) -> int:
        """Weights of all convolutions."""
        return sum(
            w.size + (0 if b is None else b.size) for w, b in layer_weights(self.network.path)
        )
