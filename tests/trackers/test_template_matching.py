"""What every template matcher must do with boxes and frames that are not as one would like."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench import catalogue
from vbench.core.boxes import iou
from vbench.core.roles import Propagator, Reseatable, Seated, Tracker
from vbench.cost.macs import count
from vbench.trackers.template_matching import MOST_OBJECTS, in_turns

NAMES = ["patchnet", "patchnet-g", "patch-aggregation", "full-template"]
TRACKERS = ["patchnet", "patch-aggregation", "full-template"]
BOX = np.array([60.0, 40, 40, 32])


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    noise = np.random.default_rng(3).uniform(0, 255, (140, 180, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth) * 255, dtype=np.uint8)


def made(name: str, kind: str = "propagators"):
    return catalogue.build(kind, name, weights=None)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_stay_finite(name, frame) -> None:
    boxes = np.array(
        [
            [-30.0, -20, 40, 40],  # over a corner
            [500, 500, 30, 20],  # nowhere near
            [90, 70, 1, 1],
            [90, 70, 0, 0],
            [0, 0, 180, 140],  # the frame
            [50, 60, 2, 90],
            [0, 0, 4000, 3000],
        ]
    )
    propagator = made(name)
    for picture in (frame, np.full_like(frame, 128), np.zeros_like(frame)):
        propagator.anchor(picture, boxes)
        for other in (frame, picture, np.full_like(frame, 255)):
            found = propagator.propagate(other)
            assert np.isfinite(found.boxes).all()
            assert np.all((found.belief >= 0) & (found.belief <= 1))


@pytest.mark.parametrize("name", NAMES)
def test_on_a_grey_frame_nothing_moves_and_nothing_is_believed(name) -> None:
    grey = np.full((90, 120, 3), 77, dtype=np.uint8)
    propagator = made(name)
    propagator.anchor(grey, BOX[None])
    found = propagator.propagate(grey)
    np.testing.assert_allclose(found.boxes, BOX[None], atol=1e-3)
    assert found.belief[0] == 0


@pytest.mark.parametrize("name", NAMES)
def test_no_objects_and_absent_ones(name, frame) -> None:
    propagator = made(name)
    propagator.anchor(frame, np.zeros((0, 4)))
    assert propagator.propagate(frame).boxes.shape == (0, 4)
    absent = np.full(4, np.nan)
    propagator.anchor(frame, np.stack([absent, BOX, absent]))
    propagator.seat(np.stack([absent, BOX + [1, 1, 0, 0], absent]))
    found = propagator.propagate(frame)
    assert np.isnan(found.boxes[[0, 2]]).all() and np.isnan(found.belief[[0, 2]]).all()
    assert iou(found.boxes[1], BOX) > 0.8
    propagator.seat(np.full((3, 4), np.nan))
    assert np.isfinite(propagator.propagate(frame).boxes[1]).all()


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_left_alone(name, frame) -> None:
    picture, boxes = frame.copy(), BOX[None].copy()
    picture.setflags(write=False)
    boxes.setflags(write=False)
    propagator = made(name)
    propagator.anchor(picture, boxes)
    found = propagator.propagate(picture)
    kept = found.boxes.copy()
    propagator.propagate(np.roll(frame, 3, axis=1))
    assert np.array_equal(picture, frame) and np.array_equal(found.boxes, kept)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shift", [(0, 0), (5, 0), (-4, 6), (10, -8)])
def test_a_moved_picture_is_followed(name, shift, frame) -> None:
    propagator = made(name)
    assert isinstance(propagator, Propagator) and isinstance(propagator, Seated)
    others = np.stack([BOX, BOX + [30, 20, 10, 20], BOX - [20, 10, 8, 0]])
    propagator.anchor(frame, others)
    found = propagator.propagate(np.roll(frame, shift[::-1], axis=(0, 1)))
    # A cell of the response is an eighth of a box.
    assert iou(found.boxes, others + [*shift, 0, 0]).min() > 0.75


@pytest.mark.parametrize("name", TRACKERS)
def test_trackers_take_the_first_frame(name, frame) -> None:
    tracker = made(name, "trackers")
    assert isinstance(tracker, Tracker) and isinstance(tracker, Reseatable)
    tracker.start(frame, BOX)
    for step in range(1, 4):
        moved = np.roll(frame, 3 * step, axis=1)
        box, score, _ = tracker.track(moved)
        assert iou(box, BOX + [3 * step, 0, 0, 0]) > 0.7
        assert 0 <= score <= 1
    assert tracker.reseat(BOX + [9, 0, 0, 0]) is None
    assert iou(tracker.track(moved).box, BOX + [9, 0, 0, 0]) > 0.7


@pytest.mark.parametrize("name", TRACKERS)
def test_everything_but_crops_is_counted(name) -> None:
    for kind, calls in (("propagators", ("anchor", "propagate")), ("trackers", ("start", "track"))):
        work = made(name, kind).work()
        assert tuple(work) == calls
        for parts in work.values():
            found = count(parts)
            assert found.macs_per_object > 0 and found.macs_per_call == 0
            assert found.uncounted == ("crops",)


@given(st.integers(0, 200))
def test_turns_hold_every_object_once_and_are_even(n) -> None:
    turns = [range(n)[turn] for turn in in_turns(n)]
    assert [row for turn in turns for row in turn] == list(range(n))
    sizes = [len(turn) for turn in turns]
    assert not sizes or (max(sizes) <= MOST_OBJECTS and max(sizes) - min(sizes) <= 1)
    assert len(sizes) == -(-n // MOST_OBJECTS)


def test_a_search_that_does_not_follow_answers_is_reseated_all_the_same(frame) -> None:
    tracker = catalogue.build("trackers", "patchnet", {"prior": "keyframe"}, weights=None)
    tracker.start(frame, BOX)
    far = np.roll(frame, 60, axis=1)
    assert iou(tracker.track(far).box, BOX + [60, 0, 0, 0]) < 0.1
    tracker.reseat(BOX + [58, 0, 0, 0])
    assert iou(tracker.track(far).box, BOX + [60, 0, 0, 0]) > 0.7
