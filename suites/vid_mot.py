"""A sequence in the layout of MOTChallenge: img1/, gt/gt.txt, seqinfo.ini. Corners are 1-based.

Columns of gt.txt: frame (from 1), id, left, top, width, height, whether it counts, class (from 1),
visibility (Milan et al., MOT16: A Benchmark for Multi-Object Tracking, 2016, table 3).
"""

from __future__ import annotations

import configparser
from pathlib import Path

import numpy as np

from vbench.core.errors import ClipFailed
from vbench.core.frames import Frames, ImageFiles, NoFrames

from .annotation_text import read_table, read_text
from .data_root import images_in
from .vid_objects import Rows
from .vid_raw import RawClip

CLASSES = (
    "pedestrian",
    "person on vehicle",
    "car",
    "bicycle",
    "motorbike",
    "non motorized vehicle",
    "static person",
    "distractor",
    "occluder",
    "occluder on the ground",
    "occluder full",
    "reflection",
    "crowd",
)


def is_mot(folder: Path) -> bool:
    """Tell whether `folder` is a sequence in this layout."""
    return (folder / "gt" / "gt.txt").is_file()


def read_mot(folder: Path) -> RawClip:
    """Read one sequence; rows that do not count are ignored objects.

    Raises:
        ClipFailed: rows that are no numbers, an unknown class, or a frame without an image.
    """
    table = read_table(folder / "gt" / "gt.txt", tuple(range(6, 11)))
    about = _seqinfo(folder / "seqinfo.ini")
    images = folder / about.get("imDir", "img1")
    paths = images_in(images) if images.is_dir() else []
    last = int(np.nanmax(table[:, 0], initial=0))
    length = len(paths) or int(about.get("seqLength", last))
    frames: Frames = ImageFiles(paths) if paths else NoFrames(length, f"Put them into {images}")
    if last > length:
        raise ClipFailed(f"gt.txt has frame {last}, there are {length}")
    listed = about.get("seqLength", str(length))
    if listed != str(length):
        raise ClipFailed(f"seqinfo.ini lists {listed} frames, there are {length} images")
    return RawClip(folder.resolve().name, frames, _rows(table), _size(about), _fps(about))


def _rows(table: np.ndarray) -> Rows:
    if not np.isfinite(table[:, :6]).all():
        raise ClipFailed("gt.txt has a row that is no box")
    rows = Rows()
    for row in table.tolist():
        frame, track, x, y, w, h = row[:6]
        counts = len(row) < 7 or row[6] != 0
        # MOT15 has no class: everyone is a pedestrian.
        number = int(row[7]) if len(row) in (8, 9) and row[7] > 0 else 1
        name = CLASSES[number - 1] if number <= len(CLASSES) else str(number)
        rows.add(int(frame) - 1, name, (x - 1, y - 1, w, h), int(track), not counts)
    return rows


def _seqinfo(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    reader = configparser.ConfigParser(interpolation=None)
    # Names of keys keep their case.
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        reader.read_string(read_text(path))
        found = dict(reader["Sequence"])
        for name in ("seqLength", "imWidth", "imHeight", "frameRate"):
            float(found.get(name, "0"))
    except (configparser.Error, KeyError, ValueError):
        raise ClipFailed("seqinfo.ini cannot be read") from None
    return found


def _size(about: dict[str, str]) -> tuple[int, int] | None:
    if "imWidth" not in about or "imHeight" not in about:
        return None
    return int(float(about["imWidth"])), int(float(about["imHeight"]))


def _fps(about: dict[str, str]) -> float | None:
    return float(about["frameRate"]) if "frameRate" in about else None
