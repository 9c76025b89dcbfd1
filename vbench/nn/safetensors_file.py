"""Named tensors in safetensors files: a length, a JSON header, the bytes; nothing can be executed.

Format: github.com/huggingface/safetensors, README, "Format".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vbench.core.errors import VBenchError

MOST_HEADER = 16 << 20
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in TYPES.items()}


def as_safetensors(state: Mapping[str, Tensor]) -> bytes:
    """Return the file's bytes; equal tensors give equal bytes."""
    header: dict[str, Any] = {}
    parts, at = [], 0
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        content = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        span = [at, at + len(content)]
        header[name] = {
            "dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span,
        }  # fmt: skip
        parts.append(content)
        at += len(content)
    text = json.dumps(header, separators=(",", ":")).encode()
    # The data begin at a multiple of eight.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Raises:
        VBenchError: damaged, or of a type that torch does not have.
    """
    content = path.read_bytes()
    try:
        return _tensors(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise VBenchError(f"weights {path.name} are a damaged safetensors file: {why}") from None


def _tensors(content: bytes) -> dict[str, Tensor]:
    length = int.from_bytes(content[:8], "little")
    if not 2 <= length <= min(MOST_HEADER, len(content) - 8):
        raise ValueError("its header has no sensible length")
    header = json.loads(content[8 : 8 + length])
    data = memoryview(content)[8 + length :]
    found = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        dtype, shape = TYPES[about["dtype"]], [int(side) for side in about["shape"]]
        start, end = (int(edge) for edge in about["data_offsets"])
        size = prod(shape) * torch.empty((), dtype=dtype).element_size()
        if min([*shape, start], default=0) < 0 or end - start != size or end > len(data):
            raise ValueError(f"tensor '{name}' does not lie inside the file")
        # A copy: the buffer is read-only and not aligned.
        raw = torch.frombuffer(bytearray(data[start:end]), dtype=torch.uint8) if size else None
        flat = torch.empty(0, dtype=dtype) if raw is None else raw.view(dtype)
        found[str(name)] = flat.reshape(shape)
    return found
