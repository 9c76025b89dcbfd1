"""SiamFC against a straight-line statement of its reference implementation."""

import cv2
import numpy as np
import pytest
import torch

from vbench.core.boxes import centre_distances
from vbench.core.errors import VBenchError
from vbench.core.roles import Propagator, Reseatable, Seated, Tracker, Weights
from vbench.trackers.siamfc import (
    SiamFC,
    SiamFCNetwork,
    SiamFCPropagator,
    cubic_matrix,
    read_peaks,
    siamfc_network,
    upsampled,
)


def moving_square(n=4, size=(160, 120), start=(60, 40), step=(3, 2), side=24):
    """Frames of a textured square over a textured ground, and its boxes."""
    rng = np.random.default_rng(5)
    ground = cv2.resize(rng.integers(0, 90, (30, 40, 3), dtype=np.uint8), size)
    target = cv2.resize(rng.integers(120, 255, (6, 6, 3), dtype=np.uint8), (side, side))
    frames, boxes = [], []
    for i in range(n):
        x, y = start[0] + step[0] * i, start[1] + step[1] * i
        frame = ground.copy()
        frame[y : y + side, x : x + side] = target
        frames.append(frame)
        boxes.append([x, y, side, side])
    return frames, np.array(boxes, dtype=float)


def upstream_state(seed):
    """Random tensors under the names and shapes of siamfc_alexnet_e50.pth."""
    shapes = [
        (96, 3, 11, 11),
        (256, 48, 5, 5),
        (384, 256, 3, 3),
        (384, 192, 3, 3),
        (256, 192, 3, 3),
    ]
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for i, shape in enumerate(shapes, start=1):
        fan = shape[1] * shape[2] * shape[3]
        state[f"backbone.conv{i}.0.weight"] = torch.randn(shape, generator=draw) / fan**0.5
        state[f"backbone.conv{i}.0.bias"] = torch.randn(shape[0], generator=draw)
        if i < 5:
            for key in ("weight", "bias", "running_mean"):
                state[f"backbone.conv{i}.1.{key}"] = torch.randn(shape[0], generator=draw)
            state[f"backbone.conv{i}.1.running_var"] = torch.rand(shape[0], generator=draw) + 0.5
            state[f"backbone.conv{i}.1.num_batches_tracked"] = torch.tensor(7)
    return state


def features_by_hand(state, images):
    """The backbone from its table: convolution, norm with eps 1e-6, ReLU, pool."""
    groups, strides = (1, 2, 1, 2, 2), (2, 1, 1, 1, 1)
    for i in range(1, 6):
        name = f"backbone.conv{i}"
        images = torch.conv2d(
            images,
            state[f"{name}.0.weight"],
            state[f"{name}.0.bias"],
            strides[i - 1],
            groups=groups[i - 1],
        )
        if i < 5:
            mean, var = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
            weight, bias = state[f"{name}.1.weight"], state[f"{name}.1.bias"]
            scale = weight / torch.sqrt(var + 1e-6)
            images = (images - mean[:, None, None]) * scale[:, None, None] + bias[:, None, None]
            images = torch.relu(images)
        if i < 3:
            images = torch.max_pool2d(images, 3, 2)
    return images


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "siamfc_alexnet_e50.pth"
    state = upstream_state(3)
    torch.save(state, path)
    return state, Weights("siamfc", {path.name: path}, "0" * 64)


def test_upstream_checkpoint_gives_the_backbone_of_the_table(checkpoint):
    state, weights = checkpoint
    network = siamfc_network(weights, "cpu", 0)
    images = torch.rand(1, 3, 127, 127, generator=torch.Generator().manual_seed(0)) * 255
    with torch.inference_mode():
        ours, by_hand = network.backbone(images), features_by_hand(state, images)
    assert ours.shape == (1, 256, 6, 6)
    assert (ours - by_hand).abs().max() < 1e-5 * by_hand.abs().max()


def test_weights_of_another_network_are_named(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"conv1.0.weight": torch.zeros(2)}, path)
    with pytest.raises(
        VBenchError, match=r"other\.pth .*missing backbone\.conv1.*unexpected conv1"
    ):
        SiamFC(weights=Weights("siamfc", {"other.pth": path}, ""))


