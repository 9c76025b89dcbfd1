import numpy as np
import pytest
import scipy.io
import torch

from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.cost.macs import count_module
from vbench.trackers.fdn import FDN
from vbench.trackers.mdnet import MDNet
from vbench.trackers.mdnet_network import MDNetwork, binary_loss, dropped, mdnetwork
from vbench.trackers.rt_mdnet import RTMDNet

# Tensors of py-MDNet's and RT-MDNet's `shared_layers`.
PUBLISHED = {
    "conv1.0": ((96, 3, 7, 7), 96),
    "conv2.0": ((256, 96, 5, 5), 256),
    "conv3.0": ((512, 256, 3, 3), 512),
    "fc4.0": ((512, 4608), 512),
    "fc5.1": ((512, 512), 512),
}


@pytest.fixture(scope="module")
def published():
    rng = np.random.default_rng(0)
    state = {}
    for name, (weight, bias) in PUBLISHED.items():
        scale = np.prod(weight[1:]) ** -0.5
        state[f"{name}.weight"] = torch.tensor(rng.normal(size=weight) * scale).float()
        state[f"{name}.bias"] = torch.tensor(rng.normal(size=bias) * 0.1).float()
    return state


def weights_of(path):
    return Weights("mdnet", {path.name: path}, "")


def straight(state, patches):
    """The published network, layer by layer, on patches (n, 3, 107, 107); features and scores."""
    x = patches
    for name, stride in (("conv1.0", 2), ("conv2.0", 2), ("conv3.0", 1)):
        x = torch.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride).relu()
        if name != "conv3.0":
            x = torch.nn.functional.local_response_norm(x, 2, 1e-4, 0.75, 1.0)
            x = torch.max_pool2d(x, 3, 2)
    features = x.flatten(1)
    for name in ("fc4.0", "fc5.1"):
        x = x.flatten(1) @ state[f"{name}.weight"].T + state[f"{name}.bias"]
        x = x.relu()
    return features, x


def test_parameters_are_those_published() -> None:
    with torch.device("meta"):
        network = MDNetwork("patch", "py-mdnet")
    assert sum(p.numel() for p in network.parameters()) == 4_432_514
    assert sum(p.numel() for p in network.trunk.parameters()) == 1_809_024
    assert {k: tuple(v.shape) for k, v in network.shared_state().items()} == {
        f"{name}.{part}": shape if part == "weight" else (bias,)
        for name, (shape, bias) in PUBLISHED.items()
        for part in ("weight", "bias")
    }


def test_connected_layers_cost_what_is_published() -> None:
    with torch.device("meta"):
        network = MDNetwork("patch", "py-mdnet")
    forward, _ = network.macs()
    # 4608 x 512 + 512 x 512 + 512 x 2; 256 candidates: 0.67 G, 512: 1.34 G.
    assert forward == 2_622_464
    assert 256 * forward == pytest.approx(0.67e9, rel=5e-3)
    assert 512 * forward == pytest.approx(1.34e9, rel=5e-3)


def test_the_counter_agrees_on_a_candidate_and_on_learning() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = mdnetwork("patch", "py-mdnet", 3, 3, 0.125, None, "cpu", 0)
    features = torch.zeros(1, network.features)
    forward, both_ways = network.macs()
    assert count_module(network, [features]).macs == forward
    for _, layer in network.connected():
        layer.requires_grad_(True)
    with FlopCounterMode(display=False) as counter:
        network(features).sum().backward()
    assert counter.get_total_flops() / 2 == both_ways


# Padding, dilation of each convolution; padding of each pool; py-MDNet modules/model.py, RT-MDNet
# modules/model.py, fdn-release pretraining. conv4 and conv5 are VGG-M's own.
LAYERS = {
    "patch": ((0, 0, 0, 1, 1), (1, 1, 1, 1, 1), (0, 0)),
    "scene": ((0, 0, 0, 1, 1), (1, 1, 3, 1, 1), (0,)),
    "image": ((3, 2, 1, 1, 1), (1, 1, 1, 1, 1), (1, 1)),
}


def normed(x, layout):
    if layout == "patch":
        return torch.nn.functional.local_response_norm(x, 2, 1e-4, 0.75, 1.0)
    if layout == "scene":
        return x / (2 + 1e-4 * x * x) ** 0.75
    # MatConvNet adds over five channels, torch takes their mean.
    return torch.nn.functional.local_response_norm(x, 5, 5e-4, 0.75, 2.0)


