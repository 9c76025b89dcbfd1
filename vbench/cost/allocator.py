"""The C library's allocator, told to keep what is freed."""

from __future__ import annotations

from contextlib import suppress

# Parameters of glibc's mallopt(3).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
# What is asked for, and the most that older versions take.
KEPT_BYTES, OLDER_BYTES = 1 << 29, 1 << 25

_kept = False


def keep_freed_memory() -> None:
    """Keep freed memory for the next array instead of giving it back to the system.

    Work that makes and drops arrays of some MB again and again otherwise spends a fifth of its time
    on fresh pages, more at one time than at another. For the whole process, so only a program's own
    commands do this; where the C library has no such setting, nothing happens.
    """
    global _kept
    import ctypes

    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        kept = library.mallopt(MMAP_THRESHOLD, KEPT_BYTES)
        kept = kept or library.mallopt(MMAP_THRESHOLD, OLDER_BYTES)
        _kept = bool(library.mallopt(TRIM_THRESHOLD, KEPT_BYTES) and kept)


def keeps_freed_memory() -> bool:
    """Tell whether `keep_freed_memory` took effect in this process: it changes how fast it is."""
    return _kept
