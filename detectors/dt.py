"""Detect and Track: R-FCN and a head that regresses each box's move to the next frame.

Feichtenhofer et al., Detect to Track and Track to Detect, ICCV 2017: correlation of three stages
(eq. 4), RoI tracking (sec. 3.3), links between detections and rescoring by the upper half of a
track (sec. 4, eqs. 7 to 9; feichtenhofer/Detect-Track). The published linking looks through a whole
clip; here frames are given one by one, so a track is what has been linked up to now.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vbench.core.boxes import Boxes, Floats, Image, iou_matrix, to_corners
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.local_correlation import local_correlation
from vbench.nn.nms import nms
from vbench.nn.psroi import psroi_pool
from vbench.nn.resnet import STRIDE_PX
from vbench.nn.rfcn import (
    ANCHOR_PX,
    BINS,
    CLASSES,
    SHORT_PX,
    Prepared,
    RfcnHeads,
    RfcnTrunk,
    read_detections,
)
from vbench.nn.rpn import decode

from .rfcn import UNCOUNTED, FrameDetector, check

DISPLACEMENT = 8
STAGES = 3
TRACK_STDS = (0.1, 0.1, 0.2, 0.2)
# Links: suppression before, boxes of a class that take part, IoU with the tracked box.
LINK_NMS, LINK_MOST, LINK_IOU = 0.4, 25, 0.5
# A track's scores that its rescoring remembers.
MOST_SCORES = 256


class TrackHead(nn.Module):
    """Correlations of three stages and both frames' box votes to votes for moves."""

    def __init__(self) -> None:
        super().__init__()
        window = (2 * DISPLACEMENT + 1) ** 2
        self.rfcn_track = nn.Conv2d(STAGES * window + 2 * 8 * BINS**2, 8 * BINS**2, 1)
        nn.init.normal_(self.rfcn_track.weight, std=0.01)
        assert self.rfcn_track.bias is not None  # noqa: S101  (it has one)
        nn.init.zeros_(self.rfcn_track.bias)

    def forward(
        self, before: list[Tensor], now: list[Tensor], votes_before: Tensor, votes_now: Tensor
    ) -> Tensor:
        """Stages 3, 4, 5 of both frames, box votes (1, 392, h, w) -> move votes (1, 392, h, w)."""
        # Stage 3 is at stride 8: every other cell of it.
        maps = [
            local_correlation(a, b, DISPLACEMENT, 2 if index == 0 else 1)
            for index, (a, b) in enumerate(zip(before, now, strict=True))
        ]
        found: Tensor = self.rfcn_track(torch.cat([*maps, votes_before, votes_now], dim=1))
        return found


class DtNetwork(nn.Module):
    """R-FCN's trunk and heads, and the tracking head."""

    def __init__(self, classes: int, width: float, anchor_px: float = ANCHOR_PX) -> None:
        super().__init__()
        self.trunk = RfcnTrunk(width, "1x1")
        self.heads = RfcnHeads(self.trunk.channels, classes, anchor_px)
        self.track = TrackHead()

    def moves(self, votes: Tensor, corners: Tensor) -> Tensor:
        """Normalised codes (n, 4) of where boxes, inclusive corners (n, 4), have moved to."""
        rois = torch.cat([corners.new_zeros(len(corners), 1), corners], dim=1)
        return psroi_pool(votes, rois, BINS, 1 / STRIDE_PX).mean(dim=(2, 3))[:, 4:8]


class Last(NamedTuple):
    """The frame before: stages, box votes, its image, detections, and each one's track scores."""

    stages: list[Tensor]
    votes: Tensor
    image: Prepared
    detections: Detections
    histories: list[Floats]


