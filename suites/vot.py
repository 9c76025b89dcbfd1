"""The VOT short-term challenges 2013 to 2019: the toolkits' folders, or one JSON file.

Folders as the toolkits keep them (votchallenge/toolkit vot/dataset/vot.py: `list.txt`, and in each
sequence `groundtruth.txt`, `color/00000001.jpg`, `*.tag`, `practical.value`, `sequence`), or the
JSON of pysot (STVIR/pysot toolkit/datasets/vot.py: `VOT2018.json` beside the sequences).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, absent, around_polygons
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.frames import Frames, ImageFiles, NoFrames
from vbench.core.suite import Card, Suite

from .annotation_text import MAX_BYTES, read_table, read_text
from .data_root import images_in, not_here, roots, subfolders

# The five attributes that the challenges annotate frame by frame; frames without any are `empty`.
TAGS = ("camera_motion", "illum_change", "motion_change", "occlusion", "size_change")
VALUE = "practical"
# Beyond this a number is no pixel; as a region it would not fit into memory.
FAR_PX = 1e6
# Folders between a sequence and its images.
CHANNELS = ("color", "")


def load(card: Card, data: Path | None = None, annotations: Path | None = None) -> Suite:
    """Return the sequences that are here, with images or with annotations alone.

    Polygons are in `Clip.regions`, the boxes around them in `Clip.truth`.

    Raises:
        NotReady: nothing is here; says where to get it.
        ClipFailed: everything that is here is broken; names the first.
    """
    places = roots(card, data, annotations)
    found: dict[str, Clip | str] = {}
    for root in places:
        path = _json_in(root, card.name)
        part = _from_json(card, path, data) if path else _from_folders(card, root, data)
        found |= {name: clip for name, clip in part.items() if name not in found}
    clips = [clip for clip in found.values() if isinstance(clip, Clip)]
    problems = {name: why for name, why in found.items() if isinstance(why, str)}
    if not found:
        raise not_here(card, f" in {annotations or data}")
    if not clips:
        name, why = next(iter(problems.items()))
        raise ClipFailed(f"{card.name}: none of {len(found)} sequences can be read; {name}: {why}")
    order = {name: place for place, name in enumerate(card.rules.get("sequences", ()))}
    clips.sort(key=lambda clip: (order.get(clip.name, len(order)), clip.name))
    return Suite(card, clips, problems)


def _json_in(root: Path, name: str) -> Path | None:
    """The single-file annotation of this year, or of 2017 and 2018, which share their sequences."""
    years = [name] + (["vot2018", "vot2017"] if name in ("vot2017", "vot2018") else [])
    for year in years:
        for spelt in (year.upper(), year):
            if (root / f"{spelt}.json").is_file():
                return root / f"{spelt}.json"
    return None


def _from_json(card: Card, path: Path, data: Path | None) -> dict[str, Clip | str]:
    if path.stat().st_size > MAX_BYTES:
        raise ClipFailed(f"{path.name} is larger than {MAX_BYTES >> 20} MiB: no annotation file")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ClipFailed(f"{path.name} is no JSON file: {error}") from None
    if not isinstance(entries, dict):
        raise ClipFailed(f"{path.name}: an object of sequences was expected, not a list")
    found: dict[str, Clip | str] = {}
    for name, entry in entries.items():
        try:
            found[name] = _json_clip(card, name, entry, [data or path.parent, path.parent])
        except ClipFailed as error:
            found[name] = str(error)
    return found


def _json_clip(card: Card, name: str, entry: Any, places: Sequence[Path]) -> Clip:
    if not isinstance(entry, dict) or not isinstance(entry.get("gt_rect"), list):
        raise ClipFailed("no 'gt_rect' list")
    truth, rows = _truth(entry["gt_rect"]), len(entry["gt_rect"])
    tags = {tag: _flags(entry[tag], rows) for tag in TAGS if isinstance(entry.get(tag), list)}
    images = [str(image) for image in entry.get("img_names", [])]
    frames = _listed_images(card, images, str(entry.get("video_dir", name)), places, rows)
    size = (entry.get("width"), entry.get("height"))
    known = size if all(isinstance(side, int) and side > 0 for side in size) else None
    return _clip(name, frames, truth, tags, known_size=known)


def _listed_images(
    card: Card, names: Sequence[str], folder: str, places: Sequence[Path], rows: int
) -> Frames:
    """The images that a JSON file names, if the first is here; else annotations alone."""
    if names and len(names) != rows:
        raise ClipFailed(f"{rows} ground-truth rows for {len(names)} image names")
    for place in places:
        for base in (place, place / folder):
            if names and (base / names[0]).is_file():
                paths = [base / name for name in names]
                missing = [path.name for path in paths if not path.is_file()]
                if missing:
                    raise ClipFailed(f"{len(missing)} of {rows} images missing, first {missing[0]}")
                return ImageFiles(paths)
    return NoFrames(rows, _where(card))


def _from_folders(card: Card, root: Path, data: Path | None) -> dict[str, Clip | str]:
    found: dict[str, Clip | str] = {}
    for folder in _sequences(root):
        try:
            found[folder.name] = _folder_clip(card, folder, data)
        except ClipFailed as error:
            found[folder.name] = str(error)
    return found


def _sequences(root: Path) -> list[Path]:
    """Sequence folders: those of `list.txt`, else all that have a ground truth."""
    for place in (root, root / "sequences"):
        listed = place / "list.txt"
        if listed.is_file():
            names = [line.strip() for line in read_text(listed).splitlines() if line.strip()]
            return [place / name for name in names if (place / name).is_dir()]
        here = [f for f in subfolders(place) if (f / "groundtruth.txt").is_file()]
        if here:
            return here
    return []


def _folder_clip(card: Card, folder: Path, data: Path | None) -> Clip:
    about = _properties(folder / "sequence")
    path = folder / about.get("groundtruth", "groundtruth.txt")
    if not path.is_file():
        raise ClipFailed(f"no {path.name}")
    table = read_table(path, (4, 8)).tolist()
    truth, rows = _truth(table), len(table)
    frames = _folder_images(card, folder, data, rows)
    tags = {
        file.stem: _flags(read_table(file, (1,))[:, 0].tolist(), rows)
        for suffix in ("*.tag", "*.label")
        for file in sorted(folder.glob(suffix))
        if file.stat().st_size
    }
    fps = float(about["fps"]) if about.get("fps", "").replace(".", "", 1).isdigit() else None
    values = _values(folder, rows)
    size = (about.get("width", ""), about.get("height", ""))
    known = (int(size[0]), int(size[1])) if all(side.isdigit() for side in size) else None
    return _clip(folder.name, frames, truth, tags, fps=fps, known_size=known, values=values)


def _folder_images(card: Card, folder: Path, data: Path | None, rows: int) -> Frames:
    places = [folder] if data is None else [data / folder.name, folder]
    for place in places:
        for channel in CHANNELS:
            images = images_in(place / channel) if (place / channel).is_dir() else []
            if images and len(images) != rows:
                raise ClipFailed(f"{rows} ground-truth rows for {len(images)} images")
            if images:
                return ImageFiles(images)
    return NoFrames(rows, _where(card))


def _values(folder: Path, rows: int) -> dict[str, Floats]:
    """Numbers of single frames, such as the practical difference; 0 behind the last line."""
    found: dict[str, Floats] = {}
    for file in (folder / f"{VALUE}.value", folder / f"{VALUE}.txt"):
        if file.is_file() and file.stat().st_size:
            column = read_table(file, (1,))[:, 0]
            found[VALUE] = np.concatenate([column, np.zeros(rows)])[:rows]
            break
    return found


def _properties(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    pairs = (line.partition("=") for line in read_text(path).splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _truth(rows: Sequence[Any]) -> tuple[Floats | None, Boxes]:
    """Polygons (n, 8), None where all rows are boxes, and boxes around them (n, 4).

    A few sequences mix both; their boxes become polygons. NaN rows are frames without a target.
    """
    if not rows:
        raise ClipFailed("the ground truth is empty")
    widths = {len(row) if isinstance(row, list | tuple) else 0 for row in rows}
    if not widths <= {4, 8}:
        bad = next(i for i, row in enumerate(rows) if not isinstance(row, list | tuple)
                   or len(row) not in (4, 8))  # fmt: skip
        raise ClipFailed(f"ground truth row {bad + 1}: neither a box nor a polygon")
    regions = np.empty((len(rows), 8))
    for width in widths:
        places = [index for index, row in enumerate(rows) if len(row) == width]
        numbers = _numbers([rows[index] for index in places], places)
        regions[places] = numbers if width == 8 else _corners(numbers)
    far = np.abs(np.nan_to_num(regions)).max(axis=1) > FAR_PX
    if far.any():
        raise ClipFailed(f"ground truth row {far.argmax() + 1}: no region of an image")
    here = np.isfinite(regions).all(axis=1)
    truth = absent(len(rows))
    truth[here] = around_polygons(regions[here])
    return (None if widths == {4} else regions), truth


def _numbers(rows: Sequence[Any], places: Sequence[int]) -> Floats:
    try:
        return np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        for place, row in zip(places, rows, strict=True):
            if not all(isinstance(value, int | float) for value in row):
                raise ClipFailed(f"ground truth row {place + 1} is no row of numbers") from None
        raise


def _corners(boxes: Floats) -> Floats:
    x, y, w, h = boxes.T
    return np.stack([x, y, x + w, y, x + w, y + h, x, y + h], axis=1)


def _flags(column: Sequence[Any], rows: int) -> Bools:
    """Flags of all frames; the challenges' files may end early, which means no."""
    flags = np.zeros(rows, dtype=bool)
    given = np.array([bool(value) for value in column[:rows]], dtype=bool)
    flags[: len(given)] = given
    return flags


def _clip(
    name: str,
    frames: Frames,
    truth: tuple[Floats | None, Boxes],
    tags: Mapping[str, Bools],
    *,
    fps: float | None = None,
    known_size: Any = None,
    values: Mapping[str, Floats] | None = None,
) -> Clip:
    regions, boxes = truth
    return Clip(
        name,
        frames,
        boxes,
        regions=regions,
        fps=fps,
        tags=tuple(tag for tag, flags in tags.items() if flags.any()),
        frame_tags=dict(tags),
        known_size=known_size,
        frame_values=dict(values or {}),
    )


def _where(card: Card) -> str:
    return f"Get them from {card.url}, lay them out as {card.layout}, and say --data DIR"
