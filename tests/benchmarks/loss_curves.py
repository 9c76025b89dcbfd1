"""Loss curves of several fits in one small picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from vbench.train.curve import smoothed

# Every colour is drawn whole, then dashed, so that no curve is left out.
DASHES = ("-", "--", ":")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
POINTS = 120


def draw(path: Path, curves: Mapping[str, Sequence[float]], over: int = 51) -> None:
    """Write an SVG of the means of `over` steps; equal losses give equal files."""
    settings = {"svg.hashsalt": "vbench", "svg.fonttype": "none", "font.family": "sans-serif"}
    with rc_context(settings):
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        looks = [(colour, dash) for dash in DASHES for colour in COLOURS][: len(curves)]
        for (colour, dash), (name, losses) in zip(looks, curves.items(), strict=True):
            values = smoothed(np.asarray(losses, dtype=np.float64), over)
            steps = np.unique(np.geomspace(1, len(values), POINTS).astype(int))
            axes.plot(steps, values[steps - 1], color=colour, ls=dash, lw=1.4, label=name)
        # Fits differ by a hundred times in their losses, and by ten in their steps.
        axes.set(xscale="log", yscale="log", xlabel="step")
        axes.set_ylabel(f"loss, mean of {over} steps")
        figure.legend(frameon=False, fontsize=8, loc="outside right upper")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
