import numpy as np
import pytest

from tests.run.scripted import Carrier, Walker, clip
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.policy import Every, Fixed
from vbench.core.roles import Propagated
from vbench.core.suite import Card, Suite
from vbench.core.trace import Kind
from vbench.core.vot_run import Code, run_in
from vbench.cost.stopwatch import FakeClock
from vbench.cost.unit_costs import unit_costs
from vbench.run.protocols import under_protocol
from vbench.run.restarted import run_restarted
from vbench.run.stepper import TrackerStepper


class Drifter(Walker):
    """Answers the start box for `keep` frames, then a box far away, which is a failure."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self.keep = keep

    def start(self, frame, box) -> None:
        super().start(frame, box)
        self.left, self.home = self.keep, np.array(box)

    def track(self, frame):
        estimate = super().track(frame)
        self.left -= 1
        box = self.home if self.left >= 0 else self.home + [40.0, 0, 0, 0]
        return estimate._replace(box=box)


class Still(Carrier):
    """Carries boxes to where they are."""

    def propagate(self, frame) -> Propagated:
        return Propagated(self.boxes, np.ones(1))


def codes(trace) -> list[int]:
    run = run_in(trace)
    assert run is not None
    return run.codes.tolist()


def test_a_failure_skips_frames_and_starts_again() -> None:
    # Starts at 0, answers 1 to 3, fails at 4, skips 4 more, starts 5 frames after: 9.
    trace = run_restarted(
        TrackerStepper(Drifter(3)), Every(), clip(14), FakeClock().now, "vot-supervised"
    )
    start, region, failure, skipped = Code.START, Code.REGION, Code.FAILURE, Code.SKIPPED
    run = run_in(trace)
    assert run is not None
    assert run.codes.tolist() == [
        start, region, region, region, failure, skipped, skipped, skipped, skipped,
        start, region, region, region, failure,
    ]  # fmt: skip
    assert run.failures == 2
    assert [k for k in trace.kind if k == Kind.SKIPPED] == [Kind.SKIPPED] * 4
    assert trace.tracked.sum() == 8


def test_costs_are_those_of_what_really_ran() -> None:
    tracker = Drifter(3)
    trace = run_restarted(
        TrackerStepper(tracker), Every(), clip(14), FakeClock().now, "vot-supervised"
    )
    macs = unit_costs(tracker).total(trace.kind, trace.objects, {}, trace.carried)
    assert macs.sum() == 2 * 7 + 8 * 300


def test_a_skip_frame_method_restarts_with_a_fresh_gap() -> None:
    stepper = TrackerStepper(Drifter(3), Still(np.ones(20)))
    trace = run_restarted(stepper, Fixed(2), clip(9), FakeClock().now, "vot-supervised")
    names = [Kind(k).name for k in trace.kind]
    assert names == ["START", "INTER", "KEY", "INTER", "KEY", "INTER", "KEY", "INTER", "KEY"]
    assert codes(trace) == [Code.START] + [Code.REGION] * 7 + [Code.FAILURE]


def test_unsupervised_never_looks_at_the_truth() -> None:
    trace = run_restarted(
        TrackerStepper(Drifter(3)), Every(), clip(14), FakeClock().now, "vot-unsupervised"
    )
    assert codes(trace) == [Code.START] + [Code.REGION] * 13


def suite(task="sot", protocol="ope") -> Suite:
    return Suite(Card("s", "t", task, 1, protocol=protocol), [clip(60)])


def test_the_suites_own_protocol_is_the_default() -> None:
    assert under_protocol(suite(protocol="vot-supervised"), None)[1] == "vot-supervised"
    assert under_protocol(suite(), None)[1] == "ope"
    assert under_protocol(suite("vid", "vid"), None)[1] == "vid"


def test_tre_and_sre_become_more_clips() -> None:
    assert len(under_protocol(suite(), "tre")[0].clips) == 20
    assert len(under_protocol(suite(), "sre")[0].clips) == 12


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(UnknownName, match="vot-supervised"):
        under_protocol(suite(), "vot-supervized")
    with pytest.raises(VBenchError, match="many objects"):
        under_protocol(suite("vid"), "tre")
