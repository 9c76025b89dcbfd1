"""Propagators that spend more on a frame than the model which they spare: one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vbench.core.method import Method, Part, parse_method
from vbench.core.trace import Kind, Trace
from vbench.cost.unit_costs import UnitCosts
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder
from vbench.store.traces import Corrupt

# Detections below this score are rarely right (docs/video.md): where they go matters little.
SURE = 0.3
# Times of equal length differ by chance, and below so many ms nobody minds.
STEADY = 1.1
LEAST_MS = 0.1


@dataclass(frozen=True)
class Carried:
    """Mean objects on an inter-frame and, of detections from SURE on, on a keyframe."""

    objects: float
    strong: float


@dataclass(frozen=True)
class Spending:
    """What an inter-frame and the base model's own frame take, in one unit.

    `strong` is what an inter-frame would take with the detections from SURE on alone.
    """

    inter: float
    base: float
    strong: float
    unit: str

    @property
    def excessive(self) -> bool:
        """Is more spent than spared? Not where something is unknown."""
        if self.unit == "ms":
            return self.inter > max(self.base * STEADY, LEAST_MS)
        return self.inter > self.base


def carrying_notes(folder: RunFolder, manifest: Manifest) -> list[str]:
    """One line for every propagator that costs more than the base model; its policies share it."""
    notes: dict[str, str] = {}
    for name, record in manifest.methods.items():
        method = parse_method(name)
        carrier = str(replace(method, policy=None))
        if not method.parts or carrier in notes:
            continue
        traces = _traces(folder, manifest, record)
        if any((trace.kind == Kind.INTER).any() for trace in traces):
            notes[carrier] = _note(carrier, method, manifest.task, record, traces)
    return [note for note in notes.values() if note]


def _traces(folder: RunFolder, manifest: Manifest, record: MethodRecord) -> list[Trace]:
    found = []
    for clip in manifest.clips:
        try:
            trace = None if clip in record.problems else folder.trace(record, clip)
        except Corrupt:
            continue
        if trace is not None:
            found.append(trace)
    return found


def _note(
    carrier: str, method: Method, task: str, record: MethodRecord, traces: Sequence[Trace]
) -> str:
    carried = Carried(_of(traces, "carried", Kind.INTER).mean(), _strong(traces))
    spent = [s for s in (_macs(record, carried, task), _ms(traces, carried)) if s.excessive]
    if not spent:
        return ""
    what = f"{carried.objects:.3g} objects" if task == "vid" else "the target"
    inter = " and ".join(f"{s.inter:.3g} {s.unit}" for s in spent)
    base = " and ".join(f"{s.base:.3g} {s.unit}" for s in spent)
    propagator = method.parts[0]
    instead = f"take a cheaper propagator, such as +dummy, or {method.base} alone"
    given = dict(propagator.parameters)
    least = max(float(given.get(name, 0)) for name in ("floor", "still"))
    if task == "vid" and least < SURE and all(s.strong < s.base for s in spent):
        kept = tuple((k, v) for k, v in propagator.parameters if k != "still")
        fewer = Part(propagator.name, (*kept, ("still", f"{SURE:g}")))
        instead = f"carry only what is sure, at a small cost in mAP: +{fewer}"
    return (
        f"{carrier}: carrying {what} takes {inter} a frame, {method.base} itself {base}, so it "
        f"spends more than it saves; {instead}"
    )


def _macs(record: MethodRecord, carried: Carried, task: str) -> Spending:
    """By the prices of steps; a detector's frame without what anchors its objects."""
    costs = UnitCosts.from_json(record.costs) if record.costs else UnitCosts()
    own = costs.key.per_call + (costs.key.per_object if task == "sot" else 0.0)
    inter, strong = (
        costs.inter.per_call + costs.inter.per_object * n for n in (carried.objects, carried.strong)
    )
    return Spending(inter / 1e9, own / 1e9, strong / 1e9, "GMAC")


def _ms(traces: Sequence[Trace], carried: Carried) -> Spending:
    """By medians, in which what else the machine did counts little."""
    inter = _of(traces, "cheap_seconds", Kind.INTER) * 1e3
    base = _of(traces, "seconds", Kind.KEY) * 1e3
    middle = float(np.median(inter))
    share = carried.strong / carried.objects if carried.objects else 1.0
    own = float(np.median(base)) if len(base) else float("nan")
    return Spending(middle, own, middle * min(share, 1.0), "ms")


def _of(traces: Sequence[Trace], column: str, kind: Kind) -> NDArray[np.float64]:
    found = [getattr(trace, column)[trace.kind == kind] for trace in traces]
    return np.concatenate(found).astype(np.float64)


def _strong(traces: Sequence[Trace]) -> float:
    """Mean detections with a score from SURE on, over the keyframes."""
    counts = []
    for trace in traces:
        frame = np.repeat(np.arange(len(trace)), trace.objects)
        strong = np.bincount(frame[trace.scores >= SURE], minlength=len(trace))
        counts.append(strong[trace.key_frames])
    return float(np.concatenate(counts).mean())
