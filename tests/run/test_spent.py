"""What a trace records of calls that no column of objects tells, and what it then costs."""

import numpy as np
import pytest

from tests.run.scripted import Carrier, Sightings, clip
from vbench.core.policy import Every, Fixed, Oracle
from vbench.core.roles import Detections, Work
from vbench.core.trace import Kind
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.fgfa import Fgfa
from vbench.run.loop import run_clip
from vbench.run.stepper import DetectorStepper, VideoDetectorStepper


class Weak(Sightings):
    """Its last object of a frame is too weak to be carried."""

    def detect(self, frame) -> Detections:
        found = super().detect(frame)
        found.scores[-1:] = 0.001
        return found


class Meter:
    """A video detector whose parts run as often as the frame's index says; never where it is."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def start(self, size) -> None:
        self.spent = {}

    def key(self, frame) -> Detections:
        return self._answer(frame, {"looked": 1.0, "moved": float(frame[0, 0, 0])})

    def inter(self, frame) -> Detections:
        return self._answer(frame, {"looked": 0.5, "moved": 10.0})

    def _answer(self, frame, spent) -> Detections:
        self.spent = spent
        return Detections(np.array([[40.0, 40, 4, 4]]), np.ones(1), np.zeros(1, np.int64))

    def work(self):
        one = {name: [Work(name, macs=macs)] for name, macs in (("looked", 2), ("moved", 3))}
        return {"key": [Work("k", macs=100)], "inter": [Work("i", macs=7)], **one}


def test_only_the_objects_that_a_keyframe_anchors_are_charged() -> None:
    stepper = DetectorStepper(Weak([4, 3, 0, 2]), Carrier([1.0] * 4))
    trace = run_clip(stepper, Fixed(2), clip(4), lambda: 0.0)
    # Carried at once to where the frame ends, so not answered.
    assert trace.objects.tolist() == [4, 0, 0, 0]
    assert trace.carried.tolist() == [0, 3, 0, 0]
    assert trace.extras["anchored"].tolist() == [3, 0, 0, 0]
    costs = unit_costs(*stepper.parts())
    found = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
    # A key is 1000 and 5 for each of what it anchors, an inter 1 and 10 for each.
    assert found.tolist() == [1015, 31, 1000, 1]


def test_a_detector_alone_anchors_nothing() -> None:
    trace = run_clip(DetectorStepper(Weak([2, 2])), Every(), clip(2), lambda: 0.0)
    assert trace.extras == {}


def test_parts_are_charged_as_often_as_they_ran() -> None:
    stepper = VideoDetectorStepper(Meter())
    trace = run_clip(stepper, Fixed(2), clip(3), lambda: 0.0)
    assert trace.extras["moved"].tolist() == [0, 10, 2]
    costs = unit_costs(*stepper.parts())
    found = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
    assert found.tolist() == pytest.approx([102, 7 + 1 + 30, 102 + 6])


def test_a_frame_that_is_not_believed_pays_for_both() -> None:
    stepper = VideoDetectorStepper(Meter())
    trace = run_clip(stepper, Oracle(0.5, 5), clip(3), lambda: 0.0)
    assert trace.kind.tolist() == [Kind.KEY, Kind.FALLBACK, Kind.FALLBACK]
    assert trace.extras["moved"].tolist() == [0, 11, 12]
    costs = unit_costs(*stepper.parts())
    found = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
    assert found.tolist() == pytest.approx([102, 107 + 3 + 33, 107 + 3 + 36])


def test_a_memory_that_fills_is_charged_for_what_it_holds() -> None:
    detector = Fgfa(past=2, width=1 / 16, short_px=32)
    stepper = VideoDetectorStepper(detector)
    trace = run_clip(stepper, Every(), clip(5), lambda: 0.0)
    assert trace.extras["remembered"].tolist() == [0, 1, 2, 2, 2]
    costs = unit_costs(detector)
    found = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
    each = costs.per_extra["remembered"].per_call
    assert each > 0
    assert found - costs.key.per_call == pytest.approx(each * np.array([0, 1, 2, 2, 2]))
