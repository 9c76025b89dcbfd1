"""ImageNet VID val: XML annotations as published, or the MATLAB ground truth of the devkit.

Corners are 0-based in both; a box is as wide as x2 - x1, and profiles that count the last pixel add
it. Where there are no XML files, track ids come from the order of objects (see `vid_tracks`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vbench.core.clip import Clip, Objects
from vbench.core.errors import ClipFailed
from vbench.core.frames import Frames, ImageFiles, NoFrames
from vbench.core.suite import Card, Suite

from .annotation_text import read_text
from .data_root import IMAGES, folders, not_here, roots
from .vid_mat import DevkitTruth, read_devkit
from .vid_objects import Rows, class_numbers, corners_to_box, objects_from
from .vid_tracks import linked
from .vid_xml import read_frame_xml

LIST = "VID_val_videos.txt"
MATS = (
    "ILSVRC2015_vid_validation_ground_truth_whole.mat",
    "ILSVRC2015_vid_validation_ground_truth.mat",
)
MOTION = "imagenet_vid_groundtruth_motion_iou.mat"
CLIP = re.compile(r"ILSVRC20[0-9]{2}_val_[0-9]+")
# DIR/Data/VID/val/CLIP, with DIR perhaps one folder down.
DEPTH = 5


@dataclass(frozen=True)
class Listed:
    """A clip of the list of videos: its first frame in the whole set (0-based), its frames."""

    name: str
    first: int
    frames: int


@dataclass
class Places:
    """Where things were found: folders by clip name, files by file name."""

    images: dict[str, Path] = field(default_factory=dict)
    truth: dict[str, Path] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


def load(card: Card, data: Path | None = None, annotations: Path | None = None) -> Suite:
    """Return the clips that are here, with images or with annotations alone.

    Raises:
        NotReady: nothing is here, or scipy is missing for .mat files; says what to do.
        ClipFailed: the list of videos is damaged, or everything that is here is broken.
    """
    places = _search(roots(card, data, annotations))
    listed = _listed(places)
    if not listed:
        hint = "" if not _mat(places) else f" without {LIST} beside the ground truth"
        raise not_here(card, f" in {annotations or data}{hint}")
    clips: list[Clip] = []
    problems: dict[str, str] = {}
    devkit = None
    if _mat(places) and any(clip.name not in places.truth for clip in listed):
        whole = max(clip.first + clip.frames for clip in listed)
        devkit = read_devkit(places.files[_mat(places)], whole, places.files.get(MOTION))
    for one in listed:
        if devkit is None and one.name not in places.truth and one.name not in places.images:
            continue
        try:
            clips.append(_clip(card, one, places, devkit))
        except ClipFailed as error:
            problems[one.name] = str(error)
    if not clips and problems:
        name, why = next(iter(problems.items()))
        raise ClipFailed(f"{card.name}: none of {len(problems)} clips can be read; {name}: {why}")
    if not clips:
        raise not_here(card, f" in {annotations or data}")
    return Suite(card, clips, problems)


def read_list(path: Path) -> list[Listed]:
    """Read `val/CLIP <frame number in the set> <start> <frames>` lines.

    Raises:
        ClipFailed: names the line that does not read so.
    """
    found: list[Listed] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            name, first, _, frames = words[0].rpartition("/")[2], *map(int, words[1:])
        except ValueError:
            raise ClipFailed(f"{path.name}, line {number}: expected 'val/CLIP 1 0 464'") from None
        if first < 1 or frames < 1:
            raise ClipFailed(f"{path.name}, line {number}: {first} and {frames} must be above 0")
        found.append(Listed(name, first - 1, frames))
    return found


def numbered(paths: Mapping[int, list[Path]], frames: int, what: str) -> list[Path]:
    """The files of frames 0 to `frames` - 1, which may be numbered from 0 or from 1.

    Raises:
        ClipFailed: a number that is missing or there twice, or files of frames that are not listed.
    """
    for number, same in paths.items():
        if len(same) > 1:
            names = ", ".join(sorted(path.name for path in same))
            raise ClipFailed(f"frame {number} is there {len(same)} times: {names}")
    start = 0 if 0 in paths or 1 not in paths else 1
    missing = [n for n in range(start, start + frames) if n not in paths]
    if missing:
        raise ClipFailed(
            f"frame {missing[0]} is listed but has no {what}; {len(missing)} of {frames} have none"
        )
    if len(paths) > frames:
        raise ClipFailed(f"{len(paths)} files of {what}s for {frames} listed frames")
    return [paths[n][0] for n in range(start, start + frames)]


def by_number(folder: Path, suffixes: Sequence[str]) -> dict[int, list[Path]]:
    """Files of a folder by the last number in their names."""
    found: dict[int, list[Path]] = {}
    for path in folder.iterdir():
        digits = re.findall(r"[0-9]+", path.stem)
        if path.suffix.lower() in suffixes and digits and not path.name.startswith("."):
            found.setdefault(int(digits[-1]), []).append(path)
    return found


def _search(places: Sequence[Path]) -> Places:
    found = Places()
    for root in places:
        for folder in folders(root, DEPTH):
            if CLIP.fullmatch(folder.name):
                suffixes = {path.suffix.lower() for path in folder.iterdir()}
                if ".xml" in suffixes:
                    found.truth.setdefault(folder.name, folder)
                if suffixes & IMAGES:
                    found.images.setdefault(folder.name, folder)
                continue
            for name in (LIST, MOTION, *MATS):
                if name not in found.files and (folder / name).is_file():
                    found.files[name] = folder / name
    return found


def _mat(places: Places) -> str:
    return next((name for name in MATS if name in places.files), "")


def _listed(places: Places) -> list[Listed]:
    """The clips of the list of videos; without it, those that have XML files."""
    if LIST in places.files:
        return read_list(places.files[LIST])
    return [
        Listed(name, 0, len(by_number(folder, (".xml",))))
        for name, folder in sorted(places.truth.items())
    ]


def _clip(card: Card, one: Listed, places: Places, devkit: DevkitTruth | None) -> Clip:
    size = None
    if one.name in places.truth:
        objects, size = _from_xml(card, places.truth[one.name], one.frames)
    elif devkit is not None:
        objects = _from_devkit(devkit, one)
    else:
        raise ClipFailed("its images are here, but no annotations")
    where = f"Get them from {card.url}, lay them out as {card.layout}, and say --data DIR"
    frames: Frames = NoFrames(one.frames, where)
    if one.name in places.images:
        images = by_number(places.images[one.name], tuple(IMAGES))
        frames = ImageFiles(numbered(images, one.frames, "image"))
    return Clip(one.name, frames, objects=objects, known_size=size)


def _from_xml(card: Card, folder: Path, frames: int) -> tuple[Objects, tuple[int, int] | None]:
    rows, size = Rows(), None
    paths = numbered(by_number(folder, (".xml",)), frames, "annotation")
    for index, path in enumerate(paths):
        found = read_frame_xml(path)
        size = size or found.size
        for name, corners, track in zip(found.names, found.corners, found.tracks, strict=True):
            rows.add(index, name, corners_to_box(corners), track)
    classes = class_numbers(card.classes, card.rules["wnids"])
    return objects_from(rows, frames, classes, size), size


def _from_devkit(devkit: DevkitTruth, one: Listed) -> Objects:
    own = slice(one.first, one.first + one.frames)
    if not devkit.known[own].all():
        here = int(np.count_nonzero(devkit.known[own]))
        raise ClipFailed(f"the ground truth has {here} of {one.frames} frames; take the whole one")
    edges = devkit.first[one.first : one.first + one.frames + 1]
    rows = slice(edges[0], edges[-1])
    frame = np.repeat(np.arange(one.frames), np.diff(edges))
    labels, boxes = devkit.labels[rows], devkit.boxes[rows]
    return Objects(
        frame,
        boxes,
        labels,
        linked(frame, labels, boxes),
        np.zeros(len(frame), bool),
        None if devkit.motion is None else devkit.motion[rows],
    )
