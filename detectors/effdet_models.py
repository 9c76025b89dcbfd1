"""`effdet:NAME`: EfficientDet models of rwightman/efficientdet-pytorch (effdet 0.3 and later)."""

from __future__ import annotations

from typing import Any

import cv2
import effdet
import numpy as np
import torch

from vbench.core.boxes import Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Work, WorkTable
from vbench.nn.state import seeded

from .candidates import Named, foreign, labels_for
from .coco_vid_classes import coco_names_by_number

# Of ImageNet; a frame lies at the top left on this colour (effdet/data/transforms.py, ResizePad).
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class EffdetModel:
    """Any of its detectors: rows x1 y1 x2 y2 score number in px of the input, numbers from 1.

    Args:
        argument: name of the model, such as tf_efficientdet_lite0.
        trained: with effdet's weights, which it fetches itself; otherwise random ones.
        score: least score of an answer.
        classes: labels of ImageNet VID, or the model's own numbers.
    """

    def __init__(
        self,
        argument: str,
        trained: bool = True,
        score: float = 0.01,
        classes: Named = "vid",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        backbone = {} if trained else {"pretrained_backbone": False}
        try:
            with seeded(seed):
                self.model: Any = effdet.create_model(
                    argument, bench_task="predict", pretrained=trained, **backbone
                )
        except (KeyError, AttributeError, OSError, RuntimeError) as error:
            raise VBenchError(f"effdet:{argument} cannot be made: {error}") from None
        self.model.eval().to(device)
        self.height, self.width = self.model.config.image_size
        self.score, self.device = score, device
        self.labels = labels_for(coco_names_by_number(), classes)

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        ratio = min(self.width / frame.shape[1], self.height / frame.shape[0])
        with torch.inference_mode():
            rows = self.model(self._input(frame, ratio))[0].cpu().numpy()
        rows = rows[rows[:, 4] >= self.score]
        labels = self.labels[rows[:, 5].astype(np.int64)]
        size = frame.shape[1], frame.shape[0]
        return foreign(rows[:, :4] / ratio, rows[:, 4], labels, size)

    def work(self) -> WorkTable:
        """The network without what selects its answers."""
        image = torch.zeros(1, 3, self.height, self.width, device=self.device)
        return {"detect": [Work("effdet", self.model.model, (image,), uncounted=("suppression",))]}

    def _input(self, frame: Image, ratio: float) -> torch.Tensor:
        w, h = max(int(frame.shape[1] * ratio), 1), max(int(frame.shape[0] * ratio), 1)
        canvas = np.zeros((self.height, self.width, 3), np.float32)
        small = cv2.resize(frame, (w, h), interpolation=cv2.INTER_LINEAR)
        canvas[:h, :w] = (small / np.float32(255) - MEAN) / DEVIATION
        planes = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None])
        return torch.from_numpy(planes).to(self.device)
