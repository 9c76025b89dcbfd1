"""OpenCV's trackers (opencv-contrib-python 5.0): KCF, CSRT, MOSSE, MedianFlow, MIL.

They see BGR, and whole pixels where OpenCV takes nothing else; the fraction of a box that rounding
takes off is put back on every answer. OpenCV can neither be told where the target went nor take
every box; what is done about it:

- `reseat`: the frames that the tracker sees are shifted by whole pixels, so that its target lies
  again where it left it. For a tracker that is the same as searching elsewhere with the model
  untouched; what the shift pushes out of view is lost, the other side repeats the border.
- A box that is too small (MIL never returns from one of 4 x 4 px) is grown around its centre, and
  answers are shrunk alike; MIL sees a frame with a rim where its target is not inside.
- OpenCV's KCF learns at its first update, whatever frame that is (contrib trackerKCF.cpp,
  `frame == 0`): it is given the first frame twice.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from math import log2
from typing import Any, NamedTuple

import cv2
import numpy as np

from vbench.core.boxes import Box, Boxes, Floats, Image, absent, areas, iou, is_present
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.roles import Estimate, Propagated, Work, WorkTable

from .grey import span

Size = tuple[int, int]  # w, h in px
RIM_PX = 32


class Kind(NamedTuple):
    """What OpenCV's tracker wants: where to find it, whole pixels, least side, and room."""

    path: str
    whole_px: bool
    least_px: int
    needs_room: bool = False
    learns_late: bool = False
    is_random: bool = False


KINDS: Mapping[str, Kind] = {
    "kcf": Kind("TrackerKCF_create", whole_px=True, least_px=1, learns_late=True),
    "csrt": Kind("TrackerCSRT_create", whole_px=True, least_px=3),
    "mil": Kind("TrackerMIL_create", whole_px=True, least_px=5, needs_room=True, is_random=True),
    "mosse": Kind("legacy.TrackerMOSSE_create", whole_px=False, least_px=2),
    "medianflow": Kind("legacy.TrackerMedianFlow_create", whole_px=False, least_px=1),
}


