"""Distribution of step times: keyframes and inter-frames apart, which a mean hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.report.canvas import canvas

KINDS = ((Kind.KEY, "#0072B2", "key"), (Kind.INTER, "#009E73", "inter"))
FALLBACK = (Kind.FALLBACK, "#D55E00", "fallback (pays both)")


def latencies(traces: Mapping[str, Sequence[Trace]], title: str) -> Any:
    """Plot the times of every method's steps in ms: each kind its box (p5 to p95) and median.

    Raises:
        VBenchError: nothing was timed.
    """
    rows = _rows(traces)
    if not rows:
        raise VBenchError("nothing was timed; run again without --no-timing")
    figure, axes = canvas((7.0, 1.2 + 0.28 * len(rows)))
    for position, (_, colour, ms) in enumerate(reversed(rows)):
        p5, p25, p50, p75, p95 = np.percentile(ms, [5, 25, 50, 75, 95])
        axes.plot([p5, p95], [position, position], color=colour, lw=1)
        axes.plot([p25, p75], [position, position], color=colour, lw=6, solid_capstyle="butt")
        axes.plot(p50, position, "|", color="white", ms=7, mew=1.6)
        axes.plot(ms.max(), position, ".", color=colour, ms=3)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in reversed(rows)], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlabel("time of a step (ms): quartiles, 5 to 95 %, dot: longest")
    axes.set_title(title, loc="left", fontsize=10)
    return figure


def _rows(traces: Mapping[str, Sequence[Trace]]) -> list[tuple[str, str, Any]]:
    rows = []
    for method, own in traces.items():
        kind = np.concatenate([t.kind for t in own])
        ms = np.concatenate([t.seconds for t in own]) * 1e3
        for which, colour, name in (*KINDS, FALLBACK):
            found = ms[(kind == which) & np.isfinite(ms) & (ms > 0)]
            if len(found):
                rows.append((f"{method}  {name}", colour, found))
    return rows
