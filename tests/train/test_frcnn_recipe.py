import math

import numpy as np
import pytest
import torch

from tests.train.test_efficientdet_recipe import clip
from vbench.detectors.frcnn import FasterRcnn
from vbench.nn.box_coder import encode
from vbench.nn.rpn import encode as encode_inclusive
from vbench.nn.two_stage import ProposalCounts, map_anchors
from vbench.train.detection_losses import proposal_targets
from vbench.train.frcnn_recipe import FrcnnRecipe, inclusive
from vbench.train.loop import Course, fit


def test_inclusive_corners_have_the_same_codes() -> None:
    a, b = torch.tensor([[10.0, 20, 50, 40]]), torch.tensor([[14.0, 10, 34, 50]])
    assert torch.allclose(encode(a, b), encode_inclusive(inclusive(a), inclusive(b)), atol=1e-6)


@pytest.mark.parametrize("backbone", ["hrnet", "x101"])
def test_a_fit_of_seconds_lowers_the_loss_and_reaches_every_part(backbone) -> None:
    detector = FasterRcnn(classes=2, width=1 / 16, short_px=64, backbone=backbone, seed=1)
    before = {k: v.clone() for k, v in detector.network.state_dict().items()}
    recipe = FrcnnRecipe(detector, [clip()], 1, "cpu")
    recipe.counts = ProposalCounts(200, 30, 30)
    losses = fit(recipe, Course(10))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    after = recipe.state()
    for part in ("backbone.conv1.weight", "rpn_head.rpn_reg.weight", "bbox_head.fc_reg.weight"):
        assert not torch.equal(before[part], after[part])
    assert len(detector.detect(np.zeros((64, 96, 3), np.uint8)).boxes) <= 300


def test_proposals_lose_by_the_sum_written_out() -> None:
    """Sigmoid entropy of anchors and smooth L1 with its knee at 1/9, over those drawn."""
    detector = FasterRcnn(classes=2, width=1 / 16, short_px=64, seed=1)
    recipe = FrcnnRecipe(detector, [clip()], 1, "cpu")
    image, size, scale = detector.features.images(clip().frames[4])
    truth = torch.from_numpy(np.array([[20.0, 20, 44, 44], [60, 40, 84, 60]])).float() * scale
    with torch.no_grad():
        maps = recipe.network.maps(image)
        generator = torch.Generator().manual_seed(1)
        for parameter in recipe.network.rpn_head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
        found = recipe._proposal_loss(maps, size, truth, np.random.default_rng(3))
        logits, codes = (part[0] for part in recipe.network.rpn_head(maps[0]))
    pyramid = recipe.network.pyramid
    anchors = inclusive(map_anchors(maps[0].shape[-2:], pyramid.strides_px[0], pyramid.scales))
    wanted = proposal_targets(anchors, inclusive(truth), size, np.random.default_rng(3))
    drawn = int((wanted.labels >= 0).sum())
    assert (wanted.labels == 1).any()
    total = 0.0
    for row in torch.nonzero(wanted.labels >= 0)[:, 0].tolist():
        logit, label = float(logits[row]), int(wanted.labels[row])
        total += math.log1p(math.exp(-abs(logit))) + max(logit, 0) - logit * label
        if label:
            for said, code in zip(codes[row].tolist(), wanted.codes[row].tolist(), strict=True):
                far = abs(said - code)
                total += far**2 / 2 * 9 if far < 1 / 9 else far - 1 / 18
    assert float(found) == pytest.approx(total / drawn, rel=1e-4)
