"""Sparse and dense optical flow on textures that move by known amounts."""

import cv2
import numpy as np
import pytest

from vbench.core.errors import VBenchError
from vbench.trackers.dis import DenseFlow, along
from vbench.trackers.inner_points import carried
from vbench.trackers.lk import LucasKanade

SIZE = (320, 240)
BOXES = np.array([[80.0, 60, 60, 50], [180.0, 120, 50, 60]])


def texture():
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)


def warped(matrix):
    return cv2.warpAffine(texture(), np.array(matrix, float), SIZE, borderMode=cv2.BORDER_REFLECT)


@pytest.fixture(params=[LucasKanade, DenseFlow], ids=["lk", "dis"])
def flow(request):
    return request.param()


def test_boxes_follow_a_shift(flow) -> None:
    flow.anchor(texture(), BOXES)
    for step in (1, 2):
        boxes, belief = flow.propagate(warped([[1, 0, 3.5 * step], [0, 1, -2.0 * step]]))
        assert boxes == pytest.approx(BOXES + np.array([3.5, -2, 0, 0]) * step, abs=0.6)
        assert (belief > 0.9).all()


def test_a_box_grows_with_what_is_in_it(flow) -> None:
    centre = np.array([110.0, 85.0])
    flow.anchor(texture(), BOXES[:1])
    # Pixel x has its centre at x + .5 in continuous coordinates.
    shift = (1 - 1.05) * (centre - 0.5)
    boxes, _ = flow.propagate(warped([[1.05, 0, shift[0]], [0, 1.05, shift[1]]]))
    assert boxes[0, 2:] == pytest.approx(BOXES[0, 2:] * 1.05, abs=0.7)
    assert boxes[0, :2] + boxes[0, 2:] / 2 == pytest.approx(centre, abs=0.5)


def test_nothing_is_believed_after_a_cut(flow) -> None:
    flow.anchor(texture(), BOXES)
    other = np.random.default_rng(8).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    _, belief = flow.propagate(cv2.resize(other, SIZE, interpolation=cv2.INTER_CUBIC))
    assert (belief < 0.5).all()


def test_an_absent_object_stays_absent(flow) -> None:
    flow.anchor(texture(), np.array([[np.nan] * 4, BOXES[0]]))
    boxes, belief = flow.propagate(texture())
    assert np.isnan(boxes[0]).all() and np.isnan(belief[0])
    assert boxes[1] == pytest.approx(BOXES[0], abs=0.05)


def test_being_seated_moves_the_next_start(flow) -> None:
    flow.anchor(texture(), BOXES)
    flow.seat(np.array([[100.0, 100, 30, 30], [np.nan] * 4]))
    boxes, _ = flow.propagate(texture())
    assert boxes == pytest.approx(np.array([[100.0, 100, 30, 30], BOXES[1]]), abs=0.05)


def test_a_box_is_carried_by_the_median_of_its_good_points() -> None:
    box = np.array([[0.0, 0, 10, 10]])
    points = np.array([[[1.0, 1], [1, 9], [5, 5], [9, 1], [9, 9]]])
    found = points + [2.0, 1.0]
    found[0, 2] = [100.0, 100]
    good = np.array([[True, True, False, True, True]])
    assert carried(box, points, found, good)[0] == pytest.approx([2, 1, 10, 10])
    assert carried(box, points, found, ~good)[0] == pytest.approx([95, 95, 10, 10])
    assert carried(box, points, found, good & False)[0] == pytest.approx(box[0])


def test_flow_is_read_in_pixels_of_the_frame() -> None:
    flow = np.zeros((2, 4, 2), np.float32)
    flow[1, 2] = [1.0, -2.0]
    there, inside = along(flow, np.array([[[25.0, 15.0], [45.0, 5.0]]]), (40, 20))
    assert there[0].tolist() == [[35.0, -5.0], [45.0, 5.0]]
    assert inside[0].tolist() == [True, False]


def test_parameters_that_mean_nothing_are_refused() -> None:
    with pytest.raises(VBenchError, match="grid=1"):
        LucasKanade(grid=1)
    with pytest.raises(VBenchError, match="side=8"):
        DenseFlow(side=8)
