"""Grey patches of a frame, cut before they are converted: full size or halved like imresize."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Floats, Image

Grey = NDArray[np.uint8]  # (h, w)


def grey_patch(frame: Image, top: int, left: int, size: tuple[int, int]) -> Grey:
    """Cut a grey patch of `size` (h, w); what lies outside the frame repeats its border."""
    y0, y1, above, below = span(top, size[0], frame.shape[0])
    x0, x1, before, after = span(left, size[1], frame.shape[1])
    grey: Grey = cv2.cvtColor(frame[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    return _rimmed(grey, (above, below, before, after), cv2.BORDER_REPLICATE)


def halved_grey_patch(frame: Image, top: int, left: int, size: tuple[int, int]) -> Grey:
    """Cut a grey patch of `size` (h, w) from the frame as MATLAB's imresize(frame, .5) halves it.

    Only the part that is needed is resized; `top` and `left` count pixels of the halved frame.
    """
    height, width = frame.shape[:2]
    low_y, high_y, *outside_y = span(top, size[0], (height + 1) // 2)
    low_x, high_x, *outside_x = span(left, size[1], (width + 1) // 2)
    y0, y1, *mirrored_y = _taps(low_y, high_y, height)
    x0, x1, *mirrored_x = _taps(low_x, high_x, width)
    grey = cv2.cvtColor(frame[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    grey = _rimmed(grey, (*mirrored_y, *mirrored_x), cv2.BORDER_REFLECT)
    # Tap 3 of 8 stands on pixel 3, the first whose outputs are kept; the rest is dropped.
    smooth = cv2.sepFilter2D(grey, -1, HALVING, HALVING, anchor=(3, 3))[3:-3:2, 3:-3:2]
    return _rimmed(smooth, (*outside_y, *outside_x), cv2.BORDER_REPLICATE)


def _rimmed(grey: Grey, rim: tuple[int, ...], how: int) -> Grey:
    """Add a rim (above, below, before, after) px wide."""
    if not any(rim):
        return grey
    above, below, before, after = rim
    wider: Grey = cv2.copyMakeBorder(grey, above, below, before, after, how)
    return wider


def _taps(low: int, high: int, whole: int) -> tuple[int, int, int, int]:
    """Return the pixels from which `low` to `high` of the halved axis come, and those missing.

    Pixel j of the halved axis is a sum over 2 j - 3 to 2 j + 4.
    """
    begin, end = 2 * low - 3, 2 * high + 3
    return max(begin, 0), min(end, whole), max(-begin, 0), max(end - whole, 0)


def span(start: int, length: int, whole: int) -> tuple[int, int, int, int]:
    """Return begin and end inside 0..whole, never empty, and how much is missing on both sides."""
    begin = min(max(start, 0), whole - 1)
    end = max(min(start + length, whole), begin + 1)
    lacking = length - (end - begin)
    before = min(max(-start, 0), lacking)
    return begin, end, before, lacking - before


def _cubic(x: Floats) -> Floats:
    """Keys' cubic kernel, a = -.5."""
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


# imresize stretches the kernel by two so that it also smooths.
HALVING = _cubic(np.abs(np.arange(8) - 3.5) / 2) / 2
