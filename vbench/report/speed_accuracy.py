"""Accuracy against speed, one panel a device: measured, projected from its parts, or printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.core.method import parse_method
from vbench.cost.device_profile import DeviceProfile, Printed
from vbench.report.canvas import AXES, base_colours, base_of, panels, plain_ticks, styles
from vbench.report.labels import place_labels
from vbench.report.published_points import UNKNOWN_BASE
from vbench.report.reproduction import Exhibit, PrintedRow, exhibits
from vbench.report.tradeoff import ACCURACIES, pareto
from vbench.store.run_folder import Manifest

SPEEDS = ("fps", "ms_mean")
MEASURED, COMPOSED, PROJECTED, PRINTED = "measured", "composed", "projected", "published"
# How each kind of point is drawn; what a paper prints is hollow.
MARK = {MEASURED: "o", COMPOSED: "s", PROJECTED: "^", PRINTED: "D"}
WORDS = {
    MEASURED: "measured",
    COMPOSED: "composed of measured parts",
    PROJECTED: "projected from times of parts",
    PRINTED: "published, all clips",
}
# More points get a larger panel, so that their names find room.
FEW = 8
# A wider range of speeds is drawn on a logarithmic axis.
LOG_FROM = 8
COLUMNS = ("device", "kind", "method", "base", "fps", "accuracy", "source")
Project = Callable[[DeviceProfile], pd.DataFrame]


def speed_table(
    summary: pd.DataFrame,
    manifest: Manifest,
    project: Project,
    profiles: Sequence[DeviceProfile],
    published: bool = False,
    y: str | None = None,
) -> pd.DataFrame:
    """One row a point: device, kind of number, method, fps, accuracy, and its source.

    `project` makes a table of projected fps of a profile. A profile that timed none of the parts
    is left out.

    Raises:
        VBenchError: nothing has both a speed and an accuracy.
    """
    y = y or next((c for c in ACCURACIES if c in summary), ACCURACIES[0])
    accuracy = dict(zip(summary["method"], summary.get(y, [math.nan] * len(summary)), strict=True))
    rows = [*_measured(summary, manifest, accuracy)]
    for profile in profiles:
        rows += _projected(project(profile), profile, accuracy)
        if published:
            rows += _printed_there(profile, manifest.suite, y)
    if published:
        rows += _printed_elsewhere(manifest.suite, y)
    found = pd.DataFrame(rows, columns=list(COLUMNS)).dropna(subset=["fps", "accuracy"])
    if found.empty:
        raise VBenchError(
            f"--plot speed-accuracy: no method has both {y} and a time; run without --no-timing, "
            "or name a --device-profile that timed its parts"
        )
    # Papers print the same row in several tables.
    who = found["base"].where(found["base"] != "", found["method"])
    same = found.assign(who=who).duplicated(["device", "kind", "who", "fps", "accuracy"])
    return found[~(same & (found["kind"] == PRINTED))].rename(columns={"accuracy": y})


def speed_accuracy(found: pd.DataFrame, title: str, x: str | None = None) -> Any:
    """Plot a `speed_table`: a panel a device, colours by base model, what is printed hollow.

    Raises:
        VBenchError: x is neither fps nor ms_mean.
    """
    x = x or SPEEDS[0]
    if x not in SPEEDS:
        raise VBenchError(f"--x {x}: speed is {' or '.join(SPEEDS)} here")
    y = found.columns[COLUMNS.index("accuracy")]
    groups = list(found.groupby("device", sort=False))
    most = max(len(own) for _, own in groups)
    figure, axes = panels(len(groups), (5.4, 4.0) if most <= FEW else (8.5, 6.2))
    ours = list(dict.fromkeys(found.loc[found["kind"] != PRINTED, "method"]))
    colours = {method: colour for method, (colour, _) in styles(ours).items()}
    colours |= base_colours(ours)
    for each, (device, own) in zip(axes, groups, strict=True):
        _panel(each, own, x, y, colours)
        each.set_title(_heading(str(device), own), loc="left", fontsize=8)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    kinds = [kind for kind in MARK if kind in set(found["kind"])]
    for kind in kinds:
        hollow = {"mfc": "none"} if kind == PRINTED else {}
        axes[0].plot([], [], MARK[kind], color="0.4", ms=5, ls="", label=WORDS[kind], **hollow)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=7.5)
    for each, (_, own) in zip(axes, groups, strict=True):
        _label(figure, each, own, x, y, colours)
    return figure


def _panel(axes: Any, own: pd.DataFrame, x: str, y: str, colours: Mapping[str, str]) -> None:
    speed = _speed(own, x)
    if speed.max() / speed.min() > LOG_FROM:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, math.log10(speed.max() / speed.min()))
    front = _front(own, x, y)
    axes.step(
        speed[front], own[y].to_numpy(float)[front],
        where="pre" if x == "fps" else "post", color="0.7", lw=1.1, zorder=1,
    )  # fmt: skip
    for kind, tint, at, height in zip(
        own["kind"], _tints(own, colours), speed, own[y], strict=True
    ):
        edge = {"mfc": "none", "mec": tint} if kind == PRINTED else {"mec": "white"}
        axes.plot(at, height, MARK[kind], color=tint, ms=7, mew=1.2, zorder=3, **edge)
    axes.margins(x=0.16, y=0.14)
    axes.set_xlabel(AXES[x])
    axes.set_ylabel(AXES.get(y, y))


def _label(
    figure: Any, axes: Any, own: pd.DataFrame, x: str, y: str, colours: Mapping[str, str]
) -> None:
    heights, tints = own[y].to_numpy(float), _tints(own, colours)
    place_labels(
        figure, axes, _speed(own, x), heights, list(own["method"]), tints, _front(own, x, y),
        spill=0.0,
    )  # fmt: skip


def _tints(own: pd.DataFrame, colours: Mapping[str, str]) -> list[str]:
    """Colours of points: of our methods their own, of printed ones that of their base."""
    keys = [
        base if kind == PRINTED else method
        for kind, base, method in zip(own["kind"], own["base"], own["method"], strict=True)
    ]
    return [colours.get(key, UNKNOWN_BASE) for key in keys]


def _speed(own: pd.DataFrame, x: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    fps = own["fps"].to_numpy(float)
    return fps if x == "fps" else 1e3 / fps


def _front(own: pd.DataFrame, x: str, y: str) -> list[int]:
    """Indices that nothing faster beats, from left to right on the axis."""
    front = pareto(list(1e3 / own["fps"].to_numpy(float)), list(own[y].to_numpy(float)))
    return front[::-1] if x == "fps" else front


def _heading(device: str, own: pd.DataFrame) -> str:
    places: dict[str, list[str]] = {}
    for source in dict.fromkeys(s for s in own["source"] if s):
        paper, _, place = source.rpartition(", ")
        places.setdefault(paper, []).append(place)
    sources = "; ".join(f"{paper}, {', '.join(found)}" for paper, found in places.items())
    return fill(device, 74) + ("\n" + fill(sources, 80) if sources else "")


def _measured(
    summary: pd.DataFrame, manifest: Manifest, accuracy: Mapping[str, float]
) -> Iterator[list[Any]]:
    if "fps" not in summary:
        return
    plain = str(manifest.machine.get("name", "this machine"))
    labels = {label for record in manifest.methods.values() for label in record.devices}
    for method, fps in zip(summary["method"], summary["fps"], strict=True):
        record = manifest.methods[method]
        # The key behind a name tells apart devices of one name; alone it says nothing.
        device = record.devices[-1] if len(labels) > 1 and record.devices else plain
        kind = COMPOSED if record.projected else MEASURED
        yield [device, kind, method, base_of(method), fps, accuracy[method], ""]


def _projected(
    table: pd.DataFrame, profile: DeviceProfile, accuracy: Mapping[str, float]
) -> Iterator[list[Any]]:
    source = profile.citation if profile.source == PRINTED else ""
    for row in table.to_dict("records"):
        method, fps = str(row["method"]), float(row["projected_fps"])
        if method in accuracy and math.isfinite(fps):
            given = [method, base_of(method), fps, accuracy[method], source]
            yield [_name(profile), PROJECTED, *given]


def _printed_there(profile: DeviceProfile, suite: str, y: str) -> Iterator[list[Any]]:
    """Join a device's printed times with what the same paper prints of accuracy."""
    for printed in profile.printed:
        for exhibit, row in _rows(suite, y):
            ms = _ms(printed, row)
            if ms is not None and exhibit.citation in profile.citation:
                source = f"{exhibit.source} and {printed.where}"
                given = [row.what, printed.base, 1e3 / ms, row.published[y].value, source]
                yield [_name(profile), PRINTED, *given]


def _ms(printed: Printed, row: PrintedRow) -> float | None:
    """Printed ms of the method of a row with an accuracy, None where it is another method."""
    method = parse_method(row.method) if row.method else None
    if method is None or method.base.name != printed.base:
        return None
    if not method.parts:
        return printed.baseline_ms
    same = [part.name for part in method.parts] == [printed.propagator]
    interval = row.average.interval if row.average else math.nan
    return printed.skip_ms if same and interval == printed.interval else None


def _printed_elsewhere(suite: str, y: str) -> Iterator[list[Any]]:
    for exhibit, row in _rows(suite, y):
        if "fps" in row.published and exhibit.hardware:
            device = exhibit.hardware.partition(",")[0]
            base = parse_method(row.method).base.name if row.method else ""
            values = [row.published["fps"].value, row.published[y].value, exhibit.source]
            yield [device, PRINTED, row.what, base, *values]


def _rows(suite: str, y: str) -> Iterator[tuple[Exhibit, PrintedRow]]:
    for exhibit in exhibits():
        if exhibit.suite == suite:
            yield from ((exhibit, row) for row in exhibit.rows if y in row.published)


def _name(profile: DeviceProfile) -> str:
    return str(profile.device.get("name", profile.name))
