import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.scripted import Carrier, Sightings, Walker, clip
from vbench.core.boxes import absent
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.policy import Every, Fixed, Online, parse_policy
from vbench.core.roles import Detections, Estimate
from vbench.core.trace import Kind
from vbench.cost.stopwatch import FakeClock
from vbench.cost.unit_costs import unit_costs
from vbench.run.loop import run_clip
from vbench.run.stepper import DetectorStepper, TrackerStepper, VideoDetectorStepper

beliefs = st.lists(st.sampled_from([0.0, 0.5, 0.79, 0.8, 1.0]), min_size=2, max_size=40)


def run(stepper, policy, length, now=None, **options):
    return run_clip(stepper, policy, clip(length), now or FakeClock(1.0).now, **options)


def fixed_rule(length: int, interval: int) -> list[str]:
    """FixedPatchSiam (RalphMao/PatchNet siamfc/siamfc.py): the base model where f % T == 0."""
    return ["start"] + ["key" if f % interval == 0 else "inter" for f in range(1, length)]


def variable_rule(beliefs: list[float], limit: int, confidence: float) -> list[str]:
    """VariablePatchSiam (siamfc/siamfc.py:434-457): at most `limit` inter-frames in a row."""
    tracked, steps = 0, ["start"]
    for belief in beliefs[1:]:
        if tracked == limit:
            tracked = 0
            steps.append("key")
        elif belief < confidence:
            tracked = 0
            steps.append("fallback")
        else:
            tracked += 1
            steps.append("inter")
    return steps


@given(beliefs, st.integers(1, 8))
def test_fixed_schedules_as_the_authors_fixed_tracker(given, interval) -> None:
    trace = run(TrackerStepper(Walker(), Carrier(given)), Fixed(interval), len(given))
    assert [Kind(k).name.lower() for k in trace.kind] == fixed_rule(len(given), interval)


@given(beliefs, st.integers(1, 6), st.sampled_from([0.5, 0.8, 1.0]))
def test_online_schedules_as_the_authors_variable_tracker(given, limit, confidence) -> None:
    # The authors count the inter-frames between two keyframes: k = limit + 1.
    policy = Online(confidence, limit + 1)
    trace = run(TrackerStepper(Walker(), Carrier(given)), policy, len(given))
    assert [Kind(k).name.lower() for k in trace.kind] == variable_rule(given, limit, confidence)


@given(beliefs, st.integers(1, 6))
def test_what_is_charged_is_what_was_called(given, k) -> None:
    tracker, carrier = Walker(), Carrier(given)
    trace = run(TrackerStepper(tracker, carrier), Online(0.8, k), len(given))
    macs = unit_costs(tracker, carrier).total(trace.kind, trace.objects, {}, trace.carried)
    calls = [name for name, _ in (*tracker.calls, *carrier.calls)]
    by_hand = {"start": 7, "track": 300, "anchor": 5, "propagate": 11, "reseat": 0}
    assert macs.sum() == sum(by_hand[name] for name in calls)


def test_who_is_told_what_and_when() -> None:
    tracker, carrier = Walker(), Carrier([1, 1, 0, 1])
    trace = run(TrackerStepper(tracker, carrier), Online(0.8, 5), 4)
    assert [Kind(k) for k in trace.kind] == [Kind.START, Kind.INTER, Kind.FALLBACK, Kind.INTER]
    assert tracker.calls == [("start", 10), ("reseat", 1001), ("track", 2), ("reseat", 1003)]
    assert carrier.calls == [
        ("anchor", 0), ("propagate", 1), ("propagate", 2), ("anchor", 2), ("propagate", 3),
    ]  # fmt: skip
    assert trace.boxes[:, 0] == pytest.approx([10, 1001, 2, 1003])
    assert trace.belief == pytest.approx([np.nan, 1, 0, 1], nan_ok=True)
    assert trace.carried.tolist() == [0, 1, 1, 1]


def test_the_clock_splits_decoding_cheap_half_and_step() -> None:
    # Readings: two around decoding, two around the step, one more after a cheap half that failed.
    clock = FakeClock(1.0)
    trace = run(TrackerStepper(Walker(), Carrier([1, 1, 0, 1])), Online(0.8, 5), 4, clock.now)
    assert trace.decode_seconds.tolist() == [1, 1, 1, 1]
    assert trace.seconds.tolist() == [1, 1, 2, 1]
    assert trace.cheap_seconds.tolist() == [0, 1, 1, 1]


