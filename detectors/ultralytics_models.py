"""`ultralytics:NAME`: YOLO models of ultralytics (docs.ultralytics.com/modes/predict)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import ultralytics

from vbench.core.boxes import Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Work, WorkTable

from .candidates import Named, foreign, labels_for


class UltralyticsModel:
    """Any of its detectors: BGR in, boxes, scores and class numbers of `model.names` out.

    Args:
        argument: name or file of the model, such as yolo11n.pt; ultralytics fetches what it knows.
        score: least score of an answer.
        overlap: IoU above which the worse of two answers goes.
        side: px of the longer side of the network's input.
        classes: labels of ImageNet VID, or the model's own numbers.
    """

    def __init__(
        self,
        argument: str,
        score: float = 0.01,
        overlap: float = 0.7,
        side: int = 640,
        classes: Named = "vid",
        device: str = "cpu",
    ) -> None:
        try:
            self.model: Any = ultralytics.YOLO(argument)
        except (OSError, ValueError) as error:
            raise VBenchError(f"ultralytics:{argument} cannot be loaded: {error}") from None
        numbered = self.model.names
        self.labels = labels_for([numbered[number] for number in range(len(numbered))], classes)
        self.device, self.side = device, side
        self.how = {
            "conf": score, "iou": overlap, "imgsz": side, "device": device, "verbose": False
        }  # fmt: skip

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        found = self.model.predict(np.ascontiguousarray(frame[..., ::-1]), **self.how)[0].boxes
        corners, scores, numbers = (
            getattr(found, name).cpu().numpy() for name in ("xyxy", "conf", "cls")
        )
        labels = self.labels[numbers.astype(np.int64)]
        return foreign(corners, scores, labels, (frame.shape[1], frame.shape[0]))

    def work(self) -> WorkTable:
        """The network on a square input; that of a wide frame is smaller."""
        image = torch.zeros(1, 3, self.side, self.side, device=self.device)
        network = self.model.model
        return {"detect": [Work("ultralytics", network, (image,), uncounted=("suppression",))]}
