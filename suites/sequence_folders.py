"""Suites of one folder a sequence: GOT-10k, LaSOT, DTB70, NfS, TColor-128; their cards say how.

A card's `rules` may have:
truth        patterns of ground-truth files under the root, `*` for a folder or file name
images       folders of the images, `{folder}` being the truth's folder, `{name}` the sequence
name         "folder" (of the truth file, default) or "file" (its stem)
prefix       what is cut off in front of a file's stem ("nfs_")
roots        folders under the given root that hold the sequences, tried first ("val")
sequences    names of the complete suite; others are left out
list         a file with the names that belong to the suite ("list.txt")
first_pixel  1 where files count pixels from 1 (default), 0 where from 0
columns, form, absent  of a table: columns of the box and what they are, and the one that is not 0
             where the target is absent; files in a folder `anno` are plain x y w h all the same
flags        tag -> file of one flag a frame, `{folder}` as above
zero_flags   tag -> file of one number a frame, flagged where it is 0 ("hidden" by GOT-10k's cover)
instead      tag -> another tag that says the same where the file of the first is not there
attributes   files of one row of zeros and ones a sequence, for the names in `attribute_names`
about        a file of "key: value" lines, of which "resolution: (w, h)" is the frame size
frames       sequence -> frames that the published suite has of it
numbered     printf pattern of the complete suite's names, from 1 on
range        a file "first,last" of the frames that the truth covers
every        keep every n-th row where there are n times as many rows as images (NfS at 30 fps)
start_only   the truth has only the first box; nothing can be scored here
fps          frames a second; `rates` are rules that hold at one rate only, by its name
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, absent
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, UnknownName, VBenchError
from vbench.core.frames import Frames, ImageFiles, NoFrames
from vbench.core.suite import Card, Suite

from .annotation_text import boxes_of, read_table, read_text
from .data_root import images_in, not_here, number_of, roots

Rules = Mapping[str, Any]
# Folders of one annotation file a sequence.
ANNOTATIONS = frozenset({"anno", "annos"})


def load(
    card: Card,
    data: Path | None = None,
    annotations: Path | None = None,
    fps: str = "",
) -> Suite:
    """Return the card's sequences that are here, with images or with annotations alone.

    `fps` chooses between the frame rates of a card that has several.

    Raises:
        NotReady: nothing is here; says where to get it.
        ClipFailed: everything that is here is broken; names the first.
    """
    rules = _rules(card, fps)
    places = roots(card, data, annotations)
    found = dict(_truth_files(places, rules))
    listed = _names(places, rules)
    clips: list[Clip] = []
    problems: dict[str, str] = {}
    for name in [name for name in listed if name in found] if listed else sorted(found):
        try:
            clips.append(_clip(card, name, found[name], places, rules))
        except ClipFailed as error:
            problems[name] = str(error)
    problems |= _without_truth([*listed, *rules.get("frames", ())], found, places, rules)
    if not clips and not problems:
        raise not_here(card, f" in {annotations or data}")
    if not clips:
        name, why = next(iter(problems.items()))
        raise ClipFailed(
            f"{card.name}: none of {len(problems)} sequences can be read; {name}: {why}"
        )
    return Suite(card, clips, problems)


def _without_truth(
    names: Sequence[str], found: Mapping[str, Path], places: Sequence[Path], rules: Rules
) -> dict[str, str]:
    """Sequences of the suite whose images are here without a truth, with the reason."""
    beside = {**rules, "images": [p for p in rules["images"] if not p.startswith("{folder}")]}
    return {
        name: "its images are here, but no ground truth"
        for name in names
        if name not in found and _images(name, places[0], places, beside)
    }


def _rules(card: Card, fps: str) -> Rules:
    """The card's rules, those of the chosen frame rate over the common ones."""
    rates: Mapping[str, Rules] = card.rules.get("rates", {})
    if fps and not rates:
        raise VBenchError(f"{card.name} has one frame rate: leave out fps={fps}")
    if not rates:
        return card.rules
    chosen = fps or str(card.rules["fps"])
    if chosen not in rates:
        raise UnknownName(f"frame rate of {card.name}", chosen, rates)
    return {**card.rules, **rates[chosen], "fps": float(chosen)}


