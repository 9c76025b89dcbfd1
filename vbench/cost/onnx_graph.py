"""Reading the graph of an ONNX file without the onnx package: nodes, weights' shapes, inputs.

ONNX is a protocol-buffer message (onnx/onnx.proto). Only the fields that shapes follow from are
read; weights stay where they are. Nothing in a file is executed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.errors import VBenchError

MAX_BYTES = 1 << 30
MAX_NODES = 100_000
MAX_RANK = 16
# TensorProto.DataType of the whole and real numbers that shapes are computed from.
DTYPES = {1: "<f4", 6: "<i4", 7: "<i8", 9: "?", 11: "<f8"}
# Values of constants are kept only up to this many elements: enough for any shape.
SMALL = 4096

Shape = tuple[int, ...]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Tensor:
    """A constant: its shape, and its values (n,) or more where it is small."""

    shape: Shape
    values: Array | None = None


@dataclass(frozen=True)
class Node:
    """One operator: its type, its attributes, the names of its inputs and outputs."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """Nodes in order, constants by name, and the shapes that the file states (None: unknown)."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Tensor]
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    known: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)


def read_graph(path: Path) -> Graph:
    """Read the graph of an ONNX file.

    Raises:
        VBenchError: the file is missing, larger than 1 GiB, or not an ONNX model.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise VBenchError(f"{path.name} is larger than 1 GiB; name a smaller ONNX file")
        model = memoryview(path.read_bytes())
    except OSError as error:
        raise VBenchError(f"{path.name} cannot be read: {error.strerror}") from None
    try:
        parts = [bytes_of(value) for number, value in fields(model) if number == 7]
        if len(parts) != 1:
            raise ValueError("no graph in it")
        return _graph(parts[0])
    except (ValueError, IndexError, struct.error, KeyError, TypeError, OverflowError) as error:
        raise VBenchError(f"{path.name} is not an ONNX model: {error}") from None


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk over (field number, value) of a protocol-buffer message.

    A value is an int for a varint, else the bytes. ValueError where the message is cut or broken.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = varint(message, at)
        wire = key & 7
        if wire == 0:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if wire == 2:
            size, at = varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > end:
            raise ValueError("it is cut short")
        yield key >> 3, message[at : at + size]
        at += size


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the variable-length integer at `at` and where it ends."""
    value = 0
    for count in range(10):
        if at + count >= len(message):
            raise ValueError("it is cut short")
        byte = message[at + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, at + count + 1
    raise ValueError("a number in it has no end")


def bytes_of(value: int | memoryview) -> memoryview:
    """Return a value that must be bytes."""
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _graph(message: memoryview) -> Graph:
    nodes: list[Node] = []
    constants: dict[str, Tensor] = {}
    stated: dict[int, dict[str, tuple[int | None, ...]]] = {11: {}, 12: {}, 13: {}}
    for number, value in fields(message):
        if number == 1:
            nodes.append(_node(bytes_of(value)))
        elif number == 5:
            name, tensor = _tensor(bytes_of(value))
            constants[name] = tensor
        elif number in stated:
            name, shape = _value_info(bytes_of(value))
            if shape is not None:
                stated[number][name] = shape
        if len(nodes) > MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} nodes")
    # Files of the first format list their weights among the inputs.
    inputs = {name: shape for name, shape in stated[11].items() if name not in constants}
    return Graph(tuple(nodes), constants, inputs, stated[12], stated[13])


def _node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {1: [], 2: [], 3: [], 4: []}
    attributes: dict[str, Any] = {}
    for number, value in fields(message):
        if number in texts:
            texts[number].append(_text(value))
        elif number == 5:
            name, found = _attribute(bytes_of(value))
            attributes[name] = found
    if not texts[4]:
        raise ValueError("a node without a type")
    name = texts[3][0] if texts[3] else ""
    return Node(texts[4][0], name, tuple(texts[1]), tuple(texts[2]), attributes)


def _attribute(message: memoryview) -> tuple[str, Any]:
    name, lists, found = "", [], None
    for number, value in fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            found = struct.unpack("<f", bytes_of(value))[0]
        elif number == 3:
            found = _signed(value)
        elif number == 4:
            found = _text(value)
        elif number == 5:
            found = _tensor(bytes_of(value))[1]
        elif number == 7:
            lists += _floats(value)
        elif number == 8:
            lists += _integers(value)
    return name, lists if lists else found


def _tensor(message: memoryview) -> tuple[str, Tensor]:
    name, raw, numbers = "", None, []
    shape: list[int] = []
    kind = 0
    for number, value in fields(message):
        if number == 1:
            shape += _integers(value)
        elif number == 2:
            kind = int(value) if isinstance(value, int) else 0
        elif number == 4:
            numbers += _floats(value) if _is_small(shape) else []
        elif number in (5, 7):
            numbers += _integers(value) if _is_small(shape) else []
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = bytes_of(value)
    return name, Tensor(checked(shape), _values(shape, kind, raw, numbers))


def _values(
    shape: list[int], kind: int, raw: memoryview | None, numbers: list[Any]
) -> Array | None:
    if kind not in DTYPES or not _is_small(shape):
        return None
    found = np.frombuffer(raw, DTYPES[kind]) if raw is not None else np.array(numbers)
    count = int(np.prod(shape, dtype=np.int64))
    return found.astype(DTYPES[kind]).reshape(shape) if found.size == count else None


def _value_info(message: memoryview) -> tuple[str, tuple[int | None, ...] | None]:
    """Name and shape of ValueInfoProto: type 2, tensor_type 1, shape 2, dim 1."""
    name = ""
    shape: tuple[int | None, ...] | None = None
    for number, value in fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for tensor in _inside(bytes_of(value), 1):
                for dims in _inside(tensor, 2):
                    shape = tuple(_dimension(dim) for dim in _inside(dims, 1))
    return name, shape


def _inside(message: memoryview, number: int) -> list[memoryview]:
    return [bytes_of(value) for found, value in fields(message) if found == number]


def _dimension(message: memoryview) -> int | None:
    size = next((_signed(value) for number, value in fields(message) if number == 1), None)
    return size if size is not None and size > 0 else None


def checked(shape: list[int]) -> Shape:
    """Return a shape; ValueError where no tensor can have it."""
    if len(shape) > MAX_RANK or any(size < 0 or size > 1 << 32 for size in shape):
        raise ValueError(f"a tensor of shape {shape[:MAX_RANK]}")
    return tuple(shape)


def _is_small(shape: list[int]) -> bool:
    return 0 <= int(np.prod(shape, dtype=np.float64)) <= SMALL


def _text(value: int | memoryview) -> str:
    return bytes(bytes_of(value)).decode("utf-8", "replace")


def _signed(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise ValueError("a message where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def _integers(value: int | memoryview) -> list[int]:
    """Read a repeated integer: one, or a packed list."""
    if isinstance(value, int):
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        found.append(_signed(number))
    return found


def _floats(value: int | memoryview) -> list[float]:
    return [float(x) for x in np.frombuffer(bytes_of(value), "<f4")]
