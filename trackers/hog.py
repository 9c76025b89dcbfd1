"""Felzenszwalb's 31-channel HOG of a grey patch, as KCF uses it.

Follows `fhog` of Piotr's Computer Vision Toolbox (channels/private/gradientMex.cpp: gradMag,
gradHist with softBin -1, hogNormMatrix, hogChannels; 9 orientations, clip .2): each pixel votes for
one of 18 orientations and, bilinearly, for the four nearest cells; blocks of 2 x 2 cells normalise.
Deviations: exact square roots instead of the toolbox's 12-bit reciprocal ones; the outermost cells
only normalise, as KCF's window has zeros there.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from numpy.typing import NDArray

from .gradients import Gradients

Planes = NDArray[np.float32]  # (channels, rows, columns)

CHANNELS = 31
ORIENTATIONS = 9  # contrast-insensitive; the sensitive ones are twice as many
SENSITIVE = 2 * ORIENTATIONS
CLIP = np.float32(0.2)
TEXTURE = 0.2357


class Hog:
    """Features of patches of one size, everything that depends on the size prepared."""

    def __init__(self, size: tuple[int, int], cell: int = 4) -> None:
        """Prepare for patches of `size` (h, w) px, both at least three cells."""
        rows, columns = size[0] // cell, size[1] // cell
        self.cells = rows, columns
        self.used = rows * cell, columns * cell
        # Votes are counted on a grid that has a rim of one cell for those that fall outside.
        self._grid = rows + 2, columns + 2
        (top, down), (left, self._right) = (_halves(length, cell) for length in self.used)
        self._down = down[:, None]
        self._first = top[:, None] * (columns + 2) + left
        # Cells at the edge lose an eighth of their votes.
        self._gain = np.outer(_edge_gain(rows), _edge_gain(columns)).astype(np.float32) ** 2
        # Gradients are counted in half grey steps, over all pixels of a cell.
        self._epsilon = np.float32(1e-4 / 4 / cell**4 / (0.5 / 255 / cell**2) ** 2)

    def __call__(self, patch: Gradients) -> Planes:
        """Return the features of a patch (h, w) without the outermost cells.

        float32 (31, h // cell - 2, w // cell - 2).
        """
        return self._channels(self._histogram(patch))

    def macs(self) -> float:
        """Multiply-accumulates of one call: 2 a pixel for its length, 4 for its votes.

        A cell: 9 for its energy; if it is not at the edge, 4 for each of 27 histogram values and 2
        for each of 4 textures. Not counted: square roots, comparisons, table look-ups.
        """
        pixels, cells = self.used[0] * self.used[1], self.cells[0] * self.cells[1]
        inner = (self.cells[0] - 2) * (self.cells[1] - 2)
        return float(6 * pixels + 9 * cells + (4 * 27 + 2 * 4) * inner)

    def _histogram(self, patch: Gradients) -> Planes:
        """Return contrast-sensitive histograms with their rim: float32 (18, rows, columns)."""
        used = slice(self.used[0]), slice(self.used[1])
        vote = np.multiply(patch.orientation[used], prod(self._grid), dtype=np.intp)
        vote += self._first
        votes = torch.from_numpy(vote.ravel())
        count = torch.zeros(SENSITIVE, *self._grid)
        flat = count.view(-1)
        length = patch.length[used]
        right = length * self._right
        for share, across in ((length - right, 0), (right, 1)):
            down = share * self._down
            share -= down
            for part, place in ((share, across), (down, across + self._grid[1])):
                flat[place:].scatter_add_(0, votes, torch.from_numpy(part.ravel()))
        found: Planes = count.numpy()
        return found

    def _channels(self, sensitive: Planes) -> Planes:
        """Normalise by the four blocks around each cell, clip, sum up."""
        insensitive = sensitive[:ORIENTATIONS] + sensitive[ORIENTATIONS:]
        energy = np.einsum("oyx,oyx->yx", insensitive, insensitive)[1:-1, 1:-1] * self._gain
        pairs = energy[1:] + energy[:-1]
        block = 1 / np.sqrt(pairs[:, 1:] + pairs[:, :-1] + self._epsilon)
        gains = np.stack([block[1:, 1:], block[:-1, 1:], block[1:, :-1], block[:-1, :-1]])
        both = np.concatenate([sensitive[:, 2:-2, 2:-2], insensitive[:, 2:-2, 2:-2]])
        return _added_up(both, gains)


def _added_up(both: Planes, gains: Planes) -> Planes:
    """Return the sum of all four normalised histograms, and the own sum of each."""
    features = np.empty((CHANNELS, *both.shape[1:]), np.float32)
    oriented, textures = features[: 3 * ORIENTATIONS], features[3 * ORIENTATIONS :]
    oriented[:] = 0
    clipped = np.empty_like(both)
    # The clip before normalising; halved, as four of them are added up.
    for cap, half, texture in zip(CLIP / gains, gains / 2, textures, strict=True):
        np.minimum(both, cap, out=clipped)
        clipped *= half
        np.add.reduce(clipped[:SENSITIVE], axis=0, out=texture)
        oriented += clipped
    textures *= 2 * TEXTURE
    return features


def _halves(length: int, cell: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return each pixel's lower cell in the rimmed grid and the share of the next one."""
    place = (np.arange(length) + 0.5) / cell - 0.5 + 1
    lower = np.floor(place)
    return lower.astype(np.intp), (place - lower).astype(np.float32)


def _edge_gain(cells: int) -> NDArray[np.float64]:
    """Make up for the eighth of its votes that a cell at the edge loses, (cells,)."""
    gain = np.ones(cells)
    gain[0] *= 8 / 7
    gain[-1] *= 8 / 7
    return gain
