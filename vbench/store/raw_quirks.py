"""What is odd in raw results, found by comparing them with the ground truth, and named.

Only what the format leaves open is settled here (whether pixels count from 0 or 1, on which frame
a result begins). Everything else is named, and mended only where `repair` is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, iou, to_corners
from vbench.store.raw_text import BadTable

# A first row is the given box if no number is further off than this.
CLOSE_PX = 1.01
# The same where it is not known yet whether pixels count from 0 or 1.
SAME_PX = 1.6
# Frames by which a result may begin late or early: Tiger1 without its first five.
MOST_SHIFT = 1000

CORNERS = "the first row is x1 y1 x2 y2"
REPAIRED_CORNERS = "the first row was x1 y1 x2 y2, repaired"


@dataclass(frozen=True)
class PlacedBoxes:
    """Boxes (m, 4) inside, 0-based, of which the first belongs to the clip's frame `first`."""

    boxes: Boxes
    first: int = 0


@dataclass
class PlacedResults:
    """Boxes by clip or the reason why a clip has none, and what is odd by clip."""

    boxes: dict[str, PlacedBoxes | str]
    notes: dict[str, list[str]] = field(default_factory=dict)
    origin_px: float = 0.0

    def note(self, clip: str, what: str) -> None:
        """Keep a note on a clip."""
        self.notes.setdefault(clip, []).append(what)


def place(
    results: Mapping[str, Boxes | BadTable],
    truths: Mapping[str, Boxes],
    usual_origin_px: float = 1.0,
    repair: bool = False,
) -> PlacedResults:
    """Bring raw results to boxes inside: 0-based, each with the frame on which it begins.

    `usual_origin_px` is where the files of this suite count pixels from, for results whose first
    rows do not show it. `repair` reads a first row of corners as such, and repeats the previous box
    where a row is none (NaN, infinite, w or h <= 0).
    """
    placed = PlacedResults({c: b.why for c, b in results.items() if isinstance(b, BadTable)})
    read = {c: b for c, b in results.items() if not isinstance(b, BadTable) and c in truths}
    if not read:
        return placed
    placed.origin_px = origin_of(read, truths, usual_origin_px)
    # Most results are as they should be: that is seen for all clips at once, column by column.
    ends = np.cumsum([len(boxes) for boxes in read.values()]).tolist()
    spans = list(zip(read, [0, *ends[:-1]], ends, strict=True))
    columns = np.empty((4, ends[-1]))
    for clip, first, last in spans:
        columns[:, first:last] = read[clip].T
    columns[:2] -= placed.origin_px
    boxed = bool(np.isfinite(columns.sum())) and float(columns[2:].min()) > 0
    given = np.array([truths[clip][0] for clip in read]).T
    opened = (np.abs(columns[:, [0, *ends[:-1]]] - given) <= CLOSE_PX).all(axis=0).tolist()
    for (clip, first, last), fine in zip(spans, opened, strict=True):
        boxes = columns[:, first:last].T
        if fine and boxed and last - first == len(truths[clip]):
            placed.boxes[clip] = PlacedBoxes(boxes)
        else:
            placed.boxes[clip] = _placed(placed, clip, boxes, truths[clip], repair)
    return placed


def origin_of(
    results: Mapping[str, Boxes], truths: Mapping[str, Boxes], usual_origin_px: float
) -> float:
    """Tell whether pixels count from 0 or 1: by how far first rows lie from the given boxes."""
    first = np.array([boxes[0] for boxes in results.values()]).reshape(-1, 4)
    given = np.array([truths[clip][0] for clip in results]).reshape(-1, 4)
    offset = first - given
    same = (np.abs(offset) <= SAME_PX).all(axis=1)
    if not same.any():
        return usual_origin_px
    # The median; numpy's own imports masked arrays, for longer than all the rest here takes.
    ranked = np.sort(offset[same, :2], axis=None)
    middle = float(ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2
    return float(round(middle)) if abs(middle - round(middle)) <= 0.26 else usual_origin_px


def _placed(
    placed: PlacedResults, clip: str, boxes: Boxes, truth: Boxes, repair: bool
) -> PlacedBoxes | str:
    first = 0
    if len(boxes) != len(truth):
        first, boxes = _begin(placed, clip, boxes, truth)
    given = truth[first]
    if not _close(boxes[0], given) and _are_corners(boxes[0], given):
        placed.note(clip, REPAIRED_CORNERS if repair else CORNERS)
        if repair:
            boxes[0] = given
    return _usable(placed, clip, boxes, first, repair)


def _begin(placed: PlacedResults, clip: str, boxes: Boxes, truth: Boxes) -> tuple[int, Boxes]:
    """Where a result of another length begins, told by its first box; the boxes of the clip."""
    late = len(truth) - len(boxes)
    if _opens(boxes[0], truth[0]) or abs(late) > MOST_SHIFT:
        return 0, boxes
    if late > 0 and _opens(boxes[0], truth[late]):
        placed.note(clip, f"begins with frame {late + 1} and has the {len(boxes)} rows from there")
        return late, boxes
    if late < 0 and _overlap(boxes[-late:], truth) > _overlap(boxes[:late], truth):
        placed.note(clip, f"begins {-late} frames before the clip; those rows are left out")
        return 0, boxes[-late:]
    return 0, boxes


def _usable(
    placed: PlacedResults, clip: str, boxes: Boxes, first: int, repair: bool
) -> PlacedBoxes | str:
    """Name rows that are no box; refuse those that no tracker means."""
    size = boxes[:, 2:].min(axis=1)
    finite = np.isfinite(boxes[:, 0] + boxes[:, 1] + boxes[:, 2] + boxes[:, 3])
    if finite.all() and size.min() > 0:
        return PlacedBoxes(boxes, first)
    counts = {
        "NaN": np.isnan(boxes).any(axis=1),
        "infinite numbers": np.isinf(boxes).any(axis=1),
        "a negative size": finite & (size < 0),
        "w or h = 0": finite & (size == 0),
    }
    found = [
        f"{np.count_nonzero(rows)} rows with {what}" for what, rows in counts.items() if rows.any()
    ]
    if repair:
        placed.note(clip, f"{', '.join(found)}: the previous box was repeated")
        return PlacedBoxes(_previous(boxes, ~finite | (size <= 0)), first)
    if counts["infinite numbers"].any() or counts["a negative size"].any():
        return f"{', '.join(found)} (--repair repeats the previous box there)"
    placed.note(clip, ", ".join(found))
    return PlacedBoxes(boxes, first)


def _previous(boxes: Boxes, bad: Bools) -> Boxes:
    bad[0] = False
    source = np.maximum.accumulate(np.where(bad, 0, np.arange(len(boxes))))
    return boxes[source]


def _close(row: Floats, given: Floats) -> bool:
    return bool((np.abs(row - given) <= CLOSE_PX).all())


def _are_corners(row: Floats, given: Floats) -> bool:
    """Tell whether a row is the given box as corners, 0-based or 1-based, right end in or out."""
    offset = row - to_corners(given)
    return bool((np.abs(offset) <= CLOSE_PX + 1).all())


def _opens(row: Floats, given: Floats) -> bool:
    return _close(row, given) or _are_corners(row, given)


def _overlap(boxes: Boxes, truth: Boxes) -> float:
    n = min(len(boxes), len(truth))
    return float(iou(boxes[:n], truth[:n]).mean())