@pytest.mark.parametrize("convs", [3, 5])
@pytest.mark.parametrize("layout", LAYERS)
def test_trunks_are_the_published_layers(layout, convs) -> None:
    norms = {"patch": "py-mdnet", "scene": "rt-mdnet", "image": "matconvnet"}
    network = mdnetwork(layout, norms[layout], convs, 3, 1 / 8, None, "cpu", 3)
    image = torch.randn(2, 3, 131, 155, generator=torch.Generator().manual_seed(1)) * 60
    pads, dilations, pools = LAYERS[layout]
    x, state = image, network.shared_state()
    with torch.no_grad():
        for i in range(convs):
            weight, bias = (state[f"conv{i + 1}.0.{part}"] for part in ("weight", "bias"))
            step = 2 if i < 2 else 1
            x = torch.conv2d(x, weight, bias, step, pads[i], dilations[i]).relu()
            x = normed(x, layout) if i < 2 else x
            x = torch.max_pool2d(x, 3, 2, pools[i]) if i < len(pools) else x
        found = network.trunk(image)
    assert found.numpy() == pytest.approx(x.numpy(), rel=1e-4, abs=1e-4)
    assert float(x.abs().max()) > 0.1


def test_a_published_file_gives_the_straight_networks_output(published, tmp_path) -> None:
    path = tmp_path / "mdnet_vot-otb.pth"
    torch.save({"shared_layers": published}, path)
    network = mdnetwork("patch", "py-mdnet", 3, 3, 1.0, weights_of(path), "cpu", 0)
    patches = torch.tensor(np.random.default_rng(1).normal(size=(2, 3, 107, 107)) * 60).float()
    features, hidden = straight(published, patches)
    with torch.no_grad():
        found = network.trunk(patches).flatten(1)
        scores = network(found)
    assert found.numpy() == pytest.approx(features.numpy(), rel=1e-3, abs=1e-3)
    last = network.branches[0][1]
    wanted = hidden @ last.weight.T + last.bias
    assert scores.detach().numpy() == pytest.approx(wanted.detach().numpy(), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("style", ["filters", "weights", "net"])
def test_a_matlab_file_gives_the_same_network(published, tmp_path, style) -> None:
    path = tmp_path / "fdn.mat"
    scipy.io.savemat(path, matlab(published, style), do_compression=True)
    network = mdnetwork("image", "matconvnet", 3, 3, 1.0, weights_of(path), "cpu", 0)
    state = network.shared_state()
    assert all(torch.equal(state[key], value) for key, value in published.items())
    wanted = [10.0, 20.0, 30.0] if style == "net" else [0.0, 0.0, 0.0]
    assert network.mean.tolist() == wanted


def matlab(state, style):
    """The layers as MatConvNet writes them: h x w x in x out, a row of biases, fc6 at the end."""
    cells = []
    for name, (shape, _) in PUBLISHED.items():
        weight = state[f"{name}.weight"].numpy()
        side = 3 if name == "fc4.0" else 1
        if len(shape) == 2:
            weight = weight.reshape(shape[0], -1, side, side)
        cells.append((name.split(".")[0], weight, state[f"{name}.bias"].numpy()))
    cells.append(("fc6", np.zeros((4, 512, 1, 1), np.float32), np.zeros(4, np.float32)))
    layers = np.empty((1, 2 * len(cells)), dtype=object)
    for index, (name, weight, bias) in enumerate(cells):
        filters = weight.transpose(2, 3, 1, 0)
        if style == "weights":
            both = np.empty((1, 2), dtype=object)
            both[0, 0], both[0, 1] = filters, bias[None]
            layers[0, 2 * index] = {"type": "conv", "name": name, "weights": both}
        else:
            values = {"filters": filters, "biases": bias[None]}
            layers[0, 2 * index] = {"type": "conv", "name": name, **values}
        layers[0, 2 * index + 1] = {"type": "relu", "name": f"relu{index}"}
    if style != "net":
        return {"layers": layers}
    mean = np.tile(np.array([10.0, 20, 30], np.float32), (4, 4, 1))
    return {"net": {"layers": layers, "meta": {"normalization": {"averageImage": mean}}}}


def vgg_m(width, convs=5, connected=True):
    """VGG-M as MatConvNet distributes it, narrower: convolutions, fc6 to fc8, a mean image."""
    rng = np.random.default_rng(3)
    widths = [3, *(round(channels * width) for channels in (96, 256, 512, 512, 512))]
    shapes = {
        f"conv{i + 1}": (kernel, kernel, widths[i], widths[i + 1])
        for i, kernel in enumerate((7, 5, 3, 3, 3)[:convs])
    }
    if connected:
        shapes |= {"fc6": (6, 6, widths[convs], 8), "fc7": (1, 1, 8, 8), "fc8": (1, 1, 8, 10)}
    filters = {k: rng.normal(size=shape).astype(np.float32) for k, shape in shapes.items()}
    cells = np.empty((1, len(shapes)), dtype=object)
    for index, (name, values) in enumerate(filters.items()):
        both = np.empty((1, 2), dtype=object)
        both[0, 0], both[0, 1] = values, np.full((1, values.shape[3]), index, np.float32)
        cells[0, index] = {"type": "conv", "name": name, "weights": both}
    mean = np.tile(np.array([123.0, 116, 103], np.float32), (4, 4, 1))
    meta = {"normalization": {"averageImage": mean}}
    return filters, {"layers": cells, "meta": meta}


@pytest.mark.parametrize("convs", [3, 5])
@pytest.mark.parametrize("tracker", [MDNet, RTMDNet, FDN])
def test_vgg_m_gives_the_trunk_and_leaves_connected_layers_as_drawn(
    tracker, convs, tmp_path
) -> None:
    """FDN, sec. 4.5 and fig. 9: ImageNet's convolutions before layers that know nothing."""
    filters, content = vgg_m(1 / 16)
    path = tmp_path / "imagenet-vgg-m.mat"
    scipy.io.savemat(path, content)
    given = {"width": 1 / 16, "convs": convs, "seed": 4}
    state = tracker(**given, weights=weights_of(path)).network.shared_state()
    drawn = tracker(**given).network.shared_state()
    for key, value in state.items():
        name = key.split(".")[0]
        if name.startswith("fc"):
            assert torch.equal(value, drawn[key])
        elif key.endswith("weight"):
            # h x w x in x out, by Matlab; out, in, h, w here.
            assert value[1, 0, 2, 0] == filters[name][2, 0, 0, 1]
            assert value.shape == filters[name].transpose(3, 2, 0, 1).shape
        else:
            assert (value == int(name[-1]) - 1).all()
    assert len(state) == 2 * convs + 4


def test_vgg_m_of_another_width_or_without_a_layer_is_refused(tmp_path) -> None:
    path = tmp_path / "imagenet-vgg-m.mat"
    scipy.io.savemat(path, vgg_m(1 / 16)[1])
    with pytest.raises(VBenchError, match=r"conv1\.0\.bias is \(6,\), not \(12,\)"):
        FDN(width=1 / 8, weights=weights_of(path))
    scipy.io.savemat(path, vgg_m(1 / 16, convs=3, connected=False)[1])
    FDN(width=1 / 16, weights=weights_of(path))
    with pytest.raises(
        VBenchError, match=r"missing trunk\.conv4\.0\.bias, trunk\.conv4\.0\.weight"
    ):
        FDN(width=1 / 16, convs=5, weights=weights_of(path))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"MATLAB 7.3 MAT-file" + bytes(200), "7.3"),
        (b"MATLAB 5.0 MAT-file" + bytes(107) + b"IM" + b"\x0e\x00\x00\x00\x07", "not a MATLAB"),
        (b"MATLAB 5.0 MAT-file" + bytes(107) + b"IM" + b"\x0e\x00\x00\x00\xff" * 4, "damaged"),
        (b"MATLAB 5.0 MAT-file" + bytes(107) + b"MI" + bytes(20), "big-endian"),
    ],
)
def test_other_matlab_files_are_refused_in_one_line(tmp_path, content, why) -> None:
    path = tmp_path / "fdn.mat"
    path.write_bytes(content)
    with pytest.raises(VBenchError, match=why):
        FDN(width=0.03, weights=weights_of(path))


