"""How many threads the libraries that compute may use."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from ctypes import CDLL, c_int

# numpy's library for matrix products sets its threads by one of these, by who built it.
PRODUCTS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
    "MKL_Set_Num_Threads",
)


def set_threads(threads: int) -> None:
    """Fix the threads of every library, as a timing without them says little."""
    import cv2
    import torch

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    _set_threads_of_products(threads)
    with suppress(RuntimeError):  # may be set once in a process only
        torch.set_num_interop_threads(1)


def _set_threads_of_products(threads: int) -> None:
    """Fix those of numpy's matrix products; nothing where its library is none that we know."""
    from numpy.linalg import _umath_linalg

    with suppress(OSError):
        library = CDLL(_umath_linalg.__file__)
        for name in PRODUCTS:
            if (setting := getattr(library, name, None)) is not None:
                setting(c_int(threads))
                return


def cores() -> int:
    """How many cores this process may use."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return len(usable) or os.cpu_count() or 1


def spare_threads() -> int:
    """How many threads of work fit on the cores, each with the threads that torch is set to."""
    torch = sys.modules.get("torch")
    return max(1, cores() // (torch.get_num_threads() if torch is not None else 1))
