import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from vbench.nn.rpn import decode
from vbench.train.detection_losses import (
    Targets,
    focal_loss,
    hard_region_loss,
    proposal_loss,
    proposal_targets,
    region_targets,
)

ONES = torch.ones(4)


def grid(side, step, size):
    low = torch.arange(0, size - side + 1, step).float()
    y, x = torch.meshgrid(low, low, indexing="ij")
    corner = torch.stack([x.flatten(), y.flatten()], dim=1)
    return torch.cat([corner, corner + side - 1], dim=1)


def test_anchors_are_objects_by_overlap_or_as_the_best_of_a_box():
    anchors = torch.tensor(
        [
            [0.0, 0, 9, 9],
            [0, 0, 9, 7],
            [20, 20, 29, 29],
            [40, 40, 49, 49],
            [-5, 0, 4, 9],
            [4, 0, 13, 9],
        ]
    )
    # The first box meets anchors 0 (IoU 1), 1 (0.8), 5 (0.43: ignored); the second only 2 (0.25).
    truth = torch.tensor([[0.0, 0, 9, 9], [25, 20, 34, 34]])
    found = proposal_targets(anchors, truth, (64, 64), np.random.default_rng(0))
    assert found.labels.tolist() == [1, 1, 1, 0, -1, -1]
    assert torch.allclose(decode(anchors, found.codes)[[0, 1, 2]], truth[[0, 0, 1]], atol=1e-5)


def test_256_anchors_of_a_frame_are_drawn_at_most_half_of_them_objects():
    anchors = grid(16, 1, 64)
    truth = torch.tensor([[8.0, 8, 40, 40], [20, 20, 35, 35]])
    many = anchors.repeat(9, 1)
    found = proposal_targets(many, truth, (64, 64), np.random.default_rng(0))
    assert (found.labels >= 0).sum() == 256
    assert 0 < (found.labels == 1).sum() <= 128
    again = proposal_targets(many, truth, (64, 64), np.random.default_rng(0))
    assert torch.equal(found.labels, again.labels)


def test_a_frame_without_objects_is_all_background():
    found = proposal_targets(grid(16, 8, 64), torch.zeros(0, 4), (64, 64), np.random.default_rng(0))
    assert set(found.labels.tolist()) == {0}
    regions = region_targets(grid(16, 8, 64), torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))
    assert not regions.labels.any()


def test_regions_take_the_class_of_the_box_they_meet_by_half():
    regions = torch.tensor([[0.0, 0, 9, 9], [0, 5, 9, 14], [0, 0, 9, 4]])
    truth = torch.tensor([[0.0, 0, 9, 9]])
    found = region_targets(regions, truth, torch.tensor([3]))
    # IoU 1, 1/3 and exactly 1/2.
    assert found.labels.tolist() == [4, 0, 4]


def test_the_hardest_regions_alone_are_learnt_from():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(10, 3, generator=generator, requires_grad=True)
    deltas = torch.randn(10, 4, generator=generator, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0, 0, 1, 0, 0, 2, 0])
    targets = Targets(labels, torch.zeros(10, 4))
    loss = hard_region_loss(scores, deltas, targets, ONES, most=4)
    each = []
    for row in range(10):
        entropy = cross_entropy(scores[row : row + 1], labels[row : row + 1])
        far = deltas[row].abs()
        gap = torch.where(far < 1, far**2 / 2, far - 0.5).sum() if labels[row] else 0.0
        each.append(float((entropy + gap).detach()))
    chosen = sorted(range(10), key=lambda row: -each[row])[:4]
    assert float(loss.detach()) == pytest.approx(sum(each[row] for row in chosen) / 4, rel=1e-5)
    loss.backward()
    assert scores.grad is not None
    assert torch.nonzero(scores.grad.abs().sum(dim=1))[:, 0].tolist() == sorted(chosen)
    assert deltas.grad is not None
    assert not deltas.grad[labels == 0].any()


def test_proposals_lose_nothing_where_all_is_right():
    labels = torch.tensor([1, 0, -1])
    scores = torch.tensor([[-20.0, 20], [20, -20], [0, 0]])
    codes = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    stds = torch.tensor([0.1, 0.1, 0.4, 0.4])
    targets = Targets(labels, codes)
    assert float(proposal_loss(scores, codes / stds, targets, stds)) == pytest.approx(0, abs=1e-6)
    # One code half a (normalised) unit off: 0.5^2 / 2, over 256 examples.
    wrong = codes / stds + torch.tensor([0.5, 0, 0, 0])
    assert float(proposal_loss(scores, wrong, targets, stds)) == pytest.approx(0.125 / 256)


def test_focal_loss_is_cross_entropy_weighed_by_doubt():
    logits, labels = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])
    p = torch.sigmoid(logits)
    wanted = 0.25 * 0.5**2 * np.log(2) + 0.75 * float(p[1]) ** 2 * -np.log(1 - float(p[1]))
    assert float(focal_loss(logits, labels)) == pytest.approx(wanted, rel=1e-5)
    # Without weighing, half of the plain sum.
    plain = np.log(2) - np.log(1 - float(p[1]))
    assert float(focal_loss(logits, labels, 0.0, 0.5)) == pytest.approx(plain / 2, rel=1e-5)


def test_proposals_lose_by_the_sum_written_out():
    generator = torch.Generator().manual_seed(2)
    scores, deltas, codes = (torch.randn(12, k, generator=generator) for k in (2, 4, 4))
    labels = torch.tensor([1, 0, -1, 0, 1, -1, 0, 0, 1, -1, 0, 1])
    stds = torch.tensor([0.1, 0.1, 0.4, 0.4])
    found = proposal_loss(scores, deltas, Targets(labels, codes * stds), stds)
    entropies, gap = [], 0.0
    for row, label in enumerate(labels.tolist()):
        if label < 0:
            continue
        background, thing = scores[row].tolist()
        own = (background, thing)[label]
        entropies.append(math.log(math.exp(background) + math.exp(thing)) - own)
        if label == 1:
            for said, wanted in zip(deltas[row].tolist(), codes[row].tolist(), strict=True):
                far = abs(said - wanted)
                gap += far**2 / 2 if far < 1 else far - 0.5
    assert float(found) == pytest.approx(sum(entropies) / len(entropies) + gap / 256, rel=1e-5)