def test_prefetching_changes_no_answer() -> None:
    plain = run(TrackerStepper(Walker()), Every(), 30)
    ahead = run(TrackerStepper(Walker()), Every(), 30, prefetch=True)
    assert plain.boxes.tobytes() == ahead.boxes.tobytes()


class KeepsAll(DetectorStepper):
    """Keeps objects outside the frame, where the scripted boxes are."""

    def accept(self, answer):
        return answer


def test_detections_are_carried_with_the_scores_of_their_keyframe() -> None:
    stepper = KeepsAll(Sightings([3, 9, 2, 9]), Carrier([1, 1, 1, 1]))
    trace = run(stepper, Fixed(2), 4)
    assert [Kind(k) for k in trace.kind] == [Kind.KEY, Kind.INTER, Kind.KEY, Kind.INTER]
    assert trace.objects.tolist() == [3, 3, 2, 2]
    assert trace.scores == pytest.approx([0.9, 0.7, 0.5] * 2 + [0.9, 0.5] * 2)
    assert trace.labels.tolist() == [0, 1, 2] * 2 + [0, 1] * 2


def test_objects_that_leave_the_frame_are_dropped() -> None:
    trace = run(DetectorStepper(Sightings([3, 0]), Carrier([1, 1])), Fixed(5), 2)
    assert trace.objects.tolist() == [3, 0]
    assert trace.carried.tolist() == [0, 3]


def test_decay_rescores_carried_objects() -> None:
    stepper = KeepsAll(Sightings([1, 0, 0]), Carrier([1, 1, 1]))
    trace = run(stepper, parse_policy("decay:9:0.5"), 3)
    assert trace.scores == pytest.approx([0.9, 0.45, 0.225])


class Broken(Walker):
    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def track(self, frame):
        return Estimate(np.asarray(self.answer, float), 1.0)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([np.nan, 0, 1, 1], "frame 1: the answered box or score is not a finite number"),
        ([0, np.inf, 1, 1], "frame 1: the answered box or score is not a finite number"),
        ([0, 0, 1], "frame 1: a box of shape (3,), not (4,)"),
        ([[0, 0, 1, 1]], "frame 1: "),
    ],
)
def test_an_answer_that_is_no_box_fails_the_clip(answer, says) -> None:
    with pytest.raises(ClipFailed) as caught:
        run(TrackerStepper(Broken(answer)), Every(), 3)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("box", "says"),
    [
        ((np.nan, 1, 2, 3), "no ground-truth box"),
        ((5, 5, 0, 3), "no size"),
        ((70, 5, 3, 3), "outside"),
        ((-9, 5, 3, 3), "outside"),
    ],
)
def test_a_start_box_that_cannot_be_used_fails_the_clip(box, says) -> None:
    with pytest.raises(ClipFailed, match=says):
        run_clip(TrackerStepper(Walker()), Every(), clip(3, box=box), FakeClock().now)


def test_an_empty_clip_fails() -> None:
    empty = Clip("empty", clip(0).frames, truth=absent(0))
    with pytest.raises(ClipFailed, match="no frames"):
        run_clip(TrackerStepper(Walker()), Every(), empty, FakeClock().now)


def test_a_score_that_is_no_number_fails_a_detector() -> None:
    class Unsure:
        def detect(self, frame):
            return Detections(np.array([[1.0, 1, 2, 2]]), np.array([np.nan]), np.array([0]))

    with pytest.raises(ClipFailed, match="not a finite number"):
        run(DetectorStepper(Unsure()), Every(), 2)


class Video:
    """A video detector that answers x = keyframe it remembers, y = frame."""

    def start(self, size) -> None:
        self.memory = -1

    def key(self, frame):
        self.memory = int(frame[0, 0, 0])
        return self.inter(frame)

    def inter(self, frame):
        box = [[float(self.memory), float(frame[0, 0, 0]), 5, 5]]
        return Detections(np.array(box), np.ones(1), np.zeros(1, int))


@pytest.mark.parametrize("prefetch", [False, True])
def test_looking_ahead_keys_the_middle_and_keeps_the_order_of_frames(prefetch) -> None:
    stepper = VideoDetectorStepper(Video())
    trace = run(stepper, parse_policy("fixed_middle:4"), 10, prefetch=prefetch)
    assert trace.boxes[:, 1].tolist() == list(range(10))
    assert trace.boxes[:, 0].tolist() == [1, 1, 1, 1, 5, 5, 5, 5, 9, 9]
    assert np.flatnonzero(trace.kind == Kind.KEY).tolist() == [1, 5, 9]
