"""Track ids for annotations that have none, from the order in which they list their objects.

The MATLAB ground truth of ImageNet VID keeps the order of the XML files, where the objects of a
clip stand in one order for all of its frames; only which of them are present changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints, iou_matrix

# How much an object present in the frame before is preferred to one that was away, and any
# continuation to a new track. Both are small against the IoU.
PRESENT, KNOWN = 0.2, 0.05


@dataclass
class _Track:
    number: int
    label: int
    box: Boxes
    last: int


def linked(frame: Ints, labels: Ints, boxes: Boxes) -> Ints:
    """Track ids (m,) of a clip's objects, rows ordered by frame and by the file within it."""
    tracks = np.full(len(frame), -1)
    roster: list[_Track] = []
    edges = np.flatnonzero(np.diff(frame)) + 1
    before: tuple[int, list[int], list[_Track]] | None = None
    born = 0
    for rows in np.split(np.arange(len(frame)), edges):
        if not len(rows):
            continue
        now, own = int(frame[rows[0]]), labels[rows].tolist()
        if before is not None and before[0] == now - 1 and before[1] == own:
            here = before[2]
        else:
            matched = aligned(_gains(boxes[rows], own, roster, now))
            roster, here, born = _taken(roster, matched, own, born)
        for row, track in zip(rows, here, strict=True):
            tracks[row], track.box, track.last = track.number, boxes[row], now
        before = now, own, here
    return tracks


def aligned(gains: Floats) -> list[int]:
    """Column of each row in the best pairing that keeps the order of both, -1 for none.

    Pairs count their gain (rows, columns); what is not above 0 is never paired.
    """
    rows, columns = gains.shape
    best = np.zeros((rows + 1, columns + 1))
    for i in range(rows):
        for j in range(columns):
            skipped = max(best[i, j + 1], best[i + 1, j])
            paired = best[i, j] + gains[i, j] if gains[i, j] > 0 else 0.0
            best[i + 1, j + 1] = max(skipped, paired)
    found, i, j = [-1] * rows, rows, columns
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found[i] = j
    return found


def _gains(boxes: Boxes, labels: Sequence[int], roster: Sequence[_Track], now: int) -> Floats:
    """What it is worth to continue each track (columns) with each object (rows)."""
    if not roster:
        return np.zeros((len(boxes), 0))
    gains = iou_matrix(boxes, np.array([track.box for track in roster])) + KNOWN
    gains += PRESENT * np.array([now - track.last <= 1 for track in roster])
    same = np.array(labels)[:, None] == np.array([track.label for track in roster])
    return np.where(same, gains, 0.0)


def _taken(
    roster: Sequence[_Track], matched: Sequence[int], labels: Sequence[int], born: int
) -> tuple[list[_Track], list[_Track], int]:
    """The roster with new tracks where they stand in the order, and the tracks of the frame."""
    grown: list[_Track] = []
    here: list[_Track] = []
    done = 0
    for column, label in zip(matched, labels, strict=True):
        if column < 0:
            grown.append(_Track(born, label, np.zeros(4), -1))
            born += 1
        else:
            grown += roster[done : column + 1]
            done = column + 1
        here.append(grown[-1])
    return [*grown, *roster[done:]], here, born
