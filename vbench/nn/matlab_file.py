"""Layers of networks in MATLAB files as MatConvNet writes them; nothing in the file is executed.

A file holds `layers`, or `net` with `layers` and `meta`: a cell array of structs with `name` and
either `filters` and `biases` or `weights` {filters, biases}; filters are h x w x in x out.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vbench.core.errors import NotReady, VBenchError

MAX_BYTES = 512 << 20
MOST_UNPACKED = 2 << 30
MOST_LAYERS = 1000
COMPRESSED, HEADER = 15, 128

Array = NDArray[np.float32]


class MatlabLayer(NamedTuple):
    """A layer with parameters: name, filters (out, in, h, w), biases (out,)."""

    name: str
    filters: Array
    biases: Array


class MatlabNetwork(NamedTuple):
    """Layers in the file's order, and the mean colour (3,) that its images are to be freed of."""

    layers: list[MatlabLayer]
    mean: Array | None


def is_matlab(path: Path) -> bool:
    """Tell by its first bytes whether a file is one of MATLAB's, of any version."""
    with path.open("rb") as file:
        return file.read(6) == b"MATLAB"


def read_matlab(path: Path) -> MatlabNetwork:
    """Read the layers of a network.

    Raises:
        NotReady: scipy is not installed.
        VBenchError: damaged, too large, of MATLAB 7.3, or without layers.
    """
    why = _refused(path)
    if why:
        raise VBenchError(f"weights {path.name}: {why}")
    try:
        import scipy.io
    except ModuleNotFoundError:
        raise NotReady(f"weights {path.name} need scipy: pip install 'vbench[mat]'") from None
    try:
        found: dict[str, Any] = scipy.io.loadmat(path, variable_names=["layers", "net", "meta"])
    except Exception as error:
        # A damaged file can fail anywhere inside the reader.
        raise VBenchError(
            f"weights {path.name} are a damaged MATLAB file ({type(error).__name__})"
        ) from None
    record = _first(found["net"]) if "net" in found else found
    cells = _field(record, "layers")
    if cells is None:
        raise VBenchError(f"weights {path.name} hold no `layers`, as MatConvNet's networks do")
    flat = np.asarray(cells, dtype=object).ravel()[:MOST_LAYERS]
    layers = [layer for cell in flat if (layer := _layer(_first(cell))) is not None]
    return MatlabNetwork(layers, _mean(record))


def _layer(record: Any) -> MatlabLayer | None:
    """A layer's name and parameters; None for one without."""
    name, weights = _field(record, "name"), _field(record, "weights")
    if weights is not None and np.asarray(weights, dtype=object).size == 2:
        filters, biases = np.asarray(weights, dtype=object).ravel()
    else:
        filters, biases = _field(record, "filters"), _field(record, "biases")
    if filters is None or biases is None or name is None:
        return None
    array = np.asarray(filters)
    bias = np.asarray(biases)
    if array.dtype.kind not in "iuf" or bias.dtype.kind not in "iuf" or array.ndim > 4:
        return None
    # MATLAB drops trailing dimensions of one.
    array = array.reshape(array.shape + (1,) * (4 - array.ndim)).astype(np.float32)
    label = str(np.asarray(name).ravel()[0]) if np.asarray(name).size else ""
    return MatlabLayer(label, np.ascontiguousarray(array.transpose(3, 2, 0, 1)), _flat(bias))


def _mean(record: Any) -> Array | None:
    """Mean over the average image, a colour; None where the file has none."""
    meta = _field(record, "meta")
    normalization = None if meta is None else _field(_first(meta), "normalization")
    image = None if normalization is None else _field(_first(normalization), "averageImage")
    if image is None or np.asarray(image).size % 3 or not np.asarray(image).size:
        return None
    array = np.asarray(image, dtype=np.float32)
    colours = array.reshape(-1, 3) if array.shape[-1] == 3 else array.reshape(3, -1).T
    return _flat(colours.mean(axis=0))


def _flat(array: Any) -> Array:
    return np.asarray(array, dtype=np.float32).ravel()


def _first(value: Any) -> Any:
    """Unwrap the 1 x 1 arrays that MATLAB's structs and cells arrive in."""
    while isinstance(value, np.ndarray) and value.dtype.names is None and value.size:
        value = value.ravel()[0]
    if isinstance(value, np.ndarray) and value.size:
        value = value.ravel()[0]
    return value


def _field(record: Any, name: str) -> Any:
    """A field of a struct, or an item of a dict; None where there is none."""
    if isinstance(record, dict):
        value = record.get(name)
    else:
        names = getattr(getattr(record, "dtype", None), "names", None) or ()
        value = record[name] if name in names else None
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.ravel()[0]
    return value


def _refused(path: Path) -> str:
    """Why this file is not read; empty if it is."""
    if path.stat().st_size > MAX_BYTES:
        return "larger than 512 MiB; name a smaller file"
    content = path.read_bytes()
    if b"MATLAB 7.3" in content[:HEADER] or content[:8] == b"\x89HDF\r\n\x1a\n":
        return "a MATLAB 7.3 file; save it with -v7"
    if not content.startswith(b"MATLAB 5.0") or len(content) < HEADER + 8:
        return "not a MATLAB file"
    if content[126:128] != b"IM":
        return "a MATLAB file of a big-endian machine; save it again"
    return "" if _unpacked(content) <= MOST_UNPACKED else "unpacks to more than 2 GiB"


def _unpacked(content: bytes) -> int:
    """Bytes that compressed variables unpack to, counted no further than allowed."""
    total, at = 0, HEADER
    while at + 8 <= len(content) and total <= MOST_UNPACKED:
        kind, size = (int.from_bytes(content[i : i + 4], "little") for i in (at, at + 4))
        if kind == COMPRESSED:
            total += _inflated(memoryview(content)[at + 8 : at + 8 + size])
        at += 8 + size
    return total


def _inflated(packed: memoryview) -> int:
    total, reader = 0, zlib.decompressobj()
    rest: Any = packed
    try:
        while rest and total <= MOST_UNPACKED:
            total += len(reader.decompress(rest, 1 << 20))
            rest = reader.unconsumed_tail
    except zlib.error:
        return total
    return total
