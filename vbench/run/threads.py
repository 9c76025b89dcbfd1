"""How many threads the libraries that compute may use."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def set_threads(threads: int) -> None:
    """Fix the threads of networks and OpenCV, as a timing without them says little."""
    import cv2
    import torch
    from threadpoolctl import threadpool_limits

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    # Numpy's and scipy's matrix products are small, and threads that wait for the next one keep the
    # cores from torch's: a frame of SiamFC on two cores takes more than twice as long.
    threadpool_limits(1, user_api="blas")
    with suppress(RuntimeError):  # may be set once in a process only
        torch.set_num_interop_threads(1)


def cores() -> int:
    """How many cores this process may use."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return len(usable) or os.cpu_count() or 1


def spare_threads() -> int:
    """How many threads of work fit on the cores, each with the threads that torch is set to."""
    torch = sys.modules.get("torch")
    return max(1, cores() // (torch.get_num_threads() if torch is not None else 1))
