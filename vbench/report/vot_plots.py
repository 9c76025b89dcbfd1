"""Plots of VOT runs: accuracy against robustness, and expected overlap against length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vbench.metrics.vot import VotScore
from vbench.metrics.vot_intervals import vot_intervals
from vbench.metrics.vot_profiles import SENSITIVITY
from vbench.report.canvas import MOST_NAMES, canvas, legend_beside, marks_of, styles
from vbench.report.labels import place_labels

DASHES = ("-", "--", "-.", ":")


def accuracy_robustness(found: Mapping[str, VotScore], title: str) -> Any:
    """Plot the AR point of each method: right is more robust, up is more accurate.

    The axis is exp(-S F / n), the chance to track S frames without one of F failures in n
    (Kristan et al., The Visual Object Tracking VOT2015 challenge results, section 4.1).
    """
    figure, axes = canvas((6.0, 4.8))
    style = styles(list(found))
    points = np.array([score.ar for score in found.values()])
    for (x, y), (colour, mark) in zip(points, (style[m] for m in found), strict=True):
        axes.plot(x, y, mark, color=colour, ms=7, mec="white", mew=0.9, zorder=3, clip_on=False)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(*_room(points[:, 1]))
    axes.set_xlabel(f"robustness: chance to track {SENSITIVITY:.0f} frames without a failure")
    axes.set_ylabel("accuracy: mean overlap while tracking")
    axes.set_title(title, loc="left", fontsize=10)
    for name, mark in marks_of(list(found)).items():
        axes.plot([], [], mark, color="0.4", ms=5, ls="", label=name)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=7.5)
    colours = [style[m][0] for m in found]
    place_labels(figure, axes, points[:, 0], points[:, 1], list(found), colours)
    return figure


def expected_overlap(found: Mapping[str, VotScore], title: str) -> Any:
    """Plot expected average overlap against sequence length, the interval of lengths shaded.

    EAO, the mean over that interval, stands in the legend with half its 95 % interval over clips;
    a suite without such an interval of lengths has the curves alone.
    """
    figure, axes = canvas((6.8, 4.4))
    style = styles(list(found))
    order = sorted(found, key=lambda m: -np.nan_to_num(found[m].eao, nan=-1.0))
    for index, method in enumerate(order):
        score = found[method]
        lengths = np.arange(1, len(score.curve) + 1)
        axes.plot(
            lengths, score.curve, DASHES[index % 4], color=style[method][0],
            lw=1.5 if index < MOST_NAMES else 0.6,
            label=f"{_legend(score)}{method}" if index < MOST_NAMES else None,
        )  # fmt: skip
    if len(order) > MOST_NAMES:
        axes.plot([], [], " ", label=f"and {len(order) - MOST_NAMES} more, thin")
    interval = found[order[0]].interval
    if interval is not None:
        axes.axvspan(*interval, color="0.5", alpha=0.12, lw=0)
        note = f"EAO: mean over lengths {interval[0]} to {interval[1]}"
        axes.text(interval[0], 1.0, f" {note}", fontsize=7, color="0.35", va="top")
    axes.set_ylim(0, 1)
    longest = max(len(score.curve) for score in found.values())
    axes.set_xlim(1, min(longest, 2 * interval[1]) if interval else longest)
    axes.set_xlabel("sequence length (frames)")
    axes.set_ylabel("expected average overlap")
    axes.set_title(title, loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure


def _legend(score: VotScore) -> str:
    if math.isnan(score.eao):
        return ""
    half = vot_intervals(score)["eao"].half
    return f"{score.eao:.3f}{f' ±{half:.3f}' if math.isfinite(half) else ''}  "


def _room(values: Sequence[float] | np.ndarray[Any, Any]) -> tuple[float, float]:
    """Limits around accuracies, never outside [0, 1] by more than a margin."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not known.size:
        return 0.0, 1.0
    room = max(0.05, 0.15 * float(np.ptp(known)))
    return max(0.0, float(known.min()) - room), min(1.02, float(known.max()) + room)
