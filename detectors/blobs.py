"""A classical detector for `synth-vid`: vivid pixels of one hue, their components, their shape.

It needs no weights, and it is wrong where a colour detector is: things that touch or hide each
other, small or dim ones.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Image
from vbench.core.roles import Detections, Work, WorkTable


class Kind(NamedTuple):
    """How a class looks: hue in OpenCV's half degrees, and its contour when nothing hides it.

    `solidity` is the area over that of the hull, `extent` over that of the rotated rectangle
    around it, `aspect` that rectangle's longer over its shorter side.
    """

    hue: int
    solidity: float
    extent: float
    aspect: float


# In the order of the suite's classes; the shapes follow from their outlines' geometry.
KINDS = {
    "ball": Kind(0, 1.0, np.pi / 4, 1.0),
    "crate": Kind(108, 1.0, 1.0, 1.0),
    "cone": Kind(65, 1.0, 0.5, 1.1),
    "star": Kind(25, 0.65, 0.45, 1.05),
    "bar": Kind(149, 1.0, 1.0, 3.0),
}
# Deviations of (solidity, extent, log aspect) at which a shape is half believed.
DOUBT = np.array([0.15, 0.2, 0.35])
HUE_REACH = 13
LEAST_VALUE = 28


class Blobs:
    """Finds vivid blobs; `saturation` in [0, 1] and `least_px` of area are what it asks of one."""

    def __init__(self, saturation: float = 0.45, least_px: int = 40) -> None:
        self.least_saturation = round(255 * saturation)
        self.least_px = least_px
        self.table = _hue_table()

    def detect(self, frame: Image) -> Detections:
        """Find objects: boxes (n, 4), scores in (0, 1], labels by the order of `KINDS`."""
        hsv = cv2.cvtColor(cv2.GaussianBlur(frame, (3, 3), 0), cv2.COLOR_RGB2HSV)
        vivid = cv2.inRange(hsv, (0, self.least_saturation, LEAST_VALUE), (180, 255, 255))
        classes = cv2.bitwise_and(cv2.LUT(hsv[..., 0], self.table), vivid)
        rows = [
            (*self._judge(contour, kind), label)
            for label, kind in enumerate(KINDS.values())
            for contour in self._contours(classes, label)
        ]
        if not rows:
            return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
        columns = np.array(rows, dtype=np.float64)
        return Detections(columns[:, :4], columns[:, 4], columns[:, 5].astype(np.int64))

    def work(self) -> WorkTable:
        """Integer arithmetic on pixels, which is no multiply-accumulate."""
        return {"detect": [Work("pixel arithmetic and contours")]}

    def _contours(self, classes: NDArray[np.uint8], label: int) -> list[NDArray[np.int32]]:
        mask = cv2.inRange(classes, label + 1, label + 1)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        return [contour for contour in found if cv2.contourArea(contour) >= self.least_px]

    @staticmethod
    def _judge(contour: NDArray[np.int32], kind: Kind) -> tuple[float, ...]:
        """Return x y w h and how much the contour looks like its kind."""
        area = cv2.contourArea(contour)
        sides = np.array(cv2.minAreaRect(contour)[1]) + 1e-9
        seen = (
            area / max(cv2.contourArea(cv2.convexHull(contour)), 1e-9) - kind.solidity,
            area / sides.prod() - kind.extent,
            np.log(sides.max() / sides.min()) - np.log(kind.aspect),
        )
        score = 0.5 ** float(((np.array(seen) / DOUBT) ** 2).sum())
        return (*map(float, cv2.boundingRect(contour)), max(score, 1e-3))


def _hue_table() -> NDArray[np.uint8]:
    """Class + 1 by hue, 0 for hues of no class, shape (256,)."""
    hues = np.arange(256)
    distance = np.stack([np.abs((hues - kind.hue + 90) % 180 - 90) for kind in KINDS.values()])
    return np.where(distance.min(axis=0) <= HUE_REACH, distance.argmin(axis=0) + 1, 0).astype(
        np.uint8
    )
