"""Timing the parts of methods alone."""

import json
import subprocess
import sys

import numpy as np
import pytest

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.frames import Rendered
from vbench.core.method import parse_method
from vbench.core.policy import Fixed
from vbench.core.roles import Detections, Estimate, Propagated, Work
from vbench.cost.stopwatch import FakeClock
from vbench.run.compose import Composed
from vbench.run.profile import Effort, profile, spread_boxes
from vbench.run.stepper import DetectorStepper, TrackerStepper

FRAMES = 5


class Slow:
    """A tracker whose calls take what it says, by the clock of the test."""

    def __init__(self, clock):
        self.clock, self.seen = clock, []

    def start(self, frame, box):
        self.seen = [frame[0, 0, 0]]
        self.clock.sleep(0.5)

    def track(self, frame):
        self.seen.append(frame[0, 0, 0])
        assert len(self.seen) <= FRAMES, "tracked beyond the clip's end without a new start"
        self.clock.sleep(0.1)
        return Estimate(np.zeros(4))

    def reseat(self, box): ...

    def work(self):
        return {"track": [Work("net", macs=7.0)]}


class Carrier:
    def __init__(self, clock):
        self.clock = clock

    def anchor(self, frame, boxes):
        self.boxes = boxes
        self.clock.sleep(0.001)

    def propagate(self, frame):
        self.clock.sleep(0.002 + 0.001 * len(self.boxes))
        return Propagated(self.boxes, np.ones(len(self.boxes)))


class Finder:
    def __init__(self, clock):
        self.clock = clock

    def detect(self, frame):
        self.clock.sleep(0.25)
        return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))


def clip():
    def render(index):
        return np.full((60, 80, 3), index, np.uint8)

    return Clip("c", Rendered(FRAMES, render), np.tile([10.0, 10, 20, 15], (FRAMES, 1)))


def composed(text, stepper):
    return Composed(parse_method(text), "sot", Fixed(3), stepper)


def test_every_call_is_timed_alone_by_the_given_clock():
    clock = FakeClock(0.0)
    method = composed("slow+carrier@fixed:3", TrackerStepper(Slow(clock), Carrier(clock)))
    effort = Effort(repeats=2, seconds=0, objects=(1, 4))
    found = profile([method], clip(), effort=effort, clock=clock)
    times = {component.name: component.ms_by_objects for component in found.components}
    assert times == {
        "slow.start": {1: pytest.approx(500)},
        "slow.track": {1: pytest.approx(100)},
        "carrier.anchor": {1: pytest.approx(1), 4: pytest.approx(1)},
        "carrier.propagate": {1: pytest.approx(3), 4: pytest.approx(6)},
    }
    track = found.component("slow", "track")
    assert (track.runs, track.macs) == (6, 7)
    assert found.component("carrier", "propagate").macs is None
    assert found.source == "measured"
    assert found.device["threads"] == 1
    assert found.component("carrier", "propagate").ms(2) == pytest.approx(4)


def test_parts_that_methods_share_are_timed_once():
    clock = FakeClock(0.0)
    carrier = Carrier(clock)
    methods = [
        composed("finder+carrier@fixed:3", DetectorStepper(Finder(clock), carrier)),
        composed("finder@every", DetectorStepper(Finder(clock))),
    ]
    found = profile(methods, clip(), effort=Effort(1, 0, objects=(2,)), clock=clock)
    assert [c.name for c in found.components] == [
        "finder.detect",
        "carrier.anchor",
        "carrier.propagate",
    ]
    assert found.component("finder", "detect").ms() == pytest.approx(250)


def test_unsteady_repeats_are_named():
    class Drifting(FakeClock):
        def now(self):
            self.sleep(self.seconds / 50)
            return super().now()

    clock = Drifting(0.001)
    found = profile(
        [composed("finder@every", DetectorStepper(Finder(clock)))],
        clip(),
        effort=Effort(repeats=3, seconds=0),
        clock=clock,
    )
    assert any("finder.detect x 1: medians of its repeats differ by" in n for n in found.notes)


def test_objects_are_spread_over_the_frame():
    frame = np.zeros((60, 80, 3), np.uint8)
    boxes = spread_boxes(np.array([10.0, 10, 20, 15]), 7, frame)
    assert boxes.shape == (7, 4)
    assert boxes[0].tolist() == [10, 10, 20, 15]
    assert (boxes[:, 2:] == [20, 15]).all()
    assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] + boxes[:, 2:] <= [80, 60]).all()
    assert len(np.unique(boxes[1:, :2], axis=0)) == 6


def test_an_effort_of_nothing_is_refused():
    with pytest.raises(VBenchError, match="repeats and objects start at 1"):
        Effort(repeats=0)


FEW = """
import sys
for name in ("fvcore", "pandas", "matplotlib", "pycocotools", "got10k", "onnxruntime", "scipy"):
    sys.modules[name] = None
from vbench.cli.app import invoke
quick = ["--seconds", "0", "--repeats", "1", "--objects", "1", "--json", "--out", "p.json"]
sys.exit(invoke(["profile", "siamfc[scales=1]+patchnet", *quick]))
"""


def test_a_small_board_needs_few_packages(tmp_path):
    """As docs/jetson.md says: no pandas, fvcore, matplotlib, got10k, pycocotools, onnxruntime."""
    asked = [sys.executable, "-W", "ignore", "-c", FEW]
    answer = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout)
    names = [f"{c['model']}.{c['call']}" for c in said["components"]]
    assert names == [
        "siamfc[scales=1].start",
        "siamfc[scales=1].track",
        "patchnet.anchor",
        "patchnet.propagate",
    ]
