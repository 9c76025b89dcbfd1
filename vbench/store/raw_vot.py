"""Result files of the VOT toolkits: a lone 1 starts, 2 fails, 0 is skipped, all else are regions.

Layout: `<tracker>/<experiment>/<clip>/<clip>_001.txt` to `_015.txt`, one line a frame, and
`<clip>_time.txt` with seconds, one column a repetition (votchallenge/toolkit-legacy
tracker/tracker_evaluate.m, sequence/read_trajectory.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Floats
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.vot_run import Code, VotRun
from vbench.store.files import write_atomically
from vbench.store.raw_text import MOST_BYTES, BadTable, parse_tables

REPETITIONS = 15
CODES = {
    text % code: code
    for code in (Code.SKIPPED, Code.START, Code.FAILURE)
    for text in (b"%d", b"%d.0", b"%d.0000")
}
# Beyond this a number is no pixel; a region that large would also not fit into memory as pixels.
FAR_PX = 1e6


@dataclass(frozen=True)
class VotRuns:
    """Repetitions of each clip that could be read, and why the other clips could not."""

    runs: Mapping[str, Sequence[VotRun]]
    problems: Mapping[str, str]


def result_files(folder: Path, clip: str) -> list[Path]:
    """Files of a clip's repetitions, first to last, in `folder`/clip or in `folder` itself."""
    found = [f"{clip}_{number:03d}.txt" for number in range(1, REPETITIONS + 1)]
    for place in (folder / clip, folder):
        files = [place / name for name in found if (place / name).is_file()]
        if files:
            return files
    return []


def read_vot(folder: Path, lengths: Mapping[str, int]) -> VotRuns:
    """Read every repetition of the clips named in `lengths`, which gives their frames.

    A clip's problem names the first file that is wrong and why; clips without any file are
    "no result file". `folder` is an experiment's (`baseline`) or a tracker's that has one.

    Raises:
        NotReady: the folder has no result of any clip.
    """
    place = _experiment(folder)
    files = {clip: result_files(place, clip) for clip in lengths}
    if not any(files.values()):
        raise NotReady(
            f"{folder}: no VOT result of any clip; expected CLIP/CLIP_001.txt under it, "
            f"for example {next(iter(lengths), 'ants1')}_001.txt"
        )
    texts = {path: _text(path) for paths in files.values() for path in paths}
    parsed = _parse({path: t for path, t in texts.items() if isinstance(t, bytes)})
    runs: dict[str, list[VotRun]] = {}
    problems: dict[str, str] = {}
    for clip, paths in files.items():
        try:
            if not paths:
                raise ClipFailed("no result file")
            runs[clip] = [_checked(path, texts[path], parsed, lengths[clip]) for path in paths]
        except ClipFailed as error:
            problems[clip] = str(error)
    return VotRuns(runs, problems)


def parse_vot(text: bytes) -> VotRun:
    """Read one result file's text.

    Raises:
        ClipFailed: a line that is neither a code nor a region.
    """
    run = _parse({Path("text"): text})[Path("text")]
    if isinstance(run, str):
        raise ClipFailed(run)
    return run


