"""Points that papers print for a suite, to be drawn beside a run's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vbench.core.errors import VBenchError
from vbench.core.method import parse_method
from vbench.report.reproduction import exhibits

UNKNOWN_BASE = "0.45"


@dataclass(frozen=True)
class PublishedPoint:
    """One printed row: its cost and accuracy on the whole suite, and where it stands.

    `base` is the base model's name here, empty where vbench does not have it.
    """

    label: str
    base: str
    cost: float
    accuracy: float
    source: str


def published_points(suite: str, x: str, y: str) -> list[PublishedPoint]:
    """Return the rows of papers about a suite that print both metrics.

    Raises:
        VBenchError: there is none.
    """
    found = [
        PublishedPoint(
            row.what,
            parse_method(row.method).base.name if row.method else "",
            row.published[x].value,
            row.published[y].value,
            exhibit.source,
        )
        for exhibit in exhibits()
        for row in exhibit.rows
        if exhibit.suite == suite and x in row.published and y in row.published
    ]
    if not found:
        raise VBenchError(
            f"--published: no table prints both {x} and {y} on {suite}; "
            "`vbench reproduce list` shows what is printed"
        )
    return found


def draw_points(axes: Any, points: Sequence[PublishedPoint], colours: Mapping[str, str]) -> None:
    """Draw hollow diamonds, in the colour of their base model where the run has it too."""
    for point in points:
        axes.plot(
            point.cost, point.accuracy, "D", mfc="none", mec=colours.get(point.base, UNKNOWN_BASE),
            ms=6, mew=1.3, zorder=3, clip_on=False,
        )  # fmt: skip


def sources(points: Sequence[PublishedPoint]) -> str:
    """Say where the points stand, each place once."""
    return "; ".join(dict.fromkeys(point.source for point in points))
