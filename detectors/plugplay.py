"""Plug & Play: a two-stage detector that also follows what it found, and believes that first.

Lyu et al., Plug & Play Convolutional Regression Tracker for Video Object Detection, 2020, sec. 5;
YeLyuUT/MMDET (mmdet/models/detectors/siamese_rcnn.py). The detector is untouched, its maps are read
twice; of the past only the last frame's map and boxes are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Image
from vbench.core.roles import Detections, Weights, WorkTable
from vbench.nn.frcnn import SHORT_PX, Backbone, FrcnnFeatures, Look, tracker_head
from vbench.nn.frcnn_work import following, judging, looking
from vbench.nn.plugplay import carried
from vbench.nn.two_stage import suppressed

from .frcnn import CLASSES, FasterRcnn

# Columns of a trace: boxes that the tracker carried, and merged boxes that the second stage judged.
FOLLOWED, JUDGED = "followed", "judged"


class Memory(NamedTuple):
    """The last frame: its map, boxes as corners (n, 4), scores (n, classes), a box of each row."""

    track_map: Tensor
    corners: Tensor
    scores: Tensor
    rows: Tensor


class PlugPlay:
    """The video detector.

    Answers every class of a box above `floor`, and does not suppress what overlaps in its frame:
    that is for Seq-NMS, which the paper ends with.

    Args:
        width: factor of all channels.
        short_px: of the short side that the network sees.
        proposals: boxes that the second stage judges.
        found: least score of a detection.
        overlap: IoU above which the worse of two detections goes, whatever their class.
        kept: least IoU score of a box that was followed.
        track_overlap: IoU above which the worse of two followed boxes goes.
        merge: IoU above which a followed box takes a detection's place; 0.3 and 0.7 in the paper.
        floor: least score of an answer.
        untrained: take weights of a detector alone, to fit the tracker on it.
    """

    def __init__(
        self,
        classes: int = CLASSES,
        width: float = 1.0,
        short_px: int = SHORT_PX,
        proposals: int = 300,
        found: float = 0.03,
        overlap: float = 0.45,
        kept: float = 0.5,
        track_overlap: float = 0.7,
        merge: float = 0.7,
        floor: float = 0.03,
        untrained: bool = False,
        backbone: Backbone = "hrnet",
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.found, self.overlap, self.kept = found, overlap, kept
        self.track_overlap, self.merge, self.floor, self.width = track_overlap, merge, floor, width
        self.detector = FasterRcnn(
            classes, width, short_px, proposals, backbone=backbone, weights=weights,
            device=device, seed=seed,
        )  # fmt: skip
        self.features: FrcnnFeatures = self.detector.features
        self.head = tracker_head(self.features, weights, seed, untrained)
        self.start((0, 0))

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip; what the last one left is dropped."""
        self.memory: Memory | None = None
        self.predicted: Boxes = np.zeros((0, 4))
        self.spent = {FOLLOWED: 0.0, JUDGED: 0.0}
        self.features.forget()

    def key(self, frame: Image) -> Detections:
        """Detect, follow the last frame's boxes, merge both and judge the result."""
        look = self.features.look(frame)
        with torch.inference_mode():
            followed, _ = self._followed(look)
            corners = torch.cat([self._newly(look, followed), followed])
            scores = self.detector.scores_of(look, corners)
        self.spent[JUDGED] = float(len(corners))
        return self._answer(look, corners, scores)

    def inter(self, frame: Image) -> Detections:
        """Only follow the last frame's boxes, which keep their scores; not in the paper."""
        look = self.features.look(frame)
        with torch.inference_mode():
            followed, rows = self._followed(look)
            scores = followed[:, :0] if self.memory is None else self.memory.scores[rows]
        self.spent[JUDGED] = 0.0
        return self._answer(look, followed, scores)

    def work(self) -> WorkTable:
        """What a frame of 600 x 1000 px costs, and each box followed or judged again."""
        stage = judging(self.features, self.detector.counts.most)
        return {
            "key": [looking(self.features), stage],
            "inter": [looking(self.features, proposing=False)],
            FOLLOWED: [following(self.features, per_object=False)],
            JUDGED: [judging(self.features)],
        }

    def _followed(self, look: Look) -> tuple[Tensor, Tensor]:
        """Boxes of the last frame in this one that are believed, and which ones they were.

        All predictions, in the order of the last answer, go to `predicted`, for Seq-Track-NMS.
        """
        memory = self.memory
        self.spent[FOLLOWED] = 0.0 if memory is None else float(len(memory.corners))
        if memory is None:
            self.predicted = np.zeros((0, 4))
            none = look.track_map.new_zeros(0, 4)
            return none, none[:, 0].long()
        corners, fits = carried(
            self.head, memory.track_map, look.track_map, memory.corners,
            self.features.track_stride_px, look.size,
        )  # fmt: skip
        self.predicted = look.boxes_of(corners[memory.rows])
        return believed(corners, fits, self.kept, self.track_overlap)

    def _newly(self, look: Look, followed: Tensor) -> Tensor:
        """Detections of any class that no followed box stands for."""
        boxes, scores = self.detector.judged(look)
        best, label = scores.max(dim=1)
        sure = best > self.found
        boxes = boxes[torch.arange(len(boxes)), label][sure]
        kept = suppressed(boxes, best[sure], self.overlap)
        return newcomers(boxes[kept], best[sure][kept], followed, self.merge)

    def _answer(self, look: Look, corners: Tensor, scores: Tensor) -> Detections:
        rows, labels = torch.nonzero(scores > self.floor, as_tuple=True)
        self.memory = Memory(look.track_map, corners, scores, rows)
        # The frame's other maps are not kept.
        self.features.forget()
        values = scores[rows, labels].double().cpu().numpy()
        return Detections(look.boxes_of(corners[rows]), values, labels.cpu().numpy())


def believed(corners: Tensor, fits: Tensor, least: float, overlap: float) -> tuple[Tensor, Tensor]:
    """Followed boxes, corners (n, 4), with an IoU score above `least` and none better on top.

    Returns them and their rows, the best first (paper sec. 5, "Track to detect").
    """
    rows = torch.nonzero(fits > least)[:, 0]
    rows = rows[suppressed(corners[rows], fits[rows], overlap)]
    return corners[rows], rows


def newcomers(detected: Tensor, scores: Tensor, followed: Tensor, merge: float) -> Tensor:
    """Detections, corners (n, 4), that overlap no followed box and no better one above `merge`.

    Paper sec. 5, tracking-first detection: where both see an object, the followed box stands.
    """
    taken = (overlaps(detected, followed) > merge).any(dim=1)
    free, own = detected[~taken], scores[~taken]
    return free[suppressed(free, own, merge)]


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """IoU of all pairs of corners: (n, 4), (m, 4) -> (n, m)."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clamp(min=0).prod(dim=2)
    areas = [(x[:, 2:] - x[:, :2]).clamp(min=0).prod(dim=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None] - both
    return both / union.clamp(min=1e-12)
