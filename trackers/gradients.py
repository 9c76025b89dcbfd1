"""Orientation and length of grey gradients, of patches that may have them cut from a larger one.

As in Piotr's Computer Vision Toolbox (channels/private/gradientMex.cpp, gradMag and gradQuantize).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from .grey import Grey

ORIENTATIONS = 18  # of the whole turn
# Differences of two grey values, in halves: one-sided ones at the border count twice.
REACH = 510
SIDE = 2 * REACH + 1


class Gradients(NamedTuple):
    """Of each pixel (h, w): orientation 0..17 and length in half grey steps."""

    orientation: NDArray[np.uint8]
    length: NDArray[np.float32]


def gradients(patch: Grey) -> Gradients:
    """Take central differences, at the border one-sided ones, doubled."""
    dx, dy = _difference(patch, (1, 0)), _difference(patch, (0, 1))
    key = dx.astype(np.intp)
    key *= SIDE
    key += dy
    length, other = dx.astype(np.float32), dy.astype(np.float32)
    length *= length
    other *= other
    length += other
    return Gradients(_orientations()[key], np.sqrt(length, out=length))


def inner_gradients(whole: Gradients, patch: Grey, top: int, left: int) -> Gradients:
    """Gradients of a `patch` that was cut at `top` and `left` out of the grey values of `whole`.

    They differ at the patch's border alone, as nothing is known beyond it there.
    """
    part = slice(top, top + patch.shape[0]), slice(left, left + patch.shape[1])
    orientation, length = whole.orientation[part].copy(), whole.length[part].copy()
    ends = [0, 1, -2, -1]
    above, beside = gradients(patch[ends]), gradients(patch[:, ends])
    for end in (0, -1):
        orientation[end], length[end] = above.orientation[end], above.length[end]
        orientation[:, end] = beside.orientation[:, end]
        length[:, end] = beside.length[:, end]
    return Gradients(orientation, length)


def _difference(patch: Grey, axis: tuple[int, int]) -> NDArray[np.int16]:
    found = cv2.Sobel(patch, cv2.CV_16S, *axis, ksize=1, borderType=cv2.BORDER_REPLICATE)
    border = found if axis[1] else found.T
    border[0] *= 2
    border[-1] *= 2
    return np.asarray(found, dtype=np.int16)


@cache
def _orientations() -> NDArray[np.uint8]:
    """Return the orientation of every difference (dx, dy), at index dx * SIDE + dy.

    A negative index counts from the end, as numpy's do.

    The cosine is cut to 1e-4 towards zero before its arc is taken, in single precision, like the
    toolbox's table of arcs: exactly vertical gradients lie on the border of two orientations.
    """
    steps = np.arange(-REACH, REACH + 1, dtype=np.float64)
    dx, dy = np.meshgrid(steps, steps, indexing="ij")
    cosine = dx / np.maximum(np.hypot(dx, dy), 1e-9) * np.where(dy < 0, -1, 1)
    arc = np.arccos(np.trunc(cosine * 1e4) / 1e4)
    arc = np.minimum(arc, np.pi - 1e-6).astype(np.float32) + np.float32(np.pi) * (dy < 0)
    turns = arc.astype(np.float32) * np.float32(ORIENTATIONS / (2 * np.pi))
    bins = (turns + np.float32(0.5)).astype(np.intp) % ORIENTATIONS
    table = np.empty(SIDE * SIDE, np.uint8)
    table[(dx * SIDE + dy).astype(np.intp).ravel() % table.size] = bins.ravel()
    return table