def _truth_files(places: Sequence[Path], rules: Rules) -> Iterator[tuple[str, Path]]:
    """Names of sequences with their truth files; earlier roots and patterns win."""
    prefix, known = str(rules.get("prefix", "")), rules.get("frames", {})
    found: dict[str, Path] = {}
    for place in places:
        for root in _inner_roots(place, rules):
            for pattern in rules["truth"]:
                for path in sorted(root.glob(pattern)):
                    alone = path.parent == root or path.parent.name in ANNOTATIONS
                    from_file = alone or rules.get("name") == "file"
                    name = (path.stem if from_file else path.parent.name).removeprefix(prefix)
                    # Beside annotations alone lie lists and notes as well.
                    if not (path.parent == root and known and name not in known):
                        found.setdefault(name, path)
    yield from found.items()


def _inner_roots(place: Path, rules: Rules) -> list[Path]:
    inner = [place / name for name in rules.get("roots", ()) if (place / name).is_dir()]
    return inner or [place]


def _names(places: Sequence[Path], rules: Rules) -> list[str]:
    """Names that belong to the suite, in its order; empty where the card leaves it open."""
    if "sequences" in rules:
        return list(rules["sequences"])
    for place in places:
        for root in _inner_roots(place, rules):
            path = root / str(rules.get("list", ""))
            if rules.get("list") and path.is_file():
                lines = [line.strip() for line in read_text(path).splitlines()]
                return [line for line in lines if line]
    return []


def _clip(card: Card, name: str, path: Path, places: Sequence[Path], rules: Rules) -> Clip:
    folder = path.parent
    truth, gone = _truth(path, rules)
    images = _images(name, folder, places, rules)
    rows = len(images) if images and rules.get("start_only") else len(truth)
    if images and not rules.get("start_only"):
        images = _covered(images, folder, name, rules)
        truth, gone, images = _matched(truth, gone, images, rules, path.name)
        rows = len(truth)
    elif not images and int(rules.get("every", 1)) > 1 and name in rules.get("frames", {}):
        # Without images the published number of frames tells whether rows are to be thinned.
        stand_in = [path] * int(rules["frames"][name])
        with suppress(ClipFailed):
            truth, gone, _ = _matched(truth, gone, stand_in, rules, path.name)
            rows = len(truth)
    frames: Frames = ImageFiles(images) if images else NoFrames(rows, _where(card))
    tags = _frame_tags(folder, name, rules, rows)
    if gone is not None:
        tags["absent"] = gone
        truth = np.where(gone[:, None], absent(1), truth)
    return Clip(
        name,
        frames,
        truth,
        fps=float(rules["fps"]) if "fps" in rules else None,
        tags=(
            *_attributes(folder, name, places, rules),
            *(tag for tag, flags in tags.items() if flags.any()),
        ),
        frame_tags=tags,
        known_size=_size(folder, name, rules),
    )


def _frame_tags(folder: Path, name: str, rules: Rules, rows: int) -> dict[str, Bools]:
    """Flags of single frames (n,) by tag."""
    tags: dict[str, Bools] = {}
    for tag, pattern in rules.get("flags", {}).items():
        flags = _column(_filled(pattern, folder, name), rows)
        if flags is not None:
            tags[tag] = np.asarray(flags != 0)
    for tag, pattern in rules.get("zero_flags", {}).items():
        levels = _column(_filled(pattern, folder, name), rows)
        if levels is not None:
            tags[tag] = np.asarray(levels == 0)
    for tag, other in rules.get("instead", {}).items():
        if other in tags:
            tags.setdefault(tag, tags[other])
    return tags


def _attributes(folder: Path, name: str, places: Sequence[Path], rules: Rules) -> tuple[str, ...]:
    """Attributes of the whole sequence, from the first of its files that is there."""
    names: Sequence[str] = rules.get("attribute_names", ())
    for pattern in rules.get("attributes", ()):
        for place in (folder, *places):
            path = _filled(pattern, place, name)
            if path.is_file():
                row = read_table(path, (len(names),))[0]
                return tuple(tag for tag, flag in zip(names, row, strict=True) if flag)
    return ()


