"""The constant-velocity propagator against the filter's equations in matrices."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.boxes import centres
from vbench.trackers.kalman import Kalman

FRAME = np.zeros((48, 64, 3), np.uint8)
HEIGHT = 40.0


def keyed(shifts, gap=4, **parameters):
    """A filter after keyframes `gap` apart, whose one box stands at each of `shifts` in x."""
    model = Kalman(**parameters)
    model.enter("clip", 100)
    for index, shift in enumerate(shifts):
        model.at(index * gap)
        model.anchor(FRAME, np.array([[100.0 + shift, 50, 30, HEIGHT]]))
    return model


def shift_after(model, index):
    model.at(index)
    return float(model.propagate(FRAME).boxes[0, 0]) - 100


def by_matrices(shifts, gap, ahead):
    """Where a filter of one axis in the textbook's matrices expects the box, `ahead` frames on."""
    position, velocity = HEIGHT / 20, HEIGHT / 160
    state, P = np.array([shifts[0], 0.0]), np.diag([(2 * position) ** 2, (10 * velocity) ** 2])
    H, R = np.array([[1.0, 0.0]]), np.array([[position**2]])
    Q = np.diag([position**2, velocity**2])
    for number, seen in enumerate(shifts):
        if number:
            F = np.array([[1.0, gap], [0.0, 1.0]])
            state, P = F @ state, F @ P @ F.T + gap * Q
        K = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
        state = np.array([seen, state[1] + K[1, 0] * (seen - state[0])])
        P = (np.eye(2) - K @ H) @ P
    return state[0] + ahead * state[1]


def test_what_was_seen_once_stays_where_it_is() -> None:
    assert shift_after(keyed([0.0]), 3) == 0


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=5), st.integers(1, 6), st.integers(1, 5))
def test_it_is_the_textbook_filter(steps, gap, ahead) -> None:
    shifts = np.cumsum(steps)
    model = keyed(shifts, gap, match=0.0)
    expected = by_matrices(shifts, gap, ahead)
    assert shift_after(model, (len(shifts) - 1) * gap + ahead) == pytest.approx(expected, abs=1e-6)


def test_a_steady_motion_is_learnt() -> None:
    model = keyed([8.0 * number for number in range(12)])
    assert shift_after(model, 11 * 4 + 3) == pytest.approx(8 * 11 + 6, abs=0.05)


def test_belief_falls_with_the_distance_from_the_keyframe() -> None:
    model = keyed([0.0, 0.0, 0.0])
    beliefs = []
    for index in range(9, 15):
        model.at(index)
        beliefs.append(float(model.propagate(FRAME).belief[0]))
    assert all(0 < after < before for before, after in pairwise(beliefs))


def test_frames_between_two_calls_count_by_their_index() -> None:
    told, untold = keyed([0.0, 4.0, 8.0]), keyed([0.0, 4.0, 8.0])
    for index in (9, 10):
        told.at(index)
        told.propagate(FRAME)
    assert shift_after(told, 11) == pytest.approx(shift_after(untold, 11))


def test_frames_that_come_backwards_are_carried_backwards() -> None:
    model = keyed([0.0, 8.0, 16.0])
    assert shift_after(model, 7) < 16 < shift_after(model, 9)


def test_another_clip_begins_without_velocities() -> None:
    model = keyed([0.0, 8.0])
    model.enter("another", 10)
    model.at(0)
    model.anchor(FRAME, np.array([[109.0, 50, 30, HEIGHT]]))
    assert shift_after(model, 3) == 9


def test_objects_keep_their_own_velocities_when_their_order_changes() -> None:
    model = Kalman()
    model.enter("clip", 10)
    boxes = np.array([[0.0, 0, 20, 20], [60.0, 0, 20, 20]])
    for index, rows in ((0, [0, 1]), (2, [1, 0]), (4, [0, 1])):
        model.at(index)
        model.anchor(FRAME, (boxes + [[index, 0, 0, 0], [-index, 0, 0, 0]])[rows])
    model.at(5)
    right, left = np.sign(centres(model.propagate(FRAME).boxes)[:, 0] - [14.0, 66.0])
    assert (right, left) == (1, -1)


def test_a_box_far_from_every_expected_one_is_new() -> None:
    model = keyed([0.0, 8.0, 60.0])
    assert shift_after(model, 12) == 60
