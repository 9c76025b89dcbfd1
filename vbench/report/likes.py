"""Rows like a printed one, with another base whose weights are at hand: the change is comparable.

A paper's base model may be out of reach. The same propagator and policy on another base still show
what the paper claims: how accuracy and cost move from the base alone to the base that skips frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vbench.core.method import parse_method
from vbench.metrics.bootstrap import difference
from vbench.metrics.metric import METRICS
from vbench.report.comparison import NAN, Measured
from vbench.report.reproduction import Exhibit, LikeRow, PrintedRow
from vbench.store.run_folder import RunFolder
from vbench.store.traces import Corrupt

if TYPE_CHECKING:
    import pandas as pd

# The accuracy whose change is told, the first that a printed row has.
ACCURACIES = ("success_auc", "map50")
ABOUT = (
    "Like rows: the same propagator and policy with another base, whose weights are at hand. Their "
    "accuracy is not the paper's and is of n of N clips; what can be compared is the change from "
    "the base alone, with its 95 % interval over clips. In brackets what is printed for the row "
    "that each stands beside. Times are of runs that were timed, on the device that is named."
)
HEAD = ("like row", "beside", "clips")
LAST = ("ms a frame", "fps", "device")


@dataclass(frozen=True)
class Times:
    """Time of a method in a run that was timed, and where."""

    ms: float
    fps: float
    device: str
    clips: str

    @property
    def where(self) -> str:
        """Device and clips that the times are of."""
        return f"{self.device.rpartition(' (')[0] or self.device}, {self.clips} clips"


@dataclass(frozen=True)
class Like:
    """One like row that ran: its numbers, and how its accuracy moved from its base alone."""

    row: LikeRow
    beside: PrintedRow
    suite: str
    clips: str
    numbers: Mapping[str, float]
    halves: Mapping[str, float]
    change: float = NAN
    change_half: float = NAN
    printed_change: float = NAN
    times: Times | None = None
    untrained: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return plain values, null where a number is not known."""
        return {
            "what": self.row.what, "method": self.row.method, "beside": self.beside.what,
            "suite": self.suite, "clips": self.clips, "untrained": self.untrained,
            "ours": {name: _known(value) for name, value in self.numbers.items()},
            "plus_minus": {name: _known(value) for name, value in self.halves.items()},
            "published": {name: n.value for name, n in self.beside.published.items()},
            "change": _known(self.change), "change_plus_minus": _known(self.change_half),
            "published_change": _known(self.printed_change),
            "ms": self.times.ms if self.times else None,
            "fps": self.times.fps if self.times else None,
            "device": self.times.device if self.times else None,
        }  # fmt: skip


@dataclass(frozen=True)
class RanLike:
    """A run of like rows: its summary, its table by clip, times by method."""

    suite: str
    found: Measured
    per_clip: pd.DataFrame
    times: Mapping[str, Times] = field(default_factory=dict)


def times_of(folders: Iterable[RunFolder], suite: str) -> dict[str, Times]:
    """Take the times of each method from the first of some runs of a suite that timed it."""
    from vbench.report.tables import summary

    found: dict[str, Times] = {}
    for folder in folders:
        try:
            manifest = folder.read()
        except Corrupt:
            continue
        table = summary(folder, manifest) if manifest.suite == suite else None
        if table is None or "fps" not in table:
            continue
        for row in table[table["fps"].notna()].to_dict("records"):
            record = manifest.methods[row["method"]]
            device = record.devices[-1] if record.devices else str(manifest.machine.get("name", ""))
            times = Times(row["ms_mean"], row["fps"], device, row["clips"])
            found.setdefault(str(row["method"]), times)
    return found


def likes(exhibit: Exhibit, runs: Mapping[str, RanLike]) -> list[Like]:
    """Return the like rows of an exhibit that ran, in their order."""
    found = []
    for row in exhibit.likes:
        run = runs.get(row.suite)
        if run is not None and row.method in run.found.rows:
            found.append(_like(exhibit, row, run))
    return found


