"""Distribution of step times: keyframes and inter-frames apart, which a mean hides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.report.canvas import LETTER_INCHES, canvas, plain_ticks
from vbench.report.labels import shortened
from vbench.report.tradeoff import MANY


@dataclass(frozen=True)
class StepKind:
    """A kind of step as it is drawn."""

    kind: Kind
    colour: str
    name: str


KINDS = (
    StepKind(Kind.KEY, "#0072B2", "keyframes"),
    StepKind(Kind.INTER, "#009E73", "inter-frames"),
    StepKind(Kind.FALLBACK, "#D55E00", "fallbacks (pay both)"),
)
# Height of a method's row for few and for many methods; its kinds stand this part of it apart.
ROW_INCHES = (0.5, 0.27)
SHIFT = 0.25


def latencies(traces: Mapping[str, Sequence[Trace]], title: str) -> Any:
    """Plot the times of every method's steps in ms: each kind its box (p5 to p95) and median.

    Raises:
        VBenchError: nothing was timed.
    """
    rows = _rows(traces)
    if not rows:
        raise VBenchError("nothing was timed; run again without --no-timing")
    methods = list(dict.fromkeys(method for method, _, _ in rows))[::-1]
    each = ROW_INCHES[0] if len(methods) <= MANY else ROW_INCHES[1]
    names = shortened(methods)
    wide = 6.0 + LETTER_INCHES * max(map(len, names))
    figure, axes = canvas((wide, 1.4 + each * len(methods)))
    thick = 72 * each * SHIFT * 0.75
    for method, kind, ms in rows:
        place = methods.index(method) - SHIFT * (KINDS.index(kind) - 1)
        p5, p25, p50, p75, p95 = np.percentile(ms, [5, 25, 50, 75, 95])
        axes.plot([p5, p95], [place, place], color=kind.colour, lw=1)
        axes.plot([p25, p75], [place, place], color=kind.colour, lw=thick, solid_capstyle="butt")
        axes.plot(p50, place, "|", color=kind.colour, ms=thick * 1.8, mew=1.6)
        axes.plot(ms.max(), place, ".", color=kind.colour, ms=3)
    for kind in KINDS:
        if any(kind == other for _, other, _ in rows):
            axes.plot([], [], color=kind.colour, lw=4, label=kind.name)
    axes.set_yticks(range(len(methods)), names, fontsize=7)
    axes.set_ylim(-0.7, len(methods) - 0.3)
    axes.set_xscale("log")
    span = np.concatenate([ms for _, _, ms in rows])
    plain_ticks(axes.xaxis, float(np.log10(span.max() / span.min())))
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=7.5)
    axes.set_xlabel("time of a step (ms): quartiles, 5 to 95 %, dot: longest")
    axes.set_title(title, loc="left", fontsize=10)
    return figure


def _rows(traces: Mapping[str, Sequence[Trace]]) -> list[tuple[str, StepKind, Any]]:
    rows: list[tuple[str, StepKind, Any]] = []
    for method, own in traces.items():
        kind = np.concatenate([t.kind for t in own])
        ms = np.concatenate([t.seconds for t in own]) * 1e3
        for which in KINDS:
            found = ms[(kind == which.kind) & np.isfinite(ms) & (ms > 0)]
            if len(found):
                rows.append((method, which, found))
    return rows
