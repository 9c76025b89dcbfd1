"""Files that are either whole or not there, and folders that one run at a time may write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vbench.core.errors import VBenchError


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that an interrupted run never leaves half a file.

    Raises:
        VBenchError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise VBenchError(f"cannot write {path}: {error.strerror}; choose another --out") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise VBenchError(f"cannot write {path}: {error.strerror}; choose another --out") from None
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that it is kept but no longer found; return its new name."""
    aside = path.with_name(f"{path.name}.corrupt")
    path.replace(aside)
    return aside


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a second holder is refused.

    Raises:
        VBenchError: another run writes there, or the folder cannot be written.
    """
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("a+")
    except OSError as error:
        raise VBenchError(
            f"cannot write {folder}: {error.strerror}; choose another --out"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise VBenchError(
                f"another run is writing to {folder}; wait for it or choose another --out"
            ) from None
        yield
