"""What the loop drives: the base model and its cheap half, composed from a method string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from vbench.core.boxes import (
    Box,
    Boxes,
    Floats,
    Image,
    Ints,
    absent,
    as_boxes,
    clipped,
    inside_share,
)
from vbench.core.roles import (
    Detections,
    Detector,
    Post,
    Predicting,
    Propagator,
    Reseatable,
    Seated,
    Spending,
    Tracker,
    VideoDetector,
)
from vbench.cost.unit_costs import ANCHORED
from vbench.run.cargo import Cargo

NO_LABELS = np.full(1, -1, dtype=np.int64)
NO_BELIEF = np.zeros(0)
# A carried object is dropped when less than this share of it is left inside the frame.
LEAST_INSIDE = 0.1


class Answer(NamedTuple):
    """One frame's answer: boxes (n, 4), scores, labels, belief (n,) or empty, extras.

    `carried` is how many boxes the cheap half looked for, where not each of them.
    """

    boxes: Boxes
    scores: Floats
    labels: Ints
    belief: Floats = NO_BELIEF
    extras: Mapping[str, float] = {}
    carried: int | None = None

    @property
    def effort(self) -> int:
        """Boxes that the cheap half looked for."""
        return len(self.boxes) if self.carried is None else self.carried


class Stepper(Protocol):
    """Steps a method through a clip; each call is one timed piece."""

    @property
    def has_cheap_half(self) -> bool:
        """Whether frames can be skipped."""
        ...

    @property
    def single(self) -> bool:
        """Whether it follows one target."""
        ...

    @property
    def posts(self) -> Sequence[Post]:
        """Post-processing of the whole clip."""
        ...

    def start(self, frame: Image, box: Box) -> None:
        """Begin a clip; `box` is the target's for a tracker, absent for a detector."""
        ...

    def key(self, frame: Image) -> Answer:
        """Run the base model and anchor the cheap half."""
        ...

    def inter(self, frame: Image) -> Answer:
        """Run the cheap half."""
        ...

    def accept(self, answer: Answer) -> Answer:
        """The policy believes `answer`: tell the base model where things are now."""
        ...

    def anchored(self, answer: Answer) -> Boxes:
        """Boxes (n, 4) of a keyframe's `answer` that the cheap half carries from now on."""
        ...

    @property
    def predicted(self) -> Boxes | None:
        """The objects of the frame before in this one (n, 4), None if nothing carried them."""
        ...

    def parts(self) -> Sequence[Any]:
        """Return the models, to count parameters."""
        ...


@dataclass
class TrackerStepper:
    """A tracker, with an optional propagator for the frames between."""

    tracker: Tracker
    propagator: Propagator | None = None
    posts: Sequence[Post] = ()
    single: bool = True

    @property
    def has_cheap_half(self) -> bool:
        """Whether there is a propagator."""
        return self.propagator is not None

    def start(self, frame: Image, box: Box) -> None:
        """Start the tracker and anchor the propagator at `box`."""
        self.tracker.start(frame, box)
        if self.propagator is not None:
            self.propagator.anchor(frame, as_boxes(box))

    def key(self, frame: Image) -> Answer:
        """Track, and anchor the propagator at the answer."""
        estimate = self.tracker.track(frame)
        box = np.asarray(estimate[0], dtype=np.float64)
        if self.propagator is not None:
            self.propagator.anchor(frame, as_boxes(box))
        extras = estimate[2] if len(estimate) > 2 else {}
        return Answer(box[None], np.array([estimate[1]]), NO_LABELS, NO_BELIEF, extras)

    def inter(self, frame: Image) -> Answer:
        """Propagate the one box."""
        assert self.propagator is not None  # noqa: S101  (the builder checked)
        boxes, belief = self.propagator.propagate(frame)
        return Answer(boxes, belief, NO_LABELS, belief)

    def accept(self, answer: Answer) -> Answer:
        """Reseat the tracker, and seat the propagator where the tracker now searches."""
        assert isinstance(self.tracker, Reseatable)  # noqa: S101  (the builder checked)
        seat = self.tracker.reseat(answer.boxes[0])
        if seat is not None and isinstance(self.propagator, Seated):
            self.propagator.seat(as_boxes(seat))
        return answer

    def anchored(self, answer: Answer) -> Boxes:
        """The one box."""
        return answer.boxes

    @property
    def predicted(self) -> None:
        """Nothing: a tracker's answers are not linked afterwards."""

    def parts(self) -> Sequence[Any]:
        """The tracker and the propagator."""
        return [p for p in (self.tracker, self.propagator) if p is not None]


