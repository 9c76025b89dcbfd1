"""Faster R-CNN on HRNet-W32 or on ResNeXt-101 with FPN and deformable convolutions.

Ren et al., Faster R-CNN, NIPS 2015, as Lyu et al., Plug & Play, 2020, use it (sec. 6.2): boxes
with a class score above 0.03, suppression at an IoU of 0.45.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Floats, Image, Ints
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Weights, WorkTable
from vbench.nn.box_coder import cut, decode
from vbench.nn.frcnn import SHORT_PX, Backbone, FrcnnFeatures, Look
from vbench.nn.frcnn_work import judging, looking
from vbench.nn.nms import nms_by_class
from vbench.nn.two_stage import BOX_STDS, ProposalCounts, TwoStage

# Classes of ImageNet VID.
CLASSES = 30


class FasterRcnn:
    """The detector.

    Args:
        classes: how many, without the background.
        width: factor of all channels.
        short_px: of the short side that the network sees; the long one is three times it at most.
        proposals: boxes that the second stage judges.
        floor: least score.
        overlap: IoU above which the worse of two boxes of a class goes; 1 keeps all.
        most: detections of a frame.
    """

    def __init__(
        self,
        classes: int = CLASSES,
        width: float = 1.0,
        short_px: int = SHORT_PX,
        proposals: int = 300,
        floor: float = 0.03,
        overlap: float = 0.45,
        most: int = 300,
        backbone: Backbone = "hrnet",
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if not 1 <= proposals <= 6000:
            raise VBenchError(f"frcnn-{backbone}[proposals={proposals}]: give 1 to 6000 boxes")
        self.floor, self.overlap, self.most = floor, overlap, most
        self.features = FrcnnFeatures(backbone, classes, width, short_px, weights, device, seed)
        self.pretrained = weights is not None
        self.counts = ProposalCounts(after=proposals, most=proposals)

    @property
    def network(self) -> TwoStage:
        """The network, to train it and to count its parameters."""
        return self.features.network

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`: boxes inside it, best first."""
        look = self.features.look(frame)
        with torch.inference_mode():
            corners, scores = self.judged(look)
        return self._answer(look, corners, scores)

    def judged(self, look: Look) -> tuple[Tensor, Tensor]:
        """Boxes of every proposal for every class, (n, classes, 4), and scores (n, classes)."""
        proposals = self.network.propose(look.maps, look.size, self.counts)
        logits, codes = self.network.judge(look.maps, proposals)
        corners = cut(decode(proposals[:, None], codes[:, 1:], BOX_STDS), look.size)
        return corners, logits.softmax(dim=1)[:, 1:]

    def scores_of(self, look: Look, corners: Tensor) -> Tensor:
        """Scores (n, classes) of boxes, corners (n, 4), as they stand."""
        logits, _ = self.network.judge(look.maps, corners)
        return logits.softmax(dim=1)[:, 1:]

    def work(self) -> WorkTable:
        """What a frame of 600 x 1000 px costs, by its shapes alone."""
        rcnn = judging(self.features, self.counts.most)
        return {"detect": [looking(self.features), rcnn]}

    def _answer(self, look: Look, corners: Tensor, scores: Tensor) -> Detections:
        boxes, values = corners.double().cpu().numpy(), scores.double().cpu().numpy()
        rows, labels = self._kept(boxes, values)
        best = values[rows, labels]
        order = np.argsort(-best, kind="stable")[: self.most]
        rows, labels = rows[order], labels[order]
        found = look.boxes_of(torch.from_numpy(boxes[rows, labels]))
        return Detections(found, best[order], labels.astype(np.int64))

    def _kept(self, boxes: Floats, values: Floats) -> tuple[Ints, Ints]:
        """Proposals and classes above the floor that suppression keeps."""
        if self.overlap >= 1:
            rows, labels = np.nonzero(values > self.floor)
            return rows, labels
        kept = np.zeros(values.shape, bool)
        for label in range(values.shape[1]):
            own = boxes[:, label], values[:, label : label + 1]
            kept[:, label] = nms_by_class(*own, self.overlap, self.floor, one_px=0.0)[:, 0]
        rows, labels = np.nonzero(kept)
        return rows, labels
