"""Dense optical flow by inverse search: a box goes where the flow inside it goes, in the median.

Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016, in OpenCV's DISOpticalFlow.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Floats, Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Work, WorkTable

from .inner_points import Grey, InnerPoints, carried


class Preset(NamedTuple):
    """OpenCV's constant, and what it stands for: finest level, px between patches, iterations."""

    constant: int
    finest: int
    stride_px: int
    iterations: int


# opencv/opencv modules/video/src/dis_flow.cpp, `DISOpticalFlow::create`.
PRESETS = {
    "ultrafast": Preset(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST, 2, 4, 12),
    "fast": Preset(cv2.DISOPTICAL_FLOW_PRESET_FAST, 2, 4, 16),
    "medium": Preset(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1, 3, 25),
}
PATCH_PX = 8
# OpenCV refuses frames of which the coarsest level would be smaller than a patch.
LEAST_PX = 64
GRID = 9


class DenseFlow(InnerPoints):
    """The propagator; flow from frame to frame, computed once for all objects.

    Belief is how grey values in the box correlate with those in the box before.

    Args:
        preset: OpenCV's trade-off of the flow.
        side: px of the longer side of the frames on which flow is computed.
    """

    def __init__(
        self, preset: Literal["ultrafast", "fast", "medium"] = "ultrafast", side: int = 480
    ) -> None:
        if not 2 * LEAST_PX <= side <= 4096:
            raise VBenchError(f"dis[side={side}]: give {2 * LEAST_PX} to 4096 px")
        super().__init__(GRID)
        self.preset, self.side = preset, side
        self.shape = side * 9 // 16, side
        create: Any = getattr(cv2, "DISOpticalFlow_create")  # noqa: B009  (not in cv2's stubs)
        self.flow = create(PRESETS[preset].constant)

    def grey_of(self, frame: Image) -> Grey:
        """The frame without its colours, its longer side `side` px."""
        height, width = frame.shape[:2]
        ratio = self.side / max(width, height)
        size = max(round(width * ratio), LEAST_PX), max(round(height * ratio), LEAST_PX)
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        grey: Grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        self.shape = size[1], size[0]
        return grey

    def follow(
        self, before: Grey, after: Grey, boxes: Boxes, size: tuple[int, int]
    ) -> tuple[Boxes, Floats]:
        """Boxes carried by the flow inside them, and how alike they look after it."""
        points = self.points_in(boxes)
        there, inside = along(self.flow.calc(before, after, None), points, size)
        found = carried(boxes, points, there, inside)
        scale = np.array(before.shape[::-1]) / size
        seen = values_at(after, self.points_in(found) * scale)
        return found, likeness(values_at(before, points * scale), seen)

    def work(self) -> WorkTable:
        """All iterations of all patches: their pixels between pixels (4) and the mismatch (2).

        For the last frame's size, or 16:9 before there is one.
        """
        preset = PRESETS[self.preset]
        # A quarter of the pixels on every coarser level: 4/3 of the finest in all.
        area = self.shape[0] * self.shape[1] / 4**preset.finest * 4 / 3
        macs = area / preset.stride_px**2 * preset.iterations * PATCH_PX**2 * 6
        refined = () if self.preset == "ultrafast" else ("variational refinement",)
        left_out = ("resizing", "densification", *refined)
        return {
            "anchor": [Work("nothing", macs=0.0, uncounted=("resizing",))],
            "propagate": [Work("dense flow", macs=macs, uncounted=left_out)],
        }


def along(
    flow: NDArray[np.float32], points: Floats, size: tuple[int, int]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where points (n, p, 2) of frames of `size` (w, h) go, and which are inside them (n, p).

    The flow (rows, columns, 2) may be that of smaller frames; the nearest of it counts.
    """
    rows, columns = flow.shape[:2]
    scale = np.array([columns / size[0], rows / size[1]])
    inside: NDArray[np.bool_] = np.asarray(((points >= 0) & (points < size)).all(axis=2))
    cells = np.where(inside[..., None], points, 0.0) * scale
    x, y = np.minimum(cells.astype(np.int64), [columns - 1, rows - 1]).transpose(2, 0, 1)
    return points + flow[y, x] / scale, inside


def values_at(grey: Grey, points: Floats) -> Floats:
    """Grey values (n, p) at points (n, p, 2), between pixels; the border repeats."""
    at = np.clip(points - 0.5, -1, 1 << 14).astype(np.float32)
    found = cv2.remap(grey, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float64).reshape(points.shape[:2])


def likeness(a: Floats, b: Floats) -> Floats:
    """Normalised correlation of rows (n, p), 0 where it is negative or a row is flat, (n,)."""
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (a, b))
    energy = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    found: Floats = np.clip((a * b).sum(axis=1) / np.maximum(energy, 1e-9), 0.0, 1.0)
    return found
