"""Reading weights out of ONNX files: a tiny file written by hand, broken files, published ones."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vbench.core.errors import VBenchError
from vbench.nn.onnx_file import layer_weights, load_layers, with_inputs


def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(tag, value):
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    value = value.encode() if isinstance(value, str) else value
    return number(tag << 3 | 2) + number(len(value)) + value


def tensor(name, array, raw=True):
    array = np.asarray(array, dtype="<f4")
    dims = b"".join(field(1, size) for size in array.shape)
    data = (
        field(9, array.tobytes()) if raw else field(4, struct.pack(f"<{array.size}f", *array.flat))
    )
    return dims + field(2, 1) + field(8, name) + data


def value_info(name, shape):
    dims = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def strides(*sizes):
    attribute = field(1, "strides") + b"".join(field(8, size) for size in sizes) + field(20, 7)
    return field(5, attribute)


def tiny_model():
    """A convolution with a stride and a fully connected layer on top, 4 x 4 in."""
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(2, 3, 2, 2)), rng.normal(size=2)
    full = rng.normal(size=(5, 2))
    nodes = [
        b"".join(field(1, n) for n in ("x", "k", "b")) + field(2, "y") + field(4, "Conv")
        + strides(2, 2),
        field(1, "y") + field(2, "m") + field(4, "GlobalAveragePool"),
        field(1, "m") + field(2, "f") + field(4, "Flatten"),
        field(1, "f") + field(1, "w") + field(2, "z") + field(4, "Gemm")
        + field(5, field(1, "transB") + field(3, 1) + field(20, 2)),
    ]  # fmt: skip
    graph = b"".join(field(1, node) for node in nodes) + field(2, "tiny")
    # Weights stand in another order than they are used in.
    graph += field(5, tensor("w", full, raw=False))
    graph += field(5, tensor("b", bias)) + field(5, tensor("k", kernel))
    graph += field(11, value_info("x", (1, 3, 4, 4))) + field(12, value_info("z", (1, 5)))
    graph += field(13, value_info("y", (1, 2, 2, 2)))
    model = field(1, 7) + field(7, graph) + field(8, field(1, "") + field(2, 13))
    return model, kernel, bias, full


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 2, 2)
        self.full = nn.Linear(2, 5, bias=False)

    def forward(self, images):
        return self.full(self.conv(images).mean(dim=(2, 3)))


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_model()[0])
    return path


def test_weights_come_in_order_of_use(tiny_file):
    _, kernel, bias, full = tiny_model()
    first, second = layer_weights(tiny_file)
    assert np.allclose(first.weight, kernel)
    assert first.bias is not None
    assert np.allclose(first.bias, bias)
    assert np.allclose(second.weight, full)
    assert second.bias is None


def test_torch_gives_what_onnxruntime_gives_at_any_input_size(tiny_file):
    runtime = pytest.importorskip("onnxruntime")
    network = Tiny()
    load_layers(network, tiny_file)
    for model, side in ((tiny_file, 4), (with_inputs(tiny_file, {"x": (1, 3, 9, 9)}), 9)):
        images = np.random.default_rng(1).normal(size=(1, 3, side, side)).astype(np.float32)
        session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
        (theirs,) = session.run(None, {"x": images})
        with torch.inference_mode():
            ours = network(torch.from_numpy(images)).numpy()
        assert np.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (nn.Sequential(nn.Conv2d(3, 2, 2)), "have 2 layers, Sequential has 1"),
        (nn.Sequential(nn.Conv2d(3, 4, 2), nn.Linear(2, 5, bias=False)), r"layer 0 is \(2, 3, 2"),
        (nn.Sequential(nn.Conv2d(3, 2, 2), nn.Linear(2, 5)), "layer 1 differs in having a bias"),
    ],
)
def test_another_network_is_named(tiny_file, network, why):
    with pytest.raises(VBenchError, match=rf"tiny\.onnx.*{why}"):
        load_layers(network, tiny_file)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_files_are_refused_and_never_crash(tmp_path_factory, data):
    model = bytearray(tiny_model()[0])
    if data.draw(st.booleans()):
        model = model[: data.draw(st.integers(0, len(model) - 1))]
    for _ in range(data.draw(st.integers(0, 4))):
        if model:
            model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("broken") / "broken.onnx"
    path.write_bytes(bytes(model))
    try:
        found = layer_weights(path)
    except VBenchError as error:
        assert "broken.onnx" in str(error)
    else:
        assert all(isinstance(layer.weight, np.ndarray) for layer in found)


def test_not_onnx_at_all(tmp_path):
    path = tmp_path / "notes.onnx"
    path.write_text("hello")
    with pytest.raises(VBenchError, match=r"notes\.onnx is not an ONNX model"):
        layer_weights(path)
