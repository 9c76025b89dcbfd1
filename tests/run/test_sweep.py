import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.scripted import Carrier, Sightings, clip
from vbench.core.errors import VBenchError
from vbench.core.policy import Every, Fixed, Online
from vbench.core.roles import Propagated
from vbench.core.trace import Kind
from vbench.cost.stopwatch import FakeClock
from vbench.run.loop import run_clip
from vbench.run.replay import Carried, replaying, with_seconds_of
from vbench.run.stepper import DetectorStepper
from vbench.run.sweep import (
    dtype,
    keyframe_interval,
    match_interval,
    parameter,
    scale,
    threshold,
)


def test_interval_1_is_the_base_alone_and_shared_by_all_propagators() -> None:
    found = keyframe_interval(["kcf+dummy", "kcf+kcf@online:0.7:9"], [1, 4])
    assert [(p.swept, p.value, p.method) for p in found.points] == [
        ("kcf+dummy", "1", "kcf"),
        ("kcf+dummy", "4", "kcf+dummy@fixed:4"),
        ("kcf+kcf", "1", "kcf"),
        ("kcf+kcf", "4", "kcf+kcf@online:0.7:4"),
    ]
    assert found.methods == ["kcf", "kcf+dummy@fixed:4", "kcf+kcf@online:0.7:4"]


def test_every_policy_with_a_k_keeps_what_it_is() -> None:
    texts = ["oracle:0.5", "budget:0.5:9", "adaptive:diff:0.1:9", "dort:0.5:9", "fixed_middle:9"]
    found = keyframe_interval([f"kcf+dummy@{text}" for text in texts[:-1]], [4])
    assert [p.method.partition("@")[2] for p in found.points] == [
        "oracle:0.5:4", "budget:0.5:4", "adaptive:diff:0.1:4", "dort:0.5:4",
    ]  # fmt: skip
    assert keyframe_interval([f"lsts@{texts[-1]}"], [4]).methods == ["lsts@fixed_middle:4"]


def test_methods_that_differ_by_their_policy_alone_are_lines_of_their_own() -> None:
    same = ["kcf+dummy@online:0.8:5", "kcf+dummy@decay:5:0.9", "kcf+kcf@fixed:5"]
    for found in (keyframe_interval(same, [2, 3]), threshold(same, [0.5]), scale(same, [0.5])):
        assert list(dict.fromkeys(p.swept for p in found.points)) == [*same[:2], "kcf+kcf"]


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


def test_scale_is_set_on_the_base_and_one_is_the_base_as_it_is() -> None:
    found = scale(["kcf[features=gray]", "kcf+dummy@fixed:2"], [0.5, 1.0])
    assert [(p.swept, p.value, p.method) for p in found.points] == [
        ("kcf[features=gray]", "0.5", "kcf[features=gray,scale=0.5]"),
        ("kcf[features=gray]", "1", "kcf[features=gray]"),
        ("kcf+dummy", "0.5", "kcf[scale=0.5]+dummy@fixed:2"),
        ("kcf+dummy", "1", "kcf+dummy@fixed:2"),
    ]


def test_dtype_is_set_on_the_parts_that_have_weights() -> None:
    found = dtype(["siamfc+patchnet@fixed:3", "siamfc+dummy@fixed:3"], ["fp32", "bf16"])
    assert found.methods == [
        "siamfc+patchnet@fixed:3",
        "siamfc[dtype=bf16]+patchnet[dtype=bf16]@fixed:3",
        "siamfc+dummy@fixed:3",
        "siamfc[dtype=bf16]+dummy@fixed:3",
    ]
    with pytest.raises(VBenchError, match="kcf[+]dummy.* has no network"):
        dtype(["kcf+dummy"], ["fp32"])


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
    with pytest.raises(VBenchError, match="lower k"):
        match_interval(2, lambda c: 5 - c)


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


