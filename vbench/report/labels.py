"""Labels of points that overlap neither each other nor the points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from os.path import commonprefix
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Directions of a label from its point, in points of print, those that read best first.
AROUND = (
    (8, 0), (-8, 0), (7, 7), (7, -7), (-7, 7), (-7, -7), (0, 9), (0, -9),
    (8, 3), (8, -3), (-8, 3), (-8, -3), (3, 9), (3, -9), (-3, 9), (-3, -9),
)  # fmt: skip
REACHES = (1.0, 1.7, 2.6, 3.8, 5.2, 7.0, 9.0, 12.0)
OFFSETS = [(dx * reach, dy * reach) for reach in REACHES for dx, dy in AROUND]

# So few names are all written, even where they touch; of so many only the first ones get leaders.
FEW = 12
MANY = 24
LONG = 44
# A label this far from its point (in points of print) gets a line to it.
FAR = 12


def place_labels(
    figure: Any,
    axes: Any,
    x: Floats,
    y: Floats,
    texts: Sequence[str],
    colours: Sequence[str],
    first: Sequence[int] = (),
    size: float = 7.5,
    spill: float = 0.12,
) -> list[Any]:
    """Write `texts` beside points (n,), greedily where nothing is yet; far ones get a leader.

    Call it when all else is drawn: the layout stays as it then is. Names may reach over the right
    border by the share `spill`. Those of `first` choose before the others. Where no place is free a
    name is left out: a plot of fifty methods is read by its front, and by its table.
    """
    from matplotlib.patheffects import withStroke

    figure.canvas.draw()
    # Names at the border would shrink the axes and push labels into each other.
    figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer()
    points = axes.transData.transform(np.column_stack([x, y]))
    scale = figure.dpi / 72
    taken, lines = np.column_stack([points - 5 * scale, points + 5 * scale]), np.zeros((0, 4))
    frame = axes.get_window_extent(renderer)
    border = np.array([frame.x0, frame.y0, frame.x1 + spill * frame.width, frame.y1])
    placed = []
    front, names = set(first), shortened(texts)
    order = np.lexsort((points[:, 0], -points[:, 1])).tolist()
    for index in [*first, *(i for i in order if i not in front)]:
        note = axes.annotate(
            names[index], (x[index], y[index]), fontsize=size, color="0.1", zorder=4,
            textcoords="offset points", xytext=(0, 0), annotation_clip=False,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        extent = note.get_window_extent(renderer)
        boxes = _candidates(points[index], extent.width, extent.height, scale)
        leaders = [_leader(points[index], offset, scale) for offset in OFFSETS]
        near = [not len(texts) > MANY or index in front or not len(line) for line in leaders]
        costs = [
            _cost(box, leader, offset, taken, lines, border) if allowed else np.inf
            for box, leader, offset, allowed in zip(boxes, leaders, OFFSETS, near, strict=True)
        ]
        best = int(np.argmin(costs))
        if len(texts) > FEW and overlaps(boxes[best], taken).any():
            note.remove()
            continue
        dx, dy = OFFSETS[best]
        note.set_ha("center" if dx == 0 else ("left" if dx > 0 else "right"))
        note.set_va("center" if dy == 0 else ("bottom" if dy > 0 else "top"))
        note.xyann = OFFSETS[best]
        taken = np.concatenate([taken, boxes[best : best + 1]])
        lines = np.concatenate([lines, leaders[best]])
        if len(leaders[best]):
            axes.annotate(
                "", (x[index], y[index]), xytext=OFFSETS[best], textcoords="offset points",
                zorder=2, annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": colours[index], "lw": 0.6, "alpha": 0.6,
                            "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
        placed.append(note)
    return placed


def shortened(texts: Sequence[str], most: int = LONG) -> list[str]:
    """Cut names as `short` does; of those that would look alike the place where they differ stays.

    `texts` are different from each other.
    """
    found = [short(text, most) for text in texts]
    groups = [[o for o, f in zip(texts, found, strict=True) if f == name] for name in found]
    return [
        name if len(group) == 1 else _where_they_differ(text, group, most)
        for text, name, group in zip(texts, found, groups, strict=True)
    ]


def _where_they_differ(text: str, group: Sequence[str], most: int) -> str:
    head = most // 3
    same = len(commonprefix(group))  # noqa: RUF071  (letters are meant)
    start = max(head, same - most // 5)
    return f"{text[:head]}…{text[start:][: most - head - 1]}"


def short(text: str, most: int = LONG) -> str:
    """Cut a name to what fits beside a point; of a path only its end is told.

    Parameters go first, then the middle: methods of a sweep differ at their ends.
    """
    text = re.sub(r":[^+@\[\]]*/", ":", text)
    if len(text) > most:
        text = re.sub(r"\[[^\]]*\]", "[…]", text)
    if len(text) <= most:
        return text
    tail = most // 2
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def overlaps(box: Floats, others: Floats) -> Floats:
    """Areas that a box (4,) of left, low, right, high shares with others (n, 4)."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0))


def _candidates(point: Floats, width: float, height: float, scale: float) -> Floats:
    """Boxes (n, 4) of a text at every offset."""
    offsets = np.array(OFFSETS)
    # A text stands on the side of its offset, centred where that is zero.
    left = point[0] + offsets[:, 0] * scale - (1 - np.sign(offsets[:, 0])) / 2 * width
    low = point[1] + offsets[:, 1] * scale - (1 - np.sign(offsets[:, 1])) / 2 * height
    return np.column_stack([left - scale, low, left + width + scale, low + height])


def _leader(point: Floats, offset: tuple[float, float], scale: float) -> Floats:
    """Small boxes (n, 4) along the line from a point to its text; none where it is near."""
    length = float(np.hypot(*offset))
    if length <= FAR:
        return np.zeros((0, 4))
    steps = np.linspace(6 / length, 1 - 2 / length, 2 + int(length / 3))[:, None]
    along = point + steps * np.array(offset) * scale
    return np.column_stack([along - 0.5 * scale, along + 0.5 * scale])


def _cost(
    box: Floats,
    leader: Floats,
    offset: tuple[float, float],
    taken: Floats,
    lines: Floats,
    border: Floats,
) -> float:
    """What speaks against a place: texts and points below it, lines crossed, distance."""
    outside = (box[2] - box[0]) * (box[3] - box[1]) - overlaps(box, border[None])[0]
    overlap = overlaps(box, taken).sum() + outside
    crossed = sum(bool(overlaps(step, taken).any()) for step in leader)
    crossed += int(np.count_nonzero(overlaps(box, lines)))
    return float(overlap * 10 + 25 * crossed + 2 * np.hypot(*offset))
