"""What else happened while a method was timed: other programs' load, energy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from vbench.cost.energy import EnergyWatch, Meter, find_meters
from vbench.cost.load import LoadWatch
from vbench.store.run_folder import MethodRecord


@cache
def idle_meter(device: str) -> tuple[Meter, float] | None:
    """Return the first meter that sees `device` and its power when idle; None without one.

    Idling is measured once in a process, and takes two seconds.
    """
    meters, _ = find_meters(device)
    if not meters:
        return None
    watch = EnergyWatch(meters[0])
    watch.measure_idle()
    return meters[0], watch.idle_watts


@dataclass
class MethodWatch:
    """Watches the machine while the clips of one method run; nothing with `device` None."""

    record: MethodRecord
    device: str | None
    frames: int = 0
    _energy: EnergyWatch | None = field(default=None, repr=False)

    def __enter__(self) -> MethodWatch:
        found = idle_meter(self.device) if self.device else None
        if found is not None:
            self._energy = EnergyWatch(found[0], idle_watts=found[1])
            self._energy.__enter__()
        self._load = LoadWatch()
        return self

    def __exit__(self, *error: object) -> None:
        load = self._load.stop()
        if self._energy is not None:
            self._energy.__exit__(*error)
        if not self.frames or not self.device:
            return
        if math.isfinite(load.foreign_cores):
            known = self.record.foreign_cores or 0.0
            self.record.foreign_cores = max(known, round(load.foreign_cores, 3))
        if self._energy is not None and self._energy.energy is not None:
            self.record.energy = self._added(self._energy)

    def _added(self, watch: EnergyWatch) -> dict[str, Any]:
        """Energy of these clips and of those that ran before."""
        energy = watch.energy
        assert energy is not None  # noqa: S101  (the caller asked)
        before = self.record.energy
        return {
            "meter": energy.meter,
            "scope": energy.scope,
            "joules": before.get("joules", 0.0) + energy.joules,
            "net_joules": before.get("net_joules", 0.0) + energy.net_joules,
            "seconds": before.get("seconds", 0.0) + energy.seconds,
            "frames": before.get("frames", 0) + self.frames,
        }
