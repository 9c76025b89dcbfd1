from typing import Any

import numpy as np
import pytest

from tests.contract.models import BOX, built, frame, plain_names
from vbench import catalogue
from vbench.core.roles import Reseatable, Tracker
from vbench.cost.unit_costs import unit_costs

NAMES = plain_names("trackers")
SHIFTS = (2.0, 4.0, 6.0)


@pytest.fixture(scope="module", params=NAMES)
def tracker(request):
    return built("trackers", request.param)


def answers(tracker, box=BOX, frames=None):
    frames = frames or [frame(), *(frame(s) for s in SHIFTS)]
    tracker.start(frames[0], np.array(box))
    found = [tracker.track(f) for f in frames[1:]]
    return np.array([e[0] for e in found]), np.array([e[1] for e in found])


def test_it_is_a_tracker(tracker) -> None:
    assert isinstance(tracker, Tracker)


def test_answers_are_finite_boxes_and_repeat_byte_for_byte(tracker) -> None:
    boxes, scores = answers(tracker)
    assert boxes.shape == (3, 4)
    assert np.isfinite(boxes).all()
    again_boxes, again_scores = answers(tracker)
    assert boxes.tobytes() == again_boxes.tobytes()
    assert scores.tobytes() == again_scores.tobytes()


def test_starting_again_forgets_everything(tracker) -> None:
    first, _ = answers(tracker)
    answers(tracker, box=[10.0, 10, 20, 20], frames=[frame(grey=True), frame(9, grey=True)])
    again, _ = answers(tracker)
    assert first.tobytes() == again.tobytes()


def test_the_input_is_left_as_it_was(tracker) -> None:
    image, box = frame(), BOX.copy()
    tracker.start(image, box)
    tracker.track(image)
    assert image.tobytes() == frame().tobytes()
    assert box.tolist() == BOX.tolist()


@pytest.mark.parametrize(
    "box",
    [[-10.0, 50, 36, 28], [140.0, 110, 40, 40], [60.0, 50, 1, 1], [0.0, 0, 160, 128]],
    ids=["left of the frame", "beyond the corner", "one pixel", "the whole frame"],
)
def test_awkward_targets_still_get_finite_boxes(tracker, box) -> None:
    boxes, _ = answers(tracker, box=box)
    assert np.isfinite(boxes).all()
    assert (boxes[:, 2:] > 0).all()


def test_flat_and_grey_frames_are_survived(tracker) -> None:
    flat = np.full((128, 160, 3), 90, np.uint8)
    boxes, _ = answers(tracker, frames=[flat, flat, frame(grey=True)])
    assert np.isfinite(boxes).all()


def test_a_4k_frame_is_survived(tracker) -> None:
    large = frame(size=(3840, 2160))
    boxes, _ = answers(tracker, frames=[large, large])
    assert np.isfinite(boxes).all()


def test_reseating_moves_the_search(tracker) -> None:
    if not isinstance(tracker, Reseatable):
        pytest.skip("cannot be told where its target went")
    both: Any = tracker
    both.start(frame(), BOX.copy())
    moved = BOX + [9.0, 6, 0, 0]
    seat = tracker.reseat(moved.copy())
    around = moved if seat is None else np.asarray(seat)
    assert np.abs(around[:2] + around[2:] / 2 - moved[:2] - moved[2:] / 2).max() <= 1.0
    # A frame like the first but carried along: the best place is where the search now is.
    carried = np.roll(np.roll(frame(), 9, axis=1), 6, axis=0)
    box = np.asarray(both.track(carried)[0])
    assert np.isfinite(box).all()


def test_its_cost_is_counted_or_says_what_is_not(tracker) -> None:
    tracker.start(frame(), BOX.copy())
    costs = unit_costs(tracker)
    for price in (costs.start, costs.key):
        assert np.isfinite(price.per_call) or price.uncounted


@pytest.mark.parametrize("name", catalogue.names("trackers"))
def test_its_entry_tells_what_it_is(name) -> None:
    entry = catalogue.table("trackers")[name]
    assert 10 < len(entry.summary) < 120
    assert "\n" not in entry.summary