class Drifter(Carrier):
    """Carries every object a pixel further a frame, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__([])

    def propagate(self, frame) -> Propagated:
        self.calls.append(("propagate", float(frame[0, 0, 0])))
        self.boxes = self.boxes + [1.0, 0, 0, 0]
        return Propagated(self.boxes.copy(), np.linspace(0.4, 0.9, len(self.boxes)))


class Remembering(Drifter):
    """One that knows more than its last keyframe."""

    def enter(self, clip, frames) -> None:
        self.calls = []

    def at(self, index) -> None:
        pass


COUNTS = [3, 1, 0, 2, 2, 3, 1, 4, 2, 0, 2, 3]


def recorded():
    return run_clip(DetectorStepper(Sightings(COUNTS)), Every(), clip(12), FakeClock(0.5).now)


def swept(policies, propagator, carried):
    """Traces of a sweep with what it asked its propagator, by policy."""
    record, found = recorded(), []
    for policy in policies:
        propagator.calls = []
        now = FakeClock(0.25).now
        stepper = replaying(DetectorStepper(Sightings(COUNTS), propagator), record, carried, now)
        trace = run_clip(stepper, policy, clip(12), now)
        found.append((with_seconds_of(record, trace, stepper.propagator), len(propagator.calls)))
    return found


POLICIES = st.lists(
    st.builds(Fixed, st.integers(2, 12)) | st.builds(Online, st.just(0.5), st.integers(2, 9)),
    min_size=1, max_size=5,
)  # fmt: skip


@given(POLICIES)
def test_what_is_recalled_is_what_would_be_carried_again(policies) -> None:
    recalled = swept(policies, Drifter(), Carried())
    for (one, _), (other, _) in zip(recalled, swept(policies, Drifter(), None), strict=True):
        assert one.kind.tolist() == other.kind.tolist()
        assert one.boxes.tobytes() == other.boxes.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes()
        assert one.belief.tobytes() == other.belief.tobytes()
        assert one.carried.tolist() == other.carried.tolist()


def test_nothing_is_carried_twice_where_the_largest_interval_comes_first() -> None:
    policies = [Fixed(12), Fixed(6), Fixed(3), Fixed(2)]
    calls = [asked for _, asked in swept(policies, Drifter(), Carried())]
    # Keyframe 0; then 6; then 3 and 9; then 2, 4, 8 and 10: an anchor each, and the way on.
    assert calls == [1 + 11, 1 + 5, 2 * (1 + 2), 4 * (1 + 1)]


def test_what_was_missed_is_made_up_for_when_an_answer_is_not_known() -> None:
    (_, first), (longer, second) = swept([Fixed(3), Fixed(6)], Drifter(), Carried())
    assert (first, second) == (4 * 3, 2 * 6)
    assert longer.boxes.tobytes() == swept([Fixed(6)], Drifter(), None)[0][0].boxes.tobytes()


def test_recalled_seconds_are_those_of_the_first_time() -> None:
    once, again = (trace for trace, _ in swept([Fixed(4), Fixed(4)], Drifter(), Carried()))
    # The clock goes on .25 s a look: a frame takes that, and a new call, which is looked at itself,
    # as much before and after. A detection took .5 s.
    inter = once.kind == Kind.INTER
    assert np.unique(once.seconds[inter]).tolist() == [0.75]
    assert np.unique(again.seconds[inter]).tolist() == [0.25 + 0.25]
    assert np.unique(again.seconds[~inter]).tolist() == [0.25 + 0.25 + 0.5]
    assert again.cheap_seconds[inter].tolist() == again.seconds[inter].tolist()
    assert again.cheap_seconds[~inter].tolist() == [0.0] * 3


def test_a_propagator_with_a_memory_of_its_own_is_always_asked() -> None:
    (_, first), (_, second) = swept([Fixed(4), Fixed(4)], Remembering(), Carried())
    assert first == second == 12


def test_another_method_recalls_nothing() -> None:
    carried = Carried().of("a+b")
    swept([Fixed(4)], Drifter(), carried)
    assert carried.of("a+b").answers
    assert not carried.of("a+c").answers


def test_the_largest_interval_runs_first() -> None:
    found = keyframe_interval(["blobs+dummy", "blobs+kcf"], [1, 2, 10])
    assert found.methods == [
        "blobs",
        "blobs+dummy@fixed:10", "blobs+dummy@fixed:2",
        "blobs+kcf@fixed:10", "blobs+kcf@fixed:2",
    ]  # fmt: skip
