"""Raw results of a tracker: all its files read, in the coordinates they were written in."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vbench.core.boxes import Boxes, Floats, absent, around_polygons
from vbench.store.raw_json import read_json, read_json_of_all
from vbench.store.raw_layout import ClipNames, RawFile, RawTracker, read_bytes
from vbench.store.raw_mat import read_mat
from vbench.store.raw_text import BadTable, Table, parse_table, parse_tables

# Columns of MOT files: frame, id, x, y, w, h, confidence, then up to three more.
MOT_COLUMNS = (7, 8, 9, 10)
POLYGON_COLUMNS = 8
# First line of a VOT result: the code of a start.
VOT_START = (b"1", b"1.0", b"1.0000")
MOST_FRAMES = 1_000_000
STARTED = "a VOT result without restarts: its first row is the given box"


@dataclass
class RawResults:
    """Boxes by clip, or the reason why a clip has none; `notes` on how files were read.

    `started` are clips whose first row is not a box but says that the given box was taken.
    """

    name: str
    boxes: dict[str, Boxes | BadTable]
    unknown: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)


def read_tracker(tracker: RawTracker, clips: ClipNames) -> RawResults:
    """Read every file of a tracker; nothing that is wrong with one is an error for the others."""
    unknown = [file.shown for file in tracker.unknown]
    results = RawResults(tracker.name, {}, unknown, remarks=list(dict.fromkeys(tracker.notes)))
    if tracker.whole is not None:
        _read_whole(tracker.whole, clips, results)
    texts: dict[str, bytes] = {}
    for clip, file in tracker.files.items():
        try:
            content = read_bytes(file)
        except ValueError as error:
            results.boxes[clip] = BadTable(f"{file.name} {error}")
            continue
        if file.suffix == ".mat":
            results.boxes[clip] = read_mat(content)
        elif file.suffix == ".json":
            results.boxes[clip] = read_json(content)
        else:
            texts[clip] = content
    tables = parse_tables(list(texts.values()))
    for (clip, text), table in zip(texts.items(), tables, strict=True):
        if isinstance(table, BadTable):
            table, note = _other_columns(text, table)
            if note:
                results.notes[clip] = note
            if note == STARTED:
                results.started.append(clip)
        results.boxes[clip] = table
    return results


def read_seconds(file: RawFile) -> Floats | BadTable:
    """Read one number of each frame (n,): from a file of times in seconds, or of confidences."""
    try:
        table = parse_table(read_bytes(file), columns=1)
    except ValueError as error:
        return BadTable(f"{file.name} {error}")
    return table if isinstance(table, BadTable) else table[:, 0]


def _read_whole(file: RawFile, clips: ClipNames, results: RawResults) -> None:
    try:
        read = read_json_of_all(read_bytes(file))
    except ValueError as error:
        read = BadTable(str(error))
    if isinstance(read, BadTable):
        results.remarks.append(f"{file.shown}: {read.why}")
        return
    for name, boxes in read.items():
        clip = clips.find(name)
        if clip is None:
            results.unknown.append(name)
        else:
            results.boxes[clip] = boxes


def _other_columns(text: bytes, table: BadTable) -> tuple[Table, str]:
    """Try what else a result file can be: polygons, or rows of MOT."""
    first, _, rest = text.partition(b"\n")
    if first.strip() in VOT_START:
        regions = parse_table(rest)
        if isinstance(regions, BadTable):
            return BadTable(
                "a VOT result with codes; a profile vot-... of a VOT suite scores it"
            ), ""
        return np.concatenate([absent(1), regions]), STARTED
    columns = len(text.lstrip().partition(b"\n")[0].replace(b",", b" ").split())
    if columns == POLYGON_COLUMNS:
        polygons = parse_table(text, columns)
        if not isinstance(polygons, BadTable) and not _counts_frames(polygons):
            return around_polygons(polygons), "polygons, read as the boxes around them"
    if columns in MOT_COLUMNS:
        rows = parse_table(text, columns)
        if not isinstance(rows, BadTable) and _counts_frames(rows):
            return _from_mot(rows)
    return table, ""


def _counts_frames(rows: Floats) -> bool:
    """Tell whether the first column counts frames from 1 on, in order."""
    frames = rows[:, 0]
    whole = bool((frames == np.round(frames)).all())
    return (
        whole
        and frames[0] >= 1
        and frames[-1] <= MOST_FRAMES
        and bool((np.diff(frames) >= 0).all())
    )


def _from_mot(rows: Floats) -> tuple[Table, str]:
    """Boxes of the only target of a MOT file, NaN in frames that it leaves out."""
    if len(np.unique(rows[:, 1])) > 1 or not (np.diff(rows[:, 0]) > 0).all():
        return BadTable("a MOT file with more than one target"), ""
    frames = rows[:, 0].astype(np.int64) - 1
    boxes = absent(int(frames[-1]) + 1)
    boxes[frames] = rows[:, 2:6]
    return boxes, "rows of MOT: frame, id, x, y, w, h"
