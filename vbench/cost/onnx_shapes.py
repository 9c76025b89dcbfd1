"""Shapes of every tensor of an ONNX graph, by its operators' definitions (onnx/docs/Operators.md).

Small tensors are computed as well (onnx_values.py), as graphs compute later tensors' shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vbench.cost.onnx_graph import SMALL, Array, Graph, Node, Shape, Tensor
from vbench.cost.onnx_values import VALUES, cut


@dataclass
class Shapes:
    """What is known so far: shapes by tensor name, values of small constants."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    values: dict[str, Array] = field(default_factory=dict)

    def of(self, node: Node, index: int = 0) -> Shape:
        """Return the shape of a node's input; KeyError where it is unknown."""
        return self.shapes[node.inputs[index]]

    def value(self, node: Node, index: int) -> Array | None:
        """Return an input's values, None where it is absent or not a small constant."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name and name not in self.values:
            raise KeyError(name)
        return self.values[name] if name else None

    def numbers(self, node: Node, index: int, attribute: str) -> list[int] | None:
        """Return a list that is an attribute in old files and an input in new ones."""
        found = node.attributes.get(attribute)
        if found is None and index < len(node.inputs):
            found = self.value(node, index)
        return None if found is None else [int(x) for x in np.ravel(found)]


def infer_shapes(graph: Graph, given: Sequence[Shape | None] = ()) -> Shapes:
    """Return the shapes of all tensors that can be told; `given` are those of the inputs, in order.

    A tensor whose shape cannot be told is left out.
    """
    known = Shapes()
    for name, tensor in graph.constants.items():
        _keep(known, name, tensor)
    for index, (name, stated) in enumerate(graph.inputs.items()):
        shape = given[index] if index < len(given) and given[index] is not None else stated
        if shape is not None and all(size is not None for size in shape):
            known.shapes[name] = tuple(int(size) for size in shape if size is not None)
    for node in graph.nodes:
        try:
            _infer(known, node)
        except (KeyError, IndexError, ValueError, TypeError, ZeroDivisionError, OverflowError):
            _stated(known, node, graph)
    return known


def _keep(known: Shapes, name: str, tensor: Tensor) -> None:
    known.shapes[name] = tensor.shape
    if tensor.values is not None:
        known.values[name] = tensor.values


def _stated(known: Shapes, node: Node, graph: Graph) -> None:
    for name in node.outputs:
        shape = graph.known.get(name) or graph.outputs.get(name)
        if shape and all(size is not None for size in shape):
            known.shapes[name] = tuple(int(size) for size in shape if size is not None)


def _infer(known: Shapes, node: Node) -> None:
    if node.op == "Constant":
        _constant(known, node)
        return
    if (node.op == "Shape" or node.op in VALUES) and _evaluate(known, node):
        return
    rule = RULES.get(node.op)
    if rule is None:
        raise KeyError(node.op)
    found = rule(known, node)
    for name, shape in zip(node.outputs, found, strict=False):
        known.shapes[name] = shape


def _constant(known: Shapes, node: Node) -> None:
    found = next(iter(node.attributes.values()))
    tensor = found if isinstance(found, Tensor) else Tensor(np.shape(found), np.asarray(found))
    _keep(known, node.outputs[0], tensor)


def _evaluate(known: Shapes, node: Node) -> bool:
    """Compute a small tensor's values; False where an input is not known."""
    if node.op == "Shape":
        start = node.attributes.get("start", 0)
        found: Array = np.array(known.of(node)[start:], dtype=np.int64)
    else:
        if not all(name in known.values for name in node.inputs if name):
            return False
        found = np.asarray(VALUES[node.op]([known.values[n] for n in node.inputs if n], node))
    if found.size > SMALL:
        return False
    _keep(known, node.outputs[0], Tensor(found.shape, found))
    return True


def same(known: Shapes, node: Node) -> list[Shape]:
    """The first input's shape."""
    return [known.of(node)] * len(node.outputs)


def broadcast(known: Shapes, node: Node) -> list[Shape]:
    """All inputs' shapes broadcast together."""
    return [np.broadcast_shapes(*(known.shapes[name] for name in node.inputs if name))]


