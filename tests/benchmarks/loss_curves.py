"""Loss curves of several fits in one small picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from vbench.train.curve import smoothed

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
POINTS = 120


def draw(path: Path, curves: Mapping[str, Sequence[float]], over: int = 51) -> None:
    """Write an SVG of the means of `over` steps; equal losses give equal files."""
    settings = {"svg.hashsalt": "vbench", "svg.fonttype": "none", "font.family": "sans-serif"}
    with rc_context(settings):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for colour, (name, losses) in zip(COLOURS, curves.items(), strict=False):
            values = smoothed(np.asarray(losses, dtype=np.float64), over)
            steps = np.unique(np.linspace(0, len(values) - 1, POINTS).astype(int))
            axes.plot(steps, values[steps], color=colour, lw=1.4, label=name)
        axes.set_xlabel("step")
        axes.set_ylabel(f"loss, mean of {over} steps")
        axes.legend(frameon=False, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
