"""Plots of a run: trade-off, success, precision. Vector output, readable in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.errors import VBenchError
from vbench.core.method import parse_method
from vbench.report.labels import place_labels

# Okabe and Ito's palette: told apart by all kinds of colour vision, and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p")
AXES = {
    "gmac_per_frame": "cost (GMAC per frame)",
    "ms_mean": "time (ms per frame)",
    "ms_p50": "median time (ms per frame)",
    "joules_per_frame": "energy (J per frame)",
    "memory_mb": "peak memory (MB)",
    "success_auc": "success (AUC)",
    "precision_20px": "precision at 20 px",
    "map50": "mAP at IoU 0.5",
    "ao": "average overlap",
    "eao": "expected average overlap",
    "fps": "frames per second",
}
ALONE = "no propagator"
ACCURACIES = ("success_auc", "map50", "eao", "ao")
COSTS = ("gmac_per_frame", "ms_mean")


def styles(methods: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """One colour a base model, one mark a propagator, the same in every plot."""
    bases = list(dict.fromkeys(_base(m) for m in methods))
    marks = _marks(methods)
    return {m: (COLOURS[bases.index(_base(m)) % len(COLOURS)], marks[_cheap(m)]) for m in methods}


def _marks(methods: Sequence[str]) -> dict[str, str]:
    """One mark a propagator; a circle for methods without one."""
    names = sorted({_cheap(m) for m in methods}, key=lambda name: (name != ALONE, name))
    spare = MARKS if ALONE in names else MARKS[1:]
    return {name: spare[i % len(spare)] for i, name in enumerate(names)}


def pareto(cost: Sequence[float], accuracy: Sequence[float]) -> list[int]:
    """Indices of the points that no cheaper (or equal) point beats, by rising cost."""
    order = sorted(range(len(cost)), key=lambda i: (cost[i], -accuracy[i]))
    front, best = [], -np.inf
    for index in order:
        if accuracy[index] > best:
            front.append(index)
            best = accuracy[index]
    return front


def tradeoff(frame: pd.DataFrame, title: str, x: str | None = None, y: str | None = None) -> Any:
    """Plot accuracy against cost, the Pareto front marked, one colour a base model.

    Raises:
        VBenchError: no method has both numbers.
    """
    y = y or next((c for c in ACCURACIES if c in frame), ACCURACIES[0])
    x = x or next((c for c in COSTS if c in frame and frame[c].notna().any()), COSTS[0])
    shown = frame.dropna(subset=[c for c in (x, y) if c in frame]) if x in frame else frame[:0]
    if y not in frame or shown.empty:
        raise VBenchError(f"no method has both {x} and {y}; see `vbench report --format csv`")
    figure, axes = _canvas((7.0, 4.6))
    style = styles(list(frame["method"]))
    cost, accuracy = shown[x].to_numpy(float), shown[y].to_numpy(float)
    positive = cost[cost > 0]
    if positive.size and positive.max() / positive.min() > 30:
        # A method that computes nothing (0 MAC) stays in the picture, at the left border.
        axes.set_xscale("symlog", linthresh=float(positive.min()) / 2)
    front = pareto(list(cost), list(accuracy))
    axes.step(cost[front], accuracy[front], where="post", color="0.6", lw=1.2, zorder=1)
    for method, c, a, index in zip(shown["method"], cost, accuracy, range(len(shown)), strict=True):
        colour, mark = style[method]
        on_front = index in front
        axes.plot(
            c, a, mark, color=colour, ms=8 if on_front else 6, mec="black" if on_front else "white",
            mew=0.9, zorder=3, clip_on=False,
        )  # fmt: skip
    axes.margins(x=0.12, y=0.14)
    axes.set_xlabel(AXES.get(x, x))
    axes.set_ylabel(AXES.get(y, y))
    unknown = [m for m in frame["method"] if m not in set(shown["method"])]
    if unknown:
        title += f"\nnot shown, {x} unknown: {', '.join(unknown)}"
    axes.set_title(title, loc="left", fontsize=9)
    colours = [style[m][0] for m in shown["method"]]
    place_labels(figure, axes, cost, accuracy, list(shown["method"]), colours)
    axes.plot([], [], color="0.6", lw=1.2, label="Pareto front (outlined marks)")
    for name, mark in _marks(list(shown["method"])).items():
        axes.plot([], [], mark, color="0.4", ms=5, ls="", label=name)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=7.5)
    return figure


def curves(found: Mapping[str, tuple[np.ndarray, np.ndarray, float]], kind: str, title: str) -> Any:
    """Plot success or precision curves: method -> thresholds, values, the number in the legend."""
    figure, axes = _canvas((6.4, 4.4))
    style = styles(list(found))
    order = sorted(found, key=lambda m: -found[m][2])
    dashes = ["-", "--", "-.", ":"]
    for index, method in enumerate(order):
        thresholds, values, number = found[method]
        axes.plot(
            thresholds, values, dashes[index % 4], color=style[method][0], lw=1.6,
            label=f"{number:.3f}  {method}",
        )  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_xlim(float(thresholds[0]), float(thresholds[-1]))
    names = {
        "success": ("overlap threshold (IoU)", "success rate"),
        "precision": ("centre error threshold (px)", "precision"),
    }
    axes.set_xlabel(names[kind][0])
    axes.set_ylabel(names[kind][1])
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(
        fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.3
    )
    return figure


def save(figure: Any, stem: Path) -> list[Path]:
    """Write a figure as PNG (200 dpi) and SVG beside each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    written = []
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for ending in (".png", ".svg"):
            path = stem.with_name(stem.name + ending)
            figure.savefig(path, dpi=200, bbox_inches="tight", metadata=_NO_DATE[ending])
            written.append(path)
    except OSError as error:
        raise VBenchError(f"cannot write {stem}: {error.strerror}; choose another --out") from None
    return written


# Equal runs give equal files.
_NO_DATE: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None}}


def _canvas(size: tuple[float, float]) -> tuple[Any, Any]:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "vbench"
    mpl.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(True, color="0.92", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _base(method: str) -> str:
    return parse_method(method).base.name


def _cheap(method: str) -> str:
    parts = parse_method(method).parts
    return f"+{parts[0].name}" if parts else ALONE
