"""Whether a folder holds sequences of a suite, judged by names alone: fast, nothing is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

# Sequences lie a few folders below a data root; a whole disk is not searched.
DEPTH = 3
MOST_FOLDERS = 3000
MOST_NAMES_A_FOLDER = 2000


def holds_any(folder: Path, sequences: Iterable[str]) -> bool:
    """Whether a folder or file called like one of `sequences` lies under `folder`.

    Case, the kind of separator and the number of a target in its video do not matter.
    """
    return not {_key(name) for name in sequences}.isdisjoint(_names_under(folder))


@cache
def _names_under(root: Path) -> frozenset[str]:
    found: set[str] = set()
    level, seen = [root], 0
    for _ in range(DEPTH):
        following: list[Path] = []
        for folder in level:
            seen += 1
            if seen > MOST_FOLDERS:
                return frozenset(found)
            names, folders = _entries(folder)
            found |= names
            following += folders
        level = following
    return frozenset(found)


def _entries(folder: Path) -> tuple[set[str], list[Path]]:
    names: set[str] = set()
    folders: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry, _ in zip(entries, range(MOST_NAMES_A_FOLDER), strict=False):
                is_folder = entry.is_dir()
                names.add(_key(entry.name if is_folder else Path(entry.name).stem))
                if is_folder and not entry.name.startswith("."):
                    folders.append(folder / entry.name)
    except OSError:
        pass
    return names, sorted(folders)


def _key(name: str) -> str:
    """`Jogging.1`, `Jogging-2` and `jogging` are one video."""
    return re.sub(r"-\d$", "", re.sub(r"[._ ]", "-", name.lower()))
