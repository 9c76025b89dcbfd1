import struct

import numpy as np
import pytest
import torch
from torch import nn

from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.nn.mxnet_params import load_params, published_name, read_params

VERSIONS = ("v0", "v1", "v2")


def array_bytes(array, version):
    """One array as MXNet's NDArray::Save writes it, in each of its versions."""
    axes = array.ndim
    head = {
        "v0": struct.pack(f"<I{axes}I", axes, *array.shape),
        "v1": struct.pack(f"<II{axes}q", 0xF993FAC8, axes, *array.shape),
        "v2": struct.pack(f"<IiI{axes}q", 0xF993FAC9, 0, axes, *array.shape),
    }[version]
    return head + struct.pack("<iii", 1, 0, 0) + array.astype("<f4").tobytes()


def params_bytes(arrays, version="v0"):
    """A .params file of named arrays."""
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    parts += [array_bytes(np.asarray(a), version) for a in arrays.values()]
    parts.append(struct.pack("<Q", len(arrays)))
    parts += [struct.pack("<Q", len(name)) + name.encode() for name in arrays]
    return b"".join(parts)


def published(network):
    """Arrays of `network` under the names and prefixes of upstream's files."""
    stored = ("moving_mean", "moving_var")
    return {
        f"{'aux' if key.endswith(stored) else 'arg'}:{published_name(key)}": value.numpy()
        for key, value in network.state_dict().items()
    }


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "arg:conv1_weight": rng.normal(size=(4, 3, 2, 2)).astype("f4"),
        "aux:bn_conv1_moving_mean": rng.normal(size=5).astype("f4"),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_arrays_of_every_version_are_read(tmp_path, arrays, version):
    path = tmp_path / "x.params"
    path.write_bytes(params_bytes(arrays, version))
    found = read_params(path)
    assert list(found) == ["conv1_weight", "bn_conv1_moving_mean"]
    for array, tensor in zip(arrays.values(), found.values(), strict=True):
        assert np.array_equal(tensor.numpy(), array)


def test_files_cut_anywhere_are_refused_on_one_line(tmp_path, arrays):
    whole = params_bytes(arrays, "v2")
    path = tmp_path / "cut.params"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(VBenchError, match="no MXNet parameters") as caught:
            read_params(path)
        assert "\n" not in str(caught.value)


HEAD = struct.pack("<QQ", 0x112, 0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x80\x04" + bytes(40), "begins with"),
        (HEAD + struct.pack("<Q", 1 << 60), "arrays, more than"),
        (HEAD + struct.pack("<QI", 1, 1 << 30), "axes, more than"),
        (HEAD + struct.pack("<QI2Iiii", 1, 2, 1 << 31, 1 << 31, 1, 0, 0), "of shape"),
        (HEAD + struct.pack("<QIIqiii", 1, 0xF993FAC8, 1, -5, 1, 0, 0), "of shape"),
        (HEAD + struct.pack("<QIIiii", 1, 1, 0, 1, 0, 99), "unknown type 99"),
        (HEAD + struct.pack("<QIiI", 1, 0xF993FAC9, 1, 1), "sparse"),
        (HEAD + struct.pack("<QQ", 0, 3), "0 arrays and 3 names"),
        (params_bytes({"arg:x": np.zeros(1)})[:-5] + b"\xff\xfe:xx", "no text"),
    ],
)
def test_impossible_files_are_refused_on_one_line(tmp_path, data, why):
    path = tmp_path / "bad.params"
    path.write_bytes(data)
    with pytest.raises(VBenchError, match=why) as caught:
        read_params(path)
    assert "\n" not in str(caught.value)


def test_the_box_layer_of_the_test_is_preferred_and_divided_by_its_deviations():
    network = nn.Module()
    network.rfcn_bbox = nn.Conv2d(2, 16, 1)
    native = {k: v.clone() for k, v in network.state_dict().items()}
    # Two bins; the deviations of dx dy dw dh stand once for the background and once for objects.
    stds = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2] * 2)
    state = {
        "rfcn_bbox_weight": torch.zeros(16, 2, 1, 1),
        "rfcn_bbox_bias": torch.zeros(16),
        "rfcn_bbox_weight_test": native["rfcn_bbox.weight"] * stds.view(16, 1, 1, 1),
        "rfcn_bbox_bias_test": native["rfcn_bbox.bias"] * stds,
    }
    load_params(network, state, "x.params")
    for key, value in network.state_dict().items():
        assert torch.allclose(value, native[key])


def test_detectors_load_their_published_names_and_answer_alike(tmp_path):
    from vbench.detectors.rfcn import Rfcn

    given = {"width": 0.125, "short_px": 64}
    native = Rfcn(**given, seed=3)
    path = tmp_path / "rfcn_vid-0000.params"
    path.write_bytes(params_bytes(published(native.network)))
    weights = Weights("rfcn", {path.name: path}, "")
    frame = np.random.default_rng(1).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    for ours, theirs in zip(
        native.detect(frame), Rfcn(**given, seed=4, weights=weights).detect(frame), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_another_networks_arrays_are_named(tmp_path, arrays):
    from vbench.detectors.rfcn import Rfcn

    path = tmp_path / "other.params"
    path.write_bytes(params_bytes(arrays))
    with pytest.raises(VBenchError, match="other.params are of another network") as caught:
        Rfcn(width=0.125, weights=Weights("rfcn", {path.name: path}, ""))
    assert "\n" not in str(caught.value)
