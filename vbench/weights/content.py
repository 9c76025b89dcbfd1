"""What identifies a file: size, sha256 and git blob hash of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from vbench.weights.registry import PublishedFile

CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob_of(path: Path) -> str:
    """Return the object name that `git hash-object` gives a file."""
    state = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()


def mismatch(
    path: Path, sha256: str = "", git_blob: str = "", size_bytes: int | None = None
) -> str | None:
    """Say how the content of `path` differs from what is published; None where it does not.

    The sha256 is preferred to the git blob hash where both are known.
    """
    size = path.stat().st_size
    if size_bytes is not None and size != size_bytes:
        return f"{size} bytes instead of {size_bytes}"
    if sha256:
        found = sha256_of(path)
        return None if found == sha256 else f"sha256 {found[:12]} instead of {sha256[:12]}"
    if git_blob:
        found = git_blob_of(path)
        return None if found == git_blob else f"git blob {found[:12]} instead of {git_blob[:12]}"
    return None


def is_file(path: Path, published: PublishedFile) -> bool:
    """Whether `path` has the content of a published file; False where its hash is not known."""
    if not published.recognisable:
        return False
    return mismatch(path, published.sha256, published.git_blob, published.bytes) is None


def digest_of(files: Mapping[str, Path]) -> str:
    """Return one sha256 for a set of named files: the file's own where there is only one."""
    hashes = {name: sha256_of(path) for name, path in files.items()}
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()
