import numpy as np
import pytest

from tests.contract.models import BOX, built, frame, plain_names
from vbench.core.roles import Placed, Propagator
from vbench.cost.unit_costs import UnitCosts, price

NAMES = plain_names("propagators")
BOXES = np.array([BOX, [20.0, 20, 24, 30], [110.0, 80, 30, 30]])


@pytest.fixture(scope="module", params=NAMES)
def propagator(request):
    return built("propagators", request.param)


def carried(propagator, boxes=BOXES, shifts=(2.0, 4.0)):
    if isinstance(propagator, Placed):
        propagator.enter("clip", 1 + len(shifts))
    propagator.anchor(frame(), boxes.copy())
    return [propagator.propagate(frame(s)) for s in shifts]


def test_it_is_a_propagator(propagator) -> None:
    assert isinstance(propagator, Propagator)


def test_boxes_and_beliefs_keep_order_and_number(propagator) -> None:
    for boxes, belief in carried(propagator):
        assert boxes.shape == (3, 4)
        assert belief.shape == (3,)
        assert np.isfinite(boxes).all()
        assert (np.isnan(belief) | ((belief >= 0) & (belief <= 1))).all()


def test_answers_repeat_byte_for_byte(propagator) -> None:
    first = [(b.tobytes(), c.tobytes()) for b, c in carried(propagator)]
    carried(propagator, boxes=BOXES[:1])
    assert [(b.tobytes(), c.tobytes()) for b, c in carried(propagator)] == first


def test_an_object_is_carried_alike_alone_and_among_others(propagator) -> None:
    together = carried(propagator)
    alone = carried(propagator, boxes=BOXES[:1])
    for (many, _), (one, _) in zip(together, alone, strict=True):
        assert many[:1] == pytest.approx(one, abs=1e-3)


def test_no_objects_are_carried_to_no_objects(propagator) -> None:
    for boxes, belief in carried(propagator, boxes=np.zeros((0, 4))):
        assert boxes.shape == (0, 4)
        assert belief.shape == (0,)


def test_the_input_is_left_as_it_was(propagator) -> None:
    image, boxes = frame(), BOXES.copy()
    propagator.anchor(image, boxes)
    propagator.propagate(image)
    assert image.tobytes() == frame().tobytes()
    assert boxes.tobytes() == BOXES.tobytes()


def test_awkward_boxes_still_get_finite_ones(propagator) -> None:
    awkward = np.array(
        [[-30.0, -20, 36, 28], [150.0, 120, 40, 40], [60.0, 50, 1, 1], [0, 0, 160, 128]]
    )
    for boxes, _ in carried(propagator, boxes=awkward):
        assert np.isfinite(boxes).all()


def test_flat_frames_are_survived(propagator) -> None:
    flat = np.full((128, 160, 3), 90, np.uint8)
    propagator.anchor(flat, BOXES.copy())
    assert np.isfinite(propagator.propagate(flat).boxes).all()


def test_its_cost_is_counted_or_says_what_is_not(propagator) -> None:
    propagator.anchor(frame(), BOXES.copy())
    table = propagator.work()
    costs = UnitCosts(inter=price(table["propagate"], "propagate"))
    assert np.isfinite(costs.inter.per_object) or costs.uncounted
