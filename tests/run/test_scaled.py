"""Base models on smaller frames: boxes come back where they were."""

from typing import Any

import numpy as np
import pytest

from tests.run.scripted import Walker
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Detector, Reseatable, Tracker, VideoDetector, Worker
from vbench.run.compose import check, compose, plan
from vbench.run.scaled import scaled

FRAME = np.zeros((45, 64, 3), np.uint8)
BOX = np.array([8.0, 9.0, 16.0, 18.0])


def nothing(part: str, name: str):
    return None


class Echo:
    """A detector and video detector that answers the whole frame, and remembers its shape."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, frame) -> Detections:
        self.shapes.append(frame.shape)
        height, width = frame.shape[:2]
        return Detections(np.array([[0.0, 0, width, height]]), np.ones(1), np.zeros(1, int))

    def work(self):
        return {"detect": []}


class VideoEcho(Echo):
    def start(self, size) -> None:
        self.size = size

    def key(self, frame) -> Detections:
        return self.detect(frame)

    inter = key


class Follower(Walker):
    """A tracker that stays, and says where it was told to go."""

    def track(self, frame):
        assert frame.shape == (22, 32, 3)
        return self.box, 0.5

    def reseat(self, box):
        self.box = np.array(box)
        return self.box


def test_boxes_are_scaled_in_and_out_by_what_rounding_left() -> None:
    inner = Follower()
    tracker: Any = scaled(inner, 0.5)
    assert isinstance(tracker, Tracker) and isinstance(tracker, Reseatable)
    tracker.start(FRAME, BOX)
    # 45 rows become 22, not 22.5.
    assert inner.box == pytest.approx(BOX * [0.5, 22 / 45, 0.5, 22 / 45])
    found = tracker.track(FRAME)
    assert found.box == pytest.approx(BOX) and found.score == 0.5
    assert tracker.reseat(BOX + 2) == pytest.approx(BOX + 2)


def test_a_tracker_without_reseat_gets_none() -> None:
    class Fixed:
        start = track = Walker.start

    made = scaled(Fixed(), 0.5)
    # What it costs is not known, rather than nothing.
    assert not isinstance(made, Reseatable) and not isinstance(made, Worker)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2.0])
def test_detections_are_of_the_whole_frame(scale) -> None:
    inner = Echo()
    detector: Any = scaled(inner, scale)
    assert isinstance(detector, Detector) and not isinstance(detector, VideoDetector)
    assert isinstance(detector, Worker)
    assert detector.detect(FRAME).boxes == pytest.approx(np.array([[0.0, 0, 64, 45]]))
    assert inner.shapes == [(round(45 * scale), round(64 * scale), 3)]


def test_a_video_detector_begins_with_the_small_size() -> None:
    inner = VideoEcho()
    detector: Any = scaled(inner, 0.5)
    assert isinstance(detector, VideoDetector)
    detector.start((64, 45))
    assert inner.size == (32, 22)
    for call in (detector.key, detector.inter):
        assert call(FRAME).boxes == pytest.approx(np.array([[0.0, 0, 64, 45]]))


def test_the_method_string_scales_the_base_alone() -> None:
    made = compose(plan("kcf[scale=0.5]+dummy@fixed:3"), nothing)
    assert made.stepper.parts()[0].scale == 0.5
    with pytest.raises(VBenchError, match="scale is of base models"):
        check(plan("kcf+dummy[scale=0.5]"), nothing)
    with pytest.raises(VBenchError, match="from 0.05 to 4"):
        compose(plan("kcf[scale=9]"), nothing)
