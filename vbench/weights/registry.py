"""Published weights by name: files, hashes, licence, where they come from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vbench.core.errors import UnknownName

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class PublishedFile:
    """One file of published weights.

    `git_blob` is the object name that `git hash-object` prints. A file with neither hash cannot be
    recognised: it has to be named by the user.
    """

    name: str
    url: str = ""
    bytes: int | None = None
    sha256: str = ""
    git_blob: str = ""

    @property
    def recognisable(self) -> bool:
        """Whether size and content are known, so that a file can be told from every other."""
        return self.bytes is not None and bool(self.sha256 or self.git_blob)


@dataclass(frozen=True)
class Release:
    """Published weights under one name; `manual` says where to get what no plain URL serves."""

    name: str
    title: str
    files: tuple[PublishedFile, ...]
    source: str = ""
    citation: str = ""
    licence: str = "none stated"
    format: str = ""
    manual: str = ""

    @property
    def fetchable(self) -> bool:
        """Whether `vbench weights fetch` can get all files and check what came."""
        return all(file.url and file.recognisable for file in self.files)

    @property
    def bytes(self) -> int | None:
        """Size of all files, None if one of them is not known."""
        sizes = [file.bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def next_step(self) -> str:
        """How to come by these weights: one clause for an error message or a table."""
        if self.fetchable:
            return f"`vbench weights fetch {self.name}`"
        return f"{self.manual}; then --weights {self.name}=FILE"


@cache
def registry() -> Mapping[str, Release]:
    """Return all published weights, in the order of registry.toml."""
    return read_registry(HERE / "registry.toml")


def read_registry(path: Path) -> dict[str, Release]:
    """Read a registry file."""
    with path.open("rb") as file:
        tables: dict[str, dict[str, Any]] = tomllib.load(file)
    return {name: _release(name, dict(values)) for name, values in tables.items()}


def release(name: str) -> Release:
    """Return the published weights called `name`.

    Raises:
        UnknownName: the registry has no such entry.
    """
    found = registry().get(name)
    if found is None:
        raise UnknownName("weights", name, registry(), "`vbench weights list` shows all")
    return found


def _release(name: str, values: dict[str, Any]) -> Release:
    files = tuple(PublishedFile(**file) for file in values.pop("files"))
    return Release(name=name, files=files, **values)
