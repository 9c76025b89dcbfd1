"""The loss of every step, as a table and as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vbench.core.boxes import Floats
from vbench.store.files import write_atomically

SMOOTHED_OVER = 25


def write_curve(path: Path, losses: Sequence[float]) -> list[Path]:
    """Write `<path>.loss.csv` and `<path>.loss.png`; equal losses give equal files."""
    rows = [f"{step},{loss:.9g}" for step, loss in enumerate(losses)]
    table = path.with_name(f"{path.name}.loss.csv")
    write_atomically(table, "\n".join(["step,loss", *rows, ""]).encode())
    picture = path.with_name(f"{path.name}.loss.png")
    write_atomically(picture, _drawn(np.asarray(losses, dtype=np.float64), path.stem))
    return [table, picture]


def smoothed(losses: Floats, over: int = SMOOTHED_OVER) -> Floats:
    """Mean of each step and those around it, of `over` in all; fewer near the ends."""
    total = np.concatenate([[0.0], np.cumsum(losses)])
    index, half = np.arange(len(losses)), over // 2
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(losses))
    return np.asarray((total[high] - total[low]) / (high - low))


def _drawn(losses: Floats, title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(losses, color="0.75", lw=0.8, label="each step")
    axes.plot(smoothed(losses), color="#0072B2", lw=1.6, label=f"mean of {SMOOTHED_OVER}")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150, metadata={"Software": None})
    return buffer.getvalue()
