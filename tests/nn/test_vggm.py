import numpy as np
import pytest
import torch

from vbench.cost.macs import count_module
from vbench.nn.vggm import LAYOUTS, NORMS, ChannelNorm, MaxPool, VggM


def meta(**given):
    with torch.device("meta"):
        return VggM(**given)


def test_the_trunk_has_the_published_number_of_parameters() -> None:
    # 96 x (147 + 1) + 256 x (2400 + 1) + 512 x (2304 + 1)
    assert sum(p.numel() for p in meta().parameters()) == 1_809_024


def test_a_patch_becomes_three_by_three() -> None:
    patch = torch.empty(1, 3, 107, 107, device="meta")
    assert meta()(patch).shape == (1, 512, 3, 3)


@pytest.mark.parametrize(
    ("layout", "size", "macs", "cells"),
    [
        # conv1 51^2 x 96 x 147, conv2 11^2 x 256 x 2400, conv3 3^2 x 512 x 2304.
        ("patch", (107, 107), 36_705_312 + 74_342_400 + 10_616_832, (3, 3)),
        # conv1 300 x 400, pooled 150 x 200, conv2 75 x 100, pooled 38 x 50, conv3 the same.
        (
            "image",
            (600, 800),
            300 * 400 * 96 * 147 + 75 * 100 * 256 * 2400 + 38 * 50 * 512 * 2304,
            (38, 50),
        ),
        # conv1 51, pooled 25, conv2 11, conv3 with dilation 3: 5.
        ("scene", (107, 107), 36_705_312 + 74_342_400 + 25 * 512 * 2304, (5, 5)),
    ],
)
def test_macs_are_those_of_the_layers(layout, size, macs, cells) -> None:
    trunk = meta(layout=layout)
    assert trunk.conv_macs(*size) == macs
    assert trunk(torch.empty(1, 3, *size, device="meta")).shape[2:] == cells


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("convs", [3, 5])
def test_the_counter_finds_the_same(layout, convs) -> None:
    trunk = VggM(layout, "rt-mdnet", convs, width=1 / 32).eval()
    found = count_module(trunk, [torch.zeros(1, 3, 107, 131)])
    by_convolution = found.by_op["conv"]
    assert by_convolution == trunk.conv_macs(107, 131)


def test_a_patch_costs_what_is_published() -> None:
    assert meta().conv_macs(107, 107) == pytest.approx(121.7e6, rel=1e-3)


@pytest.mark.parametrize(
    ("layout", "size", "giga"),
    [
        # RT-MDNet's scenes, FDN's images of 600 px.
        ("scene", (107, 107), "0.14"),
        ("scene", (300, 300), "2.05"),
        ("image", (600, 800), "8.54"),
        ("image", (600, 1000), "10.70"),
    ],
)
def test_scenes_and_images_cost_what_is_published(layout, size, giga) -> None:
    assert f"{meta(layout=layout).conv_macs(*size) / 1e9:.2f}" == giga


def straight(x, size, k, alpha):
    """Sums over channels i - size // 2 ... i + (size - 1) // 2, one by one."""
    out = np.empty_like(x)
    for channel in range(x.shape[1]):
        first, last = max(channel - size // 2, 0), channel + (size - 1) // 2
        energy = (x[:, first : last + 1] ** 2).sum(axis=1)
        out[:, channel] = x[:, channel] / (k + alpha * energy) ** 0.75
    return out


@pytest.mark.parametrize("name", NORMS)
def test_norms_are_their_formulas(name) -> None:
    x = np.random.default_rng(0).normal(size=(2, 7, 3, 4)) * 150
    rule = NORMS[name]
    found = ChannelNorm(rule)(torch.tensor(x)).numpy()
    assert found == pytest.approx(straight(x, rule.size, rule.k, rule.alpha))


def test_torchs_own_norm_is_py_mdnets() -> None:
    x = torch.tensor(np.random.default_rng(1).normal(size=(1, 6, 2, 2)) * 200)
    theirs = torch.nn.LocalResponseNorm(2)(x)
    assert ChannelNorm(NORMS["py-mdnet"])(x).numpy() == pytest.approx(theirs.numpy())


@pytest.mark.parametrize("rule", NORMS)
def test_learning_and_tracking_norm_alike(rule) -> None:
    features = torch.randn(2, 7, 5, 6, generator=torch.Generator().manual_seed(0)) * 90
    before, norm = features.clone(), ChannelNorm(NORMS[rule])
    learnt = norm(features.requires_grad_()).detach()
    with torch.no_grad():
        assert torch.equal(norm(features.detach()), learnt)
    assert torch.equal(features, before)


@pytest.mark.parametrize("shape", [(3, 5, 11, 14), (1, 2, 40, 9), (2, 1, 3, 3)])
@pytest.mark.parametrize("padding", [0, 1])
def test_tracking_and_learning_pool_alike(shape, padding) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = MaxPool(padding)(features)
    assert torch.equal(found, torch.nn.functional.max_pool2d(features, 3, 2, padding))


@pytest.mark.parametrize("values", [1, 90, 400])
def test_norms_are_the_same_in_parts(values, monkeypatch) -> None:
    features = torch.randn(3, 7, 5, 6, generator=torch.Generator().manual_seed(2)) * 90
    norm = ChannelNorm(NORMS["matconvnet"])
    with torch.no_grad():
        whole = norm(features)
        monkeypatch.setattr("vbench.nn.vggm.MOST_VALUES", values)
        assert torch.equal(norm(features), whole)
