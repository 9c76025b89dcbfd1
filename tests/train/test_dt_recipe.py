import math

import numpy as np
import pytest
import torch

from tests.train.test_detection_recipe import TINY, clip
from vbench.detectors.dt import DetectAndTrack
from vbench.nn.rpn import decode
from vbench.train.dt_recipe import TRACK_STDS, DtRecipe, moves_loss


def test_moves_are_coded_against_the_box_before_and_averaged_over_those_still_there() -> None:
    before = torch.tensor([[0.0, 0, 19, 9], [10, 10, 29, 29], [5, 5, 9, 9]])
    # The first went 3 px right, the second stayed and doubled its width, the third is gone.
    now = torch.tensor([[3.0, 0, 22, 9], [0, 10, 39, 29], [math.nan] * 4])
    codes = torch.tensor([[3 / 20 / 0.1, 0, 0, 0], [0, 0, math.log(2) / 0.2, 0], [7, 7, 7, 7]])
    assert float(moves_loss(codes, before, now)) == pytest.approx(0, abs=1e-6)
    assert torch.allclose(decode(before, codes * torch.tensor(TRACK_STDS))[:2], now[:2], atol=1e-4)
    # Half a unit off is 0.5^2 / 2, three units are 3 - 1/2; the mean is over two boxes.
    wrong = codes + torch.tensor([[0.0, 0.5, 0, 0], [0, 0, 0, 3.0], [1, 1, 1, 1]])
    assert float(moves_loss(wrong, before, now)) == pytest.approx((0.125 + 2.5) / 2, rel=1e-5)


def test_nobody_who_stays_is_nothing_to_learn_from() -> None:
    moves = torch.ones(2, 4, requires_grad=True)
    loss = moves_loss(moves, torch.zeros(2, 4), torch.full((2, 4), math.nan))
    loss.backward()
    assert float(loss.detach()) == 0
    assert moves.grad is not None and not moves.grad.any()


def test_both_frames_and_the_moves_between_them_are_learnt_from(monkeypatch) -> None:
    recipe = DtRecipe(DetectAndTrack(**TINY), [clip()], 1, "cpu")
    network, drawn, seen = recipe.module, [], []
    moves = network.moves

    def frame_loss(maps, size, truth, labels, rng):
        drawn.append(truth)
        return truth.sum() * 0

    def moved(votes, corners):
        seen.append((corners, moves(votes, corners)))
        return seen[-1][1]

    monkeypatch.setattr(recipe, "_maps_loss", frame_loss)
    monkeypatch.setattr(network, "moves", moved)
    loss = recipe.loss(np.random.default_rng(0))
    first, second = drawn
    # The square moves 2 px a frame, the dark box stands still.
    assert (second - first).abs().round()[:, 0].tolist() == [2, 0]
    corners, codes = seen[0]
    assert torch.equal(corners, first)
    assert float(loss.detach()) == pytest.approx(float(moves_loss(codes, first, second).detach()))
    loss.backward()
    assert network.track.rfcn_track.weight.grad.any()
    assert network.trunk.resnet.conv1.weight.grad.any()
