"""Counting ONNX graphs: hand-made ones by closed formulas, published ones by what others state."""

import math
import struct

import numpy as np
import pytest

from vbench.core.errors import VBenchError
from vbench.core.roles import Work
from vbench.cost.macs import count
from vbench.cost.onnx_graph import read_graph
from vbench.cost.onnx_macs import count_onnx, parameters
from vbench.cost.onnx_shapes import infer_shapes


# A writer of just enough of onnx.proto to build graphs with.
def varint(number):
    number &= (1 << 64) - 1
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def part(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, array):
    kind = {"float32": 1, "int64": 7}[array.dtype.name]
    dims = b"".join(part(1, size) for size in array.shape)
    return dims + part(2, kind) + part(8, name) + part(9, array.tobytes())


def attribute(name, value):
    head = part(1, name)
    if isinstance(value, str):
        return head + part(4, value)
    if isinstance(value, int):
        return head + part(3, value)
    if isinstance(value, float):
        return head + varint(2 << 3 | 5) + struct.pack("<f", value)
    return head + b"".join(part(8, item) for item in value)


def node(op, inputs, outputs, **attributes):
    found = b"".join(part(1, name) for name in inputs) + b"".join(part(2, n) for n in outputs)
    return found + part(4, op) + b"".join(part(5, attribute(*a)) for a in attributes.items())


def stated(name, shape):
    dims = b"".join(part(1, part(1, s) if s else part(2, "batch")) for s in shape)
    return part(1, name) + part(2, part(1, part(1, 1) + part(2, dims)))


def model(path, nodes, constants=(), inputs=(("x", (1, 4, 9, 8)),), outputs=()):
    graph = b"".join(part(1, n) for n in nodes)
    graph += b"".join(part(5, tensor(*c)) for c in constants)
    graph += b"".join(part(11, stated(*i)) for i in inputs)
    graph += b"".join(part(12, stated(*o)) for o in outputs)
    path.write_bytes(part(1, 8) + part(7, graph))
    return path


def weights(*shape):
    return np.zeros(shape, np.float32)


def whole(*numbers):
    return np.array(numbers, np.int64)


CASES = {
    "grouped convolution": (
        [node("Conv", ["x", "w"], ["y"], group=2, strides=[2, 2], pads=[1, 1, 1, 1])],
        [("w", weights(6, 2, 3, 3))],
        5 * 4 * 6 * 2 * 9,
    ),
    "dilated": (
        [node("Conv", ["x", "w"], ["y"], dilations=[2, 2])],
        [("w", weights(5, 4, 3, 3))],
        5 * 4 * 5 * 36,
    ),
    "same padding": (
        [node("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])],
        [("w", weights(5, 4, 3, 3))],
        5 * 4 * 5 * 36,
    ),
    "transposed": (
        [node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])],
        [("w", weights(4, 6, 4, 4))],
        72 * 4 * 6 * 16,
    ),
    "a head": (
        [
            node("GlobalAveragePool", ["x"], ["p"]),
            node("Flatten", ["p"], ["f"]),
            node("Gemm", ["f", "w"], ["y"], transB=1),
        ],
        [("w", weights(7, 4))],
        4 + 4 * 7,
    ),
    "correlation by a product": (
        [
            node("Reshape", ["x", "s"], ["a"]),
            node("Transpose", ["a"], ["b"], perm=[0, 2, 1]),
            node("MatMul", ["b", "a"], ["y"]),
        ],
        [("s", whole(0, 4, -1))],
        72 * 72 * 4,
    ),
    "resize by scales": (
        [node("Resize", ["x", "", "s"], ["y"], mode="linear")],
        [("s", np.array([1, 1, 2, 2], np.float32))],
        4 * 4 * 18 * 16,
    ),
    "shape arithmetic is not executed": (
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "i"], ["h"]),
            node("Mul", ["h", "two"], ["n"]),
            node("Concat", ["lead", "n"], ["t"], axis=0),
            node("Reshape", ["x", "t"], ["r"]),
            node("Mul", ["r", "r"], ["y"]),
        ],
        [("i", whole(2)), ("two", whole(2)), ("lead", whole(-1))],
        1 * 4 * 9 * 8,
    ),
    "slices and splits": (
        [
            node("Slice", ["x", "from", "to", "axes"], ["c"]),
            node("Split", ["c"], ["l", "r"], axis=1),
            node("Concat", ["l", "r"], ["j"], axis=1),
            node("Mul", ["j", "j"], ["y"]),
        ],
        [("from", whole(1)), ("to", whole(1 << 62)), ("axes", whole(2))],
        4 * 8 * 8,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_graph_costs_its_closed_formula(name, tmp_path):
    nodes, constants, expected = CASES[name]
    found = count_onnx(model(tmp_path / "m.onnx", nodes, constants))
    assert (found.macs, found.uncounted, found.counter) == (expected, (), "onnx")


def test_an_open_size_wants_an_example_input(tmp_path):
    path = model(
        tmp_path / "m.onnx",
        [node("Conv", ["x", "w"], ["y"])],
        [("w", weights(2, 4, 1, 1))],
        inputs=[("x", (None, 4, 9, 8))],
    )
    unknown = count_onnx(path)
    assert math.isnan(unknown.macs)
    assert unknown.uncounted == ("Conv of unknown shape",)
    work = Work("net", onnx=path, inputs=[np.zeros((3, 4, 9, 8))], times=2)
    assert count([work]).macs_per_call == 2 * 3 * 72 * 8


def test_an_operator_without_a_rule_is_named(tmp_path):
    path = model(tmp_path / "m.onnx", [node("NonMaxSuppression", ["x"], ["y"])])
    assert count_onnx(path).uncounted == ("NonMaxSuppression",)


@pytest.mark.parametrize("cut", [1, 7, 40, 80])
def test_a_broken_file_is_named_on_one_line(tmp_path, cut):
    nodes, constants, _ = CASES["a head"]
    path = model(tmp_path / "m.onnx", nodes, constants)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(VBenchError, match=r"m\.onnx is not an ONNX model: "):
        count_onnx(path)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\xff" * 40, b"PK\x03\x04 a zip", part(7, b"\x0a\x02\x22\x7f")]
)
def test_something_else_is_not_a_model(tmp_path, data):
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(VBenchError, match="is not an ONNX model"):
        count_onnx(tmp_path / "m.onnx")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(VBenchError, match=r"gone\.onnx cannot be read"):
        count_onnx(tmp_path / "gone.onnx")


