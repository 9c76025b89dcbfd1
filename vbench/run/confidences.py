"""What trackers say beside their boxes: how sure they are, and what long-term scores that gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vbench.core.boxes import Floats
from vbench.metrics.longterm import long_term
from vbench.metrics.suite_score import Placed, Remark, Result, Scores
from vbench.store.raw_layout import RawFile, RawTracker, read_bytes
from vbench.store.raw_results import read_seconds
from vbench.store.raw_text import BadTable


def column_of(file: RawFile | None, rows: int) -> Floats:
    """A number of each row (rows,) from a file beside the boxes; NaN without a whole one.

    The VOT toolkits leave the first line empty, where the tracker was given the box (pysot
    tools/test.py, `_001_confidence.value`).
    """
    found = read_seconds(file) if file is not None else None
    if file is not None and isinstance(found, np.ndarray) and len(found) == rows - 1:
        found = np.append(np.nan, found) if starts_empty(file) else found
    if found is None or isinstance(found, BadTable) or len(found) != rows:
        return np.full(rows, np.nan)
    return found


def starts_empty(file: RawFile) -> bool:
    """Tell whether the first line of a file is empty."""
    return not read_bytes(file).partition(b"\n")[0].strip()


def with_long_term(scores: Scores, results: Mapping[str, Result], tracker: RawTracker) -> Scores:
    """Add the long-term measures, if confidences of every clip that was scored are here."""
    if not scores.clips:
        return scores
    truths, boxes, confidences = [], [], []
    for clip in scores.clips:
        found = results[clip.name]
        placed = found if isinstance(found, Placed) else Placed(np.asarray(found))
        rows = min(len(placed.boxes), len(clip.truth) - placed.first)
        truths.append(clip.truth[placed.first :][:rows])
        boxes.append(placed.boxes[:rows])
        confidence = column_of(tracker.confidences.get(clip.name), len(placed.boxes))
        confidences.append(confidence[:rows])
    without = [clip.name for clip, c in zip(scores.clips, confidences, strict=True)
               if np.isnan(c).all()]  # fmt: skip
    if without:
        note = Remark(
            "", f"no whole file of confidences for {len(without)} clips, {without[0]} ..."
        )
        return replace(scores, notes=(*scores.notes, note))
    return replace(scores, extra=long_term(truths, boxes, confidences).best)
