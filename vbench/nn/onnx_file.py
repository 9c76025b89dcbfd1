"""Weights of ONNX files in the order in which the graph uses them, without the onnx package.

ONNX is a protocol-buffer message (onnx/onnx.proto); field numbers below are those of that file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vbench.core.errors import VBenchError

MAX_BYTES = 1 << 30
FLOAT = 1
GRAPH, NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 7, 1, 5, 11, 12, 13
LAYERS = ("Conv", "Gemm")


class LayerWeights(NamedTuple):
    """Weight and bias (None without) of one convolution or fully connected layer."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


def layer_weights(path: Path) -> list[LayerWeights]:
    """Return the stored weights of all `Conv` and `Gemm` nodes, in graph order.

    Raises:
        VBenchError: not an ONNX model, or larger than 1 GiB.
    """
    try:
        parts = list(_fields(_graph(_read(path))))
        tensors = dict(_tensor(_bytes(v)) for number, v in parts if number == INITIALIZER)
        nodes = [_node(_bytes(v)) for number, v in parts if number == NODE]
        return [
            LayerWeights(tensors[inputs[1]], tensors[inputs[2]] if len(inputs) > 2 else None)
            for op, inputs in nodes
            if op in LAYERS and inputs[1] in tensors
        ]
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise VBenchError(f"{path.name} is not an ONNX model of floats: {error}") from None


def load_layers(network: nn.Module, path: Path) -> None:
    """Copy an ONNX file's weights into the layers of `network`, both in order of use.

    Raises:
        VBenchError: the file has other layers than `network`.
    """
    found = layer_weights(path)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    if len(found) != len(layers):
        raise VBenchError(
            f"weights {path.name} have {len(found)} layers, "
            f"{type(network).__name__} has {len(layers)}: they are of another network"
        )
    for index, (layer, (weight, bias)) in enumerate(zip(layers, found, strict=True)):
        with torch.no_grad():
            _copy(layer.weight, weight, path, index)
            if (layer.bias is None) != (bias is None):
                raise VBenchError(f"weights {path.name}: layer {index} differs in having a bias")
            if layer.bias is not None and bias is not None:
                _copy(layer.bias, bias, path, index)


def with_inputs(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return the model with other input shapes; shapes stated for everything else are dropped."""
    model = bytearray()
    for number, value in _fields(_read(path)):
        model += _field(number, _reshaped(_bytes(value), shapes) if number == GRAPH else value)
    return bytes(model)


def _copy(target: Tensor, source: NDArray[np.float32], path: Path, index: int) -> None:
    if tuple(target.shape) != source.shape:
        raise VBenchError(
            f"weights {path.name} are of another network: layer {index} is {source.shape}, "
            f"not {tuple(target.shape)}"
        )
    target.copy_(torch.from_numpy(source.copy()))


def _read(path: Path) -> memoryview:
    if path.stat().st_size > MAX_BYTES:
        raise VBenchError(f"{path.name} is larger than 1 GiB; name a smaller ONNX file")
    return memoryview(path.read_bytes())


def _graph(model: memoryview) -> memoryview:
    graphs = [_bytes(value) for number, value in _fields(model) if number == GRAPH]
    if len(graphs) != 1:
        raise ValueError("it has no graph")
    return graphs[0]


def _reshaped(graph: memoryview, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    kept = bytearray()
    for number, value in _fields(graph):
        if number in (INPUT, OUTPUT):
            name = next(bytes(_bytes(v)) for n, v in _fields(_bytes(value)) if n == 1)
            shape = shapes.get(name.decode()) if number == INPUT else None
            if number == OUTPUT or shape is not None:
                kept += _field(number, _value_info(name, shape))
                continue
        if number != VALUE_INFO:
            kept += _field(number, value)
    return bytes(kept)


def _value_info(name: bytes, shape: tuple[int, ...] | None) -> bytes:
    """ValueInfoProto: name 1, type 2 (tensor_type 1: elem_type 1, shape 2 of dim 1)."""
    tensor = _field(1, FLOAT)
    if shape is not None:
        tensor += _field(2, b"".join(_field(1, _field(1, size)) for size in shape))
    return _field(1, name) + _field(2, _field(1, tensor))


def _node(message: memoryview) -> tuple[str, list[str]]:
    op, inputs = "", []
    for number, value in _fields(message):
        if number == 1:
            inputs.append(bytes(_bytes(value)).decode())
        elif number == 4:
            op = bytes(_bytes(value)).decode()
    return op, inputs


def _tensor(message: memoryview) -> tuple[str, NDArray[Any]]:
    """Name and floats of TensorProto: dims 1, data_type 2, float_data 4, name 8, raw_data 9."""
    name, kind, shape = "", 0, []
    data: NDArray[Any] = np.empty(0, dtype="<f4")
    for number, value in _fields(message):
        if number == 1:
            shape += _integers(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number in (4, 9) and len(_bytes(value)) % 4 == 0:
            data = np.frombuffer(_bytes(value), dtype="<f4")
        elif number == 8:
            name = bytes(_bytes(value)).decode()
    return name, data.reshape(shape) if kind == FLOAT else np.empty(0, dtype="<f4")


def _integers(value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over (number, value) of a message: ints of varints, bytes of everything else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if wire not in (1, 2, 5):
            raise ValueError(f"wire type {wire}")
        size = {1: 8, 5: 4}.get(wire, 0)
        if wire == 2:
            size, at = _varint(message, at)
        if at + size > len(message):
            raise ValueError("it is cut short")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for count in range(10):
        byte = message[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise ValueError("a number in it has no end")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _field(number: int, value: int | bytes | memoryview) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    return _number(number << 3 | 2) + _number(len(value)) + bytes(value)


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
