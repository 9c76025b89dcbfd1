"""Peak scores of many maps against the rule applied cell by cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.benchmarks.bench_patchnet import peak_cell_by_cell
from vbench.trackers.peak import combined_scores, peak_scores, plain_scores, temporal_scores

SHAPES = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)
VALUES = st.floats(-100, 100, width=32) | st.integers(-3, 3).map(float)


@settings(max_examples=150, deadline=None)
@given(arrays(np.float64, SHAPES, elements=VALUES))
def test_peaks_are_those_found_cell_by_cell(maps: np.ndarray) -> None:
    found = peak_scores(maps)
    assert np.all((found.score >= 0) & (found.score <= 1))
    for one, score, cell in zip(maps, found.score, found.cell, strict=True):
        expected, place = peak_cell_by_cell(one)
        assert score == pytest.approx(expected, abs=1e-12)
        # Equally high peaks: any of them will do.
        assert one.flat[cell] == one.flat[place] or expected == 0


def test_two_peaks_share_the_score_by_their_height_above_three_quarters() -> None:
    maps = np.zeros((1, 5, 5))
    maps[0, 1, 1], maps[0, 3, 3] = 8.0, 7.0  # above 6: 2 and 1
    found = peak_scores(maps)
    assert found.score[0] == pytest.approx(2 / 3)
    assert found.cell[0] == 1 * 5 + 1


def test_a_single_peak_scores_one_and_a_plateau_nothing() -> None:
    maps = np.zeros((2, 5, 5))
    maps[0, 0, 4] = 1.0
    maps[1, 4, 3:] = 1.0
    found = peak_scores(maps)
    np.testing.assert_allclose(found.score, [1.0, 0.0], atol=1e-8)
    assert found.cell.tolist() == [4, 23]


@pytest.mark.parametrize("value", [0.0, 5.0, -5.0])
def test_an_even_map_leaves_its_object_in_the_middle(value: float) -> None:
    found = peak_scores(np.full((2, 7, 7), value))
    assert found.cell.tolist() == [24, 24]
    assert found.score.tolist() == [0.0, 0.0]


def test_heights_in_units_of_the_kernels() -> None:
    maps = np.zeros((2, 3, 3))
    maps[:, 1, 1] = 6.0
    norms = np.array([40.0, 400.0])
    assert plain_scores(maps).score.tolist() == [6.0, 6.0]
    np.testing.assert_allclose(temporal_scores(maps, norms).score, [6.0, 0.6])
    np.testing.assert_allclose(combined_scores(maps, norms).score, [1.0, 0.6], atol=1e-8)


def test_no_maps_have_no_peaks() -> None:
    assert peak_scores(np.zeros((0, 7, 7))).score.shape == (0,)
