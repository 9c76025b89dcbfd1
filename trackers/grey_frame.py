"""Grey patches of one frame and their gradients, converted once for many windows that overlap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Image

from .gradients import Gradients, gradients, inner_gradients
from .grey import Grey, grey_patch, halved_grey_patch

# Windows may move so far while they still find their pixels.
MARGIN_PX = 16


class Window(NamedTuple):
    """A window of `size` (h, w) px; `shrink` 2: all in px of the halved frame."""

    top: int
    left: int
    size: tuple[int, int]
    shrink: int = 1


class GreyFrame:
    """Where windows are cut from; their values do not depend on what they share."""

    def __init__(self, frame: Image, expected: Sequence[Window] = ()) -> None:
        """Share what the `expected` windows have in common."""
        self.frame = frame
        self._sheets: dict[int, _Sheet] = {}
        for shrink in {window.shrink for window in expected}:
            some = [window for window in expected if window.shrink == shrink]
            union = _around(some, frame, shrink)
            # Sharing is worth it where that is less than the windows one by one.
            if np.prod(union.size) < sum(np.prod(window.size) for window in some):
                self._sheets[shrink] = _Sheet(frame, union)

    def grey(self, window: Window) -> Grey:
        """Grey values (h, w)."""
        sheet = self._sheets.get(window.shrink)
        return _cut(self.frame, window) if sheet is None else sheet.grey_of(window)

    def gradients(self, window: Window) -> Gradients:
        """Gradients (h, w), one-sided at the window's border."""
        sheet = self._sheets.get(window.shrink)
        if sheet is None or not sheet.has(window):
            return gradients(_cut(self.frame, window))
        top, left = window.top - sheet.window.top, window.left - sheet.window.left
        return inner_gradients(sheet.gradients, sheet.grey_of(window), top, left)


class _Sheet:
    def __init__(self, frame: Image, window: Window) -> None:
        self.frame, self.window = frame, window
        self.grey = _cut(frame, window)

    @cached_property
    def gradients(self) -> Gradients:
        return gradients(self.grey)

    def has(self, window: Window) -> bool:
        (top, left), (bottom, right) = _corners(self.window)
        (first, before), (last, after) = _corners(window)
        return top <= first and left <= before and last <= bottom and after <= right

    def grey_of(self, window: Window) -> Grey:
        if not self.has(window):
            return _cut(self.frame, window)
        top, left = window.top - self.window.top, window.left - self.window.left
        return self.grey[top : top + window.size[0], left : left + window.size[1]]


def _cut(frame: Image, window: Window) -> Grey:
    cut = halved_grey_patch if window.shrink == 2 else grey_patch
    return cut(frame, window.top, window.left, window.size)


def _corners(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    far = window.top + window.size[0], window.left + window.size[1]
    return (window.top, window.left), far


def _around(windows: Sequence[Window], frame: Image, shrink: int) -> Window:
    """The window around all `windows`, at most a frame's size beyond the frame's border."""
    corners = np.array([_corners(window) for window in windows])
    whole = np.array(frame.shape[:2]) // shrink
    low = np.maximum(corners[:, 0].min(axis=0) - MARGIN_PX, -whole)
    high = np.minimum(corners[:, 1].max(axis=0) + MARGIN_PX, 2 * whole)
    height, width = np.maximum(high - low, 1)
    return Window(int(low[0]), int(low[1]), (int(height), int(width)), shrink)
