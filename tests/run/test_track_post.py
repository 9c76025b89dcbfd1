"""Post-processing that links tracks: what the engine tells it, and who pays."""

import numpy as np
import pytest

from tests.run.scripted import Carrier, Sightings, clip
from vbench.core.errors import ClipFailed, NotReady, VBenchError
from vbench.core.policy import Every, Fixed, Online
from vbench.core.roles import Detections
from vbench.core.trace import Kind
from vbench.cost.latency import latency_by_kind
from vbench.cost.stopwatch import FakeClock
from vbench.report.tables import cost_of
from vbench.run.compose import check, plan
from vbench.run.loop import run_clip, untimed
from vbench.run.replay import replaying, with_seconds_of
from vbench.run.stepper import DetectorStepper, VideoDetectorStepper
from vbench.store.run_folder import MethodRecord


class Listening:
    """Keeps what it is told; drops every second detection."""

    def apply(self, clip):
        raise AssertionError("predictions were known")

    def apply_tracked(self, clip, predicted):
        self.clip, self.predicted = clip, predicted
        return [Detections(*(column[::2] for column in found)) for found in clip]


def run(stepper, policy, length):
    return run_clip(stepper, policy, clip(length), FakeClock(0.1).now)


def test_every_object_of_a_frame_is_told_of_in_the_next_one() -> None:
    post = Listening()
    stepper = DetectorStepper(Sightings([3, 0, 2, 2]), Carrier([0.9] * 4), [post], floor=0.6)
    trace = run(stepper, Fixed(2), 4)
    # The last object of a keyframe is below the floor, so nothing carries it; carried to x = 1000
    # they are outside the frame and not answered.
    told = [p[:, 0] for p in post.predicted]
    assert told[0] == pytest.approx([1001.0, 1001.0, np.nan], nan_ok=True)
    assert told[1].tolist() == []
    assert told[2] == pytest.approx([1003.0, np.nan], nan_ok=True)
    assert [len(found.boxes) for found in post.clip] == [3, 0, 2, 0]
    assert trace.objects.tolist() == [2, 0, 1, 0]


def test_keyframes_pay_for_the_cheap_half_as_well() -> None:
    stepper = DetectorStepper(Sightings([2] * 5), Carrier([0.9] * 5), [Listening()])
    trace = run(stepper, Fixed(2), 5)
    K = Kind
    assert trace.kind.tolist() == [K.KEY, K.INTER, K.FALLBACK, K.INTER, K.FALLBACK]
    assert trace.carried.tolist() == [0, 2, 2, 2, 2]
    assert trace.interval == 2


def test_an_answer_that_is_not_believed_still_links() -> None:
    post = Listening()
    stepper = DetectorStepper(Sightings([1] * 3), Carrier([0.9, 0.1, 0.9]), [post])
    run(stepper, Online(0.5, 9), 3)
    assert [p[:, 0].tolist() for p in post.predicted] == [[1001.0], [1002.0]]


class Following:
    """A video detector that predicts its own objects."""

    def start(self, size):
        self.predicted = np.zeros((0, 4))

    def key(self, frame):
        self.predicted = np.full((2, 4), float(frame[0, 0, 0]))
        return Sightings([2] * 9).detect(frame)

    inter = key


def test_a_video_detector_says_where_its_objects_went() -> None:
    post = Listening()
    trace = run(VideoDetectorStepper(Following(), [post]), Every(), 3)
    assert [p[:, 0].tolist() for p in post.predicted] == [[1.0, 1.0], [2.0, 2.0]]
    assert (trace.kind == Kind.KEY).all()


def test_a_detector_that_carries_nothing_cannot_be_linked() -> None:
    class Silent(Following):
        def key(self, frame):
            return Sightings([2] * 9).detect(frame)

    with pytest.raises(ClipFailed, match="nothing carries"):
        run(VideoDetectorStepper(Silent(), [Listening()]), Every(), 3)


def test_a_method_without_a_cheap_half_is_refused_before_it_runs() -> None:
    def no_weights(part, name):
        raise NotReady(f"{part} {name}")

    with pytest.raises(VBenchError, match="nothing in it carries objects; add a propagator"):
        check(plan("blobs+seq-track-nms"), no_weights)
    check(plan("blobs+dummy+seq-track-nms"), no_weights)
    check(plan("blobs+seq-nms"), no_weights)


def test_carried_boxes_are_cut_at_the_frame_and_dropped_outside() -> None:
    class Leaving(Carrier):
        def propagate(self, frame):
            boxes = np.array([[60.0, 44, 8, 8], [64.0, 10, 8, 8]])
            return super().propagate(frame)._replace(boxes=boxes)

    post = Listening()
    trace = run(DetectorStepper(Sightings([2] * 3), Leaving([0.9] * 3), [post]), Fixed(5), 3)
    assert trace.boxes[1:].tolist() == [[60, 44, 4, 4]] * 2
    # Told of before the cut: one row an object that was answered in the frame before.
    assert post.predicted[1].tolist() == [[60, 44, 8, 8]]


class Pausing:
    """Takes `pause` seconds a clip and changes nothing."""

    def __init__(self, clock: FakeClock, pause: float) -> None:
        self.clock, self.pause = clock, pause

    def apply(self, clip):
        self.clock.seconds += self.pause
        return list(clip)


def test_post_processing_is_charged_evenly_to_the_frames_of_its_clip() -> None:
    clock = FakeClock(0)
    posts = [Pausing(clock, 6.0), Pausing(clock, 2.0)]
    trace = run_clip(DetectorStepper(Sightings([1] * 4), None, posts), Every(), clip(4), clock.now)
    assert trace.post_seconds.tolist() == [2.0] * 4
    assert trace.seconds.tolist() == [2.0] * 4
    found = latency_by_kind([trace])
    assert (found.frame.mean, found.post.mean, found.key.mean) == (2000, 2000, 0)
    row = cost_of(MethodRecord("a", "", "a", "every", 1, {}), [trace])
    assert (row["ms_mean"], row["post_ms"]) == (2000, 2000)


def test_a_replayed_detector_with_post_processing_takes_what_it_takes_for_real() -> None:
    clock = FakeClock(0)

    def stepper():
        return DetectorStepper(Sightings([1] * 4), Carrier([0.9] * 4), [Pausing(clock, 8.0)])

    real = run_clip(stepper(), Fixed(2), clip(4), clock.now)
    record = run_clip(DetectorStepper(Sightings([1] * 4)), Every(), clip(4), clock.now)
    again = run_clip(replaying(stepper(), record, None, clock.now), Fixed(2), clip(4), clock.now)
    assert with_seconds_of(record, again).seconds.tolist() == real.seconds.tolist() == [2.0] * 4


def test_without_timing_no_seconds_are_left() -> None:
    clock = FakeClock(0.5)
    stepper = DetectorStepper(Sightings([1] * 4), None, [Pausing(clock, 1.0)])
    trace = untimed(run_clip(stepper, Every(), clip(4), clock.now))
    assert np.isnan(trace.seconds).all()
    assert np.isnan(trace.post_seconds).all()
