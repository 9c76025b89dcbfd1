"""Learning while tracking, frame by frame: score, iterations of each update, its last loss.

Cui et al., Fast Dynamic Convolutional Neural Networks for Visual Tracking, ACML 2018, table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.report.canvas import COLOURS, MOST_LINES, canvas, most_shown
from vbench.report.labels import short

ITERATIONS, LOSS = "update_iterations", "update_loss"


def update_table(traces: Mapping[str, Trace], title: str) -> pd.DataFrame:
    """One row a method and frame on which it tracked: frame from 1, score, loss, iterations.

    The loss is NaN where nothing was learnt.

    Raises:
        VBenchError: no method reports what it learnt.
    """
    parts = []
    for method, trace in traces.items():
        if ITERATIONS not in trace.extras or len(trace.scores) != len(trace):
            continue
        frames = np.flatnonzero((trace.kind == Kind.KEY) | (trace.kind == Kind.FALLBACK))
        iterations = np.nan_to_num(trace.extras[ITERATIONS][frames]).astype(np.int64)
        loss = trace.extras.get(LOSS, np.full(len(trace), np.nan))[frames]
        parts.append(
            pd.DataFrame({
                "method": method,
                "frame": frames + 1,
                "score": trace.scores[frames],
                "loss": np.where(iterations > 0, loss, np.nan),
                "iterations": iterations,
            })
        )  # fmt: skip
    if not parts:
        raise VBenchError(
            f"{title}: no method learns while it tracks, as mdnet, rt-mdnet and fdn do"
        )
    return pd.concat(parts, ignore_index=True)


def updates(traces: Mapping[str, Trace], title: str) -> Any:
    """Plot `update_table`: three panels over the frames of a clip, one colour a method."""
    table = update_table(traces, title)
    figure, spare = canvas((8.0, 5.0))
    figure.delaxes(spare)
    panels = figure.subplots(3, 1, sharex=True)
    every = list(table.groupby("method", sort=False))
    groups = every[:MOST_LINES]
    title += most_shown(len(every), MOST_LINES)
    for index, (method, rows) in enumerate(groups):
        colour = COLOURS[index % len(COLOURS)]
        learnt = rows[rows["iterations"] > 0]
        count = f"{learnt['iterations'].sum()} iterations in {len(learnt)} updates"
        label = f"{short(str(method))}: {count}"
        panels[0].plot(rows["frame"], rows["score"], color=colour, lw=1.2, label=label)
        # Bars of several methods stand beside each other.
        place = learnt["frame"] + (index - (len(groups) - 1) / 2) * 0.8 / len(groups)
        panels[1].bar(place, learnt["iterations"], 0.8 / len(groups), color=colour)
        panels[2].plot(learnt["frame"], learnt["loss"], "o", ms=3, color=colour)
    panels[0].axhline(0, color="0.6", lw=0.8, ls="--")
    if (table["loss"] > 0).any():
        panels[2].set_yscale("log")
    for panel, name in zip(panels, ("score", "iterations", "loss"), strict=True):
        panel.set_ylabel(name)
        panel.grid(True, color="0.92", lw=0.6)
        panel.set_axisbelow(True)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[2].set_xlabel("frame")
    panels[0].set_title(title, loc="left", fontsize=10)
    figure.legend(loc="outside lower center", frameon=False, fontsize=8)
    return figure
