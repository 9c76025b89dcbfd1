"""The OTB family (OTB-2013, OTB-2015, TB-50) from the authors' layout, 1-based boxes.

Frame ranges follow the authors' configuration (github.com/jwlim/tracker_benchmark @ 5e1029ca,
data/*/cfg.json; the MATLAB toolkit's util/configSeqs.m).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from vbench.core.boxes import Bools
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.frames import ImageFiles, NoFrames
from vbench.core.suite import Card, Suite

from .annotation_text import read_boxes, read_table
from .data_root import images_in, not_here, number_of, roots
from .otb_places import Places, key, search

# First and last image that the ground truth covers, where a download holds others as well.
RANGES = {
    "blurcar1": (247, 988),
    "blurcar3": (3, 359),
    "blurcar4": (18, 397),
    "board": (1, 698),
    "david": (300, 770),
    "diving": (1, 215),
    "football1": (1, 74),
    "freeman3": (1, 460),
    "freeman4": (1, 283),
}
# Lists with 349 frames of Tiger1 leave out the first five of its 354.
TIGER1_SKIPPED = 5


def load(
    card: Card,
    data: Path | None = None,
    annotations: Path | None = None,
    tiger1: Literal["354", "349"] = "354",
) -> Suite:
    """Return the card's sequences that are here, with images or with annotations alone.

    `tiger1` is the number of frames of that sequence: all 354, or 349 without the first five.

    Raises:
        NotReady: nothing is here; says where to get it.
        ClipFailed: everything that is here is broken; names the first.
    """
    names: Sequence[str] = card.rules["sequences"]
    places = search(roots(card, data, annotations), names)
    clips: list[Clip] = []
    problems: dict[str, str] = {}
    for name in names:
        if key(name) not in places.truth and key(name) not in places.images:
            continue
        try:
            clips.append(_clip(card, name, places, tiger1))
        except ClipFailed as error:
            problems[name] = str(error)
    if not clips and not problems:
        raise not_here(card, f" in {annotations or data}")
    if not clips:
        name, why = next(iter(problems.items()))
        raise ClipFailed(
            f"{card.name}: none of {len(problems)} sequences can be read; {name}: {why}"
        )
    return Suite(card, clips, problems)


def _clip(card: Card, name: str, places: Places, tiger1: str) -> Clip:
    path, folder = places.truth.get(key(name)), places.images.get(key(name))
    if path is None:
        raise ClipFailed(f"its images are here, but no ground truth ({_expected(name)})")
    truth = read_boxes(path, one_based=True)
    first, last = RANGES.get(key(name), (1, len(truth)))
    if len(truth) != last - first + 1:
        wanted = f"{last - first + 1} frames (images {first} to {last})"
        raise ClipFailed(f"{path.name} has {len(truth)} rows for {wanted}")
    images = _images(folder, name, len(truth)) if folder else None
    omitted = _omitted(places.omitted.get(key(name)), first, len(truth))
    if name == "Tiger1":
        skipped = _skipped(len(truth), int(tiger1))
        truth, images = truth[skipped:], images and images[skipped:]
        omitted = {tag: flags[skipped:] for tag, flags in omitted.items()}
    where = f"Get them from {card.url}, lay them out as {card.layout}, and say --data DIR"
    frames = ImageFiles(images) if images else NoFrames(len(truth), where)
    tags = places.tags.get(key(name), ())
    return Clip(name, frames, truth, tags=tags, frame_tags=omitted)


def _omitted(path: Path | None, first: int, rows: int) -> dict[str, Bools]:
    """Frames (rows,) that TRE and SRE must not start on: ranges of image numbers, ends included."""
    if path is None:
        return {}
    flags = np.zeros(rows, dtype=bool)
    for begin, end in read_table(path, (2,)).astype(int).tolist():
        flags[max(begin - first, 0) : max(end - first + 1, 0)] = True
    return {"init_omit": flags}


def _images(folder: Path, name: str, rows: int) -> list[Path]:
    """Return the images that the ground truth covers, one a row."""
    found = paths = images_in(folder)
    if len(paths) != rows and key(name) in RANGES:
        first, last = RANGES[key(name)]
        paths = [path for path in found if first <= (number_of(path) or 0) <= last]
    if (name, rows, len(paths)) == ("Tiger1", 349, 354):
        paths = paths[TIGER1_SKIPPED:]
    if len(paths) != rows:
        raise ClipFailed(f"{rows} ground-truth rows for {len(paths)} images")
    return paths


def _skipped(rows: int, wanted: int) -> int:
    """How many of Tiger1's first rows are left out."""
    if rows < wanted:
        raise ClipFailed(f"{rows} ground-truth rows, {wanted} are wanted: say tiger1={rows}")
    return TIGER1_SKIPPED if rows - TIGER1_SKIPPED == wanted else 0


def _expected(name: str) -> str:
    part = f".{name[-1]}" if name[-2:-1] == "-" else ""
    return f"groundtruth_rect{part}.txt"
