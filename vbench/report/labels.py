"""Labels of points that overlap neither each other nor the points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Offsets tried in points, nearest first: right, left, above, below, then further out.
OFFSETS = [
    (dx * reach, dy * reach)
    for reach in (1.0, 1.7, 2.6, 3.8, 5.2, 7.0, 9.0, 12.0)
    for dx, dy in (
        (8, 0), (-8, 0), (7, 7), (7, -7), (-7, 7), (-7, -7), (0, 9), (0, -9),
    )
]  # fmt: skip

# So few names are all written, even where they touch; longer names are cut.
FEW = 12
LONG = 44


def place_labels(
    figure: Any,
    axes: Any,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    texts: Sequence[str],
    colours: Sequence[str],
    first: Sequence[int] = (),
    size: float = 7.5,
) -> list[Any]:
    """Write `texts` beside points (n,), greedily where nothing is yet; far ones get a leader.

    Those of `first` choose before the others. Where no place is free a name is left out: a plot of
    fifty methods is read by its front, and by its table.
    """
    from matplotlib.patheffects import withStroke

    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    points = axes.transData.transform(np.column_stack([x, y]))
    scale = figure.dpi / 72
    taken = [(px - 5 * scale, py - 5 * scale, px + 5 * scale, py + 5 * scale) for px, py in points]
    frame = axes.get_window_extent(renderer)
    border = (frame.x0, frame.y0, frame.x1 + 0.12 * frame.width, frame.y1)
    placed = []
    order = np.lexsort((points[:, 0], -points[:, 1])).tolist()
    for index in [*first, *(i for i in order if i not in set(first))]:
        note = axes.annotate(
            _short(texts[index]), (x[index], y[index]), fontsize=size, color="0.1", zorder=4,
            textcoords="offset points", xytext=(0, 0), annotation_clip=False,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        extent = note.get_window_extent(renderer)
        width, height = extent.width, extent.height
        best = min(
            (_candidate(points[index], offset, width, height, scale) for offset in OFFSETS),
            key=lambda found: _cost(found, taken, border),
        )
        offset, aligned, box = best
        if len(texts) > FEW and any(_overlap(box, other) > 0 for other in taken):
            note.remove()
            continue
        note.set_ha(aligned[0])
        note.set_va(aligned[1])
        note.xyann = offset
        taken.append(box)
        if np.hypot(*offset) > 16:
            axes.annotate(
                "", (x[index], y[index]), xytext=offset, textcoords="offset points", zorder=2,
                arrowprops={"arrowstyle": "-", "color": colours[index], "lw": 0.6, "alpha": 0.6},
            )  # fmt: skip
        placed.append(note)
    return placed


def _short(text: str) -> str:
    """Cut a name to what fits beside a point; of a path only its end is told."""
    text = re.sub(r":[^+@\[\]]*/", ":", text)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def _candidate(
    point: NDArray[np.float64],
    offset: tuple[float, float],
    width: float,
    height: float,
    scale: float,
) -> tuple[tuple[float, float], tuple[str, str], tuple[float, float, float, float]]:
    dx, dy = offset
    horizontal = "center" if dx == 0 else ("left" if dx > 0 else "right")
    vertical = "center" if dy == 0 else ("bottom" if dy > 0 else "top")
    left = point[0] + dx * scale - {"left": 0.0, "center": 0.5, "right": 1.0}[horizontal] * width
    low = point[1] + dy * scale - {"bottom": 0.0, "center": 0.5, "top": 1.0}[vertical] * height
    return offset, (horizontal, vertical), (left, low, left + width, low + height)


def _cost(
    found: tuple[tuple[float, float], tuple[str, str], tuple[float, float, float, float]],
    taken: Sequence[tuple[float, float, float, float]],
    border: tuple[float, float, float, float],
) -> float:
    offset, _, box = found
    overlap = sum(_overlap(box, other) for other in taken)
    area = (box[2] - box[0]) * (box[3] - box[1])
    outside = area - _overlap(box, border)
    return overlap * 10 + outside * 10 + float(np.hypot(*offset))


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)
