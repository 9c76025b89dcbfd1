"""The windowed transform against numpy's, and what is computed from spectra against planes."""

import numpy as np
import pytest

from vbench.trackers.fourier import HannTransform, transformed

SIZES = [(3, 3), (3, 8), (10, 7), (12, 12), (64, 63), (71, 23), (72, 65), (130, 40)]


def planes(cells, channels=5, seed=2):
    return np.random.default_rng(seed).random((channels, *cells)).astype(np.float32)


def windowed(values):
    rows, columns = values.shape[1:]
    return values.astype(np.float64) * np.outer(np.hanning(rows), np.hanning(columns))


@pytest.mark.parametrize("cells", SIZES)
def test_the_transform_is_fourier_s_about_the_middle(cells) -> None:
    values, (rows, columns) = planes(cells), cells
    parts = HannTransform(cells)(values[:, 1:-1, 1:-1])
    down, across = np.arange(rows // 2 + 1), np.arange(columns // 2 + 1)
    for sign, found in zip((1, -1), parts[0] + 1j * parts[1], strict=True):
        expected = np.fft.fft2(windowed(values))[:, down][:, :, sign * across]
        middle = np.add.outer(down * (rows - 1) / rows, sign * across * (columns - 1) / columns)
        expected = expected * np.exp(1j * np.pi * middle)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("cells", SIZES)
def test_products_lengths_and_energy_are_those_of_the_planes(cells) -> None:
    transform = HannTransform(cells)
    one, other = planes(cells), planes(cells, seed=3)
    x, z = (transform(each[:, 1:-1, 1:-1]) for each in (one, other))
    fx, fz = (np.fft.fft2(windowed(each)) for each in (one, other))
    half = slice(cells[0] // 2 + 1)
    expected = (fx * fz.conj()).sum(axis=0)[half]
    np.testing.assert_allclose(transform.product(x, z), expected, atol=1e-5 * abs(expected).max())
    power = transform.power(x)
    np.testing.assert_allclose(power, (abs(fx) ** 2).sum(axis=0)[half], rtol=1e-4, atol=1e-5)
    # Parseval
    assert transform.energy(power) / np.prod(cells) == pytest.approx((windowed(one) ** 2).sum())


@pytest.mark.parametrize("cells", SIZES)
def test_one_plane_goes_there_and_back(cells) -> None:
    plane = planes(cells, channels=1)[0].astype(np.float64)
    there = transformed(plane)
    assert there.shape == (cells[0] // 2 + 1, cells[1])
    np.testing.assert_allclose(HannTransform(cells).back(there), plane, atol=1e-12)


def test_multiply_accumulates_counted_by_hand() -> None:
    # 4 of 8 inner rows mirror the others, 6 frequencies down; 3 of 5 columns, 4 across.
    down = 2 * 6 * 4 * 5
    assert HannTransform((10, 7)).macs() == down + 4 * 6 * 3 * 4
