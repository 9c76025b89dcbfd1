import math

import pytest
import torch
from torch import nn

from vbench.cost.macs import torch_flops
from vbench.nn.box_coder import cut, decode, encode
from vbench.nn.frcnn import two_stage
from vbench.nn.hrnet import HRNet, gathered
from vbench.nn.resnext import Block
from vbench.nn.two_stage import ProposalCounts, cell_anchors, level_of, map_anchors


def gmacs(module, *inputs) -> float:
    return sum(torch_flops(module, inputs).values()) / 2e9


@pytest.fixture(scope="module")
def full():
    with torch.device("meta"):
        return {name: two_stage(name, 30).eval() for name in ("hrnet", "x101")}


def image(height: int, width: int) -> torch.Tensor:
    return torch.zeros(1, 3, height, width, device="meta")


def test_hrnet_costs_and_weighs_what_was_measured_of_the_reference(full) -> None:
    network = full["hrnet"]
    assert len(network.backbone.state_dict()) == 1830
    assert sum(p.numel() for p in network.backbone.parameters()) / 1e6 == pytest.approx(
        29.31, abs=0.005
    )
    features = torch.zeros(1, 480, 76, 128, device="meta")
    parts = [
        gmacs(network.backbone, image(608, 1024)),
        gmacs(network.rpn_head, features),
        gmacs(network.bbox_head, torch.zeros(300, 480, 7, 7, device="meta")),
    ]
    assert parts == pytest.approx([97.9, 10.9, 7.6], abs=0.05)
    assert sum(parts) == pytest.approx(116.5, abs=0.05)
    whole = gmacs(network, image(608, 800)) + parts[2]
    assert whole == pytest.approx(92.6, abs=0.05)


def test_x101_costs_what_was_measured_of_the_reference(full) -> None:
    network = full["x101"]
    assert gmacs(network, image(608, 1024)) == pytest.approx(174.7, abs=0.05)
    for boxes, expected in ((300, 4.2), (1000, 14.1)):
        cuts = torch.zeros(boxes, 256, 7, 7, device="meta")
        assert gmacs(network.bbox_head, cuts) == pytest.approx(expected, abs=0.05)


def test_branches_gather_at_stride_8() -> None:
    maps = [torch.randn(1, c, s, s) for c, s in ((2, 16), (3, 8), (4, 4), (5, 2))]
    found = gathered(maps)
    assert found.shape == (1, 14, 8, 8)
    assert torch.equal(found[:, 2:5], maps[1])
    assert torch.equal(found[0, :2, 0, 0], maps[0][0, :, :2, :2].amax((1, 2)))
    assert torch.equal(found[0, 9:, 3, 7], maps[3][0, :, 0, 1])


def test_every_branch_hears_of_every_other() -> None:
    network = HRNet(1 / 16).eval()
    picture = torch.randn(1, 3, 64, 64, requires_grad=True)
    for found, stride in zip(network(picture), (4, 8, 16, 32), strict=True):
        assert found.shape[2:] == (64 // stride, 64 // stride)
        (slope,) = torch.autograd.grad(found.sum(), picture, retain_graph=True)
        assert slope.abs().sum() > 0


def test_unmoved_deformable_block_is_half_masked_grouped_convolution() -> None:
    block = Block(8, 8, 2, 2, deformable=True).eval()
    assert block.conv2_offset is not None
    features = torch.randn(1, 8, 9, 7)
    plain = nn.Conv2d(16, 16, 3, 2, 1, groups=2, bias=False)
    with torch.no_grad():
        nn.init.zeros_(block.conv2_offset.bias)  # type: ignore[arg-type]
        plain.weight.copy_(block.conv2.weight)  # type: ignore[arg-type]
        inner = torch.relu(block.bn1(block.conv1(features)))
        # Masks of sigmoid(0) halve every tap.
        moved = block.conv2(inner, *_still(block, inner))
        assert torch.allclose(moved, plain(inner) / 2, atol=1e-5)
        assert block(features).shape == (1, 32, 5, 4)


def _still(block, inner):
    moves = block.conv2_offset(inner)
    return moves[:, :18], moves[:, 18:].sigmoid()


def test_anchors_are_the_rounded_ones_of_inclusive_pixels() -> None:
    # Stride 8, scale 4, ratio 1: 32 px around 3.5, pixels -12 ... 19.
    corners = cell_anchors(8, (4.0, 8.0))
    assert corners[2].tolist() == [-12.0, -12, 20, 20]
    # Ratio .5: 45.25 x 22.63 px, first pixels round(3.5 - 22.13) and round(3.5 - 10.81).
    assert corners[0].tolist() == [-19.0, -7, 27, 15]
    assert len(cell_anchors(8, (4.0, 8, 16, 32, 64))) == 15
    moved = map_anchors((2, 3), 8, (4.0,))
    assert len(moved) == 18
    # Row by row, column by column, ratio by ratio.
    assert (moved[3 * 4 + 1] - cell_anchors(8, (4.0,))[1]).tolist() == [8.0, 8, 8, 8]


def test_codes_round_trip_and_follow_their_definition() -> None:
    a = torch.tensor([[10.0, 20, 50, 40], [0.0, 0, 7, 9]])
    b = torch.tensor([[14.0, 10, 34, 50], [-3.0, 2, 9, 4]])
    code = encode(a, b, (0.1, 0.1, 0.2, 0.2))
    # Centres 30 30 -> 24 30, sizes 40 20 -> 20 40.
    expected = [-6 / 40 / 0.1, 0.0, math.log(0.5) / 0.2, math.log(2) / 0.2]
    assert code[0].tolist() == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(decode(a, code, (0.1, 0.1, 0.2, 0.2)), b, atol=1e-4)
    far = decode(a, torch.tensor([[0.0, 0, 99, 99]] * 2))
    assert far[0, 2] - far[0, 0] == pytest.approx(40 * 1000 / 16, rel=1e-4)
    assert cut(torch.tensor([[-5.0, -9, -2, 700]]), (100, 50)).tolist() == [[0.0, 0, 1, 50]]


def test_levels_follow_the_square_root_of_the_area() -> None:
    sides = torch.tensor([10.0, 111.9, 112.1, 224.1, 448.1, 2000])
    corners = torch.stack([torch.zeros(6), torch.zeros(6), sides * 2, sides / 2], dim=1)
    assert level_of(corners, 4).tolist() == [0, 0, 1, 2, 3, 3]
    assert level_of(corners, 1).tolist() == [0] * 6


@pytest.mark.parametrize("backbone", ["hrnet", "x101"])
def test_proposals_lie_inside_and_apart(backbone) -> None:
    network = two_stage(backbone, 3, 1 / 16).eval()
    with torch.no_grad():
        maps = network.maps(torch.randn(1, 3, 64, 96))
        found = network.propose(maps, (90, 60), ProposalCounts(after=20, most=30))
        logits, codes = network.judge(maps, found)
    assert 0 < len(found) <= 30
    assert (found[:, :2] >= 0).all() and (found[:, 2:] <= torch.tensor([90.0, 60])).all()
    assert logits.shape == (len(found), 4) and codes.shape == (len(found), 4, 4)


def test_the_second_stage_takes_no_boxes() -> None:
    network = two_stage("x101", 3, 1 / 16).eval()
    with torch.no_grad():
        maps = network.maps(torch.randn(1, 3, 64, 96))
        logits, codes = network.judge(maps, torch.zeros(0, 4))
    assert logits.shape == (0, 4) and codes.shape == (0, 4, 4)