def like_table(found: Sequence[Like]) -> list[tuple[str, ...]]:
    """Cells of like rows below their heads; ours, with what is printed in brackets."""
    metrics = list(dict.fromkeys(name for like in found for name in like.numbers))
    accuracy = next((name for name in ACCURACIES if name in metrics), "accuracy")
    change = f"{accuracy} against its base alone"
    head = (*HEAD, *metrics, change, *LAST)
    return [head, *(_cells(like, metrics) for like in found)]


def _like(exhibit: Exhibit, row: LikeRow, run: RanLike) -> Like:
    beside = next(other for other in exhibit.rows if other.what == row.beside)
    alone = str(parse_method(row.method).base)
    numbers = {name: run.found.derived(row.method, name) for name in beside.published}
    numbers["gmac_per_frame"] = run.found.value(row.method, "gmac_per_frame")
    halves = {name: run.found.value(row.method, f"{name}_pm") for name in numbers}
    accuracy = next((name for name in ACCURACIES if name in numbers), "")
    moved, half = _change(run, row.method, alone, accuracy)
    return Like(
        row, beside, run.suite, str(run.found.rows[row.method]["clips"]),
        {name: value for name, value in numbers.items() if math.isfinite(value)},
        {name: value for name, value in halves.items() if math.isfinite(value)},
        moved, half, _printed_change(exhibit, beside, accuracy),
        run.times.get(row.method), row.method in run.found.untrained,
    )  # fmt: skip


def _change(run: RanLike, method: str, alone: str, metric: str) -> tuple[float, float]:
    """Accuracy less that of the base alone, and half its interval, paired over clips."""
    if method == alone or not metric:
        return NAN, NAN
    moved = run.found.value(method, metric) - run.found.value(alone, metric)
    # Of detections the metric is of all clips at once, no mean over them.
    if metric == "map50" or metric not in run.per_clip:
        return moved, NAN
    wide = run.per_clip.pivot(index="clip", columns="method", values=metric)
    if alone not in wide or len(wide) < 2:
        return moved, NAN
    gap = difference(wide[method].to_numpy(float), wide[alone].to_numpy(float))
    return gap.interval.mean, gap.interval.half


def _printed_change(exhibit: Exhibit, row: PrintedRow, metric: str) -> float:
    if not row.method or metric not in row.published:
        return NAN
    alone = str(parse_method(row.method).base)
    base = next((r for r in exhibit.rows if r.method == alone and metric in r.published), None)
    if base is None or base is row:
        return NAN
    return row.published[metric].value - base.published[metric].value


def _cells(like: Like, metrics: Sequence[str]) -> tuple[str, ...]:
    name = like.row.what + (" (untrained)" if like.untrained else "")
    clips = f"{like.clips} of {like.suite}"
    moved = _signed(like.change, like.change_half)
    if math.isfinite(like.printed_change):
        moved += f" ({like.printed_change:+.3f})"
    times = ("-", "-", "no timed run")
    if like.times is not None:
        times = (f"{like.times.ms:.2f}", f"{like.times.fps:.1f}", like.times.where)
    return (name, like.beside.what, clips, *(_number(like, m) for m in metrics), moved, *times)


def _number(like: Like, metric: str) -> str:
    value, half = like.numbers.get(metric, NAN), like.halves.get(metric, NAN)
    if not math.isfinite(value):
        text = "-"
    else:
        text = METRICS[metric].shown(value) if metric in METRICS else f"{value:.3g}"
        text += f" ±{half:.3f}" if math.isfinite(half) else ""
    printed = like.beside.published.get(metric)
    return f"{text} ({printed.text})" if printed else text


def _signed(value: float, half: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:+.3f}" + (f" ±{half:.3f}" if math.isfinite(half) else "")


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
