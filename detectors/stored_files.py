"""Files of detections: text as for ImageNet VID, text as for MOTChallenge, JSON as for COCO.

VID: `frame class score xmin ymin xmax ymax`, class 1-based, frame from 0 (RalphMao/PatchNet
data/VID). MOT: `frame,id,left,top,width,height,score[,class,...]`, frame, corner and class 1-based
(dendorferpatrick/MOTChallengeEvalKit MOT/README.md). COCO: a list of results, or an object with
images and annotations that have scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints, absent
from vbench.core.errors import ClipFailed

Form = Literal["auto", "vid", "mot", "coco"]
MAX_TEXT_BYTES = 256 << 20
MAX_JSON_BYTES = 1 << 30
SUFFIXES = (".txt", ".csv", ".json")


@dataclass(frozen=True)
class Rows:
    """Detections of a file, m in all: frame number (m,), boxes (m, 4), scores, labels (m,)."""

    frame: Ints
    boxes: Boxes
    scores: Floats
    labels: Ints


def read_text_rows(path: Path, form: Form = "auto", first: int | None = None) -> Rows:
    """Read a VID or MOT file; commas make it a MOT file where `form` says nothing.

    Frames count from 0 after it; `first` is the number of the first one if not the layout's.

    Raises:
        ClipFailed: names the row that is none.
    """
    lines = _text(path).splitlines()
    sample = next((line for line in lines if line.strip()), "")
    is_mot = form == "mot" or (form == "auto" and "," in sample)
    rows = [line.replace(",", " ").split() for line in lines]
    numbered = [(number, row) for number, row in enumerate(rows, start=1) if row]
    widths = range(7, 11) if is_mot else range(7, 8)
    wanted = "frame,id,left,top,width,height,score" if is_mot else (
        "frame class score xmin ymin xmax ymax"
    )  # fmt: skip
    for number, row in numbered:
        if len(row) not in widths:
            raise ClipFailed(f"{path.name} row {number} has {len(row)} numbers, not {wanted}")
    if not numbered:
        return Rows(np.zeros(0, np.int64), absent(0), np.zeros(0), np.zeros(0, np.int64))
    try:
        table = np.array([row[:8] for _, row in numbered], np.float64)
    except ValueError:
        raise ClipFailed(f"{path.name} {_first_bad(numbered)}") from None
    found = _mot_rows(table) if is_mot else _vid_rows(table)
    found = replace(found, frame=found.frame - (int(is_mot) if first is None else first))
    _check(found, [number for number, _ in numbered], path.name)
    return found


def read_json(path: Path) -> Any:
    """Read a JSON file of bounded size. Raises ClipFailed."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ClipFailed(f"{path.name} is larger than 1 GiB")
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ClipFailed(f"{path.name} is no JSON: {str(error)[:120]}") from None


