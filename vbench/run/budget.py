"""`budget:gmac[:k]`: the threshold of `online:c:k` that spends no more than so much a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.policy import Budget, Online, parse_policy
from vbench.core.trace import Trace
from vbench.cost.unit_costs import UnitCosts
from vbench.run.compose import Composed
from vbench.run.tally import unit_costs

# Thresholds that are tried: whole multiples of 1 / STEPS, so that a name stays short.
STEPS = 1000
TraceOf = Callable[[Composed, Clip], Trace | None]


def within_budget(composed: Composed, clips: Sequence[Clip], trace_of: TraceOf) -> Composed:
    """Return the same method under `online:c:k` with the highest c that stays within its budget.

    `trace_of` runs a method on a clip, None if it fails there. A higher c keys more often, so c is
    found by bisection, in at most 12 runs over the clips; what is spent counts as in the tables,
    without the starts.

    Raises:
        VBenchError: the cost is unknown, or even c = 0 costs more.
    """
    budget = composed.policy
    if not isinstance(budget, Budget):
        return composed
    costs = unit_costs(composed.stepper)

    def gmac_at(step: int) -> float:
        tried = under(composed, Online(step / STEPS, budget.limit))
        traces = [trace_of(tried, clip) for clip in clips]
        return gmac_per_frame(costs, [trace for trace in traces if trace is not None])

    least = gmac_at(0)
    if least != least:
        left_out = ", ".join(costs.uncounted) or "its cost"
        raise VBenchError(
            f"'{composed.name}': a budget wants known costs, and nobody knows {left_out}"
        )
    if least > budget.gmac:
        raise VBenchError(
            f"'{composed.name}': a keyframe every {budget.limit} frames alone costs {least:.3g} "
            f"GMAC a frame; raise the budget or k (budget:gmac:k)"
        )
    step = highest(STEPS, lambda step: gmac_at(step) <= budget.gmac)
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