def _size(folder: Path, name: str, rules: Rules) -> tuple[int, int] | None:
    """Frame size (w, h) in px, where a file tells it."""
    path = _filled(str(rules.get("about", "")), folder, name)
    if not rules.get("about") or not path.is_file():
        return None
    found = re.search(r"resolution:\s*\(\s*(\d{1,5})\s*,\s*(\d{1,5})\s*\)", read_text(path))
    return (int(found[1]), int(found[2])) if found else None


def _truth(path: Path, rules: Rules) -> tuple[Boxes, Bools | None]:
    """Boxes (n, 4), and where the file itself says that the target is absent (n,)."""
    columns, one_based = rules.get("columns"), rules.get("first_pixel", 1) == 1
    if columns is None or path.parent.name == "anno":
        return boxes_of(read_table(path, (4,)), "xywh", one_based), None
    rows = _words(path, max(columns) + 1)
    try:
        table = np.array([[float(row[c]) for c in columns] for row in rows])
        gone = np.array([float(row[rules["absent"]]) != 0 for row in rows])
    except (ValueError, IndexError):
        raise ClipFailed(f"{path.name}: rows of numbers were expected") from None
    return boxes_of(table, rules["form"], one_based), gone


def _words(path: Path, least: int) -> list[list[str]]:
    """Words of each line, at least `least`."""
    rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
    if not rows:
        raise ClipFailed(f"{path.name} is empty")
    short = next((index for index, row in enumerate(rows) if len(row) < least), None)
    if short is not None:
        raise ClipFailed(f"{path.name} row {short + 1}: {len(rows[short])} words, {least} wanted")
    return rows


def _images(name: str, folder: Path, places: Sequence[Path], rules: Rules) -> list[Path]:
    """The first folder of images that is there."""
    for pattern in rules["images"]:
        for place in [folder, *(r for p in places for r in _inner_roots(p, rules))]:
            # {class} is LaSOT's folder of a class: airplane of airplane-13. What is under the
            # truth's own folder is absolute, so that it stays there under every place.
            own = {"folder": folder.absolute(), "class": name.rpartition("-")[0]}
            candidate = place / pattern.format(name=name, **own)
            if candidate.is_dir() and (images := images_in(candidate)):
                return images
    return []


def _covered(images: list[Path], folder: Path, name: str, rules: Rules) -> list[Path]:
    """The images that a range file names, all of them without one."""
    path = _filled(str(rules.get("range", "")), folder, name)
    if rules.get("range") and not path.is_file():
        # Some of TColor-128's are in small letters (trackit/datasets/SOT/datasets/Impl/
        # TempleColor.py of github.com/LitingLin/LoRAT).
        path = path.with_name(path.name.lower())
    if not rules.get("range") or not path.is_file():
        return images
    bounds = read_table(path).ravel()
    if len(bounds) < 2:
        raise ClipFailed(f"{path.name}: 'first,last' was expected")
    first, last = int(bounds[0]), int(bounds[1])
    return [image for image in images if first <= (number_of(image) or 0) <= last]


def _matched(
    truth: Boxes, gone: Bools | None, images: list[Path], rules: Rules, file: str
) -> tuple[Boxes, Bools | None, list[Path]]:
    """Rows and images, one for one."""
    every = int(rules.get("every", 1))
    if every > 1 and abs(len(truth) / len(images) - every) < 1:
        truth, gone = truth[::every], None if gone is None else gone[::every]
        # The last image or row may be one too many after thinning (got-10k/toolkit nfs.py:57-63).
        if abs(len(truth) - len(images)) == 1:
            n = min(len(truth), len(images))
            truth, images = truth[:n], images[:n]
            gone = None if gone is None else gone[:n]
    if len(truth) != len(images):
        raise ClipFailed(f"{file} has {len(truth)} rows for {len(images)} images")
    return truth, gone, images


def _column(path: Path, rows: int) -> Floats | None:
    """One number a frame, one a line or all on one line; None where there is no such file."""
    if not path.is_file():
        return None
    column = read_table(path).ravel()
    if len(column) != rows:
        raise ClipFailed(f"{path.name} has {len(column)} flags for {rows} frames")
    return column


def _filled(pattern: str, folder: Path, name: str) -> Path:
    return Path(pattern.format(folder=folder, name=name))


def _where(card: Card) -> str:
    return f"Get them from {card.url}, lay them out as {card.layout}, and say --data DIR"
