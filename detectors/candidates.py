"""From the candidates of a dense detector to its answer: threshold, classes, suppression."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Floats, clipped, from_corners
from vbench.core.roles import Detections

from .coco_vid_classes import COCO, vid_index_of
from .nms import checked_share, survivors

Classes = Literal["vid", "coco"]
# Candidates of a frame that suppression looks at, the best ones.
MOST_CANDIDATES = 3000


class Choice:
    """What becomes of candidates that have a score for every class of COCO.

    `score` is the least of an answer, `overlap` the IoU above which the worse of two of a class
    goes, `most` answers a frame. With `classes` "vid" labels are those of ImageNet VID, and what
    VID does not know is left out before anything else; with "coco", COCO's 80.
    """

    def __init__(
        self, method: str, score: float, overlap: float, most: int, classes: Classes
    ) -> None:
        self.score = checked_share(method, "score", score)
        self.overlap = checked_share(method, "overlap", overlap)
        self.most = most
        labels = vid_index_of(COCO) if classes == "vid" else np.arange(len(COCO))
        self.columns = np.flatnonzero(labels >= 0)
        self.labels = labels[self.columns]

    def __call__(
        self, corners: Floats, scores: NDArray[np.floating], size: tuple[int, int]
    ) -> Detections:
        """Answer boxes x1 y1 x2 y2 (n, 4) with scores (n, 80), cut at a frame of `size` (w, h)."""
        known = scores[:, self.columns]
        row, column = np.nonzero(known > self.score)
        values = known[row, column].astype(np.float64)
        best = np.argsort(-values, kind="stable")[:MOST_CANDIDATES]
        row, values, labels = row[best], values[best], self.labels[column[best]]
        boxes = clipped(from_corners(np.asarray(corners[row], np.float64)), size)
        kept = survivors(boxes, values, labels, self.overlap)[: self.most]
        return Detections(boxes[kept], values[kept], labels[kept])