class OpenCvTracker:
    """One of OpenCV's trackers, `name` of `KINDS`; the score is 1 where it found its target.

    Where it did not, or stopped with an error of its own, the answer is the last box with score 0.
    """

    def __init__(self, name: str, seed: int = 0) -> None:
        """NotReady if this OpenCV comes without its contrib modules."""
        self._search = Search(name, seed)

    def start(self, frame: Image, box: Box) -> None:
        """Learn the target inside `box`; ClipFailed if OpenCV cannot."""
        self._search.start(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), box)

    def track(self, frame: Image) -> Estimate:
        """Answer OpenCV's box; the extra `found` says whether it found the target (and learnt)."""
        box, found = self._search.update(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        return Estimate(box, float(found), {"found": float(found)})

    def reseat(self, box: Box) -> Box | None:
        """Search around the centre of `box`, to the whole pixel; model and size stay."""
        own = self._search.move(box)
        return None if np.array_equal(own, box) else own

    def work(self) -> WorkTable:
        """MACs by formula for `kcf` and `mosse`, see `kcf_macs` and `mosse_macs`."""
        return self._search.work()


class OpenCvPropagator:
    """One of OpenCV's trackers an object, started anew at every keyframe; belief is 0 or 1.

    An absent box stays absent, and one that OpenCV cannot start on stays where it is, belief 0.
    """

    def __init__(self, name: str, seed: int = 0) -> None:
        """NotReady if this OpenCV comes without its contrib modules."""
        self._make: Callable[[], Search] = lambda: Search(name, seed)
        self._searches: list[Search | None] = []
        self._boxes = absent(0)
        self._make()

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Start on every box (n, 4) of the keyframe anew."""
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        self._boxes = boxes.copy()
        self._searches = [self._started(bgr, box) for box in boxes]

    def propagate(self, frame: Image) -> Propagated:
        """Track every object for itself."""
        bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
        belief = np.zeros(len(self._boxes))
        for row, search in enumerate(self._searches):
            if search is not None:
                self._boxes[row], belief[row] = search.update(bgr)
        return Propagated(self._boxes.copy(), belief)

    def seat(self, boxes: Boxes) -> None:
        """Search around the centres of `boxes` (n, 4) next, to the whole pixel."""
        for search, box in zip(self._searches, boxes, strict=True):
            if search is not None and is_present(box[None])[0]:
                search.move(box)

    def work(self) -> WorkTable:
        """Work of one object, the first one, that is found on every frame."""
        search = next((each for each in self._searches if each is not None), None) or self._make()
        calls = search.work()
        parts = {"anchor": calls["start"], "propagate": [*calls["track"], *calls.get("found", ())]}
        return {name: [replace(part, per_object=True) for part in parts[name]] for name in parts}

    def _started(self, bgr: Image, box: Box) -> Search | None:
        search = self._make()
        try:
            search.start(bgr, box)
        except ClipFailed:
            return None
        return search


class Search:
    """One OpenCV tracker, the view of the frame that it is shown, and what was done to its box."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.kind, self.seed = name, KINDS[name], seed
        self._create = _creator(self.kind.path)
        self._target: Size = (60, 60)
        self._frame: Size = (640, 480)

    def start(self, bgr: Image, box: Box) -> None:
        """Start OpenCV's tracker; ClipFailed if it cannot start on `box`."""
        self._frame = bgr.shape[1], bgr.shape[0]
        whole = np.array([0.0, 0.0, *self._frame])
        if not (is_present(box[None])[0] and areas(box) > 0 and iou(box, whole) > 0):
            raise ClipFailed(f"{self.name} cannot start on {box.tolist()}: no area in the frame")
        self._rim = self._rim_px(box)
        self._origin = np.array([-self._rim, -self._rim])
        self._calls = 0
        self._given, self._taken = box.copy(), self._takeable(box)
        self._rounding = _centre(box) - (_centre(self._taken) + self._origin)
        self._last = box.copy()
        self._target = int(self._taken[2]), int(self._taken[3])
        rect = self._taken.tolist()
        try:
            self._tracker = self._create()
            self._seed()
            view = self._view(bgr)
            self._tracker.init(view, [int(v) for v in rect] if self.kind.whole_px else rect)
            if self.kind.learns_late:
                self._tracker.update(view)
        except cv2.error as error:
            reason = str(error).strip().splitlines()[0]
            raise ClipFailed(f"{self.name} cannot start on {box.tolist()}: {reason}") from None

    def update(self, bgr: Image) -> tuple[Box, bool]:
        """Return the box in the frame and whether the target was found."""
        self._seed()
        try:
            found, rect = self._tracker.update(self._view(bgr))
        except cv2.error:
            found, rect = False, ()
        inside = np.array(rect, dtype=np.float64)
        if found and np.isfinite(inside).all() and areas(inside) > 0:
            self._last = self._answer(inside)
            return self._last.copy(), True
        return self._last.copy(), False

    def move(self, box: Box) -> Box:
        """Shift the view so that the target lies at the centre of `box`; return its box there."""
        shift = np.rint(_centre(box) - _centre(self._last))
        self._origin = self._origin + shift.astype(np.int64)
        self._last[:2] += shift
        return self._last.copy()

    def work(self) -> WorkTable:
        """Return the work of `start`, `track` and, where it can be told apart, `found`."""
        if self.name == "kcf":
            return _table(self.name, kcf_macs(self._target, self._frame))
        if self.name == "mosse":
            return _table(self.name, mosse_macs(self._target, self._frame))
        unknown = Work(f"{self.name} inside OpenCV", macs=None, uncounted=(self.name,))
        return {"start": [unknown], "track": [unknown]}

    def _takeable(self, box: Box) -> Box:
        """Return `box` in the view, grown to the least size and rounded where it must be."""
        size = np.maximum(box[2:], self.kind.least_px)
        corner = box[:2] + (box[2:] - size) / 2 - self._origin
        found = np.concatenate([corner, size])
        return np.rint(found) if self.kind.whole_px else found

    def _answer(self, inside: Box) -> Box:
        """Undo for OpenCV's answer what was done to the first box."""
        if np.array_equal(self._taken[2:], self._given[2:]):
            size = inside[2:]
        else:
            size = self._given[2:] * inside[2:] / self._taken[2:]
        centre = _centre(inside) + self._origin + self._rounding
        return np.concatenate([centre - size / 2, size])

    def _rim_px(self, box: Box) -> int:
        over = np.array([-box[0], -box[1], *(box[:2] + box[2:] - self._frame)]).max()
        tight = (np.array(self._frame) - box[2:]).min() < 8
        if not self.kind.needs_room or (over <= 0 and not tight):
            return 0
        return RIM_PX + int(np.clip(np.ceil(over), 0, max(self._frame)))

    def _view(self, bgr: Image) -> Image:
        """Return the part of the frame that OpenCV sees, its border repeated outside."""
        left, top = int(self._origin[0]), int(self._origin[1])
        if (left, top, self._rim) == (0, 0, 0):
            return bgr
        height, width = bgr.shape[:2]
        y0, y1, above, below = span(top, height + 2 * self._rim, height)
        x0, x1, before, after = span(left, width + 2 * self._rim, width)
        seen, outside = bgr[y0:y1, x0:x1], cv2.BORDER_REPLICATE
        view: Image = cv2.copyMakeBorder(seen, above, below, before, after, outside)
        return view

    def _seed(self) -> None:
        """Make random numbers depend on nothing but the seed and the frame.

        MIL draws from OpenCV's global generator and, for its features, from C's `rand`.
        """
        if self.kind.is_random:
            seed = (self.seed + self._calls) % 2**31
            cv2.setRNGSeed(seed)
            _c_library().srand(seed)
            self._calls += 1


def kcf_macs(target: Size, frame: Size) -> tuple[float, float, float]:
    """MACs of OpenCV's KCF at start, at detection and at learning (contrib trackerKCF.cpp).

    N px in a window of twice the target, both sides halved (with the whole frame, 4 a pixel and
    channel) above 80 x 80 px. A transform of a plane: N log2 N. Detection, 11 channels compressed
    to 3: 9 transforms; a pixel 3 grey, 11 taper, 40 compression of patch and model, 20 products,
    6 lengths. Learning: 8 transforms; 3 grey, 11 taper, 100 covariance, 20 compression,
    20 products, 6 lengths, 30 updates.
    """
    halved = target[0] * target[1] > 80 * 80
    pixels = 4.0 * target[0] * target[1] / (4 if halved else 1)
    shrink = 3.0 * frame[0] * frame[1] if halved else 0.0
    transform = pixels * log2(max(pixels, 2))
    detect = 9 * transform + 80 * pixels
    learn = 8 * transform + 190 * pixels
    return transform + learn + shrink, detect + shrink, learn


def mosse_macs(target: Size, frame: Size) -> tuple[float, float, float]:
    """MACs of OpenCV's MOSSE at start, at detection and at learning (contrib mosseTracker.cpp).

    N px, both sides grown to a size that OpenCV transforms well; N log2 N a transform. Start:
    3 a pixel of the frame for grey; 9 transforms; 8 warped patches of 15 a pixel. Detection:
    2 transforms; a pixel 12 for a sub-pixel patch of 3 channels, 3 grey, 3 to normalise and
    taper, 4 to multiply, 1 spread of the response. Learning: 1 transform; 18 for the patch,
    8 products, 8 updates, 6 division.
    """
    pixels = float(cv2.getOptimalDFTSize(target[0]) * cv2.getOptimalDFTSize(target[1]))
    transform = pixels * log2(max(pixels, 2))
    start = 9 * transform + 8 * 15 * pixels + 3.0 * frame[0] * frame[1]
    return start, 2 * transform + 23 * pixels, transform + 40 * pixels


def _table(name: str, macs: tuple[float, float, float]) -> WorkTable:
    left_out = ("exponentials", "logarithms", "divisions", "peak search")
    calls = zip(("start", "track", "found"), macs, strict=True)
    return {call: [Work(name, macs=number, uncounted=left_out)] for call, number in calls}


def _centre(box: Box) -> Floats:
    return box[:2] + box[2:] / 2


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)


def _creator(path: str) -> Callable[[], Any]:
    found: Any = cv2
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise NotReady(
            f"this OpenCV has no cv2.{path}: pip uninstall its other builds, then "
            "pip install opencv-contrib-python-headless"
        )
    creator: Callable[[], Any] = found
    return creator
