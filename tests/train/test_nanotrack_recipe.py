"""NanoTrack's labels are SiamBAN's, and its norms leave with the fit."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from vbench.core.clip import Clip
from vbench.core.frames import Rendered
from vbench.core.roles import Weights
from vbench.trackers.nanotrack import NanoTrack
from vbench.train.loop import Course, fit, write_state
from vbench.train.nanotrack_recipe import (
    NanoTrackRecipe,
    Normed,
    by_point,
    chosen_points,
    folded_state,
    normed,
    reaches,
)

GRID = np.stack(np.meshgrid(np.arange(-128, 128, 16.0), np.arange(-128, 128, 16.0)), axis=2)
POINTS = GRID.reshape(-1, 2)


def walk():
    noise = np.random.default_rng(2).integers(0, 120, (4, 120, 160, 3), dtype=np.uint8)
    truth = np.array([[60.0 + 3 * i, 40 + i, 36, 32] for i in range(4)])

    def render(index):
        image = noise[index].copy()
        x, y = truth[index, :2].astype(int)
        image[y : y + 32, x : x + 36] = (250, 200, 40)
        return image

    return Clip("walk", Rendered(4, render), truth, known_size=(160, 120))


def test_points_of_the_inner_ellipse_are_the_target_and_those_beyond_the_outer_are_not() -> None:
    box = np.array([5.0, -3, 96, 64])
    good, bad = chosen_points(np.random.default_rng(0), POINTS, box)
    x, y = (POINTS - box[:2]).T
    inside = (x / 24) ** 2 + (y / 16) ** 2 < 1
    assert set(good) == set(np.flatnonzero(inside))
    assert len(bad) == 48
    assert ((x[bad] / 48) ** 2 + (y[bad] / 32) ** 2 > 1).all()


def test_a_large_target_gives_sixteen_points_and_a_small_one_its_nearest() -> None:
    large, _ = chosen_points(np.random.default_rng(0), POINTS, np.array([0.0, 0, 200, 200]))
    assert len(large) == 16
    small, others = chosen_points(np.random.default_rng(0), POINTS, np.array([7.0, 7, 4, 4]))
    assert POINTS[small].tolist() == [[0, 0]]
    assert small[0] not in others


def test_sides_are_reached_from_every_point() -> None:
    box = np.array([10.0, 20, 40, 30])
    left, top, right, bottom = reaches(np.array([[0.0, 10.0]]), box)[0]
    assert [left, top, right, bottom] == [10, 5, 30, 25]


def test_maps_become_rows_in_the_order_of_points() -> None:
    maps = torch.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2)
    rows = by_point(maps)
    assert rows[1].tolist() == [1, 5, 9]
    assert rows[4].tolist() == [12, 16, 20]


def test_a_folded_convolution_does_what_convolution_and_norm_did() -> None:
    torch.manual_seed(0)
    layer = Normed(torch.nn.Conv2d(4, 6, 3)).train()
    images = torch.randn(8, 4, 9, 9) * 3 + 1
    for _ in range(5):
        layer(images)
    layer.eval()
    weight, bias = layer.folded()
    assert torch.allclose(conv2d(images, weight, bias), layer(images), atol=1e-5)


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_what_is_written_loads_and_tracks_as_what_was_fitted(version, tmp_path) -> None:
    clip, tracker = walk(), NanoTrack(version, seed=1)
    names = list(tracker.network.state_dict())
    begun = {key: value.clone() for key, value in tracker.network.state_dict().items()}
    recipe = NanoTrackRecipe(tracker, [clip], 2, "cpu")
    fit(recipe, Course(1, seed=1, rate=1e-2))
    assert len(list(normed(tracker.network))) > 20
    state = recipe.state()
    assert set(state) == set(names)
    assert not torch.equal(state["head.scores.0.weight"], begun["head.scores.0.weight"])
    path = tmp_path / "own.safetensors"
    write_state(path, state)
    again = NanoTrack(version, weights=Weights("nanotrack", {path.name: path}, ""), seed=9)
    boxes = []
    for one in (tracker, again):
        one.start(clip.frames[0], clip.truth[0])
        boxes.append(np.array([one.track(clip.frames[i]).box for i in (1, 2)]))
    assert boxes[1] == pytest.approx(boxes[0], abs=0.05)


def test_trained_networks_go_on_without_norms(tmp_path) -> None:
    path = tmp_path / "own.pt"
    write_state(path, NanoTrack("v1", seed=1).network.state_dict())
    tracker = NanoTrack("v1", weights=Weights("nanotrack", {path.name: path}, ""))
    recipe = NanoTrackRecipe(tracker, [walk()], 1, "cpu")
    assert not list(normed(tracker.network))
    assert folded_state(tracker.network).keys() == recipe.state().keys()
    assert np.isfinite(fit(recipe, Course(1, rate=1e-5))).all()
