"""Felzenszwalb's 31-channel HOG of a grey patch, as KCF uses it.

Follows `fhog` of Piotr's Computer Vision Toolbox (channels/private/gradientMex.cpp: gradMag,
gradHist with softBin -1, hogNormMatrix, hogChannels; 9 orientations, clip .2): each pixel votes for
one of 18 orientations and, bilinearly, for the four nearest cells; blocks of 2 x 2 cells normalise.
Deviations: exact square roots instead of the toolbox's 12-bit reciprocal ones.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .grey import Grey

Plane = NDArray[np.float32]  # (channels, rows, columns)

CHANNELS = 31
ORIENTATIONS = 9  # contrast-insensitive; the sensitive ones are twice as many
CLIP = np.float32(0.2)
TEXTURE = np.float32(0.2357)
# Differences of two grey values, in halves: one-sided ones at the border count twice.
REACH = 510
SIDE = 2 * REACH + 1


class Hog:
    """Features of patches of one size, everything that depends on the size prepared."""

    def __init__(self, size: tuple[int, int], cell: int = 4) -> None:
        """Prepare for patches of `size` (h, w) px, both at least two cells."""
        rows, columns = size[0] // cell, size[1] // cell
        self.cells = rows, columns
        self.used = rows * cell, columns * cell
        self._votes, weights = _spread(self.used, cell)
        # Half a grey step in [0, 1], over the pixels of a cell.
        self._weights = weights * (0.5 / 255 / cell**2)
        self._edges = np.outer(_edge_gain(rows), _edge_gain(columns)).astype(np.float32)
        self._epsilon = np.float32(1e-4 / 4 / cell**4)

    def __call__(self, patch: Grey) -> Plane:
        """Return the features of `patch` (h, w): float32 (31, h // cell, w // cell)."""
        return self._channels(self._histogram(patch))

    def macs(self) -> float:
        """Multiply-accumulates of one call: 2 a pixel for its magnitude, 4 for its votes.

        A cell: 1 for each of 27 histogram values and each of 4 blocks, 9 for its energy, 31 for
        the gains of its channels. Not counted: square roots, comparisons, table look-ups.
        """
        pixels, cells = self.used[0] * self.used[1], self.cells[0] * self.cells[1]
        return float(6 * pixels + (4 * 27 + 9 + CHANNELS) * cells)

    def _histogram(self, patch: Grey) -> Plane:
        """Return contrast-sensitive orientation histograms: float32 (18, rows, columns)."""
        dx = _difference(patch, (1, 0))[: self.used[0], : self.used[1]]
        dy = _difference(patch, (0, 1))[: self.used[0], : self.used[1]]
        key = dx.astype(np.intp)
        key *= SIDE
        key += dy
        bins = _orientations()[key]
        dx32, dy32 = dx.astype(np.float32), dy.astype(np.float32)
        magnitude = np.sqrt(dx32 * dx32 + dy32 * dy32)
        rows, columns = self.cells[0] + 2, self.cells[1] + 2
        count = np.bincount(
            (self._votes + bins).ravel(),
            (self._weights * magnitude).ravel(),
            rows * columns * 2 * ORIENTATIONS,
        )
        inner = count.reshape(rows, columns, -1)[1:-1, 1:-1].transpose(2, 0, 1)
        return inner.astype(np.float32, order="C") * self._edges

    def _channels(self, sensitive: Plane) -> Plane:
        """Normalise by the four blocks around each cell, clip, sum up: float32 (31, ...)."""
        insensitive = sensitive[:ORIENTATIONS] + sensitive[ORIENTATIONS:]
        energy = np.einsum("oyx,oyx->yx", insensitive, insensitive)
        pairs = energy[1:] + energy[:-1]
        block = 1 / np.sqrt(pairs[:, 1:] + pairs[:, :-1] + self._epsilon)
        block = np.pad(block, 1, mode="edge")
        blocks = (block[1:, 1:], block[:-1, 1:], block[1:, :-1], block[:-1, :-1])
        both = np.concatenate([sensitive, insensitive])
        features = np.zeros((CHANNELS, *self.cells), np.float32)
        oriented = features[: 3 * ORIENTATIONS]
        clipped = np.empty_like(both)
        for texture, gain in zip(features[3 * ORIENTATIONS :], blocks, strict=True):
            np.multiply(both, gain, out=clipped)
            np.minimum(clipped, CLIP, out=clipped)
            oriented += clipped
            clipped[: 2 * ORIENTATIONS].sum(axis=0, out=texture)
        oriented *= np.float32(0.5)
        features[3 * ORIENTATIONS :] *= TEXTURE
        return features


def _difference(patch: Grey, axis: tuple[int, int]) -> NDArray[np.int16]:
    """Return central differences in half grey steps; at the border one-sided, doubled."""
    found = cv2.Sobel(patch, cv2.CV_16S, *axis, ksize=1, borderType=cv2.BORDER_REPLICATE)
    border = found if axis[1] else found.T
    border[0] *= 2
    border[-1] *= 2
    return np.asarray(found, dtype=np.int16)


@cache
def _orientations() -> NDArray[np.intp]:
    """Return the orientation 0..17 of every difference (dx, dy), at index dx * SIDE + dy.

    A negative index counts from the end, as numpy's do.

    The cosine is cut to 1e-4 towards zero before its arc is taken, in single precision, like the
    toolbox's table of arcs: exactly vertical gradients lie on the border of two orientations.
    """
    steps = np.arange(-REACH, REACH + 1, dtype=np.float64)
    dx, dy = np.meshgrid(steps, steps, indexing="ij")
    cosine = dx / np.maximum(np.hypot(dx, dy), 1e-9) * np.where(dy < 0, -1, 1)
    arc = np.arccos(np.trunc(cosine * 1e4) / 1e4)
    arc = np.minimum(arc, np.pi - 1e-6).astype(np.float32) + np.float32(np.pi) * (dy < 0)
    turns = arc.astype(np.float32) * np.float32(ORIENTATIONS / np.pi)
    bins = (turns + np.float32(0.5)).astype(np.intp) % (2 * ORIENTATIONS)
    table = np.empty(SIDE * SIDE, np.intp)
    table[(dx * SIDE + dy).astype(np.intp).ravel() % table.size] = bins.ravel()
    return table


def _spread(used: tuple[int, int], cell: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return where the four votes of each pixel go and what they weigh, both (4, h, w).

    The grid has a rim of one cell for votes that fall outside.
    """
    (top, down), (left, right) = (_halves(length, cell) for length in used)
    columns = used[1] // cell + 2
    votes, weights = [], []
    for y, weigh_y in ((top, 1 - down), (top + 1, down)):
        for x, weigh_x in ((left, 1 - right), (left + 1, right)):
            votes.append((y[:, None] * columns + x) * 2 * ORIENTATIONS)
            weights.append(np.outer(weigh_y, weigh_x))
    return np.array(votes), np.array(weights)


def _halves(length: int, cell: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return each pixel's lower cell in the rimmed grid and the share of the next one."""
    place = (np.arange(length) + 0.5) / cell - 0.5 + 1
    lower = np.floor(place)
    return lower.astype(np.intp), place - lower


def _edge_gain(cells: int) -> NDArray[np.float64]:
    """Make up for the eighth of its votes that a cell at the edge loses, (cells,)."""
    gain = np.ones(cells)
    gain[0] *= 8 / 7
    gain[-1] *= 8 / 7
    return gain
