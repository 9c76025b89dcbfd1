"""The AlexNets of Siamese trackers: published shapes, multiply-accumulates, parameter counts."""

import pytest
import torch
from torch import nn

from vbench.nn.alexnet import WIDTHS, AlexNet, xavier
from vbench.nn.state import seeded

WIDE = tuple(2 * w for w in WIDTHS)


def conv_macs(network, side):
    """MACs of all convolutions, out_h out_w c_out c_in/groups kh kw, by shapes alone."""
    total = 0

    def count(module, _inputs, output):
        nonlocal total
        kernel = module.kernel_size[0] * module.kernel_size[1]
        total += output[0].numel() * (module.in_channels // module.groups) * kernel

    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    handles = [conv.register_forward_hook(count) for conv in convs]
    shape = network(torch.empty(1, 3, side, side, device="meta")).shape
    for handle in handles:
        handle.remove()
    return total, tuple(shape)


@pytest.mark.parametrize(("side", "feature", "mega"), [(127, 6, 460.2), (255, 22, 2719.7)])
def test_siamfc_costs_what_is_published(side, feature, mega):
    with torch.device("meta"):
        network = AlexNet().eval()
    macs, shape = conv_macs(network, side)
    assert shape == (1, 256, feature, feature)
    assert round(macs / 1e6, 1) == mega


def test_siamfc_layer_by_layer():
    # out^2 * c_out * c_in/groups * k^2 of the five layers at 255.
    by_hand = (
        123**2 * 96 * 3 * 121
        + 57**2 * 256 * 48 * 25
        + 26**2 * 384 * 256 * 9
        + 24**2 * 384 * 192 * 9
        + 22**2 * 256 * 192 * 9
    )
    with torch.device("meta"):
        network = AlexNet().eval()
    assert conv_macs(network, 255)[0] == by_hand


def test_groups_of_the_siamrpn_paper_give_its_4_1_gmac():
    with torch.device("meta"):
        network = AlexNet(groups=(1, 1, 1, 1, 2), last_norm=True).eval()
    by_hand = 123**2 * 96 * 363 + 57**2 * 256 * 96 * 25 + 26**2 * 384 * 256 * 9
    by_hand += 24**2 * 384 * 384 * 9 + 22**2 * 256 * 192 * 9
    assert conv_macs(network, 255)[0] == by_hand == 4_100_000_544


@pytest.mark.parametrize(
    ("widths", "side", "giga"), [(WIDE, 271, 18.742), (WIDTHS, 271, 4.985), (WIDTHS, 287, 5.704)]
)
def test_ungrouped_networks(widths, side, giga):
    with torch.device("meta"):
        network = AlexNet(widths, groups=(1,) * 5, last_norm=True).eval()
    assert round(conv_macs(network, side)[0] / 1e9, 3) == giga


def test_parameters_of_siamfc():
    with torch.device("meta"):
        network = AlexNet()
    parameters = sum(p.numel() for p in network.parameters())
    convs = 96 * 3 * 121 + 256 * 48 * 25 + 384 * 256 * 9 + 384 * 192 * 9 + 256 * 192 * 9
    assert parameters == convs + (96 + 256 + 384 + 384 + 256) + 2 * (96 + 256 + 384 + 384)
    with_statistics = sum(v.numel() for v in network.state_dict().values() if v.ndim)
    assert round(with_statistics / 1e6, 3) == 2.339


def test_equals_the_order_relu_then_pool():
    with seeded(1):
        network = AlexNet((8, 16, 8, 8, 8)).eval()
        xavier(network)
        images = torch.rand(2, 3, 127, 127) * 255
    features = images
    for name, stage in network.named_children():
        layers = list(stage.children())
        assert not torch.as_tensor(layers[0].bias).any()
        features = layers[0](features)
        if len(layers) > 1:
            features = torch.relu(layers[1](features))
        if name in ("conv1", "conv2"):
            features = torch.max_pool2d(features, 3, 2)
    with torch.inference_mode():
        assert torch.allclose(network(images), features, rtol=1e-5, atol=1e-4)
