"""What a method would take on a device of which only its components' times are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.trace import Kind, Trace
from vbench.cost.device_profile import DeviceProfile, Printed

NAN = float("nan")
BASE_CALLS = ("track", "detect", "key")
CHEAP_CALLS = ("propagate", "inter")
# A printed time within this share of the projected one agrees with it.
AGREES = 0.05


@dataclass(frozen=True)
class Projection:
    """A stored run's method on another device, first frames left out.

    `ms_executed` charges the calls that really happened; `ms_formula` is t_key / k + n t_inter, as
    papers take it, at the realised interval k.
    """

    device: str
    ms_executed: float
    ms_formula: float
    interval: float
    objects: float
    frame_ms: Floats

    @property
    def fps(self) -> float:
        """Frames a second at `ms_executed`."""
        return 1000 / self.ms_executed if self.ms_executed > 0 else NAN

    def columns(self) -> dict[str, float]:
        """Return columns for a table."""
        return {
            "projected_ms": self.ms_executed,
            "projected_fps": self.fps,
            "projected_ms_formula": self.ms_formula,
        }


def formula_ms(key_ms: float, inter_ms: float, interval: float) -> float:
    """Return t_key / k + t_inter, the inter-frame time on every frame (PatchNet, Table 6)."""
    return key_ms / interval + inter_ms


def project(
    profile: DeviceProfile, base: str, propagator: str | None, traces: Sequence[Trace]
) -> Projection:
    """Project stored traces of `base` (+ `propagator`) onto a device.

    Raises:
        UnknownName: a part was not timed on this device.
    """
    times = [frame_ms(profile, base, propagator, trace) for trace in traces]
    later = np.concatenate([ms[1:] for ms in times]) if times else np.zeros(0)
    carried = np.concatenate([t.carried[1:] for t in traces]) if traces else np.zeros(0)
    keys = sum(int((trace.kind[1:] != Kind.INTER).sum()) for trace in traces)
    interval = len(later) / keys if keys else NAN
    objects = float(carried[carried > 0].mean()) if (carried > 0).any() else 0.0
    key_ms, inter_ms = _key_ms(profile, base), 0.0
    if objects:
        inter_ms = _cheap_ms(profile, base, propagator, objects)
    return Projection(
        profile.name,
        float(later.mean()) if len(later) else NAN,
        formula_ms(key_ms, inter_ms, interval),
        interval,
        objects,
        later,
    )


def frame_ms(profile: DeviceProfile, base: str, propagator: str | None, trace: Trace) -> Floats:
    """Return the projected time of every frame, shape (n,) in ms.

    Anchoring is charged on keyframes where it was timed on the device.
    """
    ms = np.zeros(len(trace))
    runs_base = trace.kind != Kind.INTER
    ms[runs_base] += _key_ms(profile, base)
    if propagator is not None and profile.has(propagator, "anchor"):
        anchor = profile.component(propagator, "anchor")
        ms[runs_base] += [anchor.ms(n) for n in trace.objects[runs_base]]
    cheap = (trace.kind == Kind.INTER) | (trace.kind == Kind.FALLBACK)
    counts = {int(n) for n in trace.carried[cheap]}
    by_count = {n: _cheap_ms(profile, base, propagator, n) for n in counts}
    ms[cheap] += [by_count[int(n)] for n in trace.carried[cheap]]
    return ms


@dataclass(frozen=True)
class Checked:
    """A printed row beside its projection."""

    row: Printed
    projected_ms: float

    @property
    def speed_up(self) -> float:
        """Baseline over projected time."""
        return self.row.baseline_ms / self.projected_ms

    @property
    def agrees(self) -> bool:
        """Whether the printed time is within 5 % of the projected one."""
        return abs(self.projected_ms / self.row.skip_ms - 1) <= AGREES

    @property
    def verdict(self) -> str:
        """`agrees`, or where the row contradicts itself."""
        if self.agrees:
            return "agrees" + (f" ({self.row.note})" if self.row.note else "")
        own = self.row.baseline_ms / self.row.skip_ms
        if abs(self.speed_up / self.row.speed_up - 1) <= AGREES:
            return (
                f"misprint: {self.row.skip_ms:g} ms would be {own:.1f}x; "
                f"{self.projected_ms:.0f} ms is the printed {self.row.speed_up:g}x"
            )
        return "does not follow from the components"


def check_printed(profile: DeviceProfile) -> list[Checked]:
    """Project every row that a paper prints for this device."""
    found = []
    for row in profile.printed:
        inter = profile.component(row.propagator, "propagate").ms(row.objects)
        found.append(Checked(row, formula_ms(_key_ms(profile, row.base), inter, row.interval)))
    return found


def _key_ms(profile: DeviceProfile, base: str) -> float:
    call = next((c for c in BASE_CALLS if profile.has(base, c)), BASE_CALLS[0])
    return profile.component(base, call).ms()


def _cheap_ms(profile: DeviceProfile, base: str, propagator: str | None, objects: float) -> float:
    if propagator is None:
        return profile.component(base, "inter").ms(objects)
    call = next((c for c in CHEAP_CALLS if profile.has(propagator, c)), CHEAP_CALLS[0])
    return profile.component(propagator, call).ms(objects)
