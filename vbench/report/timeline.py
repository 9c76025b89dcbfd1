"""One clip frame by frame: overlap with the truth, kind of step, belief."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from vbench.core.boxes import iou
from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.report.canvas import COLOURS, MOST_LINES, canvas, legend_beside, most_shown
from vbench.store.traces import StoredTruth

STEPS = {
    Kind.KEY: ("|", "#0072B2", "keyframe"),
    Kind.FALLBACK: ("x", "#D55E00", "fallback"),
    Kind.SKIPPED: ("_", "#999999", "skipped"),
}


def timeline(truth: StoredTruth, traces: Mapping[str, Trace], title: str) -> Any:
    """Plot IoU over the frames of one clip; keyframes and fallbacks are marked on the line.

    Raises:
        VBenchError: the clip has no single-object ground truth.
    """
    if len(truth.truth) != truth.frames:
        raise VBenchError(f"clip '{truth.name}' has no ground truth of one target")
    figure, axes = canvas((8.0, 3.4))
    seen: set[str] = set()
    count, traces = len(traces), dict(islice(traces.items(), MOST_LINES))
    for index, (method, trace) in enumerate(traces.items()):
        overlap = iou(trace.boxes, truth.truth)
        overlap[~np.isfinite(truth.truth).all(axis=1)] = np.nan
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(overlap, color=colour, lw=1.2, label=method)
        believed = np.isfinite(trace.belief)
        if believed.any():
            frames = np.flatnonzero(believed)
            axes.plot(frames, trace.belief[believed], ":", color=colour, lw=0.8, alpha=0.7)
        for kind, (mark, other, name) in STEPS.items():
            frames = np.flatnonzero(trace.kind == kind)
            if len(frames) and len(frames) < len(trace) - 1:
                label = name if name not in seen else None
                seen.add(name)
                axes.plot(frames, np.full(len(frames), -0.03 - 0.04 * index), mark, color=other,
                          ms=4, label=label, clip_on=False)  # fmt: skip
    axes.set_ylim(-0.04 * (len(traces) + 1), 1)
    axes.set_xlim(0, truth.frames - 1)
    axes.set_xlabel("frame")
    axes.set_ylabel("IoU (dotted: belief)")
    axes.set_title(title + most_shown(count, MOST_LINES), loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure
