"""What one method costs, call by call, by a named convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vbench.core.policy import Policy
from vbench.cost.conventions import Convention
from vbench.cost.macs import NAN, Count
from vbench.cost.unit_costs import STEPS, Call, calls_of
from vbench.run.compose import Composed


@dataclass(frozen=True)
class CallCost:
    """One call of a model and what counting it gave."""

    call: Call
    count: Count

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        count = self.count
        return {
            "call": self.call.name,
            "steps": list(self.call.steps),
            "per_extra": self.call.extra or None,
            "per_call": count.macs_per_call,
            "per_object": count.macs_per_object,
            "counter": count.counter,
            "uncounted": list(count.uncounted),
            "by_op": dict(count.by_op),
            "by_module": dict(count.by_module),
        }


@dataclass(frozen=True)
class CostSheet:
    """All calls of a method by one convention."""

    method: str
    convention: Convention
    calls: tuple[CallCost, ...]
    interval_max: int | None

    @property
    def steps(self) -> Mapping[str, float]:
        """Start, key and inter with one object each."""
        return {
            step: sum(c.count.macs for c in self.calls if step in c.call.steps) for step in STEPS
        }

    @property
    def per_frame(self) -> float:
        """Average a frame at the policy's largest interval, one object, no fallback.

        NaN where the policy bounds no interval.
        """
        if self.interval_max is None:
            return NAN
        steps, k = self.steps, self.interval_max
        between = steps["inter"] * (k - 1) if k > 1 else 0.0
        return (steps["key"] + between) / k

    def as_json(self) -> dict[str, Any]:
        """Return one JSON object."""
        return {
            "schema": 1,
            "method": self.method,
            "convention": self.convention.name,
            "unit": self.convention.unit,
            "calls": [call.as_json() for call in self.calls],
            **self.steps,
            "interval_max": self.interval_max,
            "per_frame": self.per_frame,
        }


def cost_sheet(composed: Composed, convention: Convention) -> CostSheet:
    """Count every call of a composed method."""
    calls = []
    for call in calls_of(*composed.stepper.parts()):
        if call.works is None:
            found = Count(NAN, NAN, (f"{call.name} states no work",))
        else:
            found = convention.count(call.works)
        calls.append(CallCost(call, found))
    return CostSheet(composed.name, convention, tuple(calls), _interval(composed.policy))


def _interval(policy: Policy) -> int | None:
    return policy.interval_max
