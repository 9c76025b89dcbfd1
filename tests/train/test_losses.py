import math

import numpy as np
import pytest
import torch

from vbench.train.losses import (
    balanced_bce,
    domain_loss,
    embedding_loss,
    patchnet_loss,
    proposal_loss,
)


def smooth_l1(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def test_positives_and_negatives_weigh_the_same() -> None:
    logits, labels = torch.tensor([2.0, -1.0, 0.5, 3.0]), torch.tensor([1.0, 0, 0, 0])
    positive = math.log1p(math.exp(-2.0))
    negative = np.mean([math.log1p(math.exp(v)) for v in (-1.0, 0.5, 3.0)])
    assert float(balanced_bce(logits, labels)) == pytest.approx((positive + negative) / 2)


def test_patchnets_loss_by_hand() -> None:
    scores = torch.zeros(7, 7)
    scores[3, 4], scores[3, 5], scores[0, 0] = 1.0, 0.5, -3.0
    offsets = torch.zeros(4, 7, 7)
    offsets[:, 3, 4] = torch.tensor([0.1, 0.0, -0.3, 0.05])
    target = torch.tensor([0.0, 0.02, 0.0, 0.05])
    ranking = 0.0
    for row in range(7):
        for column in range(7):
            margin = min(abs(row - 3) + abs(column - 4), 2)
            ranking += max(float(scores[row, column]) - 1.0 + margin, 0.0)
    errors = [1.0, -0.2, -3.0, 0.0]
    wanted = np.mean([smooth_l1(e) for e in errors]) + ranking * 4 / 49
    assert float(patchnet_loss(scores, offsets, (3, 4), target)) == pytest.approx(wanted)


def test_domains_losses_are_cross_entropies() -> None:
    positive, negative = torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    terms = [math.log1p(math.exp(-1)), math.log1p(math.exp(-2)), math.log(2)]
    assert float(domain_loss(positive, negative)) == pytest.approx(np.mean(terms))
    scores = torch.tensor([[1.0, 2.0, 0.0]])
    total = math.exp(1) + math.exp(2) + 1
    assert float(embedding_loss(scores, 1)) == pytest.approx(-math.log(math.exp(2) / total))


def test_proposals_losses_by_hand() -> None:
    logits = torch.tensor([[0.0, 1.0, 5.0], [2.0, 0.0, 5.0]])
    offsets, wanted = torch.zeros(4, 3), torch.full((4, 3), 9.0)
    wanted[:, 0] = torch.tensor([0.5, 2.0, 0.0, -1.5])
    loss = proposal_loss(offsets, logits, wanted, torch.tensor([0]), torch.tensor([1]))
    classes = np.mean([math.log1p(math.exp(-2)), math.log1p(math.exp(-1))])
    boxes = np.mean([smooth_l1(v) for v in (0.5, 2.0, 0.0, -1.5)])
    assert float(loss) == pytest.approx(classes + boxes)
