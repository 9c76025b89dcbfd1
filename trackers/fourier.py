"""Real 2-D Fourier transforms of small planes under a Hann window, by matrix products.

The window is part of the matrices, its zeros at the border are left out, and the halves of a plane
that mirror each other are added and subtracted beforehand, which leaves a quarter of the products.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.float32]  # (channels, rows, columns)
# Real and imaginary parts, then positive and negative frequencies across: (2, 2, channels, d, a)
# with d = rows // 2 + 1 frequencies down and a = columns // 2 + 1 across.
Spectra = NDArray[np.float32]
# Of one plane, as numpy has it but halved down, real or complex: (rows // 2 + 1, columns).
Spectrum = NDArray[Any]


class _Side(NamedTuple):
    """What sums and differences of mirrored halves are multiplied by along a side."""

    cosines: NDArray[np.float32]
    sines: NDArray[np.float32]


class HannTransform:
    """Transform of planes of `cells` (rows, columns), both at least 3.

    Its origin is the middle of the plane instead of [0, 0]: products of a spectrum with the
    conjugate of another, and lengths, are the same.
    """

    def __init__(self, cells: tuple[int, int]) -> None:
        self.cells = cells
        down, across = _side(cells[0]), _side(cells[1])
        # (frequencies, half the rows) and (half the columns, frequencies)
        self._down, self._across = down, _Side(across.cosines.T, across.sines.T)

    def __call__(self, inner: Planes) -> Spectra:
        """Transform float32 (channels, rows - 2, columns - 2), all but the border of the planes."""
        down, across = self._down, self._across
        height, width = down.cosines.shape[1], across.cosines.shape[0]
        upper, lower = inner[:, :height], inner[:, ::-1][:, :height]
        halves = np.empty((2, len(inner), len(down.cosines), inner.shape[2]), np.float32)
        np.matmul(down.cosines, upper + lower, out=halves[0])
        np.matmul(down.sines, upper - lower, out=halves[1])
        rows = halves.reshape(-1, inner.shape[2])
        left, right = rows[:, :width], cv2.flip(rows[:, -width:], 1)
        shape = *halves.shape[:3], -1
        even, down_alone = ((left + right) @ across.cosines).reshape(shape)
        across_alone, odd = ((left - right) @ across.sines).reshape(shape)
        found = np.empty((2, 2, *even.shape), np.float32)
        np.subtract(even, odd, out=found[0, 0])
        np.add(even, odd, out=found[0, 1])
        # (cosine - i sine) across times (cosine - i sine) down
        np.add(across_alone, down_alone, out=found[1, 0])
        np.negative(found[1, 0], out=found[1, 0])
        np.subtract(across_alone, down_alone, out=found[1, 1])
        return found

    def macs(self) -> float:
        """Multiply-accumulates of a plane: its halves down, its quarters across."""
        (down, height), (width, across) = self._down.cosines.shape, self._across.cosines.shape
        return float(2 * down * height * (self.cells[1] - 2) + 4 * down * width * across)

    def power(self, x: Spectra) -> Spectrum:
        """Return the squared lengths over all channels, real."""
        return self._whole(np.einsum("pqcda,pqcda->qda", x, x))

    def product(self, x: Spectra, z: Spectra) -> Spectrum:
        """Return the sum over all channels of `x` times the conjugate of `z`."""
        real = np.einsum("pqcda,pqcda->qda", x, z)
        imaginary = np.einsum("qcda,qcda->qda", x[1], z[0])
        imaginary -= np.einsum("qcda,qcda->qda", x[0], z[1])
        return self._whole(real + 1j * imaginary)

    def energy(self, power: Spectrum) -> float:
        """Return the sum of half a real spectrum's whole."""
        alone = (0, -1) if self.cells[0] % 2 == 0 else (0,)
        return float(2 * power.sum(dtype=np.float64) - sum(power[row].sum() for row in alone))

    def back(self, spectrum: Spectrum) -> NDArray[np.float64]:
        """Return the plane (rows, columns) of a spectrum that has its origin at [0, 0]."""
        return np.fft.irfft2(spectrum, self.cells[::-1], axes=(1, 0))

    def _whole(self, parts: Spectrum) -> Spectrum:
        """Put positive and negative frequencies (2, d, a) in the order that numpy has them in."""
        negative = parts[1, :, 1 : 1 + self.cells[1] - parts.shape[2]]
        return np.concatenate([parts[0], negative[:, ::-1]], axis=1)


def transformed(plane: NDArray[np.float64]) -> Spectrum:
    """Return the spectrum of one plane, without a window, its origin at [0, 0]."""
    return np.fft.rfft2(plane, axes=(1, 0))


@lru_cache(maxsize=32)
def _side(length: int) -> _Side:
    half = (length - 1) // 2
    inner = np.arange(1, half + 1)
    turn = np.outer(np.arange(length // 2 + 1), inner - (length - 1) / 2) * (2 * np.pi / length)
    weight = np.hanning(length)[1 : half + 1]
    if length % 2:
        weight[-1] /= 2  # the one in the middle is its own mirror image
    return _Side(*((wave * weight).astype(np.float32) for wave in (np.cos(turn), np.sin(turn))))
