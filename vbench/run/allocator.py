"""The C library's allocator, told to keep what is freed."""

from __future__ import annotations

from contextlib import suppress

# Parameters of glibc's mallopt(3).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 1 << 29


def keep_freed_memory() -> None:
    """Keep freed memory for the next array instead of giving it back to the system.

    Work that makes and drops arrays of some MB again and again otherwise spends a fifth of its time
    on fresh pages. For the whole process, so only a program's own commands do this; where the C
    library has no such setting, nothing happens.
    """
    import ctypes

    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(MMAP_THRESHOLD, KEPT_BYTES)
        library.mallopt(TRIM_THRESHOLD, KEPT_BYTES)
