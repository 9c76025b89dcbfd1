"""`torchvision:NAME`: detection models of torchvision (torchvision.models.detection)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torchvision

from vbench.core.boxes import Image
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.roles import Detections, Work, WorkTable
from vbench.nn.state import seeded

from .candidates import Named, foreign, labels_for
from .coco_vid_classes import coco_names_by_number


class TorchvisionModel:
    """Any of its detectors: RGB in [0, 1] in, boxes, scores and COCO's 90 numbers out.

    Args:
        argument: name of the model, such as fasterrcnn_resnet50_fpn.
        trained: with torchvision's weights, which it fetches itself; otherwise random ones.
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
        offered = torchvision.models.list_models(module=torchvision.models.detection)
        if argument not in offered:
            raise UnknownName("detector of torchvision", argument, offered)
        chosen: dict[str, Any] = {"weights": "DEFAULT" if trained else None}
        if not trained:
            chosen["weights_backbone"] = None
        try:
            with seeded(seed):
                self.model: Any = torchvision.models.get_model(argument, **chosen)
        except OSError as error:
            raise VBenchError(
                f"torchvision:{argument}: its weights cannot be had: {error}"
            ) from None
        self.model.eval().to(device)
        self.score, self.device = score, device
        self.labels = labels_for(coco_names_by_number(), classes)
        self.shape = 3, 720, 1280

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        planes = torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))
        planes = planes.to(self.device).float() / 255
        self.shape = 3, *frame.shape[:2]
        with torch.inference_mode():
            found = self.model([planes])[0]
        boxes, scores, numbers = (found[k].cpu().numpy() for k in ("boxes", "scores", "labels"))
        sure = scores >= self.score
        size = frame.shape[1], frame.shape[0]
        return foreign(boxes[sure], scores[sure], self.labels[numbers[sure]], size)

    def work(self) -> WorkTable:
        """The model on a frame of the last size, 1280 x 720 before there is one."""
        image = torch.zeros(self.shape, device=self.device)
        return {"detect": [Work("torchvision", lambda x: self.model([x]), (image,))]}
