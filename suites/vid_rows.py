"""A folder of frames with boxes: one table of rows, or one VOC XML beside each image.

The table has a row an object: frame, class, x, y, w, h and, if wanted, track and ignore (0 or 1).
`frame` is the number in the image's file name; `class` is a name without blanks or a number from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from vbench.core.errors import ClipFailed
from vbench.core.frames import ImageFiles

from .annotation_text import read_text
from .data_root import images_in, number_of
from .vid_objects import Rows, corners_to_box
from .vid_raw import RawClip
from .vid_xml import read_frame_xml

TABLES = ("boxes.csv", "boxes.txt", "objects.csv", "objects.txt")
IMAGE_FOLDERS = ("img", "images", "frames", "img1")
COLUMNS = "frame class x y w h [track [ignore]]"
HEADS = ["frame", "class", "x", "y", "w", "h", "track", "ignore"]
LEAST = 6


def folder_of_images(folder: Path) -> Path | None:
    """Return the folder that holds the frames: itself or one within."""
    for inner in (folder, *(folder / name for name in IMAGE_FOLDERS)):
        if inner.is_dir() and images_in(inner):
            return inner
    return None


def read_rows(folder: Path, elsewhere: Path | None = None) -> RawClip:
    """Read one clip; its table may lie `elsewhere` under the folder's name.

    Raises:
        ClipFailed: no table and no XML, or one that does not fit the images.
    """
    inner = folder_of_images(folder)
    paths = images_in(inner) if inner else []
    name = folder.resolve().name
    numbers = [number_of(path) for path in paths]
    found = {number: index for index, number in enumerate(numbers) if number is not None}
    if len(found) < len(paths):
        raise ClipFailed("two images have the same number, or one has none")
    away = [] if elsewhere is None else [elsewhere / f"{name}.csv", elsewhere / f"{name}.txt"]
    table = next((p for p in [*away, *(folder / t for t in TABLES)] if p.is_file()), None)
    if table is not None:
        return RawClip(name, ImageFiles(paths), _from_table(table, found))
    rows, size = _from_xml(paths)
    return RawClip(name, ImageFiles(paths), rows, size)


def _from_table(path: Path, index_of: Mapping[int, int]) -> Rows:
    rows = Rows()
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = [word for word in re.split(r"[,;\s]+", line.strip()) if word]
        if not words or words[0].startswith("#"):
            continue
        if number == 1 and words[0] == "frame":
            if len(words) < LEAST or words != HEADS[: len(words)]:
                raise ClipFailed(f"{path.name} has the columns {' '.join(words)}, not {COLUMNS}")
            continue
        try:
            frame, label = int(words[0]), words[1]
            x, y, w, h = (float(word) for word in words[2:6])
            track = int(words[6]) if len(words) > 6 else -1
            ignore = len(words) > 7 and int(words[7]) != 0
        except (ValueError, IndexError):
            raise ClipFailed(f"{path.name}, line {number}: expected {COLUMNS}") from None
        if frame not in index_of:
            raise ClipFailed(f"{path.name}, line {number}: frame {frame} has no image")
        rows.add(index_of[frame], label, (x, y, w, h), track, ignore)
    return rows


def _from_xml(paths: list[Path]) -> tuple[Rows, tuple[int, int] | None]:
    rows, size, seen = Rows(), None, 0
    for index, path in enumerate(paths):
        beside = path.with_suffix(".xml")
        if not beside.is_file():
            continue
        seen += 1
        found = read_frame_xml(beside)
        size = size or found.size
        for name, corners, track in zip(found.names, found.corners, found.tracks, strict=True):
            rows.add(index, name, corners_to_box(corners), track)
    if not seen:
        raise ClipFailed(f"no boxes; write {TABLES[0]} with rows {COLUMNS}, or an .xml an image")
    return rows, size
