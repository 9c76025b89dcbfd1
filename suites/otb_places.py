"""Where an OTB sequence's images, ground truth and attributes lie, however they are spelt.

Folders as published (`Jogging/groundtruth_rect.1.txt`), unzipped into folders of their own name,
one folder a target (`Jogging-1`), or annotation files alone (`anno/jogging-1.txt`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vbench.core.errors import ClipFailed, VBenchError

from .annotation_text import read_table, read_text
from .attributes import ORDER
from .data_root import folders

# The second target of its video, of which the benchmark has no first.
ONLY_TARGET = "human4-2"
# Columns of anno/att/*.txt, by the MATLAB toolkit's perfPlot.m.
MATLAB_ORDER = ("IV", "OPR", "SV", "OCC", "DEF", "MB", "FM", "IPR", "OV", "BC", "LR")
# Ranges that TRE does not start in, beside the images (jwlim/tracker_benchmark config.py).
OMITTED_IN_FOLDER = ("init_omit.txt",)
LISTS = ("tb_100.txt", "tb_50.txt", "cvpr13.txt", "attr_list.txt")


@dataclass
class Places:
    """What was found, by sequence key: images, box files, attributes, files of omitted starts."""

    images: dict[str, Path] = field(default_factory=dict)
    truth: dict[str, Path] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    omitted: dict[str, Path] = field(default_factory=dict)


def key(name: str) -> str:
    """Return the spelling that sequences are looked up by: `Skating2.1` is `skating2-1`."""
    return re.sub(r"[._ ]", "-", name.strip().lower())


def search(roots: Sequence[Path], names: Iterable[str]) -> Places:
    """Look for `names` in the roots, down to three folders deep; earlier roots win."""
    wanted = {key(name) for name in names}
    of_video: dict[str, list[str]] = {}
    for name in sorted(wanted):
        of_video.setdefault(name, []).append(name)
        video, part = _video_and_part(name)
        if part:
            of_video.setdefault(video, []).append(name)
    found = Places()
    for root in roots:
        for folder in folders(root, depth=3):
            targets = of_video.get(key(folder.name), [])
            if targets and (images := _images_of(folder)):
                for target in targets:
                    found.images.setdefault(target, images)
            for target in targets:
                _take_sequence(folder, target, found)
            if not targets:
                _take_annotations(folder, folder == root, wanted, found)
    return found


def _video_and_part(name: str) -> tuple[str, str]:
    matched = re.fullmatch(r"(.+)-([0-9])", name)
    return (matched[1], matched[2]) if matched else (name, "")


def _images_of(folder: Path) -> Path | None:
    images = folder / "img"
    return images if images.is_dir() else None


def _take_sequence(folder: Path, target: str, found: Places) -> None:
    part = _video_and_part(target)[1]
    names = [f"groundtruth_rect{dot}{part}.txt" for dot in "._-"] if part else []
    if key(folder.name) == target or target == ONLY_TARGET:
        names.append("groundtruth_rect.txt")
    for path in (folder / name for name in names):
        if path.is_file():
            found.truth.setdefault(target, path)
    for name in OMITTED_IN_FOLDER:
        if (folder / name).is_file():
            found.omitted.setdefault(target, folder / name)
    attributes = folder / "attrs.txt"
    if attributes.is_file():
        found.tags.setdefault(target, tags_in(read_text(attributes)))


def _take_annotations(folder: Path, is_root: bool, wanted: set[str], found: Places) -> None:
    if is_root or folder.name.lower() == "anno":
        for path in sorted(folder.glob("*.txt")):
            if key(path.stem) in wanted:
                found.truth.setdefault(key(path.stem), path)
    if folder.name.lower() == "initomit":
        for path in sorted(folder.glob("*.txt")):
            if key(path.stem) in wanted:
                found.omitted.setdefault(key(path.stem), path)
    for name, tags in _listed(folder):
        if name in wanted and tags:
            found.tags.setdefault(name, tags)


def _listed(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Attributes by sequence in the lists of one folder."""
    for path in (folder / name for name in LISTS):
        if path.is_file():
            for line in read_text(path).splitlines():
                name, _, rest = line.strip().partition("\t")
                yield key(name), tags_in(rest)
    if (folder / "attributes.json").is_file():
        yield from _from_json(folder / "attributes.json").items()
    if folder.name.lower() == "att":
        for path in sorted(folder.glob("*.txt")):
            yield key(path.stem), _from_flags(path)


def _from_json(path: Path) -> dict[str, tuple[str, ...]]:
    """Read `{"SV": ["Biker", ...], ...}`."""
    try:
        lists = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise VBenchError(f"{path.name} is no JSON: {str(error)[:120]}") from None
    if not isinstance(lists, Mapping):
        raise VBenchError(f"{path.name} is no JSON object of attribute lists")
    named: dict[str, set[str]] = {}
    for tag in ORDER:
        members = lists.get(tag, ())
        for name in members if isinstance(members, list) else ():
            named.setdefault(key(str(name)), set()).add(tag)
    return {name: tuple(tag for tag in ORDER if tag in tags) for name, tags in named.items()}


def _from_flags(path: Path) -> tuple[str, ...]:
    """Read one row of eleven zeros and ones."""
    try:
        flags = read_table(path, (len(MATLAB_ORDER),))[0]
    except ClipFailed:
        return ()
    holds = {tag for tag, flag in zip(MATLAB_ORDER, flags, strict=True) if flag}
    return tuple(tag for tag in ORDER if tag in holds)


def tags_in(text: str) -> tuple[str, ...]:
    """Return the attributes named in `text` (`IV ,SV, OCC`), in the paper's order."""
    words = set(re.split(r"[,\s]+", text))
    return tuple(tag for tag in ORDER if tag in words)
