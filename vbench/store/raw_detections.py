"""Detections of many objects in other toolkits' formats, which `stored:` reads again.

VID: `frame class score xmin ymin xmax ymax`, frame from 0, class from 1 (RalphMao/PatchNet
data/VID); xmax is xmin + width. MOT: `frame,-1,left,top,width,height,score,class,-1,-1`, frame,
corner and class from 1, -1 for the class where there is one alone (dendorferpatrick/
MOTChallengeEvalKit MOT/README.md). COCO: the list of results that pycocotools' `loadRes` takes, and
a COCO-VID file of the clips (open-mmlab/mmtracking tools/convert_datasets/ilsvrc/imagenet2coco_vid
.py) that numbers images and classes from 1 and holds the true objects.

Every number is written with all its digits, so that only what adding and taking off a corner does
to the last of them is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.errors import BadMethod, UnknownName, VBenchError
from vbench.core.method import parse_method
from vbench.core.trace import Trace
from vbench.store.files import write_atomically
from vbench.store.raw_export import Written, digits, file_name, shifted
from vbench.store.traces import StoredTruth

RESULTS, TRUTH = "results.json", "truth.json"
MOT_ORIGIN = np.array([1.0, 1.0, 0.0, 0.0])
# Larger JSON files are not replayed.
REPLAYED_BYTES = 1 << 30
# What may stand in the path of a method string.
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def write_detections(
    form: str,
    out: Path,
    method: str,
    traces: Mapping[str, Trace],
    truths: Mapping[str, StoredTruth],
    classes: Sequence[str],
) -> Written:
    """Write one method's detections of each clip; a clip or frame without any stays one.

    `truths` of the same clips and the names of the suite's `classes` go into COCO's own file.

    Raises:
        UnknownName: there is no such format.
        VBenchError: `out` cannot be written, or two clips would have one file.
    """
    if form not in DETECTIONS:
        raise UnknownName("format of detections", form, DETECTIONS)
    folder = out / folder_name(method)
    if form == COCO:
        written = _write_coco(folder, traces, truths, classes)
    else:
        named = {clip: f"{file_name(clip)}.txt" for clip in traces}
        names = distinct(named, "clips", "--format coco keeps their names")
        written = Written()
        for clip, trace in traces.items():
            text, moved_px = TEXTS[form](trace, len(classes))
            write_atomically(folder / names[clip], text.encode())
            written.files += 1
            written.moved_px = max(written.moved_px, moved_px)
    written.replay = _replay(form, folder) if written.files else ""
    return written


def folder_name(method: str) -> str:
    """A method's name as a folder that `stored:PATH` may name."""
    return _UNSAFE.sub("-", method)


def distinct(names: Mapping[str, str], what: str, instead: str) -> Mapping[str, str]:
    """Return files by what they are of. Raises VBenchError where two would be the same."""
    taken: dict[str, str] = {}
    for own, name in names.items():
        if taken.setdefault(name, own) != own:
            raise VBenchError(
                f"{what} '{taken[name]}' and '{own}' would both be written as {name}; {instead}"
            )
    return names


def _replay(form: str, folder: Path) -> str:
    """The method string that reads the files; empty where their path or size forbids it."""
    text = f"stored:{folder}"
    if form == COCO:
        if (folder / RESULTS).stat().st_size > REPLAYED_BYTES:
            return ""
        text = f"stored:{folder / RESULTS}[images={folder / TRUTH}]"
    try:
        return text if str(parse_method(text)) == text else ""
    except BadMethod:
        return ""


def _frames(trace: Trace) -> list[int]:
    """Frame (m,) of each detection, from 0."""
    return np.repeat(np.arange(len(trace)), trace.objects).tolist()


def _moved(sums: Any, shift: Any, own: Any) -> float:
    return float(np.abs(sums - shift - own).max(initial=0.0))


def _as_vid(trace: Trace, _: int) -> tuple[str, float]:
    starts, sizes = trace.boxes[:, :2], trace.boxes[:, 2:]
    ends = shifted(sizes, starts)
    columns = (_frames(trace), (trace.labels + 1).tolist(), trace.scores.tolist())
    corners = np.concatenate([starts, ends], axis=1).tolist()
    lines = (
        f"{frame} {number} {_joined(' ', [score, *corner])}"
        for frame, number, score, corner in zip(*columns, corners, strict=True)
    )
    return _text(lines), _moved(ends, starts, sizes)


