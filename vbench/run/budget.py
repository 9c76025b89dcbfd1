"""`budget:most[:k]`: the threshold of `online:c:k` that spends no more than so much a frame.

Seconds vary from run to run, and a threshold must not follow their noise: where the budget is in
ms, one run that tries both halves on nearly every frame gives the mean seconds of each, and what a
threshold then spends is a matter of which half runs when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Floats
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.policy import Budget, Online, parse_policy
from vbench.core.trace import Kind, Trace
from vbench.cost.unit_costs import UnitCosts
from vbench.run.compose import Composed
from vbench.run.tally import unit_costs

# Thresholds that are tried: whole multiples of 1 / STEPS, so that a name stays short.
STEPS = 1000


class TraceOf(Protocol):
    """Runs a method on a clip, with the clock if it is `timed`; None if it fails there."""

    def __call__(self, tried: Composed, clip: Clip, /, timed: bool = False) -> Trace | None:
        """Return the trace."""
        ...


def within_budget(composed: Composed, clips: Sequence[Clip], trace_of: TraceOf) -> Composed:
    """Return the same method under `online:c:k` with the highest c that stays within its budget.

    A higher c keys more often, so c is found by bisection, in at most 13 runs over the clips; what
    is spent counts as in the tables, without the starts.

    Raises:
        VBenchError: the cost is unknown, or even c = 0 costs more.
    """
    budget = composed.policy
    if not isinstance(budget, Budget):
        return composed
    most, unit = budget.most

    def traces_at(step: int, timed: bool = False) -> list[Trace]:
        tried = under(composed, Online(step / STEPS, budget.limit))
        traces = [trace_of(tried, clip, timed=timed) for clip in clips]
        return [trace for trace in traces if trace is not None]

    if unit == "ms":
        priced: Callable[[Sequence[Trace]], float]
        priced = partial(ms_per_frame, *mean_ms(traces_at(STEPS, timed=True)))
        left_out = "its seconds"
    else:
        costs = unit_costs(composed.stepper)
        priced = partial(gmac_per_frame, costs)
        left_out = ", ".join(costs.uncounted) or "its cost"
    least = priced(traces_at(0))
    if math.isnan(least):
        raise VBenchError(
            f"'{composed.name}': a budget wants known costs, and nobody knows {left_out}"
        )
    if least > most:
        raise VBenchError(
            f"'{composed.name}': a keyframe every {budget.limit} frames alone costs {least:.3g} "
            f"{unit} a frame; raise the budget or k ({budget.form})"
        )
    step = highest(STEPS, lambda step: priced(traces_at(step)) <= most)
    return under(composed, Online(step / STEPS, budget.limit))


def as_found(composed: Composed, policy: str) -> Composed:
    """Return the method under the policy that an earlier run found for its budget, if it did."""
    known = parse_policy(policy) if isinstance(composed.policy, Budget) else None
    return under(composed, known) if isinstance(known, Online) else composed


def under(composed: Composed, policy: Online) -> Composed:
    """Return the method under another policy."""
    return replace(composed, policy=policy, method=replace(composed.method, policy=policy))


def highest(most: int, fits: Callable[[int], bool]) -> int:
    """Return the highest number up to `most` that fits, where 0 does and fitting ends once."""
    if fits(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def gmac_per_frame(costs: UnitCosts, traces: Sequence[Trace]) -> float:
    """Billions of MACs a frame over some clips, their starts left out."""
    macs, frames = 0.0, 0
    for trace in traces:
        total = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
        macs, frames = macs + float(total[trace.tracked].sum()), frames + int(trace.tracked.sum())
    return macs / frames / 1e9 if frames else 0.0


def mean_ms(traces: Sequence[Trace]) -> tuple[float, float]:
    """Milliseconds that the base model and the cheap half take on a frame, in the mean."""
    base, cheap = [np.zeros(0)], [np.zeros(0)]
    for trace in traces:
        ran, tried = _halves(trace)
        base.append((trace.seconds - np.where(tried, trace.cheap_seconds, 0.0))[ran])
        cheap.append(trace.cheap_seconds[tried])
    return _mean_ms(np.concatenate(base)), _mean_ms(np.concatenate(cheap))


def ms_per_frame(base_ms: float, cheap_ms: float, traces: Sequence[Trace]) -> float:
    """Milliseconds a frame over some clips whose halves take so many, their starts left out."""
    spent, frames = 0.0, 0
    for trace in traces:
        ran, tried = _halves(trace)
        spent += base_ms * int(ran.sum()) + cheap_ms * int(tried.sum())
        frames += int(trace.tracked.sum())
    return spent / frames if frames else 0.0


def _halves(trace: Trace) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Frames after the start on which the base model ran, and those on which the cheap half did."""
    kind = trace.kind
    both = kind == Kind.FALLBACK
    return (kind == Kind.KEY) | both, (kind == Kind.INTER) | both


def _mean_ms(seconds: Floats) -> float:
    # What never ran costs nothing.
    return float(seconds.mean()) * 1e3 if len(seconds) else 0.0