def test_a_matlab_file_of_something_else_is_refused(tmp_path) -> None:
    path = tmp_path / "fdn.mat"
    scipy.io.savemat(path, {"results": np.zeros((3, 4))})
    with pytest.raises(VBenchError, match="hold no `layers`"):
        FDN(width=0.03, weights=weights_of(path))


def test_a_wrong_file_is_refused_with_what_is_missing(published, tmp_path) -> None:
    path = tmp_path / "wrong.pth"
    torch.save({k: v for k, v in published.items() if not k.startswith("fc5")}, path)
    with pytest.raises(VBenchError, match=r"missing fc5\.1\.bias, fc5\.1\.weight"):
        MDNet(weights=weights_of(path))


@pytest.mark.parametrize("tracker", [MDNet, RTMDNet, FDN])
def test_its_own_state_loads_again(tracker, tmp_path) -> None:
    given = {"width": 0.0625, "convs": 5, "fcs": 2}
    one = tracker(**given, seed=3)
    path = tmp_path / "own.pt"
    torch.save(one.network.shared_state(), path)
    other = tracker(**given, seed=4, weights=weights_of(path))
    first, second = one.network.shared_state(), other.network.shared_state()
    assert list(first) == list(second)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_half_of_the_units_are_dropped_and_the_mean_is_kept() -> None:
    generator = torch.Generator().manual_seed(0)
    found = dropped(torch.ones(200, 200), generator)
    assert set(found.unique().tolist()) == {0.0, 2.0}
    # 40,000 fair coins: five standard deviations are 0.025.
    assert float(found.mean()) == pytest.approx(1.0, abs=0.025)


def test_the_loss_is_the_mean_cross_entropy() -> None:
    positive, negative = torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0], [3.0, 3.0]])
    wanted = (np.log1p(np.exp(-2)) + np.log1p(np.exp(-1)) + np.log(2)) / 3
    assert float(binary_loss(positive, negative)) == pytest.approx(wanted)
