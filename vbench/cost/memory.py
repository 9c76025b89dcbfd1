"""Peak memory of a process and of its accelerator, and the size of its weights."""

from __future__ import annotations

import sys
from typing import Any


def peak_memory_mb(device: str = "cpu") -> float:
    """Peak memory in MiB: of the accelerator where `device` has its own, else of this process.

    A process's peak is that of its resident set since it started (`--isolate` gives every method a
    process of its own); the accelerator's is that of torch's allocator since `forget_peak`.
    """
    if device.partition(":")[0] == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(torch.device(device)) / 2**20
    return peak_resident_mb()


def peak_resident_mb() -> float:
    """Peak resident set of this process in MiB, NaN where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of either).
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak(device: str) -> None:
    """Start the accelerator's peak again from what is allocated now; nothing on a CPU."""
    if device.partition(":")[0] == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(torch.device(device))


def weights_mb(network: Any) -> float:
    """Size of a torch module's parameters and buffers in MiB, as they are held."""
    tensors = [*network.parameters(), *network.buffers()]
    return float(sum(tensor.numel() * tensor.element_size() for tensor in tensors)) / 2**20
