"""The objects of a clip from rows of any source, checked: whatever is wrong is named by frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vbench.core.boxes import Boxes, Ints
from vbench.core.clip import Objects
from vbench.core.errors import ClipFailed

# Annotations reach over the border by a pixel or two; farther out than this a box is a mistake.
MAX_PX = 1e6


@dataclass
class Rows:
    """Objects as they come: frame index, class name or index, box x y w h, track (-1), ignore."""

    frame: list[int] = field(default_factory=list)
    label: list[str | int] = field(default_factory=list)
    box: list[tuple[float, ...]] = field(default_factory=list)
    track: list[int] = field(default_factory=list)
    ignore: list[bool] = field(default_factory=list)

    def add(
        self,
        frame: int,
        label: str | int,
        box: tuple[float, ...],
        track: int = -1,
        ignore: bool = False,
    ) -> None:
        """Append one object."""
        self.frame.append(frame)
        self.label.append(label)
        self.box.append(box)
        self.track.append(track)
        self.ignore.append(ignore)


def class_numbers(classes: Sequence[str], others: Sequence[str] = ()) -> dict[str, int]:
    """Index of each class by its name, in any case, and by its name in `others`."""
    named = {name.lower(): index for index, name in enumerate(classes)}
    return named | {name.lower(): index for index, name in enumerate(others)}


def objects_from(
    rows: Rows, frames: int, classes: Mapping[str, int], size: tuple[int, int] | None = None
) -> Objects:
    """Build the objects of a clip of so many frames, of frames of `size` (w, h) px if known.

    Raises:
        ClipFailed: a frame beyond the clip, an unknown class, a box that is no number, without
            size or outside the frame, a track twice in a frame.
    """
    frame = np.array(rows.frame, np.int64)
    boxes = np.array(rows.box, np.float64).reshape(-1, 4)
    if len(frame) and not (frame.min() >= 0 and frame.max() < frames):
        odd = frame[(frame < 0) | (frame >= frames)][0]
        raise ClipFailed(f"an object stands in frame {odd}, the clip has {frames} frames")
    _check_boxes(frame, boxes, size)
    labels = np.array([_label(name, classes) for name in rows.label], np.int64)
    order = np.argsort(frame, kind="stable")
    found = Objects(
        frame[order],
        boxes[order],
        labels[order],
        np.array(rows.track, np.int64)[order],
        np.array(rows.ignore, bool)[order],
    )
    _check_tracks(found)
    return found


def corners_to_box(corners: Sequence[float]) -> tuple[float, ...]:
    """Turn x1 y1 x2 y2 into x y w h, as toolkits for ImageNet VID do: w = x2 - x1."""
    left, top, right, bottom = corners
    return left, top, right - left, bottom - top


def _label(name: str | int, classes: Mapping[str, int]) -> int:
    if isinstance(name, int):
        return name
    if name.lower() not in classes:
        raise ClipFailed(f"unknown class '{name}'")
    return classes[name.lower()]


def _check_boxes(frame: Ints, boxes: Boxes, size: tuple[int, int] | None) -> None:
    with np.errstate(invalid="ignore"):
        wild = ~(np.abs(boxes) < MAX_PX).all(axis=1)
        flat = ~(boxes[:, 2:] > 0).all(axis=1)
        gone = (boxes[:, :2] + boxes[:, 2:] <= 0).any(axis=1)
        if size is not None:
            gone |= (boxes[:, :2] >= np.array(size)).any(axis=1)
    where = "frame" if size is None else f"{size[0]} x {size[1]} frame"
    reasons = (
        (wild, "is no box"),
        (flat, "has no size"),
        (gone, f"lies outside the {where}"),
    )
    for bad, why in reasons:
        if bad.any():
            first = int(bad.argmax())
            numbers = " ".join(f"{value:g}" for value in boxes[first])
            raise ClipFailed(f"frame {frame[first]}: the box {numbers} {why}")


def _check_tracks(objects: Objects) -> None:
    known = objects.tracks >= 0
    both = np.stack([objects.frame[known], objects.tracks[known]], axis=1)
    unique, counts = np.unique(both, axis=0, return_counts=True)
    if (counts > 1).any():
        frame, track = unique[counts.argmax()]
        raise ClipFailed(f"frame {frame} has track {track} twice")
