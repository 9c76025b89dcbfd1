"""Patch aggregation against its own dense layers, and its normalisation against the definition."""

import numpy as np
import pytest
import torch

from vbench.core.errors import VBenchError
from vbench.cost.macs import count
from vbench.trackers.patch_aggregation import (
    PatchAggregation,
    PatchAggregationNetwork,
    match,
    normed_patches,
)
from vbench.trackers.patchnet_network import channels_last, correlate, normaliser
from vbench.trackers.patchnet_sparse import nested_patches


@pytest.fixture(scope="module")
def crops() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    search = 50 * torch.randn(3, 3, 119, 119, generator=generator) + 5
    return search, 50 * torch.randn(3, 3, 64, 64, generator=generator) + 5


@pytest.mark.parametrize("stride", [1, 2])
def test_without_zeros_the_scores_are_the_same(stride, crops) -> None:
    network = PatchAggregationNetwork(stride)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(
                1 + 0.2 * torch.rand(weight.shape, generator=torch.Generator().manual_seed(1))
            )
        expected = network(*crops)[:, 0]
        kernels, mean = normed_patches(crops[1])
        ordered = channels_last(nested_patches(kernels))
        found = match(crops[0] - mean, ordered, network.taps(), stride)
    assert found.shape == (3, 7, 7)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_responses_are_normed_by_their_windows(stride, crops) -> None:
    search, kernels = crops[0][:2].double(), normed_patches(crops[1][:2])[0].double()
    assert kernels.flatten(2).norm(dim=2).mean().item() == pytest.approx(1, abs=1e-6)
    maps, gain = correlate(search, kernels, stride), normaliser(search, stride)
    y, x, side = 5, 9, maps.shape[-1]
    assert side == (119 - 8) // stride + 1
    window = search[1, :, y * stride : y * stride + 8, x * stride : x * stride + 8]
    assert maps[1, 7, y, x].item() == pytest.approx((window * kernels[1, 7]).sum().item())
    energies = torch.nn.functional.avg_pool2d(search[1].square().sum(0)[None], 8, stride) * 64
    std = energies.expand(64, -1, -1).std()
    expected = (window.square().sum() + std / 10 + 1e-9).rsqrt()
    assert gain[1, y, x].item() == pytest.approx(expected.item())


def test_the_correlation_costs_what_its_stride_says() -> None:
    for stride, side in ((1, 112), (2, 56)):
        found = count(PatchAggregation(stride).work()["propagate"])
        assert found.by_op["conv"] == side**2 * 64 * 3 * 8**2


def test_other_strides_are_refused() -> None:
    with pytest.raises(VBenchError, match="give 1 or 2"):
        PatchAggregation(stride=3)


def test_size_is_kept() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    propagator = PatchAggregation()
    boxes = np.array([[20.0, 20, 30, 25], [40, 30, 12, 31]])
    propagator.anchor(frame, boxes)
    np.testing.assert_allclose(propagator.propagate(frame).boxes, boxes, atol=1e-9)
