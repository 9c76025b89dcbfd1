"""Times of a clip's steps over its frames: jitter, spikes, the rhythm of keyframes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from vbench.core.errors import VBenchError
from vbench.core.trace import Trace
from vbench.report.canvas import COLOURS, MOST_LINES, canvas, legend_beside, most_shown, plain_ticks


def step_times(traces: Mapping[str, Trace], title: str) -> Any:
    """Plot the seconds of every step of one clip in ms, the start left out.

    Raises:
        VBenchError: nothing was timed.
    """
    timed = {name: t for name, t in traces.items() if np.isfinite(t.seconds).any()}
    if not timed:
        raise VBenchError("nothing was timed; run again without --no-timing")
    figure, axes = canvas((8.0, 3.4))
    for index, (method, trace) in enumerate(islice(timed.items(), MOST_LINES)):
        ms = np.where(trace.tracked, trace.seconds * 1e3, np.nan)
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(ms, color=colour, lw=0.9, marker=".", ms=2.5, label=method)
    axes.set_yscale("log")
    span = np.concatenate([t.seconds[t.tracked] for t in islice(timed.values(), MOST_LINES)])
    span = span[np.isfinite(span) & (span > 0)]
    plain_ticks(axes.yaxis, float(np.log10(span.max() / span.min())) if len(span) else 0.0)
    axes.set_xlabel("frame")
    axes.set_ylabel("time of the step (ms)")
    axes.set_title(title + most_shown(len(timed), MOST_LINES), loc="left", fontsize=10)
    legend_beside(figure, axes)
    return figure
