import math

import numpy as np
import pytest
import torch

from tests.train.test_efficientdet_recipe import clip
from vbench.core.boxes import iou_matrix
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.detectors.plugplay import PlugPlay
from vbench.train.loop import Course, finish, fit
from vbench.train.object_frames import scene_of
from vbench.train.plugplay_recipe import (
    PlugPlayRecipe,
    drawn_around,
    found_again,
    moved_boxes,
    tracking_loss,
)

TINY = {"width": 1 / 16, "short_px": 64, "classes": 2}


def test_boxes_are_drawn_within_the_published_ranges() -> None:
    box = np.array([[100.0, 50, 40, 20]])
    found = drawn_around(box, np.random.default_rng(0), 2000)
    centre = found[:, :2] + found[:, 2:] / 2
    shift = (centre - [120, 60]) / [40, 20]
    factor = found[:, 2:] / [40, 20]
    assert np.abs(shift).max() <= 1 and factor.min() >= 0.5 and factor.max() <= 1.5
    # Uniform: means 0 and 1, standard deviations 2 / sqrt(12) and 1 / sqrt(12).
    assert shift.mean(axis=0) == pytest.approx([0, 0], abs=0.05)
    assert factor.std(axis=0) == pytest.approx([1 / math.sqrt(12)] * 2, abs=0.02)


def test_boxes_that_are_learnt_from_overlap_their_object_by_half() -> None:
    first, second = scene_of(clip(), 4), scene_of(clip(), 5)
    moved = moved_boxes(first, second, np.random.default_rng(1))
    assert len(moved.boxes) <= 128
    shared = iou_matrix(moved.boxes, first.boxes)
    assert shared.max(axis=1).min() >= 0.5
    assert (moved.targets == second.boxes[shared.argmax(axis=1)]).all()


def test_an_object_that_is_gone_has_no_target() -> None:
    there, gone = scene_of(clip(), 4), scene_of(clip(), 6)
    found = found_again(there, gone)
    assert found[0].tolist() == [28.0, 20, 24, 24]
    assert np.isnan(found[1]).all()
    nobody = there._replace(boxes=there.boxes[:0], tracks=there.tracks[:0])
    assert moved_boxes(nobody, gone, np.random.default_rng(0)).boxes.shape == (0, 4)
    unknown = there._replace(tracks=np.array([-1, -1]))
    assert np.isnan(found_again(unknown, unknown)).all()


def test_loss_is_the_sum_of_its_formula() -> None:
    corners = torch.tensor([[0.0, 0, 20, 10], [0, 0, 10, 10], [5, 5, 9, 9]])
    targets = torch.tensor([[1.0, 0, 21, 10], [0, 0, 10, 10], [math.nan] * 4])
    fits, codes = torch.tensor([0.8, 1.0, 0.3]), torch.zeros(3, 4)
    # Code: x 1/20 / 0.1 = 0.5, below 1 quadratic. Scores: IoU 19/21, 1, and 0 for what is gone.
    boxes = 0.5**2 / 2
    scores = (0.8 - 19 / 21) ** 2 / 2 + 0.3**2 / 2
    found = tracking_loss(fits, codes, corners, targets)
    assert float(found) == pytest.approx((boxes + scores) / 3, rel=1e-5)
    assert float(tracking_loss(fits[:0], codes[:0], corners[:0], targets[:0])) == 0


def test_the_wanted_score_sends_no_gradient_to_the_codes() -> None:
    corners = torch.tensor([[0.0, 0, 20, 10]])
    codes = torch.zeros(1, 4, requires_grad=True)
    tracking_loss(torch.tensor([0.1]), codes, corners, corners).backward()
    assert codes.grad is not None and not codes.grad.any()


def test_only_the_tracker_is_fitted_and_one_checkpoint_holds_both(tmp_path) -> None:
    method = PlugPlay(**TINY, seed=2)
    recipe = PlugPlayRecipe(method, [clip()], 2, "cpu")
    before = {k: v.clone() for k, v in method.detector.network.state_dict().items()}
    losses = fit(recipe, Course(20, rate=1e-2))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    for key, value in method.detector.network.state_dict().items():
        assert torch.equal(before[key], value), key
    path = tmp_path / "fitted.pt"
    finish(path, recipe, losses)
    weights = Weights("plugplay-hrnet", {path.name: path}, "")
    loaded = PlugPlay(**TINY, seed=3, weights=weights)
    frames = clip().frames
    for index in (0, 1):
        ours, theirs = loaded.key(frames[index]), method.key(frames[index])
        assert ours.boxes.tobytes() == theirs.boxes.tobytes()
    assert loaded.predicted.tobytes() == method.predicted.tobytes()


def test_a_detector_alone_must_be_asked_for(tmp_path) -> None:
    path = tmp_path / "detector.pth"
    torch.save(PlugPlay(**TINY).detector.network.state_dict(), path)
    weights = Weights("plugplay-hrnet", {path.name: path}, "")
    with pytest.raises(VBenchError, match="detector without a tracker"):
        PlugPlay(**TINY, weights=weights)
    PlugPlay(**TINY, weights=weights, untrained=True)
