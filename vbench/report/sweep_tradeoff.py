"""Accuracy against cost along a sweep: a panel a base model, a line a propagator."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.report.canvas import AXES, COLOURS, MARKS, base_of, cheap_of, panels, plain_ticks
from vbench.report.sweeps import FORMULAS
from vbench.report.tables import PM
from vbench.report.tradeoff import ACCURACIES, COSTS

# A 95 % interval over fewer clips is too wide to tell anything.
FEWEST_CLIPS = 10
MOST_BASES = 6


def sweep_tradeoff(
    frame: pd.DataFrame, axis: str, title: str, x: str | None = None, y: str | None = None
) -> Any:
    """Plot the points of a sweep, cost to the right; the last value of each line is written there.

    `frame` is what `sweep_table` makes. Where it has what papers' averaging makes of the same
    costs (F_base / k + n F_inter), that is the dashed line. Bands are 95 % over clips, from
    `FEWEST_CLIPS` clips on.

    Raises:
        VBenchError: no point has both numbers.
    """
    y = y or next((c for c in ACCURACIES if c in frame), ACCURACIES[0])
    x = x or next((c for c in COSTS if c in frame and frame[c].notna().any()), COSTS[0])
    if x not in frame or y not in frame or frame[[x, y]].dropna().empty:
        raise VBenchError(f"no point of the sweep has both {x} and {y}; see tables/sweep.csv")
    shown = frame.dropna(subset=[x, y])
    bases = list(dict.fromkeys(base_of(str(m)) for m in shown["swept"]))[:MOST_BASES]
    figure, axes = panels(len(bases), (4.6, 3.6))
    named = _named([str(m) for m in shown["swept"]])
    names = list(dict.fromkeys(named.values()))
    anywhere = False
    for one, base in zip(axes, bases, strict=False):
        own = shown[[base_of(str(m)) == base for m in shown["swept"]]]
        for swept, line in own.groupby("swept", sort=False):
            index = names.index(named[str(swept)])
            _line(one, line, axis, (x, y), COLOURS[index % len(COLOURS)], MARKS[1 + index % 11])
        alone = own[own["method"] == own["method"].map(base_of)]
        if len(alone):
            anywhere = True
            one.plot(alone[x].iloc[:1], alone[y].iloc[:1], "o", color="black", ms=7, zorder=4)
        costs = own[x].to_numpy(float)
        positive = costs[costs > 0]
        if positive.size and positive.max() / positive.min() > 5:
            one.set_xscale("log")
            plain_ticks(one.xaxis, math.log10(positive.max() / positive.min()))
        one.set_title(base, loc="left", fontsize=9)
        one.set_xlabel(AXES.get(x, x))
        one.set_ylabel(AXES.get(y, y))
    _legend(figure, axes[0], names, anywhere, x in FORMULAS and FORMULAS[x] in shown)
    figure.suptitle(title, x=0.01, ha="left", fontsize=9)
    return figure


def _named(swept: Sequence[str]) -> dict[str, str]:
    """What the legend calls each line: its propagator, alike for all bases, if that tells it."""
    distinct = list(dict.fromkeys(swept))
    often = Counter((base_of(name), cheap_of(name)) for name in distinct)
    return {
        name: cheap_of(name)
        if often[base_of(name), cheap_of(name)] == 1
        else name.removeprefix(base_of(name))
        for name in distinct
    }


def _line(
    axes: Any, line: pd.DataFrame, axis: str, columns: Sequence[str], colour: str, mark: str
) -> None:
    x, y = columns
    cost, accuracy = line[x].to_numpy(float), line[y].to_numpy(float)
    axes.plot(cost, accuracy, "-", marker=mark, color=colour, ms=4, lw=1.3, zorder=3)
    half = line.get(f"{y}{PM}")
    clips = str(line["clips"].iloc[0]).partition("/")[0]
    if half is not None and clips.isdecimal() and int(clips) >= FEWEST_CLIPS:
        low, high = accuracy - half.to_numpy(float), accuracy + half.to_numpy(float)
        axes.fill_between(cost, low, high, color=colour, alpha=0.10, lw=0)
    formula = line.get(FORMULAS.get(x, ""))
    if formula is not None and np.isfinite(formula.to_numpy(float)).any():
        axes.plot(formula, accuracy, "--", color=colour, lw=0.9, zorder=2)
    axes.annotate(
        str(line[axis].iloc[-1]), (cost[-1], accuracy[-1]), textcoords="offset points",
        xytext=(-4, -8), fontsize=6.5, color=colour,
    )  # fmt: skip


def _legend(figure: Any, axes: Any, names: Sequence[str], alone: bool, with_formula: bool) -> None:
    if alone:
        axes.plot([], [], "o", color="black", ms=6, label="every frame")
    for index, name in enumerate(names):
        style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKS[1 + index % 11]}
        axes.plot([], [], "-", ms=4, lw=1.3, label=name, **style)
    if with_formula:
        axes.plot([], [], "--", color="0.4", lw=0.9, label="by the papers' formula")
    figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=7.5)
