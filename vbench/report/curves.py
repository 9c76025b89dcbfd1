"""Success and precision plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vbench.report.canvas import MOST_NAMES, canvas, legend_beside, styles


def curves(found: Mapping[str, tuple[np.ndarray, np.ndarray, float]], kind: str, title: str) -> Any:
    """Plot success or precision curves: method -> thresholds, values, the number in the legend."""
    figure, axes = canvas((6.4, 4.4))
    style = styles(list(found))
    order = sorted(found, key=lambda m: -found[m][2])
    dashes = ["-", "--", "-.", ":"]
    for index, method in enumerate(order):
        thresholds, values, number = found[method]
        named = f"{number:.3f}  {method}" if index < MOST_NAMES else None
        axes.plot(
            thresholds, values, dashes[index % 4], color=style[method][0], label=named,
            lw=1.6 if named else 0.6, alpha=1.0 if named else 0.5,
        )  # fmt: skip
    if len(order) > MOST_NAMES:
        axes.plot([], [], " ", label=f"and {len(order) - MOST_NAMES} more, thin")
    axes.set_ylim(0, 1)
    axes.set_xlim(float(thresholds[0]), float(thresholds[-1]))
    names = {
        "success": ("overlap threshold (IoU)", "success rate"),
        "precision": ("centre error threshold (px)", "precision"),
    }
    axes.set_xlabel(names[kind][0])
    axes.set_ylabel(names[kind][1])
    axes.set_title(title, loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure
