"""Rates and crops are pysot's; the loss of points is SiamBAN's."""

import math

import numpy as np
import pytest
import torch

from vbench.core.boxes import iou
from vbench.train.losses import distance_iou, point_loss
from vbench.train.pair_crops import drawn_moves
from vbench.train.rates import warmed


def test_rates_rise_for_a_tenth_then_fall_by_equal_factors() -> None:
    # pysot: 5e-3 to 1e-2 in 5 of 50 epochs, then down to 5e-4.
    assert [warmed(share, 0.5, 0.05) for share in (0, 0.05, 0.1)] == [0.5, 0.75, 1]
    assert warmed(1, 0.5, 0.05) == pytest.approx(0.05)
    assert warmed(0.55, 0.5, 0.05) == pytest.approx(math.sqrt(0.05))


def test_moves_stay_within_their_limits() -> None:
    rng = np.random.default_rng(0)
    drawn = [drawn_moves(rng, 64.0, 0.18) for _ in range(300)]
    shifts, stretches = np.array([d[0] for d in drawn]), np.array([d[1] for d in drawn])
    assert 60 < np.abs(shifts).max() <= 64
    assert 0.82 <= stretches.min() < 0.84 and 1.16 < stretches.max() <= 1.18


def test_the_overlap_of_distances_is_that_of_boxes_nearly() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.uniform(10, 60, (2, 20, 4))
    boxes = [np.concatenate([-d[:, :2], d[:, :2] + d[:, 2:]], axis=1) for d in (one, other)]
    found = distance_iou(torch.tensor(one), torch.tensor(other)).numpy()
    # One px^2 above and below.
    assert found == pytest.approx(iou(*boxes), abs=1e-3)


def test_the_loss_of_points_halves_the_classes_and_adds_the_lost_overlap() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0], [math.log(4), 0.0], [9.0, 9.0]])
    distances = torch.full((4, 4), 10.0)
    wanted = torch.tensor([[10.0, 10, 10, 10]]).repeat(4, 1)
    wanted[1] = torch.tensor([10.0, 10, 0, 10])
    good, bad = torch.tensor([0, 1]), torch.tensor([2])
    found = point_loss(logits, distances, wanted, good, bad)
    classes = (-(math.log(0.75) + math.log(0.5)) / 2 - math.log(0.8)) / 2
    assert float(found) == pytest.approx(classes + (1 - 201 / 401) / 2, abs=1e-6)