def _as_mot(trace: Trace, classes: int) -> tuple[str, float]:
    boxes = shifted(trace.boxes, MOT_ORIGIN)
    alone = classes <= 1 and not trace.labels.any()
    numbers = [-1] * len(boxes) if alone else (trace.labels + 1).tolist()
    rows = np.concatenate([boxes, trace.scores[:, None]], axis=1).tolist()
    lines = (
        f"{frame + 1},-1,{_joined(',', row)},{number},-1,-1"
        for frame, number, row in zip(_frames(trace), numbers, rows, strict=True)
    )
    return _text(lines), _moved(boxes, MOT_ORIGIN, trace.boxes)


def _joined(delimiter: str, values: Iterable[float]) -> str:
    return delimiter.join(map(digits, values))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _write_coco(
    folder: Path,
    traces: Mapping[str, Trace],
    truths: Mapping[str, StoredTruth],
    classes: Sequence[str],
) -> Written:
    """Write the list of results and, beside it, the images, classes and true objects."""
    if not traces:
        return Written()
    listed: dict[str, list[Any]] = {"videos": [], "images": [], "annotations": []}
    # Text, as a dict a detection would take six times its memory.
    results: list[str] = []
    most = len(classes)
    for clip, trace in traces.items():
        first = len(listed["images"]) + 1
        _list_clip(listed, truths[clip], first)
        results.append(_json(_results(trace, first))[1:-1])
        most = max(most, int(trace.labels.max(initial=-1)) + 1)
    named = [*classes, *map(str, range(len(classes) + 1, most + 1))]
    categories = [{"id": number, "name": name} for number, name in enumerate(named, start=1)]
    write_atomically(folder / RESULTS, f"[{','.join(filter(None, results))}]\n".encode())
    write_atomically(folder / TRUTH, f"{_json({**listed, 'categories': categories})}\n".encode())
    return Written(files=2)


def _json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def _results(trace: Trace, first: int) -> list[dict[str, Any]]:
    columns = (_frames(trace), trace.labels.tolist(), trace.boxes.tolist(), trace.scores.tolist())
    return [
        {"image_id": first + frame, "category_id": label + 1, "bbox": box, "score": score}
        for frame, label, box, score in zip(*columns, strict=True)
    ]


def _list_clip(listed: dict[str, list[Any]], truth: StoredTruth, first: int) -> None:
    """Add a clip to a COCO-VID file; its images are numbered from `first`."""
    video = len(listed["videos"]) + 1
    size = {} if truth.size is None else dict(zip(("width", "height"), truth.size, strict=True))
    listed["videos"].append({"id": video, "name": truth.name})
    folder = file_name(truth.name)
    listed["images"] += [
        {
            "id": first + frame,
            "video_id": video,
            "frame_id": frame,
            "file_name": f"{folder}/{frame:06d}.jpg",
            **size,
        }
        for frame in range(truth.frames)
    ]
    listed["annotations"] += _annotations(truth, first, len(listed["annotations"]) + 1)


def _annotations(truth: StoredTruth, first: int, number: int) -> list[dict[str, Any]]:
    """The true objects of a clip, numbered from `number`; ignored ones are crowds."""
    if truth.objects is None:
        return []
    own = truth.objects
    columns = (own.frame.tolist(), own.labels.tolist(), own.boxes.tolist())
    about = (own.tracks.tolist(), own.ignore.tolist())
    return [
        {
            "id": number + index,
            "image_id": first + frame,
            "category_id": label + 1,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": int(ignore),
            **({"instance_id": track} if track >= 0 else {}),
        }
        for index, (frame, label, box, track, ignore) in enumerate(
            zip(*columns, *about, strict=True)
        )
    ]


COCO = "coco"
# Text of a clip, and how far its boxes moved, from a trace and the number of classes.
TEXTS: dict[str, Callable[[Trace, int], tuple[str, float]]] = {"vid": _as_vid, "mot": _as_mot}
DETECTIONS = (*TEXTS, COCO)
