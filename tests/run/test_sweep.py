import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.scripted import Carrier, Sightings, clip
from vbench.core.errors import VBenchError
from vbench.core.policy import Every, Fixed, Online
from vbench.cost.stopwatch import FakeClock
from vbench.run.loop import run_clip
from vbench.run.replay import replaying, with_seconds_of
from vbench.run.stepper import DetectorStepper
from vbench.run.sweep import keyframe_interval, match_interval, parameter, threshold


def test_interval_1_is_the_base_alone_and_shared_by_all_propagators() -> None:
    found = keyframe_interval(["kcf+dummy", "kcf+kcf@online:0.7:9"], [1, 4])
    assert [(p.swept, p.value, p.method) for p in found.points] == [
        ("kcf+dummy", "1", "kcf"),
        ("kcf+dummy", "4", "kcf+dummy@fixed:4"),
        ("kcf+kcf", "1", "kcf"),
        ("kcf+kcf", "4", "kcf+kcf@online:0.7:4"),
    ]
    assert found.methods == ["kcf", "kcf+dummy@fixed:4", "kcf+kcf@online:0.7:4"]


def test_thresholds_keep_the_interval_of_the_method() -> None:
    found = threshold(["kcf+kcf@online:0.5:7", "kcf+dummy"], [0.0, 0.9])
    assert found.methods == [
        "kcf+kcf@online:0:7", "kcf+kcf@online:0.9:7",
        "kcf+dummy@online:0:5", "kcf+dummy@online:0.9:5",
    ]  # fmt: skip


def test_a_parameter_is_set_on_the_parts_that_have_it() -> None:
    found = parameter(["siamfc", "kcf[features=hog]", "kcf+dummy@fixed:2"], "kcf.features=gray,hog")
    assert found.methods == [
        "kcf[features=gray]", "kcf[features=hog]",
        "kcf[features=gray]+dummy@fixed:2", "kcf[features=hog]+dummy@fixed:2",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["kcf.features", "features=a", "kcf.=a", "csrt.x=1"])
def test_a_parameter_that_nobody_has_is_named(text) -> None:
    with pytest.raises(VBenchError, match="--param"):
        parameter(["kcf"], text)


def test_a_method_without_a_cheap_half_cannot_be_swept() -> None:
    with pytest.raises(VBenchError, match="kcf[+]dummy"):
        keyframe_interval(["kcf"], [1, 2])


@given(st.floats(1.5, 4.5), st.floats(0.2, 5))
def test_bisection_hits_a_falling_interval(target, power) -> None:
    c, interval = match_interval(target, lambda c: 5 - 4 * c**power, 0.01, steps=60)
    assert interval == pytest.approx(target, abs=0.011)
    assert 5 - 4 * c**power == pytest.approx(interval)


def test_an_interval_out_of_reach_says_what_is_in_reach() -> None:
    with pytest.raises(VBenchError, match=r"1\.00 .* to 5\.00"):
        match_interval(7, lambda c: 5 - 4 * c)


counts = st.lists(st.integers(0, 4), min_size=2, max_size=20)


@given(counts, st.integers(1, 6), st.lists(st.sampled_from([0.1, 0.9]), min_size=20, max_size=20))
def test_a_replayed_detector_changes_no_answer_and_no_second(given_counts, k, beliefs) -> None:
    """With a clock that counts calls, composed times equal those of running for real."""
    n = len(given_counts)
    detector, policy = Sightings(given_counts), Online(0.5, k)
    seconds = {"detect": 7.0}

    class Slow(Sightings):
        def detect(self, frame):
            clock.seconds += seconds["detect"]
            return super().detect(frame)

    def run(stepper, policy):
        return run_clip(stepper, policy, clip(n), clock.now)

    clock = FakeClock(1.0)
    record = run(DetectorStepper(Slow(given_counts)), Every())
    clock = FakeClock(1.0)
    real = run(DetectorStepper(Slow(given_counts), Carrier(beliefs)), policy)
    clock = FakeClock(1.0)
    stepper = DetectorStepper(detector, Carrier(beliefs))
    replayed = with_seconds_of(record, run(replaying(stepper, record), policy))
    assert real.boxes.tobytes() == replayed.boxes.tobytes()
    assert real.scores.tobytes() == replayed.scores.tobytes()
    assert real.kind.tolist() == replayed.kind.tolist()
    # A recorded step holds one reading of the clock besides the detector's own seconds.
    own = np.where(real.kind != 2, seconds["detect"], 0.0)
    composed = replayed.seconds - np.where(real.kind != 2, record.seconds - seconds["detect"], 0.0)
    assert composed - own == pytest.approx(real.seconds - own)


def test_a_record_of_another_length_is_refused() -> None:
    record = run_clip(DetectorStepper(Sightings([1, 1, 1])), Every(), clip(3), FakeClock().now)
    stepper = replaying(DetectorStepper(Sightings([1]), Carrier([1, 1])), record)
    with pytest.raises(VBenchError, match="3 frames recorded"):
        run_clip(stepper, Fixed(2), clip(2), FakeClock().now)
