"""Objects and detections of many clips laid end to end, frame after frame, for scoring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Boxes, Floats, Ints, absent
from vbench.core.clip import Objects
from vbench.core.errors import ClipFailed
from vbench.core.trace import Trace

Sizes = Sequence[tuple[int, int] | None]
# Pairs compared at once: bounds the memory of a comparison, about 100 bytes each.
MOST_PAIRS = 1 << 20


@dataclass(frozen=True)
class VidTruths:
    """The objects of clips with `frames` frames in all, m objects.

    frame (m,) counts through all clips; corners (4, m) x1 y1 x2 y2; labels, tracks, clip (m,) int;
    ignore (m,) bool; motion (m,) motion IoU, NaN where unknown; limits (2, m) last x and y inside
    the frame, inf where its size is unknown. lengths (clips,) are the frames of each clip.
    """

    frame: Ints
    corners: Floats
    labels: Ints
    tracks: Ints
    clip: Ints
    ignore: Bools
    motion: Floats
    limits: Floats
    lengths: Ints

    @classmethod
    def of(
        cls,
        objects: Sequence[Objects],
        lengths: Sequence[int],
        motion: Sequence[Floats] | None = None,
        sizes: Sizes | None = None,
    ) -> VidTruths:
        """Lay the objects of clips of so many frames end to end."""
        counts = np.array([len(o.frame) for o in objects], np.int64)
        starts = np.cumsum(lengths, dtype=np.int64) - np.asarray(lengths, np.int64)
        frame = _joined([o.frame for o in objects], np.int64)
        frame += np.repeat(starts, counts)
        edges = [np.inf if s is None else s for s in sizes or [None] * len(objects)]
        return cls(
            frame,
            _corners([o.boxes for o in objects]),
            _joined([o.labels for o in objects], np.int64),
            _joined([o.tracks for o in objects], np.int64),
            np.repeat(np.arange(len(objects)), counts),
            _joined([o.ignore for o in objects], np.bool_),
            np.full(len(frame), np.nan) if motion is None else _joined(motion, np.float64),
            np.repeat(np.array([np.broadcast_to(e, 2) for e in edges]).reshape(-1, 2), counts, 0).T
            - 1,
            np.asarray(lengths, np.int64),
        )

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class VidAnswers:
    """The detections of clips laid end to end, k in all: frame, labels (k,), corners (4, k)."""

    frame: Ints
    corners: Floats
    labels: Ints
    scores: Floats

    @classmethod
    def of(cls, traces: Sequence[Trace]) -> VidAnswers:
        """Lay the answers of traces end to end.

        Raises:
            ClipFailed: a score or box that is no finite number, a negative class.
        """
        per_frame = _joined([trace.objects for trace in traces], np.int64)
        found = cls(
            np.repeat(np.arange(len(per_frame)), per_frame),
            _corners([trace.boxes for trace in traces]),
            _joined([trace.labels for trace in traces], np.int64),
            _joined([trace.scores for trace in traces], np.float64),
        )
        why = refused(found.corners, found.scores, found.labels)
        if why:
            raise ClipFailed(why)
        return found

    def __len__(self) -> int:
        return len(self.frame)


def refused(
    corners: Floats, scores: Floats, labels: Ints, classes: Sequence[str] | None = None
) -> str:
    """Why detections cannot be scored; empty if they can."""
    if not np.isfinite(scores).all():
        return f"{np.count_nonzero(~np.isfinite(scores))} detections have a score that is no number"
    if not np.isfinite(corners).all():
        return "a detected box is not a finite number"
    if (labels < 0).any():
        return "a detection has a negative class"
    if classes and (labels >= len(classes)).any():
        n = len(classes)
        return (
            f"a detection has class {labels.max()}, the suite has {n} (from 0); networks of any "
            f"number of classes take [classes={n}]"
        )
    return ""


def overlap(a: Floats, b: Floats, grown_px: float, over_first: Bools | None = None) -> Floats:
    """IoU of each box of `a` (4, n) with its box of `b`, both grown by so many px, shape (n,).

    Where `over_first` holds, the intersection is divided by the area of `a` alone.
    """
    width = np.minimum(a[2], b[2])
    width -= np.maximum(a[0], b[0])
    width += grown_px
    height = np.minimum(a[3], b[3])
    height -= np.maximum(a[1], b[1])
    height += grown_px
    both: Floats = np.maximum(width, 0.0, out=width)
    both *= np.maximum(height, 0.0, out=height)
    area = (a[2] - a[0] + grown_px) * (a[3] - a[1] + grown_px)
    either = area + (b[2] - b[0] + grown_px) * (b[3] - b[1] + grown_px) - both
    if over_first is not None:
        either = np.where(over_first, area, either)
    with np.errstate(invalid="ignore", divide="ignore"):
        both /= either
    both[~(both > 0)] = 0.0
    return both


def pairs(keys: Ints, others: Ints, most: int = MOST_PAIRS) -> Iterator[tuple[Ints, Ints]]:
    """Yield indices (i, j) with keys[i] == others[j], ordered by i then j, about `most` at once."""
    order = np.argsort(others, kind="stable")
    ordered = others[order]
    first = np.searchsorted(ordered, keys, side="left")
    # Only what is found at all is looked up a second time.
    safe = np.minimum(first, max(len(ordered) - 1, 0))
    known = np.flatnonzero(ordered[safe] == keys) if len(ordered) else np.zeros(0, np.int64)
    first = first[known]
    counts = np.searchsorted(ordered, keys[known], side="right") - first
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(known):
        done = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, done + most, side="right")), begin + 1)
        chunk = slice(begin, end)
        offset = np.arange(ends[end - 1] - done) - np.repeat(
            ends[chunk] - counts[chunk] - done, counts[chunk]
        )
        j = order[np.repeat(first[chunk], counts[chunk]) + offset]
        yield np.repeat(known[chunk], counts[chunk]), j
        begin = end


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    arrays: list[NDArray[Any]] = [np.asarray(part, dtype) for part in parts]
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)


def _corners(parts: Sequence[Boxes]) -> Floats:
    boxes = np.concatenate(parts) if len(parts) else absent(0)
    columns = np.ascontiguousarray(boxes.T, dtype=np.float64)
    columns = columns.copy() if columns.base is not None else columns
    columns[2:] += columns[:2]
    return columns
