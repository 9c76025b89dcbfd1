"""A base model that sees its frames smaller (or larger): `kcf[scale=0.5]`.

Frames are resized inside the timed call, boxes are carried to the small frame and back. Propagators
beside it see whole frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vbench.core.boxes import Box, Boxes, Floats, Image
from vbench.core.roles import Detections, Estimate, Reseatable, VideoDetector


def scaled(model: Any, scale: float) -> Any:
    """Return a tracker or detector that works on frames of `scale` times their size."""
    if isinstance(model, VideoDetector):
        return ScaledVideoDetector(model, scale)
    if hasattr(model, "detect"):
        return ScaledDetector(model, scale)
    return (ScaledReseatable if isinstance(model, Reseatable) else ScaledTracker)(model, scale)


class _Scaled:
    """What is not about frames or boxes is the model's own."""

    def __init__(self, model: Any, scale: float) -> None:
        self.model, self.scale = model, scale
        # Factors of x and y, x and y: sides are rounded to whole px.
        self.factors: Floats = np.full(4, scale)
        # Only where the model says what it executes: nothing said is unknown, not free.
        if hasattr(model, "work"):
            self.work = model.work

    def __getattr__(self, name: str) -> Any:
        if name in ("model", "__setstate__"):
            raise AttributeError(name)
        return getattr(self.model, name)

    def _small(self, frame: Image) -> Image:
        import cv2

        height, width = frame.shape[:2]
        size = _size((width, height), self.scale)
        self.factors = np.tile(np.array(size) / (width, height), 2)
        way = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(frame, size, interpolation=way), np.uint8)

    def _found(self, found: Detections) -> Detections:
        return found._replace(boxes=np.asarray(found.boxes) / self.factors)


class ScaledTracker(_Scaled):
    """A tracker on smaller frames."""

    def start(self, frame: Image, box: Box) -> None:
        """Learn the target on the small frame."""
        small = self._small(frame)
        self.model.start(small, box * self.factors)

    def track(self, frame: Image) -> Estimate:
        """Find it on the small frame; the answer is of the whole one."""
        found = Estimate(*self.model.track(self._small(frame)))
        return found._replace(box=np.asarray(found.box) / self.factors)


class ScaledReseatable(ScaledTracker):
    """A tracker on smaller frames that can be told where the target went."""

    def reseat(self, box: Boxes) -> Box | None:
        """Move the search, in px of the whole frame."""
        kept = self.model.reseat(box * self.factors)
        return None if kept is None else np.asarray(kept) / self.factors


class ScaledDetector(_Scaled):
    """A detector on smaller frames."""

    def detect(self, frame: Image) -> Detections:
        """Find objects on the small frame; the answer is of the whole one."""
        return self._found(self.model.detect(self._small(frame)))


class ScaledVideoDetector(_Scaled):
    """A video detector on smaller frames."""

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip of small frames."""
        self.model.start(_size(size, self.scale))

    def key(self, frame: Image) -> Detections:
        """Answer a keyframe."""
        return self._found(self.model.key(self._small(frame)))

    def inter(self, frame: Image) -> Detections:
        """Answer a frame between keyframes."""
        return self._found(self.model.inter(self._small(frame)))


def _size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
