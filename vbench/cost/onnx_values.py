"""Computing the small tensors of an ONNX graph from which the shapes of others follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vbench.cost.onnx_graph import SMALL, Array, Node, Tensor


def _gather(values: list[Array], node: Node) -> Array:
    return np.take(values[0], values[1].astype(np.int64), axis=node.attributes.get("axis", 0))


def _divide(values: list[Array], node: Node) -> Array:  # noqa: ARG001
    whole = all(np.issubdtype(v.dtype, np.integer) for v in values)
    return values[0] // values[1] if whole else values[0] / values[1]


def _axes(values: list[Array], node: Node) -> list[int]:
    found = node.attributes.get("axes", values[1] if len(values) > 1 else [])
    return [int(axis) for axis in np.ravel(found)]


def _unsqueezed(values: list[Array], node: Node) -> Array:
    axes = _axes(values, node)
    return np.expand_dims(values[0], tuple(axes))


def _squeezed(values: list[Array], node: Node) -> Array:
    return np.squeeze(values[0], tuple(_axes(values, node)) or None)


def _filled(values: list[Array], node: Node) -> Array:
    shape = [int(x) for x in values[0]]
    if math.prod(shape) > SMALL:
        raise ValueError("a large constant")
    fill = node.attributes.get("value")
    value = fill.values.ravel()[0] if isinstance(fill, Tensor) and fill.values is not None else 0.0
    return np.full(shape, value)


def cut(values: list[Array], node: Node) -> Array:
    """Slice the first value by starts, ends, axes and steps: attributes in old files."""
    numbers = [np.ravel(v).astype(int).tolist() for v in values[1:]]
    given = node.attributes
    starts = given.get("starts", numbers[0] if numbers else None)
    ends = given.get("ends", numbers[1] if len(numbers) > 1 else None)
    axes = given.get("axes", numbers[2] if len(numbers) > 2 else range(len(starts)))
    steps = numbers[3] if len(numbers) > 3 else [1] * len(starts)
    window = [slice(None)] * values[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        window[axis] = slice(start, _end(end, step), step)
    return values[0][tuple(window)]


def _end(end: int, step: int) -> int | None:
    """Files write the largest whole number for an open end."""
    return None if (step < 0 and end < -(1 << 30)) else end


VALUES: Mapping[str, Callable[[list[Array], Node], Any]] = {
    "Gather": _gather,
    "Concat": lambda values, node: np.concatenate(values, axis=node.attributes.get("axis", 0)),
    "Slice": cut,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "Cast": lambda values, node: values[0].astype(np.int64) if _whole(node) else values[0],
    "Add": lambda values, node: values[0] + values[1],
    "Sub": lambda values, node: values[0] - values[1],
    "Mul": lambda values, node: values[0] * values[1],
    "Div": _divide,
    "Floor": lambda values, node: np.floor(values[0]),
    "Ceil": lambda values, node: np.ceil(values[0]),
    "Identity": lambda values, node: values[0],
    "ConstantOfShape": _filled,
    "Equal": lambda values, node: values[0] == values[1],
    "Where": lambda values, node: np.where(*values),
    "Reshape": lambda values, node: values[0].reshape(values[1].astype(int)),
    "Range": lambda values, node: np.arange(*[v.item() for v in values]),
}


def _whole(node: Node) -> bool:
    return node.attributes.get("to") in (6, 7)