def windows(known: Shapes, node: Node, kernel: Sequence[int]) -> list[int]:
    """Sizes after a sliding window: convolution or pooling."""
    sizes = known.of(node)[2:]
    given = node.attributes
    strides = given.get("strides") or [1] * len(sizes)
    dilations = given.get("dilations") or [1] * len(sizes)
    mode = given.get("auto_pad", "NOTSET")
    if mode.startswith("SAME"):
        return [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
    pads = given.get("pads") if mode == "NOTSET" else None
    pads = pads or [0] * 2 * len(sizes)
    round_up = given.get("ceil_mode", 0)
    found = []
    for i, size in enumerate(sizes):
        room = size + pads[i] + pads[i + len(sizes)] - dilations[i] * (kernel[i] - 1) - 1
        steps = -(-room // strides[i]) if round_up else room // strides[i]
        found.append(steps + 1)
    return found


def _convolved(known: Shapes, node: Node) -> list[Shape]:
    weight = known.of(node, 1)
    return [(known.of(node)[0], weight[0], *windows(known, node, weight[2:]))]


def _deconvolved(known: Shapes, node: Node) -> list[Shape]:
    x, weight, given = known.of(node), known.of(node, 1), node.attributes
    rank = len(x) - 2
    strides = given.get("strides") or [1] * rank
    pads = given.get("pads") or [0] * 2 * rank
    extra = given.get("output_padding") or [0] * rank
    dilations = given.get("dilations") or [1] * rank
    sizes = given.get("output_shape") or [
        (x[i + 2] - 1) * strides[i]
        + dilations[i] * (weight[i + 2] - 1)
        + 1
        + extra[i]
        - pads[i]
        - pads[i + rank]
        for i in range(rank)
    ]
    return [(x[0], weight[1] * given.get("group", 1), *sizes)]


def _pooled(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    out = (*x[:2], *windows(known, node, node.attributes["kernel_shape"]))
    return [out] * len(node.outputs)


def _pooled_globally(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    return [(*x[:2], *[1] * (len(x) - 2))]


def _multiplied(known: Shapes, node: Node) -> list[Shape]:
    a, b = known.of(node), known.of(node, 1)
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    return [(*batch, *([a[-2]] if len(a) > 1 else []), *([b[-1]] if len(b) > 1 else []))]


def _gemm(known: Shapes, node: Node) -> list[Shape]:
    a, b = known.of(node), known.of(node, 1)
    rows = a[1] if node.attributes.get("transA") else a[0]
    return [(rows, b[0] if node.attributes.get("transB") else b[1])]


def _concatenated(known: Shapes, node: Node) -> list[Shape]:
    parts = [known.shapes[name] for name in node.inputs]
    axis = node.attributes["axis"] % len(parts[0])
    out = list(parts[0])
    out[axis] = sum(part[axis] for part in parts)
    return [tuple(out)]


def _reshaped(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    wanted = known.numbers(node, 1, "shape") or []
    if not node.attributes.get("allowzero", 0):
        wanted = [x[i] if size == 0 else size for i, size in enumerate(wanted)]
    rest = math.prod(size for size in wanted if size != -1)
    return [tuple(math.prod(x) // rest if size == -1 else size for size in wanted)]


def _transposed(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    order = node.attributes.get("perm") or range(len(x) - 1, -1, -1)
    return [tuple(x[axis] for axis in order)]


def _cut(known: Shapes, node: Node) -> list[Shape]:
    """A slice's shape: cut an array of that shape that takes no memory."""
    stand_in = np.broadcast_to(np.int8(0), known.of(node))
    values: list[Array] = [stand_in]
    for index in range(1, len(node.inputs)):
        found = known.value(node, index)
        if found is not None:
            values.append(found)
    return [cut(values, node).shape]


def _parted(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    axis = node.attributes.get("axis", 0) % len(x)
    sizes = known.numbers(node, 1, "split")
    if not sizes:
        each = -(-x[axis] // len(node.outputs))
        sizes = [each] * (len(node.outputs) - 1)
        sizes.append(x[axis] - sum(sizes))
    return [(*x[:axis], size, *x[axis + 1 :]) for size in sizes]


def _resized(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    old = node.op == "Upsample"
    sizes = known.value(node, 3) if len(node.inputs) > 3 and node.inputs[3] else None
    if sizes is not None:
        return [tuple(int(s) for s in sizes)]
    scales = node.attributes.get("scales")
    if scales is None:
        scales = known.value(node, 1 if old or len(node.inputs) == 2 else 2)
    if scales is None:
        raise ValueError("no scales")
    return [tuple(math.floor(s * float(f)) for s, f in zip(x, np.ravel(scales), strict=True))]


def _padded(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    pads = known.numbers(node, 1, "pads") or []
    return [tuple(size + pads[i] + pads[i + len(x)] for i, size in enumerate(x))]


def _squeezed_shape(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    axes = known.numbers(node, 1, "axes")
    drop = {axis % len(x) for axis in axes} if axes else {i for i, s in enumerate(x) if s == 1}
    return [tuple(size for i, size in enumerate(x) if i not in drop)]


def _unsqueezed_shape(known: Shapes, node: Node) -> list[Shape]:
    axes = known.numbers(node, 1, "axes") or []
    return [np.expand_dims(np.broadcast_to(np.int8(0), known.of(node)), tuple(axes)).shape]


def _flattened(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    axis = node.attributes.get("axis", 1)
    return [(math.prod(x[:axis]), math.prod(x[axis:]))]


def _reduced(known: Shapes, node: Node) -> list[Shape]:
    x = known.of(node)
    axes = known.numbers(node, 1, "axes") or range(len(x))
    if "axis" in node.attributes:
        axes = [node.attributes["axis"]]
    gone = {axis % len(x) for axis in axes}
    keep = node.attributes.get("keepdims", 1)
    return [tuple(1 if i in gone else s for i, s in enumerate(x) if keep or i not in gone)]


def _gathered(known: Shapes, node: Node) -> list[Shape]:
    x, index = known.of(node), known.of(node, 1)
    axis = node.attributes.get("axis", 0) % len(x)
    return [(*x[:axis], *index, *x[axis + 1 :])]


def _expanded(known: Shapes, node: Node) -> list[Shape]:
    wanted = known.numbers(node, 1, "shape") or []
    return [np.broadcast_shapes(known.of(node), tuple(wanted))]


def _tiled(known: Shapes, node: Node) -> list[Shape]:
    repeats = known.numbers(node, 1, "repeats") or []
    return [tuple(s * r for s, r in zip(known.of(node), repeats, strict=True))]


def _depth_to_space(known: Shapes, node: Node) -> list[Shape]:
    n, c, h, w = known.of(node)
    b = node.attributes["blocksize"]
    return [(n, c // b**2, h * b, w * b) if node.op[0] == "D" else (n, c * b**2, h // b, w // b)]


def _sampled(known: Shapes, node: Node) -> list[Shape]:
    x, grid = known.of(node), known.of(node, 1)
    return [(*x[:2], *grid[1:-1])]


def _topped(known: Shapes, node: Node) -> list[Shape]:
    x = list(known.of(node))
    count = known.numbers(node, 1, "k") or [0]
    x[node.attributes.get("axis", -1)] = count[0]
    return [tuple(x)] * 2


SAME = """
Abs Cast Ceil Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log LogSoftmax
LRN Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign Sin Cos Softmax Softplus Sqrt Tanh
BatchNormalization InstanceNormalization LayerNormalization GroupNormalization Dropout Hardmax
ThresholdedRelu LpNormalization MeanVarianceNormalization CumSum
"""
BROADCAST = """
Add Sub Mul Div Pow Max Min Mean Sum PRelu Equal Greater Less GreaterOrEqual LessOrEqual And Or Xor
Where Mod
"""
REDUCE = """
ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum
ReduceLogSumExp ReduceSumSquare ArgMax ArgMin
"""
RULES: Mapping[str, Callable[[Shapes, Node], list[Shape]]] = {
    **dict.fromkeys(SAME.split(), same),
    **dict.fromkeys(BROADCAST.split(), broadcast),
    **dict.fromkeys(REDUCE.split(), _reduced),
    "Conv": _convolved,
    "ConvTranspose": _deconvolved,
    "MaxPool": _pooled,
    "AveragePool": _pooled,
    "LpPool": _pooled,
    "GlobalAveragePool": _pooled_globally,
    "GlobalMaxPool": _pooled_globally,
    "MatMul": _multiplied,
    "Gemm": _gemm,
    "Concat": _concatenated,
    "Reshape": _reshaped,
    "Transpose": _transposed,
    "Slice": _cut,
    "Split": _parted,
    "Resize": _resized,
    "Upsample": _resized,
    "Pad": _padded,
    "Squeeze": _squeezed_shape,
    "Unsqueeze": _unsqueezed_shape,
    "Flatten": _flattened,
    "Gather": _gathered,
    "Expand": _expanded,
    "Tile": _tiled,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _depth_to_space,
    "GridSample": _sampled,
    "TopK": _topped,
}
