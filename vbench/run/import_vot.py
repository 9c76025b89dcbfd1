"""VOT result files with their codes into traces: what starts, fails and is skipped stays known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from vbench.core.boxes import Floats, around_polygons
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.suite import Suite
from vbench.core.trace import Kind, Trace
from vbench.core.vot_run import Code, VotRun, columns_of
from vbench.run.confidences import column_of
from vbench.run.score_vot import trackers_in
from vbench.store.raw_layout import RawFile
from vbench.store.raw_vot import read_seconds, read_vot
from vbench.store.raw_zip import unpacked

# Protocol of a run by the folder of an experiment in the VOT toolkits.
PROTOCOLS = {
    "baseline": "vot-supervised",
    "supervised": "vot-supervised",
    "realtime": "vot-realtime",
    "unsupervised": "vot-unsupervised",
}


@dataclass(frozen=True)
class ReadTraces:
    """A tracker's results: a trace for each clip, or the reason why there is none.

    `notes` say by clip what is odd in its files or was mended.
    """

    name: str
    protocol: str
    traces: Mapping[str, Trace]
    problems: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)


def vot_traces(path: Path, suite: Suite) -> list[ReadTraces]:
    """Read the VOT results of every tracker under `path`; empty if none of them has codes."""
    with unpacked(path) as (place, refused):
        found = list(_read(place, suite))
    notes = {"": "; ".join(refused)} if refused else {}
    return [replace(one, notes=notes) for one in found]


def _read(path: Path, suite: Suite) -> Iterator[ReadTraces]:
    for name, folder in trackers_in(path, [clip.name for clip in suite.clips]):
        read = read_vot(folder, {clip.name: len(clip) for clip in suite.clips})
        if not any(
            (run.codes == Code.START).any() for group in read.runs.values() for run in group
        ):
            continue
        problems = dict(read.problems)
        traces = {
            clip.name: _trace(_timed(clip, read.runs[clip.name], folder), _scores(folder, clip))
            for clip in suite.clips
            if clip.name in read.runs
        }
        protocol = PROTOCOLS.get(folder.name, "vot-supervised")
        yield ReadTraces(name, protocol, traces, problems)


def _trace(runs: Sequence[VotRun], scores: Floats) -> Trace:
    """The repetitions of one clip; the boxes are those (around the polygons) of the first."""
    run = runs[0]
    n = len(run)
    kind = np.full(n, Kind.KEY, dtype=np.int8)
    kind[run.codes == Code.START] = Kind.START
    kind[run.codes == Code.SKIPPED] = Kind.SKIPPED
    unknown = np.full(n, np.nan)
    return Trace(
        kind=kind,
        objects=np.ones(n, dtype=np.int64),
        carried=np.zeros(n, dtype=np.int64),
        belief=unknown,
        seconds=unknown if run.seconds is None else run.seconds,
        cheap_seconds=unknown,
        decode_seconds=unknown,
        boxes=run.regions if run.regions.shape[1] == 4 else around_polygons(run.regions),
        scores=scores,
        labels=np.full(n, -1, dtype=np.int64),
        extras=columns_of(runs),
    )


def _timed(clip: Clip, runs: Sequence[VotRun], folder: Path) -> list[VotRun]:
    """The repetitions with their seconds, where there is a whole file of them."""
    table = _seconds(folder, clip)
    columns = [] if table is None else list(table.T)
    return [
        replace(run, seconds=columns[index]) if index < len(columns) else run
        for index, run in enumerate(runs)
    ]


def _scores(folder: Path, clip: Clip) -> Floats:
    """How sure the tracker was of each frame (n,) in its first repetition; NaN where unsaid."""
    name = f"{clip.name}_001_confidence.value"
    places = [path for path in (folder / clip.name / name, folder / name) if path.is_file()]
    file = RawFile(str(places[0]), (), name) if places else None
    return column_of(file, len(clip))


def _seconds(folder: Path, clip: Clip) -> Floats | None:
    """Seconds (n, repetitions) of the frames; None without a whole file of them."""
    for name in (f"{clip.name}_time.txt", f"{clip.name}_time.value"):
        for path in (folder / clip.name / name, folder / name):
            if path.is_file():
                try:
                    table = read_seconds(path)
                except ClipFailed:
                    continue
                if len(table) == len(clip):
                    return table
    return None
