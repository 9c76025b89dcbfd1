"""`files:PATH`: a folder of images or a video with a box file beside it, or a folder of such."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import cv2

from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.frames import Frames, ImageFiles, VideoFile
from vbench.core.suite import Card, Suite

from .annotation_text import WIDTHS, Form, boxes_of, read_table
from .data_root import images_in, subfolders

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".mjpeg"})
IMAGE_FOLDERS = ("img", "imgs", "images", "frames", "color")
BOX_FILES = ("groundtruth", "groundtruth_rect", "gt", "boxes")
SUFFIXES = (".txt", ".csv", ".tsv")
# Beyond this a container's count of frames is taken for damage.
MAX_FRAMES = 10_000_000


@dataclass(frozen=True)
class Source:
    """A clip's name, its video file or its folder of images, and where its box file may lie."""

    name: str
    path: Path
    box_files: tuple[Path, ...]


def load(
    card: Card,
    argument: str,
    annotations: Path | None = None,
    one_based: bool = False,
    format: Literal["auto", "xywh", "xyxy", "cxcywh", "polygon"] = "auto",
) -> Suite:
    """Return one clip for every folder of images or video at the path `argument`.

    `annotations` is a folder of box files named after the clips, where they lie elsewhere.
    `format` says what the columns of the box files are ("auto": 4 are x y w h, 8 a polygon);
    `one_based` that they count pixels from 1. Rows of zeros or NaN are frames without the target.

    Raises:
        NotReady: nothing of the kind is there.
        ClipFailed: nothing of what is there can be read; names the first.
    """
    path = Path(argument).expanduser()
    sources = list(_sources(path, annotations))
    if not sources:
        what = "holds no images or videos" if path.is_dir() else "is no folder and no video"
        raise NotReady(f"files: '{argument}' {what}; lay them out as {card.layout}")
    clips: list[Clip] = []
    problems: dict[str, str] = {}
    for source in sources:
        try:
            clips.append(_clip(source, one_based, format))
        except ClipFailed as error:
            problems[source.name] = str(error)
    if not clips:
        name, why = next(iter(problems.items()))
        raise ClipFailed(f"files: none of {len(problems)} clips can be read; {name}: {why}")
    named = replace(card, name=f"{card.name}:{argument}", clips=len(sources))
    return Suite(named, clips, problems)


def _sources(path: Path, annotations: Path | None) -> Iterator[Source]:
    one = _source(path, annotations)
    if one is not None:
        yield one
    elif path.is_dir():
        videos = [p for p in path.iterdir() if p.suffix.lower() in VIDEOS]
        names: set[str] = set()
        for inner in sorted([*videos, *subfolders(path)], key=lambda p: p.name):
            found = _source(inner, annotations)
            if found is not None:
                # `a.mp4` beside the folder `a` keeps its suffix.
                yield replace(found, name=inner.name) if found.name in names else found
                names.add(found.name)


def _source(path: Path, annotations: Path | None) -> Source | None:
    """Return what is at `path` if it is one clip."""
    elsewhere = [annotations] if annotations is not None else []
    if path.is_file() and path.suffix.lower() in VIDEOS:
        names = [path.stem, f"{path.stem}_gt", f"{path.stem}.groundtruth"]
        return Source(path.stem, path, _candidates([*elsewhere, path.parent], names))
    for folder in (path, *(path / name for name in IMAGE_FOLDERS)):
        if folder.is_dir() and images_in(folder):
            name = path.resolve().name
            beside = _candidates([path], [*BOX_FILES, name])
            away = _candidates([*elsewhere, path.resolve().parent], [name])
            ordered = (*away, *beside) if elsewhere else (*beside, *away)
            return Source(name, folder, ordered)
    return None


def _candidates(folders: list[Path], names: list[str]) -> tuple[Path, ...]:
    return tuple(f / f"{name}{suffix}" for f in folders for name in names for suffix in SUFFIXES)


def _clip(source: Source, one_based: bool, form: Form) -> Clip:
    path = next((path for path in source.box_files if path.is_file()), None)
    if path is None:
        near = source.box_files[0]
        raise ClipFailed(f"no box file; write {near.name}, one x y w h row a frame")
    truth = boxes_of(read_table(path, WIDTHS[form], header=True), form, one_based)
    frames, fps = _frames(source.path)
    if len(truth) != len(frames):
        raise ClipFailed(f"{path.name} has {len(truth)} rows for {len(frames)} frames")
    negative = (truth[:, 2:] < 0).any(axis=1)
    if negative.any():
        raise ClipFailed(f"{path.name}: frame {negative.argmax()} has a box of negative size")
    return Clip(source.name, frames, truth, fps=fps)


def _frames(path: Path) -> tuple[Frames, float | None]:
    if path.is_dir():
        return ImageFiles(images_in(path)), None
    video = cv2.VideoCapture(str(path))
    try:
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
        fps = float(video.get(cv2.CAP_PROP_FPS)) if video.isOpened() else 0.0
    finally:
        video.release()
    if not 0 < count <= MAX_FRAMES:
        raise ClipFailed(f"{path.name} cannot be decoded as a video")
    return VideoFile(path, count), fps if fps > 0 else None
