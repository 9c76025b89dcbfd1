"""The colour-and-shape detector: right on plain shapes, useful and imperfect on synth-vid."""

import colorsys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench import catalogue
from vbench.core.boxes import around_polygons, iou
from vbench.core.roles import Detector
from vbench.detectors.blobs import KINDS, Blobs
from vbench.suites.synth_vid import CLASSES


def drawn(label, centre=(160, 120), px=40.0, angle=0.0):
    """A class's own outline in its own hue on grey, and its box."""
    hue, outline = CLASSES[label]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = outline(px) @ turn.T + centre
    image = np.full((240, 320, 3), 120, np.uint8)
    colour = [round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.8, 0.8)]
    cv2.fillPoly(image, [np.round(points).astype(np.int32)], colour)
    return image, around_polygons(points.reshape(1, -1))[0]


@settings(max_examples=40, deadline=None)
@given(
    label=st.integers(0, 4),
    x=st.integers(70, 250),
    y=st.integers(70, 170),
    px=st.floats(24, 60),
    angle=st.floats(-np.pi, np.pi),
)
def test_one_plain_object_is_found_and_named(label, x, y, px, angle):
    image, box = drawn(label, (x, y), px, angle)
    found = Blobs().detect(image)
    assert found.labels.tolist() == [label]
    # Tips of cones and stars are thinner than what the detector keeps.
    assert iou(found.boxes[0], box) > (0.65 if label in (2, 3) else 0.8)
    assert found.scores[0] > 0.5


def test_a_shape_of_another_class_is_believed_less():
    image, _ = drawn(4)
    right = Blobs().detect(image).scores[0]
    # The bar's outline in the colour of a ball.
    bar_as_ball = image.copy()
    bar_as_ball[(image != 120).any(axis=2)] = drawn(0)[0][120, 160]
    found = Blobs().detect(bar_as_ball)
    assert found.labels.tolist() == [0]
    assert found.scores[0] < right / 2


@pytest.mark.parametrize("value", [0, 120, 255])
def test_nothing_on_a_grey_frame(value):
    found = Blobs().detect(np.full((50, 60, 3), value, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    assert found.labels.dtype == np.int64


def test_least_area_and_saturation_are_asked_for():
    image, _ = drawn(1, px=20.0)
    assert len(Blobs(least_px=300).detect(image).boxes) == 1
    assert len(Blobs(least_px=500).detect(image).boxes) == 0
    assert len(Blobs(saturation=0.9).detect(image).boxes) == 0


def test_useful_and_imperfect_on_synth_vid():
    suite = catalogue.open_suite("synth-vid", None, None)
    assert tuple(KINDS) == suite.card.classes
    detector = catalogue.build("detectors", "blobs")
    assert isinstance(detector, Detector)
    hits = objects = answers = 0
    for clip in suite.clips:
        truth = clip.objects
        assert truth is not None
        for index in range(0, len(clip), 9):
            found = detector.detect(clip.frames[index])
            rows = (truth.frame == index) & ~truth.ignore
            overlap = iou(truth.boxes[rows][:, None], found.boxes[None])
            overlap *= truth.labels[rows][:, None] == found.labels[None]
            hits += int((overlap >= 0.5).any(axis=1).sum())
            objects += int(rows.sum())
            answers += len(found.boxes)
    assert 0.8 < hits / objects < 0.99
    assert 0.7 < hits / answers < 0.99
