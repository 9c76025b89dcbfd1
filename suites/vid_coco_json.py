"""COCO-VID: one JSON file with videos, images, annotations with instance ids, and categories.

The layout of open-mmlab/mmtracking tools/convert_datasets/ilsvrc/imagenet2coco_vid.py; a plain COCO
file without videos has one clip a folder of images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vbench.core.errors import ClipFailed, VBenchError
from vbench.core.frames import Frames, ImageFiles, NoFrames

from .vid_objects import Rows
from .vid_raw import RawClip, read_or_say

MAX_BYTES = 1 << 30


def read_coco_video(path: Path, images: Sequence[Path]) -> tuple[list[RawClip], list[str]]:
    """Read all clips and the names of the classes; images are looked for in these folders.

    Raises:
        VBenchError: no JSON of that layout.
    """
    data = _load(path)
    try:
        categories = sorted(data["categories"], key=lambda category: category["id"])
        names = {category["id"]: str(category["name"]) for category in categories}
        videos = _videos(data)
        by_image: dict[Any, list[Mapping[str, Any]]] = {
            image["id"]: [] for frames in videos.values() for image in frames
        }
        strays = 0
        for found in data.get("annotations", []):
            rows = by_image.get(found["image_id"])
            strays += rows is None
            if rows is not None:
                rows.append(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise VBenchError(f"{path.name} is no COCO-VID file: {error!r} is missing") from None
    clips = [
        read_or_say(name, _clip, name, frames, by_image, names, images)
        for name, frames in videos.items()
    ]
    if strays:
        clips.append(
            RawClip("annotations", problem=f"{strays} are of images that the file does not list")
        )
    return clips, [names[key] for key in names]


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise VBenchError(f"{path.name} is larger than 1 GiB")
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise VBenchError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise VBenchError(f"{path.name} is no JSON: {str(error)[:120]}") from None
    if not isinstance(data, dict) or not isinstance(data.get("images"), list):
        raise VBenchError(f"{path.name} is no COCO-VID file: it has no list of images")
    return data


def _videos(data: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Images of each clip, by the clip's name."""
    named = {video["id"]: str(video["name"]) for video in data.get("videos", [])}
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in named.values()}
    for image in data["images"]:
        if "video_id" in image:
            name = named.get(image["video_id"], f"video {image['video_id']}")
        else:
            name = str(Path(image["file_name"]).parent)
        found.setdefault(name, []).append(image)
    return found


def _clip(
    name: str,
    frames: Sequence[Mapping[str, Any]],
    by_image: Mapping[Any, Sequence[Mapping[str, Any]]],
    classes: Mapping[Any, str],
    folders: Sequence[Path],
) -> RawClip:
    if not frames:
        raise ClipFailed("the file lists no image of it")
    numbered = [image.get("frame_id", image["file_name"]) for image in frames]
    if len(set(numbered)) < len(numbered):
        twice = next(n for n in numbered if numbered.count(n) > 1)
        raise ClipFailed(f"frame {twice} is there twice")
    try:
        order = sorted(range(len(frames)), key=lambda k: numbered[k])
        rows = Rows()
        for index, k in enumerate(order):
            for found in by_image[frames[k]["id"]]:
                _add(rows, index, found, classes)
        files = [str(frames[k]["file_name"]) for k in order]
        first = frames[order[0]]
        size = (int(first["width"]), int(first["height"])) if "width" in first else None
    except (KeyError, TypeError, ValueError) as error:
        raise ClipFailed(f"an image or annotation is damaged: {error!r}") from None
    return RawClip(name, _frames(files, folders), rows, size)


def _add(rows: Rows, index: int, found: Mapping[str, Any], classes: Mapping[Any, str]) -> None:
    if found["category_id"] not in classes:
        raise ClipFailed(f"frame {index}: unknown class {found['category_id']}")
    x, y, w, h = (float(value) for value in found["bbox"])
    track = found.get("instance_id", found.get("track_id", -1))
    ignore = bool(found.get("iscrowd") or found.get("ignore"))
    rows.add(index, classes[found["category_id"]], (x, y, w, h), int(track), ignore)


def _frames(files: Sequence[str], folders: Sequence[Path]) -> Frames:
    """The images where they are; none of them: annotations alone. Names stay inside the folder."""
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
        raise ClipFailed("an image's name leads out of the folder")
    for folder in folders:
        paths = [folder / name for name in files]
        there = [path.is_file() for path in paths]
        if any(there):
            if not all(there):
                raise ClipFailed(f"image {files[there.index(False)]} is listed but missing")
            return ImageFiles(paths)
    where = f"Say --data DIR, the folder in which {files[0]} lies"
    return NoFrames(len(files), where)
