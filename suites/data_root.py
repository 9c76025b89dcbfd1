"""The folders in which a suite's images and annotations lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from vbench.core.errors import NotReady
from vbench.core.suite import Card

IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
# A root may hold a few folders between itself and its sequences; a whole disk is not searched.
MAX_FOLDERS = 20_000


def not_here(card: Card, looked: str = "") -> NotReady:
    """Return the error for data that are not here: where to get them, how to lay them out."""
    return NotReady(
        f"{card.name}: no data{looked}; get them from {card.url}, "
        f"lay them out as {card.layout}, and say --data DIR"
    )


def roots(card: Card, data: Path | None, annotations: Path | None) -> list[Path]:
    """Return the folders to look in, the annotations' first.

    Raises:
        NotReady: neither is given, or one is no folder.
    """
    given = [
        (option, path)
        for option, path in (("--annotations", annotations), ("--data", data))
        if path is not None
    ]
    if not given:
        raise not_here(card)
    for option, path in given:
        if not path.is_dir():
            raise not_here(card, f" in {option} {path}, which is no folder")
    return [path for _, path in given]


def folders(root: Path, depth: int) -> Iterator[Path]:
    """Yield `root` and its folders down to `depth`, nearest first, sorted by name."""
    level, seen = [root], 0
    for _ in range(depth + 1):
        following: list[Path] = []
        for folder in level:
            yield folder
            seen += 1
            if seen > MAX_FOLDERS:
                return
            following += subfolders(folder)
        level = following


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in `folder` by name; hidden and unreadable ones are left out."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def images_in(folder: Path) -> list[Path]:
    """Return the image files in `folder`, in the order of the numbers in their names."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if Path(e.name).suffix.lower() in IMAGES]
    visible = [name for name in names if not name.startswith(".")]
    return [folder / name for name in sorted(visible, key=_natural)]


def number_of(path: Path) -> int | None:
    """Return the last number in a file's name: `img/00017.jpg` is 17."""
    found = re.findall(r"[0-9]+", path.stem)
    return int(found[-1]) if found else None


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", name)
    # Every second part is a number.
    key = [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]
    return key, name
