"""Accuracy against cost: what every plot here is for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.report.canvas import AXES, base_colours, canvas, marks_of, plain_ticks, styles
from vbench.report.coverage import comparable, lacking
from vbench.report.labels import place_labels
from vbench.report.published_points import UNKNOWN_BASE, draw_points, published_points, sources

# So many methods get a larger sheet.
MANY = 20
# Opacity of what is not about the clips that the others are about.
FAINT = 0.35
ACCURACIES = ("success_auc", "map50", "eao", "ao")
COSTS = ("gmac_per_frame", "ms_mean")


def pareto(cost: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Indices of the points that no cheaper (or equal) point beats, by rising cost."""
    order = sorted(range(len(cost)), key=lambda i: (cost[i], -accuracy[i]))
    front, best = [], -np.inf
    for index in order:
        if accuracy[index] > best:
            front.append(index)
            best = accuracy[index]
    return front


def tradeoff(
    frame: pd.DataFrame,
    title: str,
    x: str | None = None,
    y: str | None = None,
    published: str = "",
) -> Any:
    """Plot accuracy against cost, the Pareto front marked, one colour a base model.

    What lacks clips that others have is drawn faint. `published` names a suite whose printed points
    are drawn beside, hollow.

    Raises:
        VBenchError: no method has both numbers.
    """
    y = y or next((c for c in ACCURACIES if c in frame), ACCURACIES[0])
    x = x or next((c for c in COSTS if c in frame and frame[c].notna().any()), COSTS[0])
    shown = frame.dropna(subset=[c for c in (x, y) if c in frame]) if x in frame else frame[:0]
    if y not in frame or shown.empty:
        raise VBenchError(f"no method has both {x} and {y}; see `vbench report --format csv`")
    figure, axes = canvas((7.0, 4.6) if len(shown) <= MANY else (9.5, 6.2))
    style = styles(list(frame["method"]))
    cost, accuracy = shown[x].to_numpy(float), shown[y].to_numpy(float)
    points = published_points(published, x, y) if published else []
    everywhere = np.concatenate([cost, [point.cost for point in points]])
    positive = everywhere[everywhere > 0]
    if positive.size and positive.max() / positive.min() > 30:
        # A method that computes nothing (0 MAC) stays in the picture, at the left border.
        axes.set_xscale("symlog", linthresh=float(positive.min()) / 2)
        plain_ticks(axes.xaxis, math.inf)
    whole = np.flatnonzero(comparable(shown).to_numpy())
    front = [int(whole[i]) for i in pareto(list(cost[whole]), list(accuracy[whole]))]
    axes.step(cost[front], accuracy[front], where="post", color="0.6", lw=1.2, zorder=1)
    for method, c, a, index in zip(shown["method"], cost, accuracy, range(len(shown)), strict=True):
        colour, mark = style[method]
        on_front = index in front
        axes.plot(
            c, a, mark, color=colour, ms=8 if on_front else 6, mec="black" if on_front else "white",
            mew=0.9, zorder=3, clip_on=False, alpha=1.0 if index in whole else FAINT,
        )  # fmt: skip
    axes.margins(x=0.12, y=0.14)
    axes.set_xlabel(AXES.get(x, x))
    axes.set_ylabel(AXES.get(y, y))
    unknown = [m for m in frame["method"] if m not in set(shown["method"])]
    if unknown:
        title += f"\nnot shown, {x} unknown: {', '.join(unknown)}"
    if few := lacking(shown):
        title += "\n" + fill(f"faint, of fewer clips and not on the front: {few}", 100)
    if points:
        title += "\n" + fill(f"hollow, as printed for all clips: {sources(points)}", 100)
    axes.set_title(title, loc="left", fontsize=9)
    by_base = base_colours(list(frame["method"]))
    draw_points(axes, points, by_base)
    heights = np.concatenate([accuracy, [point.accuracy for point in points]])
    axes.plot([], [], color="0.6", lw=1.2, label="Pareto front (outlined marks)")
    for name, mark in marks_of(list(shown["method"])).items():
        axes.plot([], [], mark, color="0.4", ms=5, ls="", label=name)
    if points:
        axes.plot([], [], "D", mfc="none", mec="0.4", ms=5, ls="", label="published")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=7.5)
    texts = [*shown["method"], *(point.label for point in points)]
    colours = [style[m][0] for m in shown["method"]]
    colours += [by_base.get(point.base, UNKNOWN_BASE) for point in points]
    place_labels(figure, axes, everywhere, heights, texts, colours, front[::-1])
    return figure
