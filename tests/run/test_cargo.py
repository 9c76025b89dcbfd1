"""What of a keyframe's detections is carried, and where each of them is afterwards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.scripted import Carrier, clip
from vbench.core.policy import Fixed, Online
from vbench.core.roles import Detections, Propagated, Work
from vbench.core.trace import Kind
from vbench.cost.stopwatch import FakeClock
from vbench.cost.unit_costs import ANCHORED
from vbench.run.cargo import Cargo
from vbench.run.loop import run_clip
from vbench.run.stepper import DetectorStepper
from vbench.run.tally import Tallies

A, B = [10.0, 10, 8, 8], [30.0, 10, 8, 8]
SURE, WEAK = 0.9, 0.1


class Doubles:
    """Answers A under two classes, B surely and B weakly."""

    def detect(self, frame) -> Detections:
        return Detections(np.array([A, B, A, B]), np.array([SURE, SURE, 0.6, WEAK]), np.arange(4))

    def work(self):
        return {"detect": [Work("d", macs=1000)]}


class Pusher(Carrier):
    """Moves what it carries 5 px right of where it was."""

    def propagate(self, frame) -> Propagated:
        return Propagated(self.boxes + [5.0, 0, 0, 0], np.full(len(self.boxes), 0.7))


def ran(policy=None, **how):
    carrier = Pusher([])
    stepper = DetectorStepper(Doubles(), carrier, **how)
    trace = run_clip(stepper, policy or Fixed(3), clip(6), FakeClock(0).now)
    costs = Tallies().costs_of("doubles+pusher", stepper)
    return trace, carrier, costs.total(trace.kind, trace.objects, trace.extras, trace.carried)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), max_size=12), st.floats(0, 1))
def test_every_detection_goes_where_its_box_goes(found, still) -> None:
    boxes = np.array([[x, 0.0, 5, 5] for x, _ in found]).reshape(-1, 4)
    scores = np.array([score for _, score in found])
    cargo = Cargo.of(boxes, scores, still)
    sure = [tuple(box) for box in boxes[scores >= still]]
    assert [tuple(box) for box in cargo.boxes] == list(dict.fromkeys(sure))
    moved = Propagated(cargo.boxes + [100.0, 0, 0, 0], cargo.boxes[:, 0] / 10)
    now = cargo.unloaded(moved)
    moves = scores >= still
    assert (now.boxes[moves] == boxes[moves] + [100, 0, 0, 0]).all()
    assert (now.boxes[~moves] == boxes[~moves]).all()
    assert now.belief[moves] == pytest.approx(boxes[moves, 0] / 10)
    assert np.isnan(now.belief[~moves]).all()


def test_a_box_of_several_classes_is_carried_and_paid_once() -> None:
    trace, carrier, macs = ran()
    assert carrier.boxes.tolist() == [A, B]
    assert trace.boxes[trace.frame_slices()[1]][:, 0].tolist() == [15, 35, 15, 35]
    assert trace.extras[ANCHORED].tolist() == [2, 0, 0, 2, 0, 0]
    assert trace.carried.tolist() == [0, 2, 2, 0, 2, 2]
    # A keyframe: the detector and 5 for each anchored box; an inter-frame: 10 for each, and 1.
    assert macs.tolist() == [1010, 21, 21, 1010, 21, 21]


def test_what_is_not_sure_stays_where_it_was() -> None:
    trace, carrier, macs = ran(still=0.7)
    assert carrier.boxes.tolist() == [A, B]
    assert trace.boxes[trace.frame_slices()[2]][:, 0].tolist() == [15, 35, 10, 30]
    trace, carrier, macs = ran(still=0.7, floor=0.3)
    assert trace.boxes[trace.frame_slices()[2]][:, 0].tolist() == [15, 35, 10]
    assert macs.tolist() == [1010, 21, 21, 1010, 21, 21]


def test_nothing_sure_is_carried_by_nobody() -> None:
    trace, carrier, macs = ran(still=0.95)
    assert carrier.boxes.shape == (0, 4)
    assert trace.boxes.reshape(6, 4, 4).tolist() == [[A, B, A, B]] * 6
    assert macs.tolist() == [1000, 1, 1, 1000, 1, 1]
    assert np.isnan(trace.belief).all()


def test_belief_in_what_stays_makes_no_keyframe() -> None:
    trace, _, _ = ran(Online(0.5, 4), still=0.95)
    assert (trace.kind == Kind.KEY).tolist() == [True, False, False, False, True, False]
