"""From a run to its plots' files: which plot needs what, in one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from vbench.core.errors import UnknownName, VBenchError
from vbench.core.trace import Trace
from vbench.cost.device_profile import DeviceProfile, shipped_profiles
from vbench.metrics.metric import METRICS
from vbench.metrics.vot import VotScore
from vbench.report.accuracy import curve_of
from vbench.report.attributes import attributes
from vbench.report.canvas import save
from vbench.report.coverage import comparable, lacking
from vbench.report.curves import curves
from vbench.report.intervals import interval
from vbench.report.latencies import latencies
from vbench.report.projection import projection_table
from vbench.report.speed_accuracy import speed_accuracy, speed_table
from vbench.report.step_times import step_times
from vbench.report.sweeps import read_axis, sweep_table
from vbench.report.tables import Cell, cells, per_attribute
from vbench.report.timeline import timeline
from vbench.report.tradeoff import tradeoff
from vbench.report.updates import update_table, updates
from vbench.report.vot_accuracy import interval_of, supervised_score
from vbench.report.vot_plots import accuracy_robustness, expected_overlap
from vbench.store.files import write_atomically
from vbench.store.run_folder import Manifest, RunFolder

# Protocols whose runs have failures and restarts.
RESTARTED = ("vot-supervised", "vot-realtime", "vot-realtime-python")


# Plots of one clip, frame by frame.
OF_CLIP = ("timeline", "jitter", "updates")
# Plots whose axes can be chosen.
AXES_OF = {
    "x": ("tradeoff", "speed-accuracy"),
    "y": ("tradeoff", "speed-accuracy", "interval", "attributes"),
}
# Methods with fewer clips than others that a title names.
MOST_LESS = 3


@dataclass(frozen=True)
class Wish:
    """What to draw of a run: its summary, and options of the plot."""

    folder: RunFolder
    manifest: Manifest
    summary: pd.DataFrame
    x: str | None = None
    y: str | None = None
    clip: str | None = None
    published: bool = False
    devices: Sequence[DeviceProfile] = ()

    @property
    def title(self) -> str:
        """The suite and how much of it the numbers are about; methods with less are named."""
        pairs = list(zip(self.summary["method"], self.summary["clips"], strict=True))
        usual = max((clips for _, clips in pairs), key=lambda clips: int(clips.partition("/")[0]))
        less = [f"{method} {clips}" for method, clips in pairs if clips != usual]
        named = ", ".join(less[:MOST_LESS]) + (", ..." if len(less) > MOST_LESS else "")
        return f"{self.manifest.suite}, {usual} clips{f' ({named})' if less else ''}"

    @property
    def whole_title(self) -> str:
        """The title of a plot without what lacks clips that others have."""
        few = lacking(self.summary)
        return self.title + (f"\nleft out, of fewer clips: {few}" if few else "")

    def cells(self) -> dict[str, list[Cell]]:
        """Cells that have a result, by method, in the order of the summary."""
        found: dict[str, list[Cell]] = {str(m): [] for m in self.summary["method"]}
        for cell in cells(self.folder, self.manifest):
            if cell.method in found and cell.trace is not None and cell.truth is not None:
                found[cell.method].append(cell)
        kept = {method: own for method, own in found.items() if own}
        if not kept:
            raise VBenchError(f"no method of {self.folder.path} has a result to draw")
        return kept

    def traces(self) -> dict[str, list[Trace]]:
        """Traces by method."""
        return {m: [c.trace for c in own if c.trace] for m, own in self.cells().items()}


def draw(wish: Wish, plot: str, out: Path | None = None) -> list[Path]:
    """Draw one plot of a run and return the files written.

    Raises:
        UnknownName: there is no such plot, or no such column of numbers.
        VBenchError: the run has not what the plot needs, or papers print nothing for it.
    """
    if plot not in PLOTS:
        raise UnknownName("plot", plot, PLOTS)
    if wish.clip is not None and plot not in OF_CLIP:
        raise VBenchError(
            f"--clip is for --plot {', '.join(OF_CLIP)}; --plot {plot} is of all clips"
        )
    for option, column in (("x", wish.x), ("y", wish.y)):
        if column is not None and plot not in AXES_OF[option]:
            named = ", ".join(AXES_OF[option])
            raise VBenchError(
                f"--{option} is for --plot {named}; --plot {plot} has axes of its own"
            )
        if column is not None and column not in METRICS:
            raise UnknownName(
                "column of numbers", column, [c for c in METRICS if c in wish.summary]
            )
    figure = PLOTS[plot](wish)
    name = plot if wish.clip is None else f"{plot}-{wish.clip}"
    stem = (out or wish.folder.path / "plots") / name
    written = save(figure, stem)
    if plot in TABLES:
        written.append(stem.with_name(f"{name}.csv"))
        write_atomically(written[-1], TABLES[plot](wish).to_csv(index=False).encode())
    return written


def _tradeoff(wish: Wish) -> Any:
    published = wish.manifest.suite if wish.published else ""
    return tradeoff(wish.summary, wish.title, wish.x, wish.y, published)


def _curves(wish: Wish, kind: str) -> Any:
    return curves(_curves_of(wish, kind), kind, wish.title)


def _curves_of(wish: Wish, kind: str) -> dict[str, tuple[Any, Any, float]]:
    suite, profile = wish.manifest.suite, wish.manifest.profile
    if wish.manifest.task != "sot":
        raise VBenchError(f"--plot {kind} is for trackers; suite {suite} is of detectors")
    if wish.manifest.protocol.startswith("vot-"):
        raise VBenchError(
            f"--plot {kind} is for one pass; {wish.folder.path} ran {wish.manifest.protocol}: "
            "--plot ar or --plot eao"
        )
    found = {}
    for method, own in wish.cells().items():
        truths = [cell.truth for cell in own if cell.truth is not None]
        traces = [cell.trace for cell in own if cell.trace is not None]
        found[method] = curve_of(suite, profile, kind, truths, traces)
    if all(math.isnan(number) for _, _, number in found.values()):
        raise VBenchError(f"--plot {kind}: {suite} has no ground truth to score against")
    return found


def _points(wish: Wish, kind: str) -> pd.DataFrame:
    """One row a threshold, one column a method."""
    found = _curves_of(wish, kind)
    thresholds = next(iter(found.values()))[0]
    name = "overlap" if kind == "success" else "error_px"
    return pd.DataFrame({name: thresholds} | {m: values for m, (_, values, _) in found.items()})


def _expected_overlaps(wish: Wish) -> pd.DataFrame:
    """One row a sequence length, one column a method."""
    found = {m: pd.Series(score.curve) for m, score in _vot_scores(wish).items()}
    table = pd.DataFrame(found)
    table.insert(0, "length", table.index + 1)
    return table


def _accuracy_robustness(wish: Wish) -> pd.DataFrame:
    """One row a method: its point of the AR plot, and what it is made of."""
    rows = [
        [m, *score.ar, score.robustness, score.failures_per_clip, score.lost]
        for m, score in _vot_scores(wish).items()
    ]
    columns = ["reliability", "accuracy", "robustness", "failures_per_clip", "lost"]
    return pd.DataFrame(rows, columns=["method", *columns])


def _vot_scores(wish: Wish) -> dict[str, VotScore]:
    suite, profile = wish.manifest.suite, wish.manifest.profile
    if wish.manifest.protocol not in RESTARTED:
        raise VBenchError(
            f"the run of {suite} has no restarts to draw; run it with --protocol vot-supervised"
        )
    found = {}
    for method, own in wish.cells().items():
        truths = [cell.truth for cell in own if cell.truth is not None]
        traces = [cell.trace for cell in own if cell.trace is not None]
        interval = interval_of(wish.manifest)
        found[method] = supervised_score(suite, profile, truths, traces, interval)
    return found


def _interval(wish: Wish) -> Any:
    axis = read_axis(wish.folder)["axis"]
    points = sweep_table(wish.folder)
    return interval(points[comparable(points)], axis, wish.whole_title, wish.y)


def _one_clip(wish: Wish) -> tuple[str, dict[str, Trace]]:
    """The clip that was wished for (the first one otherwise), and its traces by method."""
    clip = wish.clip or next(iter(wish.manifest.clips))
    if clip not in wish.manifest.clips:
        raise UnknownName("clip in this run", clip, wish.manifest.clips)
    return clip, {
        method: cell.trace
        for method, own in wish.cells().items()
        for cell in own
        if cell.clip == clip and cell.trace is not None
    }


def _timeline(wish: Wish) -> Any:
    clip, traces = _one_clip(wish)
    return timeline(wish.folder.truth(clip), traces, f"{wish.manifest.suite}, {clip}")


def _step_times(wish: Wish) -> Any:
    clip, traces = _one_clip(wish)
    return step_times(traces, f"{wish.manifest.suite}, {clip}")


def _of_updates(wish: Wish, made: Callable[[dict[str, Trace], str], Any]) -> Any:
    clip, traces = _one_clip(wish)
    return made(traces, f"{wish.manifest.suite}, {clip}")


def _attributes(wish: Wish) -> Any:
    return attributes(per_attribute(wish.folder, wish.manifest), wish.title, wish.y)


def _speeds(wish: Wish) -> pd.DataFrame:
    def projected(profile: DeviceProfile) -> pd.DataFrame:
        return projection_table(wish.folder, profile, wish.manifest)

    profiles = wish.devices or tuple(shipped_profiles().values())
    return speed_table(
        wish.summary[comparable(wish.summary)],
        wish.manifest,
        projected,
        profiles,
        wish.published,
        wish.y,
    )


PLOTS: Mapping[str, Callable[[Wish], Any]] = {
    "tradeoff": _tradeoff,
    "interval": _interval,
    "speed-accuracy": lambda wish: speed_accuracy(_speeds(wish), wish.whole_title, wish.x),
    "success": lambda wish: _curves(wish, "success"),
    "precision": lambda wish: _curves(wish, "precision"),
    "ar": lambda wish: accuracy_robustness(_vot_scores(wish), wish.title),
    "eao": lambda wish: expected_overlap(_vot_scores(wish), wish.title),
    "latency": lambda wish: latencies(wish.traces(), wish.title),
    "attributes": _attributes,
    "timeline": _timeline,
    "jitter": _step_times,
    "updates": lambda wish: _of_updates(wish, updates),
}
# Tables that are written beside a plot.
TABLES: Mapping[str, Callable[[Wish], pd.DataFrame]] = {
    "updates": lambda wish: _of_updates(wish, update_table),
    "speed-accuracy": _speeds,
    "success": lambda wish: _points(wish, "success"),
    "precision": lambda wish: _points(wish, "precision"),
    "ar": _accuracy_robustness,
    "eao": _expected_overlaps,
}
