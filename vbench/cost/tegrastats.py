"""Lines of NVIDIA's tegrastats, of every L4T release so far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from vbench.core.errors import VBenchError

MEMORY = re.compile(r"\b(RAM|SWAP) (\d+)/(\d+)MB")
CPUS = re.compile(r"\bCPU \[([^\]]*)\](?:@(\d+))?", re.IGNORECASE)
CORE = re.compile(r"(\d+)%(?:@(\d+))?$")
# GR3D 39%@76, GR3D_FREQ 0%@1109, GR3D_FREQ 0%@[1007,1007], EMC_FREQ @2133
ENGINE = re.compile(r"\b(GR3D|EMC)(?:_FREQ)? (?:(\d+)%)?(?:@\[?(\d+))?")
CELSIUS = re.compile(r"\b([A-Za-z]\w*)@(-?[\d.]+)C\b")
# Milliwatts now and averaged since the start; the unit is written by newer releases, not always.
RAIL = re.compile(r"\b([A-Z]\w*) (\d+)(?:mW)?/(\d+)(?:mW)?(?![\w.])")
# Rails that carry the whole module; elsewhere the rails add up.
TOTALS = ("POM_5V_IN", "VDD_IN")


@dataclass(frozen=True)
class Tegrastats:
    """One line: memory in MB, load in percent, clocks in MHz, rails in mW (now, average).

    None where the release does not say; a core that is off is None.
    """

    ram_mb: int
    ram_total_mb: int
    swap_mb: int | None = None
    cpu_percent: tuple[int | None, ...] = ()
    cpu_mhz: tuple[int | None, ...] = ()
    gpu_percent: int | None = None
    gpu_mhz: int | None = None
    memory_mhz: int | None = None
    celsius: Mapping[str, float] = field(default_factory=dict)
    rails_mw: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def watts(self) -> float | None:
        """Power of the whole module now, None where there are no rails."""
        return total_watts({name: now / 1000 for name, (now, _) in self.rails_mw.items()})


def total_watts(rails: Mapping[str, float]) -> float | None:
    """Return the module's power in W: its input rail where there is one, else all rails."""
    for name in TOTALS:
        if name in rails:
            return rails[name]
    return sum(rails.values()) if rails else None


def parse_tegrastats(line: str) -> Tegrastats:
    """Read one line.

    Raises:
        VBenchError: it is no line of tegrastats.
    """
    memory = {name: (int(used), int(whole)) for name, used, whole in MEMORY.findall(line)}
    if "RAM" not in memory:
        raise VBenchError(f"'{line.strip()[:40]}' is no line of tegrastats: it has no RAM entry")
    percent, mhz = _cores(line)
    engines = {name: (share, clock) for name, share, clock in ENGINE.findall(line)}
    gpu, emc = engines.get("GR3D", ("", "")), engines.get("EMC", ("", ""))
    rails = {
        name: (int(now), int(average))
        for name, now, average in RAIL.findall(line)
        if name not in memory
    }
    return Tegrastats(
        *memory["RAM"],
        swap_mb=memory["SWAP"][0] if "SWAP" in memory else None,
        cpu_percent=percent,
        cpu_mhz=mhz,
        gpu_percent=_whole(gpu[0]),
        gpu_mhz=_whole(gpu[1]),
        memory_mhz=_whole(emc[1]),
        celsius={name: float(value) for name, value in CELSIUS.findall(line)},
        rails_mw=rails,
    )


def _cores(line: str) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
    found = CPUS.search(line)
    if found is None:
        return (), ()
    cores = [CORE.match(core.strip()) for core in found[1].split(",")]
    common = _whole(found[2] or "")
    percent = tuple(int(core[1]) if core else None for core in cores)
    mhz = tuple((_whole(core[2] or "") or common) if core else None for core in cores)
    return percent, mhz


def _whole(text: str) -> int | None:
    return int(text) if text else None
