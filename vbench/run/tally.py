"""Costs of a composed method: MACs of its calls, parameters, memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vbench.cost import unit_costs as prices
from vbench.cost.unit_costs import UnitCosts
from vbench.run.stepper import Stepper
from vbench.run.tuning import networks_of


@dataclass
class Tallies:
    """What was counted of the methods of a run: no policy changes it, so it is counted once."""

    costs: dict[str, UnitCosts] = field(default_factory=dict)
    parameters: dict[str, float | None] = field(default_factory=dict)

    def costs_of(self, carrier: str, stepper: Stepper) -> UnitCosts:
        """Unit costs of a method, `carrier` its name without a policy."""
        if carrier not in self.costs:
            self.costs[carrier] = unit_costs(stepper)
        return self.costs[carrier]

    def parameters_of(self, carrier: str, stepper: Stepper) -> float | None:
        """As `parameters_m`."""
        if carrier not in self.parameters:
            self.parameters[carrier] = parameters_m(stepper)
        return self.parameters[carrier]


def unit_costs(stepper: Stepper) -> UnitCosts:
    """Count what start, key and inter of a stepper execute."""
    return prices.unit_costs(*stepper.parts())


def parameters_m(stepper: Stepper) -> float | None:
    """Millions of parameters in all networks of a method, None where it has no network."""
    # A propagator may share the detector's network, or some of its layers.
    met: set[int] = set()
    total = sum(_parameters(part, met) for part in stepper.parts())
    return total / 1e6 if total else None


def memory_mb(device: str) -> float:
    """Peak memory in MB: of the device where it has its own, of this process otherwise."""
    from vbench.cost.memory import peak_memory_mb

    return peak_memory_mb(device)


def _parameters(part: Any, met: set[int]) -> int:
    stated = getattr(part, "parameter_count", None)
    if stated is not None:
        return int(stated() if callable(stated) else stated)
    found = {id(p): p for network in networks_of(part) for p in network.parameters()}
    new = [p for key, p in found.items() if key not in met]
    met.update(found)
    return sum(int(p.numel()) for p in new)
