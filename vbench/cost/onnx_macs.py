"""Counting an ONNX graph node by node, by the rule that handles.py states."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vbench.cost.handles import operators
from vbench.cost.macs import NAN, Count
from vbench.cost.onnx_graph import Node, Shape, Tensor, read_graph
from vbench.cost.onnx_shapes import Shapes, infer_shapes

COUNTER = "onnx"


def count_onnx(path: Path, inputs: Sequence[Any] = ()) -> Count:
    """Count the MACs of one run of an ONNX file.

    `inputs` are arrays, tensors or shapes, in the order of the graph's inputs; they are needed
    where the file leaves a size open. Operators that no rule covers are named as uncounted.

    Raises:
        VBenchError: the file is not an ONNX model.
    """
    graph = read_graph(path)
    known = infer_shapes(graph, [_shape(value) for value in inputs])
    by_op: defaultdict[str, float] = defaultdict(float)
    by_module: defaultdict[str, float] = defaultdict(float)
    uncounted: set[str] = set()
    for node in graph.nodes:
        if node.op in FREE or _is_known_constant(known, node):
            continue
        rule = RULES.get(node.op)
        try:
            macs = rule(known, node) if rule else None
        except (KeyError, IndexError, ValueError, TypeError):
            macs = NAN
        if macs is None:
            uncounted.add(node.op)
        elif math.isnan(macs):
            uncounted.add(f"{node.op} of unknown shape")
        else:
            by_op[node.op] += macs
            by_module[node.name or node.outputs[0]] += macs
    modules = {name: macs for name, macs in by_module.items() if macs}
    total = sum(by_op.values())
    unknown = any("unknown shape" in name for name in uncounted)
    return Count(
        NAN if unknown else total,
        uncounted=tuple(sorted(uncounted)),
        counter=COUNTER,
        by_op={name: macs for name, macs in by_op.items() if macs},
        by_module=modules,
    )


def parameters(path: Path) -> int:
    """Number of values in an ONNX file's weights: its constants of rank 1 and more."""
    graph = read_graph(path)
    attributes = [value for node in graph.nodes for value in node.attributes.values()]
    tensors = [*graph.constants.values(), *(v for v in attributes if isinstance(v, Tensor))]
    return sum(math.prod(tensor.shape) for tensor in tensors if tensor.shape)


def _shape(value: Any) -> Shape | None:
    found = getattr(value, "shape", value)
    return None if found is None else tuple(int(size) for size in found)


def _is_known_constant(known: Shapes, node: Node) -> bool:
    """A node whose values were computed with the shapes: no runtime executes it."""
    return bool(node.outputs) and all(name in known.values for name in node.outputs if name)


def _size(known: Shapes, node: Node) -> int:
    return math.prod(known.shapes[node.outputs[0]])


def _convolution(known: Shapes, node: Node) -> float:
    x, weight = known.of(node), known.of(node, 1)
    if node.op == "ConvTranspose":
        return float(x[0] * math.prod(x[2:]) * math.prod(weight))
    return float(_size(known, node) * math.prod(weight[1:]))


def _matrix_product(known: Shapes, node: Node) -> float:
    a = known.of(node)
    return float(_size(known, node) * a[0 if node.attributes.get("transA") else -1])


def _interpolation(known: Shapes, node: Node) -> float:
    """Weighted neighbours of each value: over the axes that change, as in torch's upsampling."""
    x, out = known.of(node), known.shapes[node.outputs[0]]
    mode = node.attributes.get("mode", "nearest")
    axes = sum(1 for before, after in zip(x, out, strict=True) if before != after)
    taps = {"nearest": 0, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}[mode]
    return float(math.prod(out) * taps**axes if taps and axes else 0)


def _deformable(known: Shapes, node: Node) -> float:
    weight, out = known.of(node, 1), known.shapes[node.outputs[0]]
    places = out[0] * math.prod(out[2:])
    return float(places * (math.prod(weight) + known.of(node)[1] * math.prod(weight[2:]) * 5))


def per_output(macs: float) -> Callable[[Shapes, Node], float]:
    """Rule of `macs` for every value that comes out."""
    return lambda known, node: macs * _size(known, node)


def per_input(macs: float) -> Callable[[Shapes, Node], float]:
    """Rule of `macs` for every value that goes in."""
    return lambda known, node: macs * math.prod(known.of(node))


FREE = frozenset(operators()["onnx"]["none"].split())
RULES: Mapping[str, Callable[[Shapes, Node], float]] = {
    **dict.fromkeys(operators()["onnx"]["one_a_value_out"].split(), per_output(1)),
    **dict.fromkeys(operators()["onnx"]["one_a_value_in"].split(), per_input(1)),
    **dict.fromkeys(operators()["onnx"]["two_a_value_in"].split(), per_input(2)),
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "DeformConv": _deformable,
    "MatMul": _matrix_product,
    "Gemm": _matrix_product,
    "Resize": _interpolation,
    "Upsample": _interpolation,
    "GridSample": per_output(4),
}