def straight_line(state, frames, box, scales):
    """Boxes x y w h (0-based) by the reference's equations, written out for one target."""

    def crop(frame, centre, side, size):
        side = round(side)
        corner = [round(c - (side - 1) / 2) for c in centre]
        pad = 2 * side
        value = frames[0].mean(axis=(0, 1)).tolist()
        wide = cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=value)
        y, x = corner[1] + pad, corner[0] + pad
        patch = cv2.resize(wide[y : y + side, x : x + side], (size, size))
        return torch.from_numpy(patch).permute(2, 0, 1)[None].float()

    x, y, w, h = box
    centre, p = np.array([x + (w - 1) / 2, y + (h - 1) / 2]), (w + h) / 2
    z_side = np.sqrt((w + p) * (h + p))
    kernel = features_by_hand(state, crop(frames[0], centre, z_side, 127))
    window = np.outer(np.hanning(272), np.hanning(272))
    window /= window.sum()
    factors = 1.0375 ** np.arange(-(scales // 2), scales // 2 + 1.0)
    answers = []
    for frame in frames[1:]:
        maps = []
        for i, factor in enumerate(factors):
            search = crop(frame, centre, z_side * 255 / 127 * factor, 255)
            response = torch.conv2d(features_by_hand(state, search), kernel)[0, 0].numpy() * 0.001
            large = cv2.resize(response, (272, 272), interpolation=cv2.INTER_CUBIC)
            maps.append(large * (1 if i == scales // 2 else 0.9745))
        best = int(np.argmax([m.max() for m in maps]))
        chosen = maps[best] - maps[best].min()
        chosen = 0.824 * chosen / (chosen.sum() + 1e-16) + 0.176 * window
        row, column = np.unravel_index(chosen.argmax(), chosen.shape)
        shift = (np.array([column, row]) - 135.5) * 8 / 16
        centre = centre + shift * z_side * factors[best] / 127
        scale = 0.41 + 0.59 * factors[best]
        w, h, z_side = w * scale, h * scale, z_side * scale
        answers.append([centre[0] - (w - 1) / 2, centre[1] - (h - 1) / 2, w, h])
    return np.array(answers)


@pytest.mark.parametrize("start", [(60, 40), (2, 3)])
def test_boxes_of_the_straight_line(checkpoint, start):
    state, weights = checkpoint
    frames, boxes = moving_square(start=start)
    tracker = SiamFC(scales=3, weights=weights)
    tracker.start(frames[0], boxes[0])
    ours = np.array([tracker.track(frame).box for frame in frames[1:]])
    with torch.inference_mode():
        assert np.allclose(ours, straight_line(state, frames, boxes[0], 3), atol=1e-3)


def test_follows_a_square_with_random_weights():
    frames, boxes = moving_square(n=6)
    tracker = SiamFC(scales=1)
    tracker.start(frames[0], boxes[0])
    answers = np.array([tracker.track(frame).box for frame in frames[1:]])
    assert (centre_distances(answers, boxes[1:]) < 3).all()


def test_upsampling_is_opencv_s():
    maps = np.random.default_rng(0).normal(size=(3, 17, 17)).astype(np.float32)
    theirs = [cv2.resize(m, (272, 272), interpolation=cv2.INTER_CUBIC) for m in maps]
    assert np.allclose(upsampled(maps), theirs, atol=1e-5)
    assert np.allclose(cubic_matrix(17, 272).sum(axis=1), 1, atol=1e-6)


def test_peaks_prefer_the_middle_scale_and_know_their_place():
    maps = np.zeros((2, 3, 272, 272), dtype=np.float32)
    maps[0, :, 100, 200] = (1.0, 0.99, 1.0)  # discounted by 0.9745, the others lose
    maps[1, :, 20, 30] = (0.9, 0.5, 1.0)
    scale, places, peaks = read_peaks(maps)
    assert scale.tolist() == [1, 2]
    assert places.tolist() == [[32.25, -17.75], [-52.75, -57.75]]
    assert peaks == pytest.approx([0.99, 0.9745])


def test_reseat_moves_by_the_rule_of_patchnet():
    frames, _ = moving_square()
    tracker = SiamFC(scales=1)
    tracker.start(frames[0], np.array([60, 40, 24, 20.0]))
    side = tracker.matcher.template_sides[0]
    place = tracker.reseat(np.array([10, 20, 48, 30.0]))  # twice as wide, 1.5 times as high
    scale = 0.75 + 0.25 * (2 + 1.5) / 2
    assert tracker.matcher.centres.tolist() == [[34, 35]]
    assert tracker.matcher.template_sides[0] == pytest.approx(side * scale)
    w, h = 24 * scale, 20 * scale
    assert place == pytest.approx([34 - (w - 1) / 2, 35 - (h - 1) / 2, w, h])


def test_propagator_with_one_object_is_the_tracker():
    frames, boxes = moving_square(n=3)
    tracker, propagator = SiamFC(scales=3), SiamFCPropagator(scales=3)
    tracker.start(frames[0], boxes[0])
    propagator.anchor(frames[0], boxes[:1])
    for frame in frames[1:]:
        estimate, carried = tracker.track(frame), propagator.propagate(frame)
        assert np.array_equal(carried.boxes[0], estimate.box)
        assert carried.belief[0] == estimate.score


def test_objects_of_a_batch_are_carried_as_if_alone():
    frames, boxes = moving_square(n=3)
    many = np.array([boxes[0], [np.nan] * 4, [5, 90, 30, 20], [150, 100, 20, 30]])
    propagator, alone = SiamFCPropagator(), SiamFCPropagator()
    propagator.anchor(frames[0], many)
    answers = [propagator.propagate(frame) for frame in frames[1:]]
    for row in (0, 2, 3):
        alone.anchor(frames[0], many[row : row + 1])
        for answer, frame in zip(answers, frames[1:], strict=True):
            single = alone.propagate(frame)
            assert np.allclose(answer.boxes[row], single.boxes[0], atol=1e-9)
            assert answer.belief[row] == pytest.approx(single.belief[0], abs=1e-5)
            assert 0 <= answer.belief[row] <= 1
    assert np.isnan([a.boxes[1] for a in answers]).all()
    assert np.isnan([a.belief[1] for a in answers]).all()
    propagator.anchor(frames[0], np.empty((0, 4)))
    assert propagator.propagate(frames[1]).boxes.shape == (0, 4)


def test_seat_moves_the_search():
    frames, boxes = moving_square(n=2)
    propagator = SiamFCPropagator()
    propagator.anchor(frames[0], boxes[:1])
    propagator.seat(np.array([[80, 60, 24, 24.0]]))
    assert propagator.matcher.boxes().tolist() == [[80, 60, 24, 24]]
    propagator.seat(np.full((1, 4), np.nan))
    assert propagator.matcher.boxes().tolist() == [[80, 60, 24, 24]]


@pytest.mark.parametrize(
    "box",
    [[60, 40, 1, 1], [-15, -10, 30, 30], [150, 110, 40, 40], [0, 0, 160, 120], [70, 50, 0.2, 3]],
    ids=["one pixel", "cut at top left", "cut at bottom right", "whole frame", "less than a pixel"],
)
def test_any_box_gives_finite_answers_and_a_fresh_start(box):
    frames, _ = moving_square(n=3)
    frames = [np.repeat(f[..., :1], 3, axis=2) for f in frames]
    before = [f.copy() for f in frames]
    tracker = SiamFC(scales=1, seed=2)

    def run():
        tracker.start(frames[0], np.array(box, dtype=float))
        return [tracker.track(frame) for frame in frames[1:]]

    first, second = run(), run()
    assert all(np.isfinite(e.box).all() and 0 <= e.score <= 1 for e in first)
    assert all(np.array_equal(a.box, b.box) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(frames, before, strict=True))


def test_an_endless_growth_stays_finite():
    tracker = SiamFC(scales=1)
    tracker.start(np.zeros((50, 50, 3), dtype=np.uint8), np.array([5, 5, 20, 20.0]))
    for _ in range(200):
        tracker.reseat(np.concatenate([[0, 0], tracker.matcher.sizes[0] * 9]))
    assert np.isfinite(tracker.track(np.zeros((50, 50, 3), dtype=np.uint8)).box).all()


def test_seeds_and_scales():
    bound = (6 / (3 * 121 + 96 * 121)) ** 0.5
    first = SiamFC(seed=1).matcher.network.backbone.conv1[0].weight
    again = SiamFC(seed=1).matcher.network.backbone.conv1[0].weight
    other = SiamFC(seed=2).matcher.network.backbone.conv1[0].weight
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert bound * 0.99 < first.abs().max() <= bound
    with pytest.raises(VBenchError, match="odd number of scales"):
        SiamFC(scales=2)


def test_what_is_charged_is_what_runs():
    tracker = SiamFC(scales=3)
    work = tracker.work()
    assert [w.times for w in work["track"]] == [3, 3]
    batches = []
    hook = tracker.matcher.network.backbone.register_forward_hook(
        lambda _module, inputs, _output: batches.append(tuple(inputs[0].shape))
    )
    frames, boxes = moving_square(n=2)
    tracker.start(frames[0], boxes[0])
    tracker.track(frames[1])
    hook.remove()
    assert batches == [(1, 3, 127, 127), (3, 3, 255, 255)]
    features, template = work["track"][1].inputs
    assert work["track"][1].module(features, template).shape == (1, 1, 17, 17)


def test_roles():
    assert isinstance(SiamFC(scales=1), Tracker)
    assert isinstance(SiamFC(scales=1), Reseatable)
    assert isinstance(SiamFCPropagator(), Propagator)
    assert isinstance(SiamFCPropagator(), Seated)
    crops, templates = torch.zeros(2, 3, 255, 255), torch.zeros(2, 256, 6, 6)
    assert SiamFCNetwork().eval()(crops, templates).shape == (2, 1, 17, 17)
