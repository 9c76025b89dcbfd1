"""Raw results in other toolkits' formats, and how far each format moves the boxes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vbench.core.boxes import Boxes, Floats, is_present
from vbench.core.errors import NotReady, UnknownName
from vbench.store.files import write_atomically
from vbench.store.raw_text import BadTable, parse_table

# Where the path of a result has the number of a try.
TRY = "%t"
_UNSAFE = re.compile(r"[^A-Za-z0-9.,+@=_\[\]-]")


@dataclass(frozen=True)
class Format:
    """How a toolkit writes results: `box`, `time`, `sure` are paths, `%m` a method, `%c` a clip.

    `%t` is the number of a try, where several of one method on a clip may be written.

    `number` is a printf format ("" writes every digit), `origin_px` where its pixels count from
    (None: where those of the suite's own files do). `gap` is what stands where there is no box:
    NaN, zeros, or no row. `sure` are confidences, "" where the format has no place for them.
    """

    summary: str
    box: str
    time: str = ""
    delimiter: str = ","
    number: str = ""
    origin_px: float | None = None
    gap: str = "NaN"
    sure: str = "%m/%c_confidence.value"


FORMATS = {
    "otb": Format("OTB: x,y,w,h", "%m/%c.txt"),
    "otb-mat": Format("the MATLAB toolkit of OTB", "%m/%c_%m.mat"),
    "otb-json": Format("the python toolkit of OTB", "%m/%c.json"),
    "got10k": Format("got10k on OTB-like suites", "%m/%c.txt", "%m/times/%c_time.txt", ",", "%.3f"),
    "got10k-submission": Format(
        "GOT-10k: a folder a sequence, to be zipped",
        f"%m/%c/%c_{TRY}.txt",
        "%m/%c/%c_time.txt",
        ",",
        "%.3f",
        sure="",
    ),
    "pysot": Format("pysot and pysot-toolkit: x,y,w,h from 0", "%m/%c.txt", origin_px=0.0),
    "pytracking": Format(
        "pytracking: whole pixels, tabs",
        "%m/%c.txt",
        "%m/%c_time.txt",
        "\t",
        "%d",
        gap="zeros",
        sure="%m/%c_object_presence_scores.txt",
    ),
    "uav": Format("UAV123: uav_NAME.txt, tabs", "%m/uav_%c.txt", delimiter="\t"),
    "lasot": Format(
        "LaSOT: TRACKER_tracking_result",
        "%m_tracking_result/%c.txt",
        sure="%m_tracking_result/%c_confidence.value",
    ),
    "mot": Format("MOT: frame,id,x,y,w,h,1,-1,-1,-1", "%m/%c.txt", gap="no row", sure=""),
}

# The VOT toolkits' format holds codes as well as boxes; `raw_vot` writes it.
VOT = "vot"

# Digits behind the point that files have at most, where more say nothing else.
DECIMALS = 9

# Moves up to this are those of adding and taking off 1 px.
NO_MOVE_PX = 1e-9


@dataclass
class Written:
    """What an export wrote: files, how far boxes moved at most, and boxes that could not be told.

    `gaps` are frames without a box that the format writes as something else than NaN, `unsaid`
    clips whose confidences, `untold` tries after the first that it has no place for. `problems`
    maps clips without a result to the reason; `replay` is the method that reads detections again.
    """

    files: int = 0
    moved_px: float = 0.0
    gaps: int = 0
    unsaid: int = 0
    untold: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    replay: str = ""

    def lines(self, form: str) -> list[str]:
        """Say what was lost, one line each."""
        said = []
        if self.moved_px > NO_MOVE_PX:
            said.append(f"{form} rounds: boxes moved by at most {self.moved_px:.3g} px")
        if self.gaps:
            said.append(f"{self.gaps} frames without a box are written as {FORMATS[form].gap}")
        if self.untold:
            said.append(f"{form} has no place for {self.untold} repetitions after the first: lost")
        if self.unsaid:
            said.append(
                f"{form} has no place for confidences: those of {self.unsaid} clips are lost"
            )
        if self.replay:
            said.append(f"{self.replay} replays them")
        return said


def format_of(name: str) -> Format:
    """Return a format by its name. Raises UnknownName."""
    if name not in FORMATS:
        raise UnknownName("format", name, [*FORMATS, VOT])
    return FORMATS[name]


def write_results(
    form: str,
    out: Path,
    method: str,
    boxes: Mapping[str, Boxes],
    seconds: Mapping[str, Floats] | None = None,
    origin_px: float = 1.0,
    begins: Mapping[str, int] | None = None,
    scores: Mapping[str, Floats] | None = None,
    number: int = 1,
) -> Written:
    """Write one method's boxes (n, 4) of each clip, and what is known of seconds and `scores` (n,).

    `origin_px` is where pixels count from in the suite's own files. Clips named in `begins` have
    rows from that frame on: those before it are not written. `number` is that of the try.

    Raises:
        UnknownName: there is no such format.
        VBenchError: `out` cannot be written.
    """
    chosen, written = format_of(form), Written()
    origin = origin_px if chosen.origin_px is None else chosen.origin_px
    shift = np.array([origin, origin, 0.0, 0.0])
    for clip, whole in boxes.items():
        first = (begins or {}).get(clip, 0)
        own = whole[first:]
        pixels = shifted(own, shift)
        content = WRITERS.get(form, _as_text)(pixels, chosen, first)
        write_atomically(out / _path(chosen.box, method, clip, number), content)
        written.files += 1
        present = is_present(own)
        written.gaps += 0 if chosen.gap == "NaN" else int((~present).sum())
        if chosen.number:
            written.moved_px = max(written.moved_px, _moved(pixels[present], chosen))
        times = (seconds or {}).get(clip)
        if chosen.time and times is not None and np.isfinite(times[first:]).all():
            times = times[first:]
            text = "".join(f"{value:.8f}\n" for value in times)
            write_atomically(out / _path(chosen.time, method, clip), text.encode())
            written.files += 1
        sure = (scores or {}).get(clip)
        if sure is None or not says_anything(sure[first:]):
            continue
        written.unsaid += not chosen.sure
        if chosen.sure:
            write_confidences(out / _path(chosen.sure, method, clip), sure[first:])
            written.files += 1
    return written


def says_anything(scores: Floats) -> bool:
    """Tell whether a tracker says how sure it is (n,) after the frame that it was given."""
    return not np.isnan(scores[1:]).all()


def write_confidences(path: Path, scores: Floats) -> None:
    """Write how sure a tracker was of each frame (n,), every digit, NaN where it does not say."""
    write = _written("")
    write_atomically(path, "".join(f"{write(value)}\n" for value in scores.tolist()).encode())


def shifted(own: Floats, shift: Floats) -> Floats:
    """Numbers plus `shift`; of sums that give the same numbers again, the shorter ones."""
    moved = own + shift
    short = np.round(moved, DECIMALS)
    return np.where(short - shift == own, short, moved)


def _path(pattern: str, method: str, clip: str, number: int = 1) -> str:
    named = {"%m": file_name(method), "%c": file_name(clip), TRY: f"{number:03d}"}
    return re.sub(r"%[mct]", lambda found: named[found.group()], pattern)


def file_name(name: str) -> str:
    """A method's or clip's name as a file may have it."""
    return _UNSAFE.sub("-", name)


def _moved(boxes: Boxes, chosen: Format) -> float:
    read = parse_table(_as_text(boxes, chosen, 0)) if len(boxes) else boxes
    return 0.0 if isinstance(read, BadTable) or not len(read) else float(np.abs(read - boxes).max())


def _as_text(boxes: Boxes, chosen: Format, _: int) -> bytes:
    if chosen.gap == "zeros":
        boxes = np.where(is_present(boxes)[:, None], boxes, 0.0)
    lines = (chosen.delimiter.join(map(_written(chosen.number), row)) for row in boxes.tolist())
    return ("\n".join(lines) + "\n").encode()


def _written(number: str) -> Callable[[float], str]:
    def write(value: float) -> str:
        return number % value if value == value else "NaN"

    return write if number else digits


def digits(value: float) -> str:
    """A number with every digit that tells it apart, NaN where there is none."""
    return repr(value).removesuffix(".0") if value == value else "NaN"


def _as_mot(boxes: Boxes, chosen: Format, first: int) -> bytes:
    write = _written(chosen.number)
    rows = (
        ",".join([str(frame), "1", *map(write, row), "1", "-1", "-1", "-1"])
        for frame, row in enumerate(boxes.tolist(), start=first + 1)
        if row[0] == row[0]
    )
    return ("\n".join(rows) + "\n").encode()


def _as_json(boxes: Boxes, _: Format, first: int) -> bytes:
    record = {"type": "rect", "len": len(boxes), "res": boxes.tolist(), "evalType": "OPE"}
    record["startFrame"] = first + 1
    return json.dumps([record]).encode()


def _as_mat(boxes: Boxes, _: Format, first: int) -> bytes:
    import io

    try:
        import scipy.io
    except ModuleNotFoundError:
        raise NotReady("writing .mat files needs scipy: pip install 'vbench[mat]'") from None
    record = {"type": "rect", "res": boxes, "len": len(boxes), "annoBegin": 1}
    record["startFrame"] = first + 1
    results = np.empty((1, 1), dtype=object)
    results[0, 0] = record
    buffer = io.BytesIO()
    save: Any = scipy.io.savemat
    save(buffer, {"results": results}, do_compression=True)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Boxes, Format, int], bytes]] = {
    "mot": _as_mot,
    "otb-json": _as_json,
    "otb-mat": _as_mat,
}
