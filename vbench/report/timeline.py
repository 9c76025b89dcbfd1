"""One clip frame by frame: overlap with the truth, kind of step, belief."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from vbench.core.boxes import Floats, iou, iou_matrix
from vbench.core.trace import Kind, Trace
from vbench.report.canvas import COLOURS, MOST_LINES, canvas, legend_beside, most_shown
from vbench.report.overlay import LEAST_SCORE
from vbench.store.traces import StoredTruth

STEPS = {
    Kind.KEY: ("|", "keyframe"),
    Kind.FALLBACK: ("x", "fallback"),
    Kind.SKIPPED: ("_", "skipped"),
}
# Height of a method's row of marks, below an IoU of 0.
ROW = 0.04


def timeline(truth: StoredTruth, traces: Mapping[str, Trace], title: str) -> Any:
    """Plot IoU over the frames of one clip; keyframes and fallbacks are marked in a row below.

    Of many objects it is their mean, each with the best box of its class among those that are
    worth drawing.
    """
    figure, axes = canvas((8.0, 3.4))
    many = truth.objects is not None
    seen: dict[str, str] = {}
    count, traces = len(traces), dict(islice(traces.items(), MOST_LINES))
    for index, (method, trace) in enumerate(traces.items()):
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(overlaps(truth, trace), color=colour, lw=1.2, label=method)
        believed = np.isfinite(trace.belief)
        if believed.any():
            frames = np.flatnonzero(believed)
            axes.plot(frames, trace.belief[believed], ":", color=colour, lw=0.8, alpha=0.7)
        for kind, (mark, name) in STEPS.items():
            frames = np.flatnonzero(trace.kind == kind)
            if len(frames) and len(frames) < len(trace) - 1:
                seen[mark] = name
                height = np.full(len(frames), -ROW * (index + 0.75))
                axes.plot(frames, height, mark, color=colour, ms=4, clip_on=False)
    for mark, name in seen.items():
        axes.plot([], [], mark, color="0.3", ms=4, label=name)
    axes.set_ylim(-ROW * (len(traces) + 1), 1)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlim(0, max(truth.frames - 1, 1))
    axes.set_xlabel("frame")
    axes.set_ylabel("mean IoU of objects (dotted: belief)" if many else "IoU (dotted: belief)")
    axes.set_title(title + most_shown(count, MOST_LINES), loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure


def overlaps(truth: StoredTruth, trace: Trace, stride: int = 1) -> Floats:
    """IoU of every `stride`-th frame with the truth; NaN where it has no object."""
    if truth.objects is None:
        found = iou(trace.boxes[::stride], truth.truth[::stride])
        found[~np.isfinite(truth.truth[::stride]).all(axis=1)] = np.nan
        return np.asarray(found, np.float64)
    objects = truth.objects
    values = np.full(truth.frames, np.nan)
    slices = trace.frame_slices()
    begins = np.searchsorted(objects.frame, np.arange(truth.frames + 1))
    for index in range(0, truth.frames, stride):
        own = np.arange(begins[index], begins[index + 1])
        own = own[~objects.ignore[own]]
        if not len(own):
            continue
        kept = trace.scores[slices[index]] >= LEAST_SCORE
        boxes, labels = trace.boxes[slices[index]][kept], trace.labels[slices[index]][kept]
        overlap = iou_matrix(objects.boxes[own], boxes)
        overlap[objects.labels[own][:, None] != labels] = 0.0
        values[index] = overlap.max(axis=1, initial=0.0).mean()
    return values[::stride]
