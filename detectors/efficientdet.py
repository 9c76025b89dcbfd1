"""EfficientDet-D0 for any number of classes; zylo117's and effdet's weights load.

Tan et al., EfficientDet, CVPR 2020. Input and output conventions of
zylo117/Yet-Another-EfficientDet-Pytorch (utils/utils.py) and rwightman/efficientdet-pytorch
(effdet/bench.py).
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Floats, Image, Ints, clipped, from_corners
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.efficientdet import PER_CELL, EfficientDetD0, boxes_of, pyramid_anchors
from vbench.nn.nms import nms
from vbench.nn.state import load_into, read_state, seeded

from .coco_vid_classes import coco_names_by_number, vid_index_of
from .efficientdet_keys import native

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
# Classes of ImageNet VID.
CLASSES = 30
SIDE_STEP = 128
# Of COCO's annotation files, ten of them unused.
COCO_NUMBERS = 90
# Candidates that effdet takes, and most that suppression gets of either rule.
CANDIDATES = 5000
MOST = 100
# Least scores: zylo117's evaluation has one, effdet's has none.
FLOORS = {"best": 0.05, "top": 0.0}
LAST = "class_net.predict.conv_pw.weight"


class EfficientDet:
    """The detector.

    Args:
        classes: how many; None is as many as the weights have, or 30 without weights.
        width: factor of all channels.
        side_px: of the square input in px, a multiple of 128.
        select: `best` keeps each anchor's best class above `floor` (zylo), `top` the 5000 best
            pairs of anchor and class, then 100 detections (effdet).
        floor: least score; None is 0.05 of `best`, and none of `top`.
        overlap: IoU above which the worse of two boxes of a class goes.
        labels: `own` are the network's, `vid` turns COCO's 90 into those of ImageNet VID and leaves
            out what VID does not know; `auto` is `vid` for 90 classes, as published weights have.
    """

    def __init__(
        self,
        classes: int | None = None,
        width: float = 1.0,
        side_px: int = 512,
        select: Literal["best", "top"] = "best",
        floor: float | None = None,
        overlap: float = 0.5,
        labels: Literal["auto", "own", "vid"] = "auto",
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if (classes is not None and not 1 <= classes <= 10_000) or not 0 < width <= 4:
            raise VBenchError(
                f"efficientdet-d0[classes={classes},width={width}]: give 1 to 10000 classes and a "
                "width in (0, 4]"
            )
        if side_px < SIDE_STEP or side_px % SIDE_STEP:
            raise VBenchError(
                f"efficientdet-d0[side_px={side_px}]: give a multiple of {SIDE_STEP} px"
            )
        state = _state(weights)
        found = len(state[LAST]) // PER_CELL if state is not None and LAST in state else CLASSES
        self.classes, self.width, self.side_px = classes or found, width, side_px
        self.select, self.overlap = select, overlap
        self.floor = FLOORS[select] if floor is None else floor
        self.device = device
        self.columns, self.labels = _columns(self.classes, labels)
        with seeded(seed):
            self.network = EfficientDetD0(self.classes, width)
        if weights is not None and state is not None:
            load_into(self.network, state, weights.name)
        self.network.to(device).eval()
        self.anchors = pyramid_anchors(side_px).to(device)

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`: boxes inside it, best first."""
        images, scale = self.images(frame)
        with torch.inference_mode():
            logits, codes = self.network(images)
            corners, scores, labels = self._candidates(logits[0], codes[0])
        kept = _apart(corners, scores, labels, self.overlap, self._most())
        boxes = from_corners(corners[kept] / scale)
        size = frame.shape[1], frame.shape[0]
        return Detections(clipped(boxes, size), scores[kept], labels[kept])

    def images(self, frame: Image) -> tuple[Tensor, float]:
        """The frame in the corner of a square of zeros, normalised: (1, 3, s, s), and its scale."""
        height, width = frame.shape[:2]
        scale = self.side_px / max(height, width)
        size = max(1, int(width * scale)), max(1, int(height * scale))
        # Resizing and normalising commute; the small image is the cheaper one to normalise.
        values = cv2.resize(frame.astype(np.float32), size)
        square = np.zeros((self.side_px, self.side_px, 3), np.float32)
        square[: size[1], : size[0]] = (values / 255 - MEAN) / STD
        return torch.from_numpy(square).permute(2, 0, 1)[None].to(self.device), scale

    def work(self) -> WorkTable:
        """The network at full size, by its shapes alone."""
        with torch.device("meta"):
            network = EfficientDetD0(self.classes, self.width).eval()
            images = torch.zeros(1, 3, self.side_px, self.side_px)
        uncounted = ("resizing", "suppression")
        return {"detect": [Work("network", network, (images,), uncounted=uncounted)]}

    def _most(self) -> int | None:
        return MOST if self.select == "top" else None

    def _candidates(self, logits: Tensor, codes: Tensor) -> tuple[Floats, Floats, Ints]:
        """Corners, scores and labels of what goes into the suppression."""
        logits = logits[:, self.columns]
        if self.select == "top":
            flat = logits.flatten()
            chosen = _best(flat, CANDIDATES)
            anchor, label = chosen // len(self.labels), chosen % len(self.labels)
            scores = flat[chosen]
        else:
            best, labels = logits.max(dim=1)
            anchor = _best(best, CANDIDATES)
            scores, label = best[anchor], labels[anchor]
        corners = boxes_of(self.anchors[anchor], codes[anchor])
        scores = scores.sigmoid()
        kept = scores > self.floor
        corners, scores, label = corners[kept], scores[kept], label[kept]
        return (
            corners.double().cpu().numpy(),
            scores.double().cpu().numpy(),
            self.labels[label.cpu().numpy()],
        )


def _columns(classes: int, labels: str) -> tuple[list[int], Ints]:
    """Outputs of the network that count, and the class that each of them is answered as."""
    if labels == "own" or (labels == "auto" and classes != COCO_NUMBERS):
        return list(range(classes)), np.arange(classes)
    if classes != COCO_NUMBERS:
        raise VBenchError(
            f"efficientdet-d0[labels=vid]: COCO has {COCO_NUMBERS} classes, the network {classes}; "
            "take labels=own"
        )
    # Output 0 is number 1 of COCO's files.
    answered = vid_index_of(coco_names_by_number()[1:])
    columns = np.flatnonzero(answered >= 0)
    return columns.tolist(), answered[columns]


def _state(weights: Weights | None) -> dict[str, Tensor] | None:
    if weights is None:
        return None
    return native(read_state(next(iter(weights.files.values()))))


def _best(values: Tensor, most: int) -> Tensor:
    """Places of the `most` largest values, the earlier of equal ones first."""
    return torch.argsort(values, descending=True, stable=True)[:most]


def _apart(corners: Floats, scores: Floats, labels: Ints, overlap: float, most: int | None) -> Ints:
    """Rows that greedy suppression within a class keeps, best first."""
    kept = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        kept.append(rows[nms(corners[rows], scores[rows], overlap, most, one_px=0.0)])
    found = np.concatenate(kept)
    return found[np.lexsort((found, -scores[found]))][:most]