class DetectAndTrack(FrameDetector):
    """The video detector; every frame runs all layers: it has no cheap half.

    After a frame, `moved` (n, 4) is where the boxes of the frame before were tracked to.
    """

    def __init__(
        self,
        classes: int = CLASSES,
        short_px: int = SHORT_PX,
        floor: float = 1e-3,
        anchor_px: float = ANCHOR_PX,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check(classes, width, short_px, anchor_px)
        super().__init__(lambda: DtNetwork(classes, width, anchor_px), weights, device, seed)
        self.short_px, self.floor = short_px, floor
        self.start((0, 0))

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip; tracks end."""
        self.last: Last | None = None
        self.moved: Boxes = np.zeros((0, 4))

    def key(self, frame: Image) -> Detections:
        """Detect, track the last frame's boxes here, link and rescore."""
        image = self.prepare(frame)
        with torch.inference_mode():
            stages = self.network.trunk.resnet.stages(image.tensor)
            features = self.network.trunk.raised(stages[-1])
            maps = self.network.heads(features)
            found, votes = self.network.heads.found_in(maps, image.size, self.rule), maps.box_votes
            size = (frame.shape[1], frame.shape[0])
            plain = read_detections(found, image.scale, size, self.floor)
            last = self.last
            if last is not None and last.image.tensor.shape != image.tensor.shape:
                last = None
            self.moved = np.zeros((0, 4)) if last is None else self._tracked(last, stages, votes)
        before = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
        known = (before, []) if last is None else (last.detections, last.histories)
        histories = linked(plain, *known, self.moved)
        self.last = Last(stages, votes, image, plain, histories)
        scores = np.array([rescored(history) for history in histories])
        order = np.argsort(-scores, kind="stable")
        return Detections(plain.boxes[order], scores[order], plain.labels[order])

    def inter(self, frame: Image) -> Detections:
        """Do the same: there is no cheaper way through this network."""
        return self.key(frame)

    def _tracked(self, last: Last, stages: list[Tensor], votes: Tensor) -> Boxes:
        """Boxes of the frame before, moved to this one, in px of the frame."""
        moves = self.network.track(last.stages, stages, last.votes, votes)
        scale = last.image.scale
        corners = torch.from_numpy(to_corners(last.detections.boxes) * scale).to(moves)
        corners[:, 2:] -= 1
        deltas = self.network.moves(moves, corners)
        found = decode(corners, deltas * deltas.new_tensor(TRACK_STDS)).double().cpu().numpy()
        low, high = found[:, :2] / scale, (found[:, 2:] + 1) / scale
        return np.concatenate([low, high - low], axis=1)

    def work(self) -> WorkTable:
        """A frame in the middle of a clip; the correlations are counted by their formula."""
        network, features = self.network, self.features()
        window = (2 * DISPLACEMENT + 1) ** 2
        cells = features.shape[2] * features.shape[3]
        channels = network.trunk.resnet.channels * 7 / 4
        maps = torch.zeros(1, network.track.rfcn_track.in_channels, *features.shape[2:])
        works = [
            Work("features", network.trunk, (self.image(),)),
            self.heads_work(),
            Work("correlations", macs=cells * window * channels),
            Work("moves", network.track.rfcn_track, (maps.to(self.device),), uncounted=UNCOUNTED),
        ]
        return {"key": works, "inter": works}


def linked(
    now: Detections, before: Detections, histories: list[Floats], moved: Boxes
) -> list[Floats]:
    """Scores of the track that each detection continues, its own last.

    A link joins boxes of one class where the tracked box and the new one overlap by more than half;
    among several, those with the highest sum of scores, each box once.
    """
    scores = [np.array([score]) for score in now.scores]
    if not len(moved) or not len(now.boxes):
        return scores
    fits = (iou_matrix(moved, now.boxes) > LINK_IOU) & (before.labels[:, None] == now.labels)
    fits &= strongest(before)[:, None] & strongest(now)
    rows, columns = np.nonzero(fits)
    order = np.argsort(-(before.scores[rows] + now.scores[columns]), kind="stable")
    free_before, free_now = np.ones(len(moved), bool), np.ones(len(now.boxes), bool)
    for row, column in zip(rows[order], columns[order], strict=True):
        if free_before[row] and free_now[column]:
            free_before[row] = free_now[column] = False
            scores[column] = np.append(histories[row], now.scores[column])[-MOST_SCORES:]
    return scores


def strongest(found: Detections) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The boxes of each class that may be linked, (n,)."""
    chosen = np.zeros(len(found.boxes), dtype=bool)
    for label in np.unique(found.labels):
        rows = np.flatnonzero(found.labels == label)
        corners = to_corners(found.boxes[rows])
        chosen[rows[nms(corners, found.scores[rows], LINK_NMS, LINK_MOST, one_px=0.0)]] = True
    return chosen


def rescored(history: Floats) -> float:
    """Mean of a detection's own score and that of the upper half of its track: in [0, 1].

    The paper adds the two; halving changes no order.
    """
    upper = np.sort(history)[::-1][: (len(history) + 1) // 2]
    return float((history[-1] + upper.mean()) / 2)
