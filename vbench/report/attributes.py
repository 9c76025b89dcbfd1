"""Accuracy by attribute: one row an attribute, one dot a method."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vbench.core.errors import VBenchError
from vbench.report.canvas import AXES, MOST_NAMES, canvas, legend_beside, most_shown, styles
from vbench.report.tradeoff import ACCURACIES


def attributes(frame: pd.DataFrame, title: str, y: str | None = None) -> Any:
    """Plot the rows of `per_attribute`: dots are read more exactly than a radar's corners.

    Of more methods than can be told apart the best are drawn.

    Raises:
        VBenchError: the clips have no attributes.
    """
    y = y or next((c for c in ACCURACIES if c in frame), None)
    if frame.empty or y is None or y not in frame:
        raise VBenchError("the clips of this run have no attributes to plot")
    best = frame.groupby("method", sort=False)[y].mean().sort_values(ascending=False, kind="stable")
    methods = [m for m in dict.fromkeys(frame["method"]) if m in best.index[:MOST_NAMES]]
    names = list(frame.groupby("attribute")[y].mean().sort_values().index)
    figure, axes = canvas((6.6, 1.4 + 0.3 * len(names)))
    style = styles(methods)
    for index, method in enumerate(methods):
        own = frame[frame["method"] == method].set_index("attribute").reindex(names)
        shift = (index - (len(methods) - 1) / 2) * min(0.12, 0.6 / len(methods))
        colour, mark = style[method]
        rows = [position - shift for position in range(len(names))]
        axes.plot(own[y], rows, mark, color=colour, ms=5, mec="white", mew=0.5, label=method)
    clips = frame.drop_duplicates("attribute").set_index("attribute")["clips"]
    counts = [str(clips[name]).rpartition("/")[2] for name in names]
    labels = [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlabel(AXES.get(y, y))
    title += most_shown(len(best), MOST_NAMES)
    axes.set_title(title, loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure
