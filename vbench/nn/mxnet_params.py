"""Reading MXNet's .params files: named arrays in one binary container, no code in it.

Layout: apache/incubator-mxnet src/ndarray/ndarray.cc (NDArray::Save and its three versions). Names
and the variants of a test: msracver/Deep-Feature-Flow (lib/utils/load_model.py, core/callback.py).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.nn.state import MAX_BYTES, load_into, read_state

LIST_MAGIC = 0x112
V1, V2 = 0xF993FAC8, 0xF993FAC9
MOST_ARRAYS, MOST_AXES, MOST_NAME_BYTES = 1 << 16, 8, 1 << 10
TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "<u1", 4: "<i4", 5: "<i1", 6: "<i8"}
DENSE = 0
# Names of parameters that are no `<layer>_<parameter>`.
WHOLE_NAMES = frozenset({"init_offset"})
# Arrays that files carry and networks do not use: gaussian LSTS's zeros.
UNUSED = frozenset({"offset"})
BOX_STDS = (0.1, 0.1, 0.2, 0.2)


class Malformed(Exception):
    """Why a file is no list of arrays."""


class Reader:
    """Bytes of a container, read from the front; never past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.at = 0

    def take(self, n: int) -> memoryview:
        """Return the next `n` bytes."""
        if n < 0 or n > len(self.data) - self.at:
            raise Malformed(f"it ends at byte {len(self.data)}, {n} more were announced")
        self.at += n
        return self.data[self.at - n : self.at]

    def numbers(self, layout: str) -> tuple[int, ...]:
        """Return the next little-endian integers."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def count(self, most: int, what: str) -> int:
        """Return the next 64-bit count, which may be `most` at most."""
        (found,) = self.numbers("Q")
        if found > most:
            raise Malformed(f"it announces {found} {what}, more than {most}")
        return int(found)


def read_params(path: Path) -> dict[str, Tensor]:
    """Read the arrays of a .params file by name, `arg:` and `aux:` taken off.

    Raises:
        VBenchError: larger than 2 GiB, cut short, or no such container.
    """
    if path.stat().st_size > MAX_BYTES:
        raise VBenchError(f"weights {path.name} are larger than 2 GiB; name a smaller file")
    try:
        return _read(Reader(path.read_bytes()))
    except Malformed as error:
        raise VBenchError(
            f"weights {path.name} are no MXNet parameters: {error}; download the file again"
        ) from None


def _read(reader: Reader) -> dict[str, Tensor]:
    magic, _ = reader.numbers("QQ")
    if magic != LIST_MAGIC:
        raise Malformed(f"it begins with {magic:#x}, not {LIST_MAGIC:#x}")
    arrays = [_array(reader) for _ in range(reader.count(MOST_ARRAYS, "arrays"))]
    named = reader.count(MOST_ARRAYS, "names")
    if named != len(arrays):
        raise Malformed(f"it has {len(arrays)} arrays and {named} names")
    found: dict[str, Tensor] = {}
    for array in arrays:
        raw = bytes(reader.take(reader.count(MOST_NAME_BYTES, "bytes of a name")))
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("a name is no text") from None
        found[name.partition(":")[2] or name] = array
    return found


def _array(reader: Reader) -> Tensor:
    (first,) = reader.numbers("I")
    if first == V2:
        (storage,) = reader.numbers("i")
        if storage != DENSE:
            raise Malformed("it holds a sparse array")
    if first in (V1, V2):
        (axes,) = reader.numbers("I")
        word = "q"
    else:
        axes, word = first, "I"
    if axes > MOST_AXES:
        raise Malformed(f"it announces an array of {axes} axes, more than {MOST_AXES}")
    if axes == 0:
        return torch.zeros(0)
    shape = reader.numbers(word * axes)
    _, _, kind = reader.numbers("iii")
    if kind not in TYPES:
        raise Malformed(f"it holds numbers of the unknown type {kind}")
    values = 1
    for length in shape:
        values *= max(length, -1)
        if length < 0 or values > len(reader.data):
            raise Malformed(f"it announces an array of shape {shape}")
    dtype = np.dtype(TYPES[kind])
    data = np.frombuffer(reader.take(values * dtype.itemsize), dtype)
    # A copy of native order: the file's bytes can go.
    return torch.from_numpy(data.astype(dtype.newbyteorder("=")).reshape(shape))


def published_name(key: str) -> str:
    """Published name of one of our keys: `trunk.resnet.conv1.weight` was `conv1_weight`."""
    parts = key.split(".")
    return parts[-1] if parts[-1] in WHOLE_NAMES else "_".join(parts[-2:])


def load_params(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load arrays of published names into `network`.

    Where the file has the box layer of the test (multiplied by the deviations of its targets), that
    one is taken, as upstream's test does.

    Raises:
        VBenchError: arrays are missing, left over or of other shapes.
    """
    given = {name: array for name, array in state.items() if name not in UNUSED}
    for kind in ("weight", "bias"):
        tested = given.pop(f"rfcn_bbox_{kind}_test", None)
        if tested is not None:
            given[f"rfcn_bbox_{kind}"] = _per_std(tested)
    own = {published_name(key): key for key in network.state_dict()}
    load_into(network, given, source, lambda name: own.get(name, name))


def load_weights(network: nn.Module, weights: Weights | None) -> None:
    """Load published parameters (.params) or a state dict of ours; nothing where there is none."""
    if weights is None:
        return
    state, path = _state(weights)
    if path.suffix == ".params":
        load_params(network, state, path.name)
    else:
        load_into(network, state, path.name)


def load_shared(network: nn.Module, weights: Weights | None) -> None:
    """Load what a network has in common with a larger one, by the published names of both.

    Raises:
        VBenchError: arrays are missing or of other shapes.
    """
    if weights is None:
        return
    state, path = _state(weights)
    own = {published_name(key): key for key in network.state_dict()}
    load_into(network, state, path.name, lambda name: own.get(published_name(name)))


def _state(weights: Weights) -> tuple[dict[str, Tensor], Path]:
    path = next(iter(weights.files.values()))
    return (read_params(path) if path.suffix == ".params" else read_state(path)), path


def _per_std(tested: Tensor) -> Tensor:
    """Undo the deviations of dx dy dw dh in the channels (c bins) of a box layer."""
    stds = tested.new_tensor(BOX_STDS)
    bins = tested.shape[0] // 8 if tested.shape[0] % 8 == 0 else 0
    if bins == 0:
        return tested
    per_channel = stds.repeat(2).repeat_interleave(bins)
    return tested / per_channel.view(-1, *[1] * (tested.dim() - 1))
