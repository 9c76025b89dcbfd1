"""The user's settings file: `vbench.toml`, or `[tool.vbench]` in `pyproject.toml`, with lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vbench.core.errors import VBenchError

MOST_BYTES = 1 << 20
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


@dataclass(frozen=True)
class SettingsFile:
    """What a settings file says, and on which line it says so.

    `table` holds vbench's part; `prefix` is where that lies in the file.
    """

    path: Path
    table: Mapping[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the file are relative to."""
        return self.path.parent

    def where(self, *key: str) -> str:
        """Return `vbench.toml:3` for a key; its table's line where it stands inside one."""
        full = (*self.prefix, *key)
        while full and full not in self.lines:
            full = full[:-1]
        shown = self.path.name if self.folder.resolve() == Path.cwd() else str(self.path)
        return f"{shown}:{self.lines.get(full, 1)}"

    def located(self, path: str) -> Path:
        """Return a path of the file; as it is written where the file lies in the working folder."""
        here = self.folder.resolve() == Path.cwd()
        expanded = Path(path).expanduser()
        return expanded if here else self.folder / expanded


def nearest_file(start: Path) -> SettingsFile | None:
    """Return the settings file of `start` or of the nearest folder above; None without one.

    Raises:
        VBenchError: the file is not TOML; names its line.
    """
    for folder in (start, *start.resolve().parents):
        if (folder / "vbench.toml").is_file():
            return _read(folder / "vbench.toml", ())
        if (folder / "pyproject.toml").is_file():
            found = _read(folder / "pyproject.toml", ("tool", "vbench"))
            if found.table:
                return found
    return None


def _read(path: Path, prefix: tuple[str, ...]) -> SettingsFile:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise VBenchError(f"{path} is larger than {MOST_BYTES} bytes: no settings file")
        text = path.read_text(encoding="utf-8")
        table: Any = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise VBenchError(f"{path} cannot be read: {error}") from None
    for part in prefix:
        table = table.get(part, {}) if isinstance(table, dict) else {}
    return SettingsFile(path, table if isinstance(table, dict) else {}, prefix, _lines(text))


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Line of every key and table, by its path: tomllib does not tell."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = _parts(key[1])
            for depth in range(1, len(parts) + 1):
                found.setdefault((*table, *parts[:depth]), number)
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
