import pytest
import torch
from torch.nn.functional import grid_sample

from vbench.core.roles import Work
from vbench.cost.architectures import flownet_s, total
from vbench.cost.conventions import paper_count
from vbench.nn.flownet import FlowNetS, FlowWarp, warped


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_it_costs_what_the_formulas_say():
    with torch.device("meta"):
        network = FlowNetS(scale_channels=1024)
        image = torch.empty(1, 3, 600, 1000)
    found = paper_count([Work("flow", network, (image, image))]).macs
    assert found == total(flownet_s((600, 1000)))
    assert found / 1e9 == pytest.approx(12.90, abs=0.005)


def test_it_has_as_many_parameters_as_stated():
    with torch.device("meta"):
        plain, scale = FlowNetS(), FlowNetS(scale_channels=1024)
    count = [sum(p.numel() for p in network.parameters()) for network in (plain, scale)]
    assert count[0] / 1e6 == pytest.approx(38.68, abs=0.005)
    assert count[1] - count[0] == 194 * 1024 + 1024


@pytest.mark.parametrize("size", [(96, 160), (64, 80), (33, 47), (16, 16)])
def test_flow_has_the_size_of_features_of_stride_16(size):
    network = FlowNetS(0.125, scale_channels=8).eval()
    flow, scale = network(normal(1, 3, *size), normal(1, 3, *size, seed=1))
    shape = tuple(-(-side // 16) for side in size)
    assert flow.shape == (1, 2, *shape)
    assert scale is not None
    assert scale.shape == (1, 8, *shape)
    assert torch.equal(scale, torch.ones_like(scale))


def test_warping_moves_by_whole_cells_and_brings_in_zeros():
    features = normal(1, 2, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0], flow[:, 1] = 1.0, -2.0
    moved = warped(features, flow)
    assert torch.allclose(moved[..., 2:, :4], features[..., :2, 1:], atol=1e-6)
    assert (moved[..., :2, :] == 0).all()
    assert (moved[..., 4] == 0).all()


def test_warping_equals_the_published_normalisation():
    features, flow = normal(1, 3, 6, 7), normal(1, 2, 6, 7, seed=1) * 2
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    grid = torch.stack([(x + flow[0, 0]) / 3 - 1, (y + flow[0, 1]) / 2.5 - 1], dim=-1)
    wanted = grid_sample(features, grid[None], align_corners=True)
    assert torch.allclose(warped(features, flow), wanted, atol=1e-5)


def test_no_flow_leaves_features_alone():
    warp = FlowWarp(0.125, 8)
    for parameter in warp.flownet.Convolution5.parameters():
        torch.nn.init.zeros_(parameter)
    features = normal(1, 8, 4, 5)
    found = warp(features, normal(1, 3, 64, 80), normal(1, 3, 64, 80, seed=2))
    assert torch.allclose(found, features, atol=1e-6)