def test_a_tensor_of_absurd_size_is_refused(tmp_path):
    shape = part(1, -5) + part(8, "w")
    graph = part(5, shape)
    (tmp_path / "m.onnx").write_bytes(part(7, graph))
    with pytest.raises(VBenchError, match="a tensor of shape"):
        read_graph(tmp_path / "m.onnx")


FILES = {
    "nanotrack/nanotrackv1/nanotrack_backbone_sim.onnx": 136,
    "nanotrack/nanotrackv1/nanotrack_head_sim.onnx": 33,
    "nanotrack/nanotrackv3/nanotrack_backbone.onnx": 0,
    "nanotrack/nanotrackv3/nanotrack_head.onnx": 0,
    "nanodet/nanodet_m.onnx": 235,
    "fastestdet/FastestDet.onnx": 210,
}


@pytest.mark.parametrize("name", FILES)
def test_inferred_shapes_are_those_that_the_exporter_wrote(real_data, name):
    graph = read_graph(real_data / "weights" / name)
    found = infer_shapes(graph).shapes
    exported = {**graph.known, **graph.outputs}
    assert len(graph.known) == FILES[name]
    assert {tensor: found.get(tensor) for tensor in exported} == exported


def test_nanodet_costs_what_its_authors_print(real_data):
    """RangiLyu/nanodet README: NanoDet-m 416, 1.2 G FLOPs (two per MAC), 0.95 M parameters."""
    path = real_data / "weights/nanodet/nanodet_m.onnx"
    found = count_onnx(path)
    assert found.uncounted == ()
    assert round(2 * found.macs / 1e9, 1) == 1.2
    assert parameters(path) / 1e6 == pytest.approx(0.95, rel=0.01)


def test_fastestdets_parameters_are_those_its_authors_print(real_data):
    """dog-qiuqiu/FastestDet README: 0.24 M parameters."""
    path = real_data / "weights/fastestdet/FastestDet.onnx"
    assert round(parameters(path) / 1e6, 2) == 0.24
    assert count_onnx(path).uncounted == ()


def test_nanotracks_correlation_costs_its_product(real_data):
    """V1: an 8 x 8 template against a 16 x 16 search, 48 channels: 64 x 256 x 48."""
    found = count_onnx(real_data / "weights/nanotrack/nanotrackv1/nanotrack_head_sim.onnx")
    assert found.by_op["MatMul"] == 64 * 256 * 48
    assert found.uncounted == ()


@pytest.mark.parametrize(
    ("version", "files", "thousands", "millions"),
    [
        ("nanotrackv1", ["nanotrack_backbone_sim", "nanotrack_head_sim"], 287.9, 75.6),
        ("nanotrackv3", ["nanotrack_backbone", "nanotrack_head"], 541.4, 115.6),
    ],
)
def test_nanotrack_is_near_what_its_author_prints(real_data, version, files, thousands, millions):
    """HonglinChu/SiamTrackers README counts the network before its norms were folded away."""
    folder = real_data / "weights/nanotrack" / version
    paths = [folder / f"{name}.onnx" for name in files]
    assert sum(parameters(p) for p in paths) / 1e3 == pytest.approx(thousands, rel=0.015)
    assert sum(count_onnx(p).macs for p in paths) / 1e6 == pytest.approx(millions, rel=0.07)
