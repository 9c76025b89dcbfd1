"""What every detector on R-FCN's heads must bear."""

import gc

import numpy as np
import pytest
import torch

from vbench import catalogue
from vbench.core.roles import Detector

NAMES = ("rfcn", "dff", "fgfa", "dt", "lsts")
SIZES = [(1, 1), (200, 3), (3, 200), (1920, 1080), (64, 64)]


def built(name, **given):
    parameters = {"width": "0.0625", "short_px": "64", **given}
    return catalogue.build("detectors", name, parameters, weights=None, device="cpu", seed=0)


def answers(detector, *frames):
    if isinstance(detector, Detector):
        return [detector.detect(frame) for frame in frames]
    detector.start((frames[0].shape[1], frames[0].shape[0]))
    return [detector.key(frames[0]), *(detector.inter(frame) for frame in frames[1:])]


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_any_shape_get_boxes_inside_them(name):
    detector = built(name)
    for width, height in SIZES:
        rng = np.random.default_rng(width)
        frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        before = frame.copy()
        for boxes, scores, labels in answers(detector, frame, frame):
            assert np.isfinite(boxes).all()
            assert (boxes[:, :2] >= 0).all()
            assert (boxes[:, 2:] > 0).all()
            assert (boxes[:, :2] + boxes[:, 2:] <= np.array([width, height]) + 1e-6).all()
            assert ((scores > 0) & (scores <= 1)).all()
            assert (np.diff(scores) <= 0).all()
            assert ((labels >= 0) & (labels < 30)).all()
        assert np.array_equal(frame, before)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_found_is_an_empty_answer(name):
    detector = built(name, floor="0.999")
    flat = np.full((48, 64, 3), 90, np.uint8)
    for boxes, scores, labels in answers(detector, flat, flat):
        assert boxes.shape == (0, 4)
        assert scores.shape == labels.shape == (0,)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_long_clip_holds_no_more_than_a_short_one(name):
    detector = built(name, **({"past": "3"} if name == "fgfa" else {}))
    frames = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), dtype=np.uint8)

    def held():
        gc.collect()
        return sum(x.numel() for x in gc.get_objects() if issubclass(type(x), torch.Tensor))

    detector.start((64, 48))
    sizes = []
    for index in range(60):
        step = detector.key if index % 10 == 0 else detector.inter
        step(frames[index % 8])
        if index in (14, 59):
            sizes.append(held())
    assert sizes[1] == sizes[0]