@dataclass
class DetectorStepper:
    """A detector on keyframes, a propagator that carries its boxes between them.

    Scores and labels are the keyframe's; boxes are cut at the frame, objects that leave it are
    dropped. Objects below the score `floor` are dropped after the keyframe (RalphMao/PatchNet
    scripts/vod_track.py: 0.01, and the cut); those below `still` stay where they were.
    """

    detector: Detector
    propagator: Propagator | None = None
    posts: Sequence[Post] = ()
    floor: float = 0.01
    still: float = 0.0
    single: bool = False
    predicted: Boxes | None = field(default=None, init=False)

    @property
    def has_cheap_half(self) -> bool:
        """Whether there is a propagator."""
        return self.propagator is not None

    def start(self, frame: Image, box: Box) -> None:
        """Forget the objects of the last clip."""
        begin = getattr(self.detector, "start", None)
        if begin is not None:
            begin((frame.shape[1], frame.shape[0]))
        self._carried = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
        self._cargo = Cargo.of(self._carried.boxes, self._carried.scores)
        self._rows = np.zeros(0, np.int64)
        self.predicted = None

    def key(self, frame: Image) -> Answer:
        """Detect, and anchor the propagator at the detections above the floor."""
        found = self.detector.detect(frame)
        boxes = as_boxes(found.boxes)
        scores, labels = np.asarray(found.scores, float), np.asarray(found.labels, np.int64)
        if self.propagator is not None:
            kept = scores >= self.floor
            self._rows = np.where(kept, np.cumsum(kept) - 1, -1)
            self._carried = Detections(boxes[kept], scores[kept], labels[kept])
            self._cargo = self.cargo(boxes, scores)
            self.propagator.anchor(frame, self._cargo.boxes)
        extras = {} if self.propagator is None else {ANCHORED: float(len(self._cargo.boxes))}
        return Answer(boxes, scores, labels, extras=extras)

    def cargo(self, boxes: Boxes, scores: Floats) -> Cargo:
        """What is carried of the detections (n, 4) of a keyframe."""
        kept = scores >= self.floor
        return Cargo.of(boxes[kept], scores[kept], self.still)

    def inter(self, frame: Image) -> Answer:
        """Propagate all objects in one batch."""
        assert self.propagator is not None  # noqa: S101  (the builder checked)
        boxes, belief = self._cargo.unloaded(self.propagator.propagate(frame))
        self._size = frame.shape[1], frame.shape[0]
        known = self._rows >= 0
        self.predicted = absent(len(known))
        self.predicted[known] = boxes[self._rows[known]]
        sought = len(self._cargo.boxes)
        return Answer(boxes, self._carried.scores, self._carried.labels, belief, carried=sought)

    def accept(self, answer: Answer) -> Answer:
        """Answer the objects that are still in the frame."""
        inside = inside_share(answer.boxes, self._size) >= LEAST_INSIDE
        self._rows = np.flatnonzero(inside)
        boxes = clipped(answer.boxes[inside], self._size)
        return Answer(boxes, answer.scores[inside], answer.labels[inside], answer.belief)

    def anchored(self, answer: Answer) -> Boxes:
        """The detections above the floor, those that stay where they are among them."""
        return self._carried.boxes

    def parts(self) -> Sequence[Any]:
        """The detector and the propagator."""
        return [p for p in (self.detector, self.propagator) if p is not None]


@dataclass
class VideoDetectorStepper:
    """A detector with its own cheap half inside."""

    detector: VideoDetector
    posts: Sequence[Post] = ()
    single: bool = False
    has_cheap_half: bool = True

    def start(self, frame: Image, box: Box) -> None:
        """Forget the last clip."""
        self.detector.start((frame.shape[1], frame.shape[0]))

    def key(self, frame: Image) -> Answer:
        """Run the whole model."""
        return self._answer(self.detector.key(frame))

    def inter(self, frame: Image) -> Answer:
        """Run the cheap half."""
        return self._answer(self.detector.inter(frame))

    def accept(self, answer: Answer) -> Answer:
        """Nothing to tell: the detector keeps its own memory."""
        return answer

    def anchored(self, answer: Answer) -> Boxes:
        """All of them, as far as anybody can tell."""
        return answer.boxes

    @property
    def predicted(self) -> Boxes | None:
        """What the video detector predicted, if it does."""
        return self.detector.predicted if isinstance(self.detector, Predicting) else None

    def parts(self) -> Sequence[Any]:
        """The video detector."""
        return [self.detector]

    def _answer(self, found: Detections) -> Answer:
        boxes, scores, labels = found
        spent = self.detector.spent if isinstance(self.detector, Spending) else {}
        columns = np.asarray(scores, float), np.asarray(labels, np.int64)
        return Answer(as_boxes(boxes), *columns, extras=dict(spent))