def write_vot(path: Path, run: VotRun) -> None:
    """Write one repetition; a number has 4 decimals, as pysot and the MATLAB toolkit write it.

    Where 4 are not enough it has all that it takes to read the same number again.
    """
    exact = (np.round(run.regions, 4) == run.regions).all(axis=1)
    lines = [
        ",".join([f"{v:.4f}" if short else repr(v) for v in region])
        if code == Code.REGION
        else f"{code:d}"
        for code, region, short in zip(run.codes, run.regions.tolist(), exact, strict=True)
    ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def plain_run(boxes: Boxes, seconds: Floats | None = None) -> VotRun:
    """Boxes (n, 4) as a run that never restarts: a start, then regions; NaN rows are skipped."""
    codes = np.where(np.isfinite(boxes).all(axis=1), Code.REGION, Code.SKIPPED).astype(np.int8)
    codes[:1] = Code.START
    return VotRun(codes, boxes, seconds)


def write_vot_runs(
    folder: Path, runs: Mapping[str, Sequence[VotRun]], origin_px: float = 0.0
) -> int:
    """Write the repetitions of each clip, and their seconds where they are known.

    `folder` is an experiment's; every number is read back as it is. Returns the files written.
    """
    files = 0
    for clip, group in runs.items():
        for number, run in enumerate(group, start=1):
            regions = run.regions.copy()
            regions[:, : 2 if regions.shape[1] == 4 else 8] += origin_px
            write_vot(folder / clip / f"{clip}_{number:03d}.txt", VotRun(run.codes, regions))
            files += 1
        seconds = [
            np.zeros(len(run)) if run.seconds is None else np.nan_to_num(run.seconds)
            for run in group
        ]
        if any(column.any() for column in seconds):
            write_seconds(folder / clip / f"{clip}_time.txt", seconds)
            files += 1
    return files


def read_seconds(path: Path) -> Floats:
    """Seconds (n, repetitions) of a `_time.txt`; NaN or 0 where a frame was not measured."""
    text = path.read_bytes()[:MOST_BYTES]
    columns = text.partition(b"\n")[0].count(b",") + 1
    table = parse_tables([text], columns)[0]
    if isinstance(table, BadTable):
        raise ClipFailed(f"{path.name}: {table.why}")
    return table


def write_seconds(path: Path, columns: Sequence[Floats]) -> None:
    """Write seconds of all repetitions as `<clip>_time.txt`."""
    rows = np.column_stack(list(columns))
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    write_atomically(path, ("\n".join(lines) + "\n").encode())


def _experiment(folder: Path) -> Path:
    for name in ("baseline", "supervised"):
        if (folder / name).is_dir():
            return folder / name
    return folder


def _text(path: Path) -> bytes | str:
    size = path.stat().st_size
    if size > MOST_BYTES:
        return f"{size} bytes, more than any result has"
    return path.read_bytes()


def _checked(
    path: Path, text: bytes | str, parsed: Mapping[Path, VotRun | str], frames: int
) -> VotRun:
    run = parsed[path] if isinstance(text, bytes) else text
    if isinstance(text, bytes) and (not text.strip() or b"\0" in text):
        run = "not a text file" if text.strip() else "the file is empty"
    if isinstance(run, str):
        raise ClipFailed(f"{path.name}: {run}")
    if len(run) != frames:
        raise ClipFailed(f"{path.name}: {len(run)} lines for {frames} frames")
    return run


def _parse(texts: Mapping[Path, bytes]) -> dict[Path, VotRun | str]:
    """Read many files at once: all their boxes as one table, all polygons as another."""
    found: dict[Path, VotRun | str] = {}
    files: dict[int, dict[Path, tuple[NDArray[np.int8], list[bytes]]]] = {4: {}, 8: {}}
    for path, text in texts.items():
        lines = text.replace(b"\r", b"").rstrip(b"\n").split(b"\n")
        width = _width(lines)
        if width is None:
            found[path] = _first_fault(lines) or "boxes and polygons are mixed in one file"
            continue
        codes = np.array([CODES.get(line, Code.REGION) for line in lines], np.int8)
        files[width][path] = codes, [line for line in lines if line not in CODES]
    for width, block in files.items():
        some = {path: regions for path, (_, regions) in block.items() if regions}
        joined = [b"\n".join(regions) + b"\n" for regions in some.values()]
        tables = dict(zip(some, parse_tables(joined, width), strict=True))
        for path, (codes, _) in block.items():
            table = tables.get(path, np.empty((0, width)))
            if isinstance(table, BadTable) or len(table) != (codes == Code.REGION).sum():
                text = texts[path].replace(b"\r", b"").rstrip(b"\n")
                found[path] = _first_fault(text.split(b"\n")) or "not a VOT result"
            else:
                found[path] = _run(codes, table)
    return found


def _width(lines: Sequence[bytes]) -> int | None:
    """Numbers in a region of this file, 4 or 8; None where they differ. 4 if it has none."""
    commas = {line.count(b",") for line in lines if line not in CODES}
    if not commas:
        return 4
    return {3: 4, 7: 8}.get(commas.pop()) if len(commas) == 1 else None


def _first_fault(lines: Sequence[bytes]) -> str | None:
    """Say what is wrong with the first line that is neither a code nor a region."""
    for number, line in enumerate(lines, start=1):
        if line in CODES:
            continue
        words = line.split(b",")
        if len(words) not in (4, 8):
            shown = line[:30].decode("utf-8", "replace")
            return f"line {number}: '{shown}' is neither 0, 1, 2 nor a box nor a polygon"
        try:
            [float(word) for word in words]
        except ValueError:
            return f"line {number}: '{line[:30].decode('utf-8', 'replace')}' is not numbers"
    return None


def _run(codes: NDArray[np.int8], table: Floats) -> VotRun | str:
    here = np.flatnonzero(codes == Code.REGION)
    bad = ~np.isfinite(table).all(axis=1) | (np.abs(table) > FAR_PX).any(axis=1)
    if bad.any():
        return f"line {int(here[bad][0]) + 1}: a region that cannot lie in an image"
    if table.shape[1] == 4 and (table[:, 2:] < 0).any():
        bad = (table[:, 2:] < 0).any(axis=1)
        return f"line {int(here[bad][0]) + 1}: a box of negative size"
    regions = np.full((len(codes), table.shape[1]), np.nan)
    regions[here] = table
    return VotRun(codes, regions)
