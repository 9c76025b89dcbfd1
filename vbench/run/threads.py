"""How many threads the libraries that compute may use."""

from __future__ import annotations

from contextlib import suppress


def set_threads(threads: int) -> None:
    """Fix the threads of every library, as a timing without them says little."""
    import cv2
    import torch

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    with suppress(RuntimeError):  # may be set once in a process only
        torch.set_num_interop_threads(1)
