import numpy as np
import pytest
import torch

from tests.train.test_efficientdet_recipe import clip
from vbench.detectors.frcnn import FasterRcnn
from vbench.nn.box_coder import encode
from vbench.nn.rpn import encode as encode_inclusive
from vbench.nn.two_stage import ProposalCounts
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
