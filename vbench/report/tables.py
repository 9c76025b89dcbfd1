"""Tables of a run: one row a method, one row a method and clip, one row a method and attribute."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.core.trace import POST_SECONDS, Trace
from vbench.cost.latency import latency
from vbench.cost.reference_filter import filter_operations
from vbench.cost.unit_costs import UnitCosts
from vbench.metrics.metric import METRICS
from vbench.report.accuracy import accuracy_of, plus_minus_of
from vbench.report.coverage import LACKS, lacks
from vbench.report.timing_notes import joules_per_frame
from vbench.report.video import by_class, by_distance, unscorable
from vbench.report.vot_accuracy import Interval, interval_of
from vbench.store.files import write_atomically
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder
from vbench.store.traces import Corrupt, StoredTruth

# Metrics come in the order of their table; accuracy stands before the interval, cost after it.
NAMES = tuple(METRICS)
ACCURACY = NAMES[: NAMES.index("interval")]
# Ending of the column with half the width of a metric's 95 % interval.
PM = "_pm"
COST = NAMES[NAMES.index("interval") :]


@dataclass(frozen=True)
class Cell:
    """One method on one clip: its trace and truth, or the reason why there is none."""

    method: str
    clip: str
    truth: StoredTruth | None
    trace: Trace | None
    problem: str = ""


def cells(folder: RunFolder, manifest: Manifest | None = None) -> list[Cell]:
    """Read all cells of a run; a damaged file becomes a cell with its problem."""
    manifest = manifest or folder.read()
    truths, damaged = {}, {}
    for clip in manifest.clips:
        try:
            truths[clip] = folder.truth(clip)
        except Corrupt as error:
            damaged[clip] = str(error)
    return [
        _cell(folder, record, clip, truths.get(clip), damaged.get(clip, ""), manifest.classes)
        for record in manifest.methods.values()
        for clip in manifest.clips
    ]


def _cell(
    folder: RunFolder,
    record: MethodRecord,
    clip: str,
    truth: StoredTruth | None,
    problem: str,
    classes: Sequence[str],
) -> Cell:
    trace = None
    problem = problem or record.problems.get(clip, "")
    if not problem:
        try:
            trace = folder.trace(record, clip)
            problem = "" if trace is not None else "not run yet"
        except Corrupt as error:
            problem = str(error)
    if truth is not None and truth.objects is not None and trace is not None:
        problem = unscorable(truth, trace, classes)
    return Cell(record.method, clip, truth, None if problem else trace, problem)


def per_clip(folder: RunFolder, manifest: Manifest | None = None) -> pd.DataFrame:
    """One row a method and clip, with its status and problem."""
    manifest = manifest or folder.read()
    rows = []
    for cell in cells(folder, manifest):
        record = manifest.methods[cell.method]
        row: dict[str, Any] = {"method": cell.method, "clip": cell.clip}
        row["status"] = "ok" if cell.trace is not None else "failed"
        row["frames"] = cell.truth.frames if cell.truth else math.nan
        if cell.trace is not None and cell.truth is not None:
            row |= _accuracy(manifest, [cell.truth], [cell.trace])
            row |= cost_of(record, [cell.trace])
        row["problem"] = cell.problem
        rows.append(row)
    return _ordered(pd.DataFrame(rows), ["method", "clip", "status", "frames"], ["problem"])


def summary(
    folder: RunFolder, manifest: Manifest | None = None, tag: str | None = None
) -> pd.DataFrame:
    """One row a method: accuracy as means over clips, costs from the calls that really happened.

    `clips` says how many of the complete suite's clips the row is about, `lacks` which of them
    other methods have and this one has not. With `tag` only the clips with that attribute count.
    Costs and times leave out the first frame, where a tracker starts.
    """
    manifest = manifest or folder.read()
    read = cells(folder, manifest)
    if tag is not None:
        read = [cell for cell in read if cell.truth is not None and tag in cell.truth.tags]
        if not read:
            raise VBenchError(f"no clip of this run has attribute '{tag}'; {_tags(folder)}")
    by_method: dict[str, list[Cell]] = {name: [] for name in manifest.methods}
    for cell in read:
        by_method[cell.method].append(cell)
    total = manifest.suite_clips if tag is None else None
    rows = [
        _summary_row(manifest, manifest.methods[m], found, total) for m, found in by_method.items()
    ]
    few = lacks({m: [c.clip for c in found if c.trace] for m, found in by_method.items()})
    if any(few.values()):
        rows = [row | {LACKS: few[row["method"]]} for row in rows]
    return _ordered(pd.DataFrame(rows), ["method", "clips", "status"], [LACKS])


def per_attribute(folder: RunFolder, manifest: Manifest | None = None) -> pd.DataFrame:
    """One row a method and attribute of the clips."""
    manifest = manifest or folder.read()
    tags = sorted({tag for clip in manifest.clips for tag in _clip_tags(folder, clip)})
    frames = [summary(folder, manifest, tag).assign(attribute=tag) for tag in tags]
    if not frames:
        return pd.DataFrame(columns=["attribute", "method", "clips"])
    found = pd.concat(frames, ignore_index=True)
    return _ordered(found, ["attribute", "method", "clips"], [LACKS])


def per_class(folder: RunFolder, manifest: Manifest | None = None) -> pd.DataFrame:
    """One row a method and class of a suite for detectors: AP at IoU .5; empty for other suites."""
    return _of_video(folder, manifest, by_class)


def per_distance(folder: RunFolder, manifest: Manifest | None = None) -> pd.DataFrame:
    """One row a method and distance from its last keyframe: mAP at IoU .5 over those frames."""

    def found(profile: str, _: Sequence[str], *scored: Any) -> pd.DataFrame:
        return by_distance(profile, *scored)

    return _of_video(folder, manifest, found)


def cost_of(record: MethodRecord, traces: Sequence[Trace]) -> dict[str, float]:
    """Interval, MACs and times of a method over some clips."""
    interval = [trace.interval for trace in traces]
    found = {
        "interval": float(np.nanmean(interval)) if np.isfinite(interval).any() else math.nan,
        "interval_max": float(record.interval_max or math.nan),
        "gmac_per_frame": gmac_per_frame(record, traces),
    }
    seconds = np.concatenate([trace.seconds[trace.tracked] for trace in traces])
    if seconds.size and np.isfinite(seconds).all():
        found |= latency(seconds)
        posts = [trace.post_seconds for trace in traces if POST_SECONDS in trace.extras]
        if posts:
            found["post_ms"] = float(np.concatenate(posts).mean() * 1e3)
    return found


def gmac_per_frame(record: MethodRecord, traces: Sequence[Trace]) -> float:
    """Billions of MACs a frame, the starts left out; NaN where something could not be counted."""
    if not record.costs:
        return math.nan
    costs = UnitCosts.from_json(record.costs)
    macs, frames = 0.0, 0
    for trace in traces:
        later = trace.tracked
        total = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
        macs, frames = macs + float(total[later].sum()), frames + int(later.sum())
    return macs / frames / 1e9 if frames else math.nan


def write_tables(
    folder: RunFolder, parquet: bool = False, rows: pd.DataFrame | None = None
) -> list[Path]:
    """Write summary, per_clip and per_attribute as CSV (and parquet); return their paths.

    `rows` is the summary, where it is known already.
    """
    manifest = folder.read()
    found = {
        "summary": summary(folder, manifest) if rows is None else rows,
        "per_clip": per_clip(folder, manifest),
        "per_attribute": per_attribute(folder, manifest),
    }
    if manifest.task == "vid":
        found["per_class"] = per_class(folder, manifest)
        found["per_distance"] = per_distance(folder, manifest)
    written = []
    for name, frame in found.items():
        path = folder.tables / f"{name}.csv"
        write_atomically(path, frame.to_csv(index=False).encode())
        written.append(path)
        if parquet:
            written.append(_write_parquet(frame, path.with_suffix(".parquet")))
    return written


def results_json(
    folder: RunFolder, found: pd.DataFrame, manifest: Manifest | None = None
) -> dict[str, Any]:
    """Return the object that `--json` prints."""
    manifest = manifest or folder.read()
    results = []
    for row in found.to_dict(orient="records"):
        record = manifest.methods[str(row["method"])]
        problems = [{"clip": c, "what": why} for c, why in record.problems.items()]
        # Every number is there under its fixed name, null where a run does not have it.
        numbers = dict.fromkeys(METRICS) | {str(k): v for k, v in row.items()}
        results.append(numbers | {"problems": problems})
    return {
        "schema": 1,
        "suite": manifest.suite,
        "profile": manifest.profile,
        "run": str(folder.path),
        "results": results,
    }


def _summary_row(
    manifest: Manifest, record: MethodRecord, found: Sequence[Cell], total: int | None
) -> dict[str, Any]:
    done = [cell for cell in found if cell.trace is not None and cell.truth is not None]
    traces = [cell.trace for cell in done if cell.trace is not None]
    truths = [cell.truth for cell in done if cell.truth is not None]
    of = max(total or len(found), len(found))
    row: dict[str, Any] = {"method": record.method, "clips": f"{len(done)}/{of}"}
    row["status"] = "ok" if len(done) == len(found) else ("partial" if done else "failed")
    if done:
        row |= _accuracy(manifest, truths, traces)
        spread = plus_minus_of(*_scored_as(manifest, truths, traces))
        row |= {f"{name}{PM}": half for name, half in spread.items()}
        row |= cost_of(record, traces)
    row["efo"] = filter_operations(row.get("ms_mean", math.nan), record.filter_ms or math.nan)
    row["params_m"] = record.params_m if record.params_m is not None else math.nan
    row["memory_mb"] = record.memory_mb if record.memory_mb is not None else math.nan
    row["joules_per_frame"] = joules_per_frame(record)
    return row


def _of_video(
    folder: RunFolder, manifest: Manifest | None, table: Callable[..., pd.DataFrame]
) -> pd.DataFrame:
    manifest = manifest or folder.read()
    frames = []
    scored = [cell for cell in cells(folder, manifest) if cell.trace is not None and cell.truth]
    for method in manifest.methods if manifest.task == "vid" else ():
        own = [cell for cell in scored if cell.method == method]
        if own:
            given = [cell.truth for cell in own], [cell.trace for cell in own]
            frames.append(table(manifest.profile, manifest.classes, *given))
            frames[-1].insert(0, "method", method)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["method"])


def _accuracy(
    manifest: Manifest, truths: Sequence[StoredTruth], traces: Sequence[Trace]
) -> dict[str, float]:
    return accuracy_of(*_scored_as(manifest, truths, traces))


def _scored_as(
    manifest: Manifest, truths: Sequence[StoredTruth], traces: Sequence[Trace]
) -> tuple[str, str, str, Sequence[StoredTruth], Sequence[Trace], str, Interval]:
    """What `accuracy_of` and `plus_minus_of` take."""
    suite, task, profile = manifest.suite, manifest.task, manifest.profile
    return suite, task, profile, truths, traces, manifest.protocol, interval_of(manifest)


def _ordered(frame: pd.DataFrame, first: list[str], last: list[str]) -> pd.DataFrame:
    """Put columns into their fixed order and leave out those that say nothing in any row."""
    named = [c for name in ACCURACY for c in (name, f"{name}{PM}")] + list(COST)
    middle = [c for c in named if c in frame and frame[c].notna().any()]
    known = {*first, *middle, *last, *named}
    others = [c for c in frame.columns if c not in known]
    return frame[[c for c in (*first, *middle, *others, *last) if c in frame]]


def _clip_tags(folder: RunFolder, clip: str) -> tuple[str, ...]:
    try:
        return folder.truth(clip).tags
    except Corrupt:
        return ()


def _tags(folder: RunFolder) -> str:
    tags = sorted({tag for clip in folder.read().clips for tag in _clip_tags(folder, clip)})
    return f"there are: {', '.join(tags)}" if tags else "its clips have none"


def _write_parquet(frame: pd.DataFrame, path: Path) -> Path:
    try:
        frame.to_parquet(path, index=False)
    except ImportError:
        raise VBenchError("parquet needs pyarrow: pip install 'vbench[parquet]'") from None
    return path


def shown(column: str, value: Any) -> str:
    """Format a cell of a table for people: a dash where there is nothing."""
    if column in METRICS and not isinstance(value, str):
        return METRICS[column].shown(math.nan if value is None else float(value))
    return str(value)
