import math

import numpy as np
import pytest
import torch

from vbench.core.clip import Clip, Objects
from vbench.core.errors import VBenchError
from vbench.detectors.efficientdet import EfficientDet
from vbench.train.efficientdet_recipe import EfficientDetRecipe, frame_loss, owners
from vbench.train.loop import Course, fit
from vbench.train.object_frames import ObjectFrames, mirrored, scene_of


def clip(frames=12, seed=0):
    """A bright square that moves over noise, and a dark one that stands but for some frames."""
    rng = np.random.default_rng(seed)
    images, rows = [], []
    for index in range(frames):
        image = rng.integers(100, 130, (64, 96, 3), dtype=np.uint8)
        x = 4 + 4 * index
        image[20:44, x : x + 24] = 250
        rows.append([index, x, 20, 24, 24, 0, 7])
        if index % 3:
            image[40:60, 60:84] = 5
            rows.append([index, 60, 40, 24, 20, 1, 9])
        images.append(image)
    table = np.array(rows, float)
    label, track = table[:, 5].astype(int), table[:, 6].astype(int)
    objects = Objects(
        table[:, 0].astype(int), table[:, 1:5], label, track, np.zeros(len(table), bool)
    )
    return Clip("moving", images, objects=objects, known_size=(96, 64))


def test_scenes_hold_the_objects_of_their_frame_and_mirror() -> None:
    scene = scene_of(clip(), 3)
    assert scene.boxes.tolist() == [[16.0, 20, 24, 24]]
    other = mirrored(scene_of(clip(), 4))
    assert other.boxes.tolist() == [[96 - 20 - 24, 20, 24, 24], [12, 40, 24, 20]]
    assert (other.frame[30, 60] == 250).all()


def test_pairs_lie_one_to_farthest_apart_in_both_orders() -> None:
    frames = ObjectFrames([clip()], 2)
    rng = np.random.default_rng(0)
    gaps = set()
    for _ in range(200):
        first, second = frames.draw_pair(rng, 3)
        gaps.add(round((second.boxes[0, 0] - first.boxes[0, 0]) / 4))
    assert gaps == {-3, -2, -1, 1, 2, 3}


def test_clips_must_fit_the_detector() -> None:
    with pytest.raises(VBenchError, match="add classes=2"):
        ObjectFrames([clip()], 1)
    with pytest.raises(VBenchError, match="no clip"):
        ObjectFrames([Clip("empty", [])], 1)


def test_anchors_see_what_they_overlap_by_half_and_every_object_is_seen() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 20], [0, 0, 10, 21], [50, 50, 60, 60]])
    truth = torch.tensor([[0.0, 0, 10, 10], [58, 58, 64, 64]])
    # IoU with the first object: 1, 10/20, 10/21, 0; the last anchor is the second one's best.
    assert owners(anchors, truth).tolist() == [0, 0, -1, 1]
    assert owners(anchors, truth[:0]).tolist() == [-1] * 4


def test_loss_of_a_frame_is_the_sum_of_its_formula() -> None:
    anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    truth, labels = torch.tensor([[1.0, 0, 11, 10]]), torch.tensor([1])
    logits, codes = torch.tensor([[0.0, 2.0], [-3.0, -1.0]]), torch.zeros(2, 4)

    def focal(logit, wanted):
        p = 1 / (1 + math.exp(-logit))
        hit, weight = (p, 0.25) if wanted else (1 - p, 0.75)
        return -weight * (1 - hit) ** 1.5 * math.log(hit)

    classes = focal(0, 0) + focal(2, 1) + focal(-3, 0) + focal(-1, 0)
    # One code of four is wrong, x by 0.1: Huber's loss at its knee is 0.1^2 / 2.
    expected = classes / 2 + 50 * (0.1**2 / 2) / (4 * 2)
    found = frame_loss(logits, codes, anchors, truth, labels)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    right = torch.tensor([[0.0, 0.1, 0, 0], [9, 9, 9, 9]])
    assert float(frame_loss(logits, right, anchors, truth, labels)) == pytest.approx(
        classes / 2, rel=1e-5
    )


def test_a_fit_of_seconds_lowers_the_loss() -> None:
    detector = EfficientDet(classes=2, width=0.25, side_px=128, floor=0.01, seed=1)
    recipe = EfficientDetRecipe(detector, [clip()], 2, "cpu")
    losses = fit(recipe, Course(12, rate=3e-3))
    assert np.mean(losses[-4:]) < np.mean(losses[:4])
    assert len(recipe.state()) == 784
