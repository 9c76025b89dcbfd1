"""How sharp the peak of a response map is, for all objects of a frame at once.

The four scores of RalphMao/PatchNet (patchnet/patchnet.py, _estimate_peak; patchnet/utils.py,
find_peaks), whose code visits every cell of every map in turn.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints

Maps: TypeAlias = NDArray[np.floating[Any]]  # (n, h, w)

# A cell counts as a peak only above this share of the highest.
PEAK_FLOOR = 0.75
# What the root mean square of a 3x8x8 kernel's norm is divided by: patchnet/patchnet.py.
KERNEL_UNIT = 40.0
LEAST = 1e-9


class Peaks(NamedTuple):
    """Score (n,) of each map and the cell (n,) where its object is, as a flat index."""

    score: Floats
    cell: Ints


def peak_scores(maps: Maps) -> Peaks:
    """Share of the highest local maximum in the sum of all local maxima.

    Heights count from three quarters of the highest cell; a local maximum is strictly higher than
    its neighbours. 1 for a single peak. Where there is none (a plateau) the score is 0 and the
    place is that of the highest cell.
    """
    top = maps.max(axis=(1, 2), keepdims=True)
    heights = np.maximum(maps - PEAK_FLOOR * top, 0)
    peaks = np.where(_is_local_maximum(heights), heights, 0).astype(np.float64)
    highest = peaks.max(axis=(1, 2))
    found = highest > 0
    cell = np.where(found, highest_cells(peaks), highest_cells(heights))
    return Peaks(highest / (peaks.sum(axis=(1, 2)) + LEAST), cell)


def plain_scores(maps: Maps) -> Peaks:
    """The highest response itself."""
    return Peaks(maps.max(axis=(1, 2)).astype(np.float64), highest_cells(maps))


def temporal_scores(maps: Maps, kernel_norms: Floats) -> Peaks:
    """The highest response in units of what the template's kernels respond to themselves.

    `kernel_norms` (n,) is the root mean square of the norms of each object's kernels.
    """
    plain = plain_scores(maps)
    return Peaks(plain.score / np.maximum(kernel_norms / KERNEL_UNIT, LEAST), plain.cell)


def combined_scores(maps: Maps, kernel_norms: Floats) -> Peaks:
    """The peak's sharpness times its height, which counts up to 1."""
    sharp = peak_scores(maps)
    height = np.minimum(temporal_scores(maps, kernel_norms).score, 1)
    return Peaks(sharp.score * height, sharp.cell)


def highest_cells(maps: Maps) -> Ints:
    """Flat index (n,) of the highest cell; among equal ones the nearest to the centre.

    So that an object on a map without any contrast stays where it is.
    """
    n, h, w = maps.shape
    flat = maps.reshape(n, h * w)
    order = _from_centre(h, w)
    cells: Ints = order[flat[:, order].argmax(axis=1)]
    return cells


def _from_centre(height: int, width: int) -> Ints:
    y, x = np.mgrid[:height, :width]
    distance = (2 * y - height + 1) ** 2 + (2 * x - width + 1) ** 2
    return np.argsort(distance.reshape(-1), kind="stable")


def _is_local_maximum(heights: Maps) -> Bools:
    n, h, w = heights.shape
    padded = np.full((n, h + 2, w + 2), -np.inf, dtype=heights.dtype)
    padded[:, 1:-1, 1:-1] = heights
    around = [
        padded[:, y : y + h, x : x + w] for y in range(3) for x in range(3) if (y, x) != (1, 1)
    ]
    found: Bools = heights > np.max(around, axis=0)
    return found
