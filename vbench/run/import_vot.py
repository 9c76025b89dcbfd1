"""VOT result files with their codes into traces: what starts, fails and is skipped stays known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed
from vbench.core.suite import Suite
from vbench.core.trace import Kind, Trace
from vbench.core.vot_run import COLUMN, Code, VotRun
from vbench.run.score_vot import trackers_in
from vbench.store.raw_vot import read_seconds, read_vot

# Protocol of a run by the folder of an experiment in the VOT toolkits.
PROTOCOLS = {
    "baseline": "vot-supervised",
    "supervised": "vot-supervised",
    "realtime": "vot-realtime",
    "unsupervised": "vot-unsupervised",
}


@dataclass(frozen=True)
class ReadTraces:
    """A tracker's results: a trace for each clip, or the reason why there is none."""

    name: str
    protocol: str
    traces: Mapping[str, Trace]
    problems: Mapping[str, str]


def vot_traces(path: Path, suite: Suite) -> list[ReadTraces]:
    """Read the VOT results of every tracker under `path`; empty if none of them has codes.

    Of several repetitions the first is kept.
    """
    found = []
    for name, folder in trackers_in(path, [clip.name for clip in suite.clips]):
        read = read_vot(folder, {clip.name: len(clip) for clip in suite.clips})
        if not any(
            (run.codes == Code.START).any() for group in read.runs.values() for run in group
        ):
            continue
        problems = dict(read.problems)
        traces = {}
        for clip in suite.clips:
            if clip.name in read.runs:
                try:
                    traces[clip.name] = _trace(clip, read.runs[clip.name][0], folder)
                except ClipFailed as error:
                    problems[clip.name] = str(error)
        protocol = PROTOCOLS.get(folder.name, "vot-supervised")
        found.append(ReadTraces(name, protocol, traces, problems))
    return found


def _trace(clip: Clip, run: VotRun, folder: Path) -> Trace:
    if run.regions.shape[1] != 4:
        raise ClipFailed("the regions are polygons; a run holds boxes")
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
        seconds=_seconds(folder, clip, n),
        cheap_seconds=unknown,
        decode_seconds=unknown,
        boxes=run.regions,
        scores=unknown,
        labels=np.full(n, -1, dtype=np.int64),
        extras={COLUMN: run.codes.astype(np.float64)},
    )


def _seconds(folder: Path, clip: Clip, frames: int) -> Floats:
    """Seconds of each frame in the first repetition; NaN without a whole file of them."""
    for name in (f"{clip.name}_time.txt", f"{clip.name}_time.value"):
        for path in (folder / clip.name / name, folder / name):
            if path.is_file():
                try:
                    table = read_seconds(path)
                except ClipFailed:
                    continue
                if len(table) == frames:
                    return table[:, 0]
    return np.full(frames, np.nan)