def coco_rows(results: Any, images: Mapping[Any, int] | None, labels: Mapping[Any, int]) -> Rows:
    """Take a clip's results; `images` has the frame of each image id (None: the id is its number).

    A class is its number less 1 where `labels` is empty.

    Raises:
        ClipFailed: an unknown class, or not of that layout.
    """
    try:
        frame = [int(r["image_id"]) if images is None else images[r["image_id"]] for r in results]
        numbers = [r["category_id"] for r in results]
        scores = [float(r["score"]) for r in results]
        boxes = [[float(value) for value in r["bbox"]] for r in results]
        found = Rows(
            np.array(frame, np.int64),
            np.array(boxes, np.float64).reshape(-1, 4),
            np.array(scores, np.float64),
            np.array([labels[n] if labels else int(n) - 1 for n in numbers], np.int64),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ClipFailed(f"a result of COCO is damaged or of no known class: {error!r}") from None
    _check(found, range(1, len(frame) + 1), "the list of results")
    return found


def results_by_image(results: Any) -> dict[Any, list[Any]]:
    """Results of COCO by the number of their image, in their order. Raises ClipFailed."""
    found: dict[Any, list[Any]] = {}
    try:
        for result in results:
            found.setdefault(result["image_id"], []).append(result)
    except (KeyError, TypeError) as error:
        raise ClipFailed(f"a result of COCO is damaged: {error!r}") from None
    return found


def images_by_clip(listed: Mapping[str, Any]) -> dict[str, dict[Any, int]]:
    """Frame of each image id of each clip, from a file's videos and images.

    Raises:
        ClipFailed: not of that layout.
    """
    try:
        names = {video["id"]: str(video["name"]) for video in listed.get("videos", [])}
        clips: dict[str, list[Mapping[str, Any]]] = {}
        for image in listed["images"]:
            parent = PurePosixPath(str(image.get("file_name", ""))).parent
            name = names[image["video_id"]] if names else str(parent)
            clips.setdefault(name, []).append(image)
        return {name: _numbered(images) for name, images in clips.items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ClipFailed(f"its list of images is damaged: {error!r}") from None


def _numbered(images: list[Mapping[str, Any]]) -> dict[Any, int]:
    ordered = sorted(images, key=lambda image: image.get("frame_id", image.get("file_name")))
    return {image["id"]: index for index, image in enumerate(ordered)}


def labels_of(listed: Mapping[str, Any]) -> dict[Any, int]:
    """Label of each class number: its place among the file's categories, by number."""
    try:
        return {n: k for k, n in enumerate(sorted(c["id"] for c in listed.get("categories", [])))}
    except (KeyError, TypeError) as error:
        raise ClipFailed(f"its list of categories is damaged: {error!r}") from None


def matching(clip: str, names: Sequence[str]) -> str | None:
    """The one of `names` that is the clip's, or that alone shares the longest ending with it.

    Endings are compared by whole words (`val_00023001`), and all words alone are the clip's name
    whatever stands between them, as a clip `val/7` has a file `val-7`; None if nothing is shared.

    Raises:
        ClipFailed: several share it.
    """
    if clip in names:
        return clip
    same = [name for name in names if _words(name) == _words(clip)]
    if len(same) == 1:
        return same[0]
    shared = {name: _shared_words(clip, name) for name in names}
    most = max(shared.values(), default=0)
    if most == 0:
        return None
    best = sorted(name for name, count in shared.items() if count == most)
    if len(best) > 1:
        raise ClipFailed(f"{len(best)} files may be its own: {', '.join(best[:3])}; rename them")
    return best[0]


def _shared_words(a: str, b: str) -> int:
    count = 0
    for one, other in zip(reversed(_words(a)), reversed(_words(b)), strict=False):
        if one != other:
            return count
        count += 1
    return count


def _words(name: str) -> list[str]:
    for mark in "-./\\ ":
        name = name.replace(mark, "_")
    return [word for word in name.split("_") if word]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise ClipFailed(f"{path.name} is larger than {MAX_TEXT_BYTES >> 20} MiB")
        raw = path.read_bytes()
    except OSError as error:
        raise ClipFailed(f"{path.name} cannot be read: {error.strerror}") from None
    if b"\0" in raw:
        raise ClipFailed(f"{path.name} is not a text file")
    return raw.decode("utf-8-sig", errors="replace")


def _vid_rows(table: Floats) -> Rows:
    boxes = np.concatenate([table[:, 3:5], table[:, 5:7] - table[:, 3:5]], axis=1)
    return Rows(_whole(table[:, 0]), boxes, table[:, 2], _whole(table[:, 1]) - 1)


def _mot_rows(table: Floats) -> Rows:
    boxes = table[:, 2:6] - [1, 1, 0, 0]
    # Detections of one class have -1 there, or nothing.
    number = table[:, 7] if table.shape[1] > 7 else np.full(len(table), -1.0)
    labels = np.where(number > 0, number - 1, 0.0)
    return Rows(_whole(table[:, 0]), boxes, table[:, 6], _whole(labels))


def _whole(values: Floats) -> Ints:
    if not (np.isfinite(values) & (values == np.round(values))).all():
        raise ClipFailed("a frame or class is no whole number")
    return values.astype(np.int64)


def _first_bad(rows: Sequence[tuple[int, list[str]]]) -> str:
    for number, row in rows:
        for cell in row:
            try:
                float(cell)
            except ValueError:
                return f"row {number}: '{cell}' is no number"
    return "has rows of different lengths"


def _check(rows: Rows, numbers: Sequence[int], name: str) -> None:
    reasons = (
        (~np.isfinite(rows.scores), "has a score that is no number"),
        (~np.isfinite(rows.boxes).all(axis=1), "has a box that is no number"),
        (~(rows.boxes[:, 2:] >= 0).all(axis=1), "has a box that ends before it begins"),
        (rows.labels < 0, "has a class below 1"),
    )
    for bad, why in reasons:
        if bad.any():
            raise ClipFailed(f"{name} row {numbers[int(bad.argmax())]} {why}")
