"""Keyframe interval (or any swept parameter) against accuracy, with bands over clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.report.canvas import AXES, MOST_NAMES, canvas, legend_beside, styles
from vbench.report.tables import PM
from vbench.report.tradeoff import ACCURACIES

MANY = 8


def interval(frame: pd.DataFrame, axis: str, title: str, y: str | None = None) -> Any:
    """Plot a sweep: one line a swept method, its 95 % band over clips where there is one.

    `frame` has the columns `swept` and `axis`, as `sweep_table` makes them.

    Raises:
        VBenchError: the sweep has no accuracy.
    """
    y = y or next((c for c in ACCURACIES if c in frame), None)
    if y is None or y not in frame:
        raise VBenchError(f"the sweep has no column '{y}'; see `vbench report --format csv`")
    figure, axes = canvas((6.6, 4.2))
    names = list(dict.fromkeys(frame["swept"]))
    style = styles(names)
    for index, name in enumerate(names):
        own = frame[frame["swept"] == name]
        x = _positions(own[axis])
        values = own[y].to_numpy(float)
        colour, mark = style[name]
        line = ["-", "--", "-.", ":"][index // 4 % 4] if len(names) > MANY else "-"
        named = name if index < MOST_NAMES else None
        axes.plot(
            x, values, line, marker=mark, color=colour, ms=5, lw=1.5 if named else 0.6, label=named
        )
        if f"{y}{PM}" in own and len(names) <= MANY:
            half = own[f"{y}{PM}"].to_numpy(float)
            axes.fill_between(x, values - half, values + half, color=colour, alpha=0.10, lw=0)
    if len(names) > MOST_NAMES:
        axes.plot([], [], " ", label=f"and {len(names) - MOST_NAMES} more, thin")
    _ticks(axes, frame[axis])
    axes.set_xlabel(axis.replace("-", " ") + (" (frames)" if "interval" in axis else ""))
    axes.set_ylabel(AXES.get(y, y))
    axes.set_title(title, loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure


def _positions(values: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().all():
        return numbers.to_numpy(float)
    return np.arange(len(values), dtype=np.float64)


def _ticks(axes: Any, values: pd.Series[Any]) -> None:
    names = list(dict.fromkeys(map(str, values)))
    numbers = pd.to_numeric(pd.Series(names), errors="coerce")
    if numbers.notna().all():
        if (numbers > 0).all() and numbers.max() / numbers.min() >= 8:
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.set_xticks(numbers.to_numpy(float), names)
    else:
        axes.set_xticks(range(len(names)), names, rotation=20)
