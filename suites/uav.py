"""UAV123, UAV20L and UAV123@10fps from the authors' layout, 1-based boxes, NaN where absent.

First and last frame of each target as in the toolkit's configSeqs.m; a video may hold several
targets one after the other (bird1_1, bird1_2 ...). UAV123@10fps keeps every third frame, and its
ground truth is every third row of UAV123's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vbench.core.boxes import Boxes
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.frames import Frames, ImageFiles, NoFrames
from vbench.core.suite import Card, Suite, read_card

from .annotation_text import read_boxes, read_table
from .data_root import images_in, not_here, roots

# Columns of anno/UAV123/att/*.txt.
ATTRIBUTES = ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV", "BC", "IV", "VC", "CM", "SOB")
SIZE_DIGITS = 6


def load(card: Card, data: Path | None = None, annotations: Path | None = None) -> Suite:
    """Return the card's targets that are here, with images or with annotations alone.

    Raises:
        NotReady: nothing is here; says where to get it.
        ClipFailed: everything that is here is broken; names the first.
    """
    places = roots(card, data, annotations)
    clips: list[Clip] = []
    problems: dict[str, str] = {}
    for name, (first, last) in frame_ranges(card).items():
        path = _first_file(places, _truth_names(card, name))
        if path is None and _images(places, card, name) is None:
            continue
        try:
            if path is None:
                raise ClipFailed(f"its images are here, but no ground truth ({name}.txt)")
            clips.append(_clip(card, name, path, (first, last), places))
        except ClipFailed as error:
            problems[name] = str(error)
    if not clips and not problems:
        raise not_here(card, f" in {annotations or data}")
    if not clips:
        name, why = next(iter(problems.items()))
        raise ClipFailed(f"{card.name}: none of {len(problems)} targets can be read; {name}: {why}")
    return Suite(card, clips, problems)


def frame_ranges(card: Card) -> dict[str, tuple[int, int]]:
    """First and last frame of every target, 1-based, at the suite's own frame rate.

    A card may take those of another one (`of`) and keep every `step`th frame.
    """
    rules: Any = card.rules
    if "of" in rules:
        rules = read_card(Path(__file__).with_name(f"{rules['of']}.toml")).rules
    step = int(card.rules.get("step", 1))
    ranges = {}
    for name, (first, last) in rules["frames"].items():
        start = (first - 1) // step + 1
        ranges[name] = start, start + (last - first) // step
    return ranges


def video_of(name: str) -> str:
    """The folder of a target's images: bird1_2 is in bird1, car1_s in its own."""
    stem, _, part = name.rpartition("_")
    return stem if part.isdigit() else name


def _clip(card: Card, name: str, path: Path, span: tuple[int, int], places: Sequence[Path]) -> Clip:
    truth = _thinned(read_boxes(path, one_based=True), card, span, path.name)
    folder = _images(places, card, name)
    frames: Frames = NoFrames(len(truth), _where(card))
    if folder is not None:
        frames = ImageFiles(_chosen(folder, span))
    tags = _tags(places, card, name)
    return Clip(name, frames, truth, tags=tags, fps=float(card.rules.get("fps", 30)))


def _thinned(truth: Boxes, card: Card, span: tuple[int, int], file: str) -> Boxes:
    """The rows of this frame rate: the file may hold those of the full one."""
    first, last = span
    wanted, step = last - first + 1, int(card.rules.get("step", 1))
    if step > 1 and len(truth) != wanted and len(truth[::step]) == wanted:
        truth = truth[::step]
    if len(truth) != wanted:
        raise ClipFailed(f"{file} has {len(truth)} rows for {wanted} frames ({first} to {last})")
    return truth


def _chosen(folder: Path, span: tuple[int, int]) -> list[Path]:
    """Images first..last of a video; a folder with just as many images holds only them."""
    first, last = span
    images = images_in(folder)
    if not images:
        raise ClipFailed(f"{folder.name} holds no images")
    paths = [folder / f"{n:0{SIZE_DIGITS}d}{images[0].suffix}" for n in range(first, last + 1)]
    here = {image.name for image in images}
    missing = [path.name for path in paths if path.name not in here]
    if missing and len(images) == len(paths):
        return images
    if missing:
        raise ClipFailed(
            f"{len(missing)} of {len(paths)} images missing in {folder.name}, first {missing[0]}"
        )
    return paths


def _truth_names(card: Card, name: str) -> list[str]:
    version = str(card.rules["version"])
    return [
        f"anno/{version}/{name}.txt",
        f"{version}/anno/{version}/{name}.txt",
        f"anno/UAV123/{name}.txt",
        f"anno/{name}.txt",
        f"{name}.txt",
    ]


def _images(places: Sequence[Path], card: Card, name: str) -> Path | None:
    version, video = str(card.rules["version"]), video_of(name)
    for place in places:
        for inner in (f"data_seq/{version}", "data_seq/UAV123", "data_seq", version, ""):
            # Full-rate folders do not serve a suite that keeps every third frame.
            if inner == "data_seq/UAV123" and "step" in card.rules:
                continue
            if (place / inner / video).is_dir():
                return place / inner / video
    return None


def _tags(places: Sequence[Path], card: Card, name: str) -> tuple[str, ...]:
    version = str(card.rules["version"])
    names = [f"anno/{version}/att/{name}.txt", f"anno/UAV123/att/{name}.txt", f"att/{name}.txt"]
    path = _first_file(places, names)
    if path is None:
        return ()
    flags = read_table(path, (len(ATTRIBUTES),))[0]
    return tuple(tag for tag, flag in zip(ATTRIBUTES, flags, strict=True) if flag)


def _first_file(places: Sequence[Path], names: Sequence[str]) -> Path | None:
    for place in places:
        for name in names:
            if (place / name).is_file():
                return place / name
    return None


def _where(card: Card) -> str:
    return f"Get them from {card.url}, lay them out as {card.layout}, and say --data DIR"
