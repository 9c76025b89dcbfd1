"""From the candidates of a dense detector to its answer: threshold, classes, suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vbench.core.boxes import Floats, Image, Ints, clipped, from_corners
from vbench.core.roles import Detections

from .coco_vid_classes import COCO, vid_index_of
from .nms import checked_share, survivors

Classes = Literal["vid", "coco"]
Named = Literal["vid", "own"]
Resize = Literal["bilinear", "area"]
Size = tuple[int, int]
# Candidates of a frame that suppression looks at, the best ones.
MOST_CANDIDATES = 3000


class Choice:
    """What becomes of candidates that have a score for every class of COCO.

    `score` is the least of an answer, `overlap` the IoU above which the worse of two of a class
    goes, `most` answers a frame. With `classes` "vid" labels are those of ImageNet VID, and what
    VID does not know is left out before anything else; with "coco", COCO's 80. `inside` cuts boxes
    at the frame, before they suppress each other.
    """

    def __init__(
        self, method: str, score: float, overlap: float, most: int, classes: Classes, inside: bool
    ) -> None:
        self.score = checked_share(method, "score", score)
        self.overlap = checked_share(method, "overlap", overlap)
        self.most, self.inside = most, inside
        labels = vid_index_of(COCO) if classes == "vid" else np.arange(len(COCO))
        self.columns = np.flatnonzero(labels >= 0)
        self.labels = labels[self.columns]

    def __call__(
        self, corners: Floats, scores: NDArray[np.floating], size: tuple[int, int]
    ) -> Detections:
        """Answer boxes x1 y1 x2 y2 (n, 4) with scores (n, 80), in a frame of `size` (w, h)."""
        known = scores[:, self.columns]
        row, column = np.nonzero(known > self.score)
        values = known[row, column].astype(np.float64)
        best = np.argsort(-values, kind="stable")[:MOST_CANDIDATES]
        row, values, labels = row[best], values[best], self.labels[column[best]]
        boxes = from_corners(np.asarray(corners[row], np.float64))
        boxes = clipped(boxes, size) if self.inside else boxes
        kept = survivors(boxes, values, labels, self.overlap)[: self.most]
        return Detections(boxes[kept], values[kept], labels[kept])


def shrunk(frame: Image, size: Size, how: Resize) -> Image:
    """The frame at `size` (w, h): each pixel a mean over its area, or under a triangle (Pillow)."""
    if how == "area":
        small: Image = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        return small
    resized = PIL.Image.fromarray(frame).resize(size, PIL.Image.Resampling.BILINEAR)
    return np.asarray(resized, np.uint8)


def labels_for(names: Sequence[str], classes: Named) -> Ints:
    """Label of each class of a model: that of ImageNet VID (-1: none), or its own number."""
    return vid_index_of(tuple(names)) if classes == "vid" else np.arange(len(names))


def foreign(corners: Floats, scores: Floats, labels: Ints, size: Size) -> Detections:
    """Answer what a model of another package found, cut at a frame of `size` (w, h), best first.

    corners (n, 4) x1 y1 x2 y2; what has a label below 0 (n,) or no finite box is left out.
    """
    boxes = clipped(from_corners(np.asarray(corners, np.float64).reshape(-1, 4)), size)
    scores = np.asarray(scores, np.float64)
    kept = np.flatnonzero((labels >= 0) & np.isfinite(boxes).all(axis=1))
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    return Detections(boxes[kept], scores[kept], labels[kept])
