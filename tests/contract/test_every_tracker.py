from typing import Any

import numpy as np
import pytest
import torch

from tests.contract.models import BOX, built, frame, plain_names
from vbench import catalogue
from vbench.core.roles import Reseatable, Tracker
from vbench.cost.unit_costs import unit_costs

NAMES = plain_names("trackers")
SHIFTS = (2.0, 4.0, 6.0)
# A frame with nothing but texture around the target, farther than any search reaches, and what it
# is carried by: whole cells of every network's map, FDN's of 64 px among them.
WIDE = np.roll(frame(size=(1280, 800)), (352, 576), axis=(0, 1))
SEAT = BOX + [576.0, 352, 0, 0]
CARRIED_PX = 64


@pytest.fixture(scope="module", params=NAMES)
def tracker(request):
    return settled(built("trackers", request.param))


def answers(tracker, box=BOX, frames=None):
    frames = frames or [frame(), *(frame(s) for s in SHIFTS)]
    tracker.start(frames[0], np.array(box))
    found = [tracker.track(f) for f in frames[1:]]
    return np.array([e[0] for e in found]), np.array([e[1] for e in found])


def assert_in_the_frame(boxes, size) -> None:
    """Finite boxes with an area, something of which is inside the frame (w, h)."""
    assert np.isfinite(boxes).all()
    assert (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] < size).all(), boxes
    assert (boxes[:, :2] + boxes[:, 2:] > 0).all(), boxes


def reseated(tracker, moves, image) -> tuple[np.ndarray, Any]:
    """The answer in `image` after the search was moved from the target by each of `moves` px."""
    tracker.start(WIDE, SEAT.copy())
    seat = None
    for move in moves:
        seat = tracker.reseat(SEAT + [move, move, 0, 0])
    return np.asarray(tracker.track(image)[0]), seat


def settled(tracker):
    """Let the norms of a random network take the statistics of a frame, as those of a trained one.

    Otherwise its answers grow by a thousand and all end in the frame's corner.
    """
    network = getattr(tracker, "network", None)
    layers = network.modules() if isinstance(network, torch.nn.Module) else ()
    norms = [layer for layer in layers if isinstance(layer, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    reseated(tracker, [], WIDE)
    for norm in norms:
        norm.eval()
    return tracker


def test_it_is_a_tracker(tracker) -> None:
    assert isinstance(tracker, Tracker)


def test_answers_are_finite_boxes_and_repeat_byte_for_byte(tracker) -> None:
    boxes, scores = answers(tracker)
    assert boxes.shape == (3, 4)
    assert_in_the_frame(boxes, (160, 128))
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
    assert_in_the_frame(boxes, (160, 128))


def test_flat_and_grey_frames_are_survived(tracker) -> None:
    flat = np.full((128, 160, 3), 90, np.uint8)
    boxes, _ = answers(tracker, frames=[flat, flat, frame(grey=True)])
    assert_in_the_frame(boxes, (160, 128))


def test_a_4k_frame_is_survived(tracker) -> None:
    large = frame(size=(3840, 2160))
    boxes, _ = answers(tracker, frames=[large, large])
    assert_in_the_frame(boxes, (3840, 2160))


def test_reseating_moves_the_search(tracker) -> None:
    """Moved by as much as the frame, the tracker sees what it would have seen, and answers so."""
    if not isinstance(tracker, Reseatable):
        pytest.skip("cannot be told where its target went")
    stays, _ = reseated(tracker, [0], WIDE)
    carried = np.roll(WIDE, (CARRIED_PX, CARRIED_PX), axis=(0, 1))
    moved, seat = reseated(tracker, [CARRIED_PX], carried)
    assert np.abs(moved - stays - [CARRIED_PX, CARRIED_PX, 0, 0]).max() <= 1.0
    asked = SEAT + [CARRIED_PX, CARRIED_PX, 0, 0]
    around = asked if seat is None else np.asarray(seat)
    assert np.abs(around[:2] + around[2:] / 2 - asked[:2] - asked[2:] / 2).max() <= 1.0


def test_reseating_leaves_what_was_learnt(tracker) -> None:
    """A search that was moved away and back finds what one that stayed does."""
    if not isinstance(tracker, Reseatable):
        pytest.skip("cannot be told where its target went")
    there_and_back, _ = reseated(tracker, [-100, 0], WIDE)
    stayed, _ = reseated(tracker, [0], WIDE)
    assert there_and_back.tobytes() == stayed.tobytes()


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
