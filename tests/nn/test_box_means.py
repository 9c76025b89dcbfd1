import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.nn.box_means import means_inside


def cell_by_cell(values, box):
    """The mean over the area of a box inside a map of one value a cell."""
    total = area = 0.0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            across = min(box[0] + box[2], column + 1) - max(box[0], column)
            along = min(box[1] + box[3], row + 1) - max(box[1], row)
            part = max(across, 0.0) * max(along, 0.0)
            total, area = total + part * values[row, column], area + part
    return total / area


@given(st.floats(-2, 6), st.floats(-2, 4), st.floats(0.5, 8), st.floats(0.5, 8), st.integers(0, 99))
def test_means_weigh_cells_by_area(x, y, w, h, seed):
    box = np.array([x, y, w, h])
    if x + w < 0.01 or y + h < 0.01 or x > 6.99 or y > 4.99:
        return
    maps = np.random.default_rng(seed).normal(size=(2, 5, 7))
    found = means_inside(maps, box[None])
    assert found[0] == pytest.approx([cell_by_cell(m, box) for m in maps], abs=1e-6)


def test_small_boxes_and_those_outside_take_the_nearest_cells():
    maps = np.arange(12.0).reshape(1, 3, 4)
    boxes = np.array(
        [[1.2, 1.2, 0.1, 0.1], [2.5, 0.5, 0, 0], [-5.0, 1.1, 2, 0.5], [9, 9, 1, 1], [0, 0, 4, 3]]
    )
    assert means_inside(maps, boxes)[:, 0] == pytest.approx([5, 2, 4, 11, 5.5])


def test_no_boxes_have_no_means():
    assert means_inside(np.zeros((2, 3, 4)), np.zeros((0, 4))).shape == (0, 2)
