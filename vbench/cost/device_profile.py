"""Times of a device's components, measured or as published, from which whole methods are projected.

Schema 1: name, source, citation, device, components. A component is one call of one model, with its
time in ms for each number of objects that was timed.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from vbench.core.errors import UnknownName, VBenchError

SCHEMA = 1
MAX_BYTES = 16 << 20
SOURCES = ("published", "measured", "imported")
# Calls whose time does not depend on how many objects there are.
WHOLE_FRAME = frozenset({"start", "track", "detect", "key", "inter"})


@dataclass(frozen=True)
class Component:
    """One call of one model on a device.

    `ms_by_objects` are medians by the number of objects carried (1 for a call on the whole frame);
    the other numbers are of one object, None where they were not measured.
    """

    model: str
    call: str
    ms_by_objects: Mapping[int, float]
    p95_ms: float | None = None
    runs: int | None = None
    macs: float | None = None
    memory_mb: float | None = None
    joules: float | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """`model.call`."""
        return f"{self.model}.{self.call}"

    def ms(self, objects: float = 1) -> float:
        """Return the time for so many objects: linear between those timed and beyond the last.

        With one number timed only, every object costs the same; without objects nothing runs.
        """
        if self.call in WHOLE_FRAME:
            return next(iter(self.ms_by_objects.values()))
        if objects <= 0:
            return 0.0
        counts = sorted(self.ms_by_objects)
        if len(counts) == 1:
            return self.ms_by_objects[counts[0]] * objects / counts[0]
        upper = next((i for i, count in enumerate(counts) if count >= objects), len(counts) - 1)
        a, b = counts[max(upper - 1, 0)], counts[max(upper, 1)]
        low, high = self.ms_by_objects[a], self.ms_by_objects[b]
        return max(0.0, low + (high - low) * (objects - a) / (b - a))


@dataclass(frozen=True)
class Printed:
    """A row of a paper's table of skip-frame times, to check a projection against."""

    what: str
    where: str
    base: str
    propagator: str
    interval: float
    objects: int
    baseline_ms: float
    skip_ms: float
    speed_up: float
    note: str = ""


@dataclass(frozen=True)
class DeviceProfile:
    """A device, and what its components take there."""

    name: str
    source: str
    device: Mapping[str, Any]
    components: tuple[Component, ...]
    citation: str = ""
    printed: tuple[Printed, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def component(self, model: str, call: str) -> Component:
        """Find a component; parameters in brackets may be left out of its name.

        Raises:
            UnknownName: it was not timed on this device.
        """
        names = {c.name: c for c in self.components}
        for asked in (model, model.partition("[")[0]):
            if f"{asked}.{call}" in names:
                return names[f"{asked}.{call}"]
        raise UnknownName(
            f"component on {self.name}", f"{model}.{call}", names, "`vbench profile` times more"
        )

    def has(self, model: str, call: str) -> bool:
        """Whether this call was timed."""
        stem = model.partition("[")[0]
        return any(c.name in (f"{model}.{call}", f"{stem}.{call}") for c in self.components)

    def to_json(self) -> dict[str, Any]:
        """Return a dict for JSON."""
        components = []
        for part in self.components:
            values = dict(vars(part))
            values["ms_by_objects"] = {str(n): ms for n, ms in part.ms_by_objects.items()}
            components.append(values)
        return {
            "schema": SCHEMA,
            "name": self.name,
            "source": self.source,
            "citation": self.citation,
            "device": dict(self.device),
            "components": components,
            "notes": list(self.notes),
        }


def read_profile(path: Path) -> DeviceProfile:
    """Read a device profile from JSON.

    Raises:
        VBenchError: missing, too large, of another schema, or damaged; names what.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise VBenchError(f"device profile {path.name} is larger than 16 MiB")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VBenchError(f"device profile {path}: {error.strerror}") from None
    except ValueError as error:
        raise VBenchError(f"device profile {path.name} is not JSON: {error}") from None
    return profile_from(data, path.name)


def profile_from(data: Any, source: str) -> DeviceProfile:
    """Make a profile of plain values, all checked.

    Raises:
        VBenchError: names the entry that is wrong.
    """
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        given = data.get("schema") if isinstance(data, Mapping) else None
        raise VBenchError(
            f"device profile {source} has schema {given!r}, not {SCHEMA}; "
            "make it again with `vbench profile`"
        )
    try:
        if data["source"] not in SOURCES:
            raise ValueError(f"source {data['source']!r}")
        components = tuple(_component(values) for values in data["components"])
        if not components:
            raise ValueError("no components")
        return DeviceProfile(
            name=str(data["name"]),
            source=str(data["source"]),
            device=dict(data["device"]),
            components=components,
            citation=str(data.get("citation", "")),
            printed=tuple(Printed(**row) for row in data.get("printed", ())),
            notes=tuple(map(str, data.get("notes", ()))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VBenchError(f"device profile {source} is damaged: {error}") from None


def _component(values: Mapping[str, Any]) -> Component:
    times = {int(n): float(ms) for n, ms in values["ms_by_objects"].items()}
    where = f"{values['model']}.{values['call']}"
    if not times or any(n < 1 or not (math.isfinite(ms) and ms >= 0) for n, ms in times.items()):
        raise ValueError(f"{where}: times must be numbers of ms for 1 object or more")
    numbers = {
        name: None if values.get(name) is None else float(values[name])
        for name in ("p95_ms", "macs", "memory_mb", "joules")
    }
    runs = values.get("runs")
    return Component(
        str(values["model"]),
        str(values["call"]),
        times,
        runs=None if runs is None else int(runs),
        note=str(values.get("note", "")),
        **numbers,
    )


@cache
def shipped_profiles() -> Mapping[str, DeviceProfile]:
    """Return the profiles that papers publish, by name."""
    path = Path(__file__).parent / "published_devices.toml"
    devices = tomllib.loads(path.read_text(encoding="utf-8"))["device"]
    return {values["name"]: profile_from(values, path.name) for values in devices}


def open_profile(name: str) -> DeviceProfile:
    """Return a shipped profile by name, or read a file.

    Raises:
        UnknownName: neither is there.
    """
    if name in shipped_profiles():
        return shipped_profiles()[name]
    path = Path(name)
    if not path.exists():
        hint = "or name a file that `vbench profile` wrote"
        raise UnknownName("device profile", name, shipped_profiles(), hint)
    return read_profile(path)


def merged(profiles: Sequence[DeviceProfile]) -> DeviceProfile:
    """Join profiles of the same device; later components replace earlier ones of the same name."""
    found = {c.name: c for profile in profiles for c in profile.components}
    last = profiles[-1]
    return DeviceProfile(last.name, last.source, last.device, tuple(found.values()), last.citation)
