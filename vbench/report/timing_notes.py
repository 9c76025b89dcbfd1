"""What a reader of times should know: a busy machine, repeats that differ, times too short."""

from __future__ import annotations

import math

from vbench.cost.latency import median_drift
from vbench.cost.load import TOLERATED_CORES
from vbench.store.run_folder import Manifest, MethodRecord

# Medians of repeats within this share of each other count as the same.
STEADY = 0.05
# Of more methods that other programs disturbed one line is said.
MOST_NAMED = 3


def timing_notes(manifest: Manifest) -> list[str]:
    """One line for every method whose times are doubtful, and why; of many disturbed ones one."""
    busy = {
        name: record.foreign_cores
        for name, record in manifest.methods.items()
        if (record.foreign_cores or 0.0) > TOLERATED_CORES
    }
    together = len(busy) > MOST_NAMED
    notes = [
        f"times of {name}: {note}"
        for name, record in manifest.methods.items()
        for note in [*([] if together else _busy(busy.get(name))), *_notes(record)]
    ]
    if together:
        cores = [value for value in busy.values() if value is not None]
        notes.append(
            f"times of {len(busy)} of {len(manifest.methods)} methods: other programs used "
            f"{min(cores):.1f} to {max(cores):.1f} cores meanwhile"
        )
    devices = sorted({device for record in manifest.methods.values() for device in record.devices})
    if len(devices) > 1:
        notes.append(f"times were taken on {len(devices)} devices; compare only within one of them")
    return notes


def joules_per_frame(record: MethodRecord) -> float:
    """Energy of a frame in J beyond idling, all of a run included; NaN without a meter."""
    frames = record.energy.get("frames", 0)
    return float(record.energy["net_joules"]) / frames if frames else math.nan


def _busy(cores: float | None) -> list[str]:
    return [] if cores is None else [f"other programs used {cores:.1f} cores meanwhile"]


def _notes(record: MethodRecord) -> list[str]:
    found = []
    if len(record.devices) > 1:
        found.append(f"taken on different devices: {', '.join(record.devices)}")
    if record.untimed:
        clip, why = next(iter(record.untimed.items()))
        more = f" and {len(record.untimed) - 1} more" if len(record.untimed) > 1 else ""
        found.append(f"first run alone on {clip}{more}, where it failed when timed again ({why})")
    drift = median_drift(record.repeats_ms)
    if drift > STEADY:
        found.append(f"medians of {len(record.repeats_ms)} repeats differ by {drift:.0%}")
    return found
