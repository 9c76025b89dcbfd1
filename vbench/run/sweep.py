"""One parameter over its values: the grid of methods that a sweep runs, and its plan."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vbench import catalogue
from vbench.core.dort import Dort
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import Method, Part, parse_method
from vbench.core.policy import Adaptive, Budget, Decay, Fixed, Online, Oracle, Policy
from vbench.core.trace import Trace
from vbench.run.compose import plan
from vbench.store.files import write_atomically
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder
from vbench.store.traces import Corrupt

INTERVALS = (1, 2, 3, 5, 10)
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BARE_PROPAGATORS = ("dummy", "full-template", "patch-aggregation")
# Policies that keep what they are at another k.
WITH_K = (Fixed, Online, Decay, Adaptive, Oracle, Budget, Dort)
# So near to the interval that was asked for counts as it.
NEAR = 0.05
SCHEMA = 1


@dataclass(frozen=True)
class Point:
    """One method of the grid: the swept method, the value on the axis, and what runs."""

    swept: str
    value: str
    method: str


@dataclass(frozen=True)
class Sweep:
    """A named axis and its points, in the order in which they run."""

    axis: str
    points: tuple[Point, ...]

    @property
    def methods(self) -> list[str]:
        """The methods to run, each once, those without a cheap half first.

        A detector alone comes before its skip-frame methods, which replay its answers; of those the
        one with the largest interval comes first, as others recall what it carried.
        """
        swept = list(dict.fromkeys(point.swept for point in self.points))
        places: dict[str, tuple[bool, int, int]] = {}
        for point in self.points:
            method = parse_method(point.method)
            k = method.policy.interval_max if method.policy is not None else None
            place = bool(method.parts), swept.index(point.swept), -(k or 0)
            places.setdefault(point.method, place)
        return sorted(places, key=lambda name: places[name])


def keyframe_interval(methods: Sequence[str], intervals: Sequence[int]) -> Sweep:
    """Sweep the (largest) distance between keyframes; 1 is the base model alone.

    A method that names a policy keeps it with another k; others run under `fixed`.
    """
    _need_cheap_halves(methods)
    points, swept = [], _swept(methods)
    for text in methods:
        method = parse_method(text)
        for k in intervals:
            made = _alone(method) if k == 1 else replace(method, policy=_with_k(method.policy, k))
            points.append(Point(swept[text], str(k), str(plan(str(made)).method)))
    return Sweep("keyframe-interval", tuple(points))


def threshold(methods: Sequence[str], thresholds: Sequence[float]) -> Sweep:
    """Sweep c of `online:c:k`, at the k of each method's policy (5 where it names none)."""
    _need_cheap_halves(methods)
    points, swept = [], _swept(methods)
    for text in methods:
        method = parse_method(text)
        k = getattr(method.policy, "k", None) or 5
        for c in thresholds:
            made = replace(method, policy=Online(c, k))
            points.append(Point(swept[text], f"{c:g}", str(plan(str(made)).method)))
    return Sweep("threshold", tuple(points))


def scale(methods: Sequence[str], scales: Sequence[float]) -> Sweep:
    """Sweep the size of the frames that the base model sees; 1 is the base as it is."""
    points, swept = [], _swept(methods)
    for text in methods:
        method = parse_method(text)
        for value in scales:
            made = replace(
                method, base=_with(method.base, "scale", "" if value == 1 else f"{value:g}")
            )
            points.append(Point(swept[text], f"{value:g}", str(plan(str(made)).method)))
    return Sweep("scale", tuple(points))


def dtype(methods: Sequence[str], dtypes: Sequence[str]) -> Sweep:
    """Sweep the precision of every part that has weights; fp32 is the method as it is.

    Raises:
        VBenchError: no part of a method has weights.
    """
    points, swept = [], _swept(methods)
    for text in methods:
        method = parse_method(text)
        heavy = set(plan(text).weights)
        if not heavy:
            raise VBenchError(
                f"method '{text}' has no network whose dtype could change; name one that has, such "
                "as siamfc"
            )
        for value in dtypes:
            given = "" if value == "fp32" else value
            base, *parts = (
                _with(part, "dtype", given) if part.name in heavy else part
                for part in (method.base, *method.parts)
            )
            made = plan(str(Method(base, tuple(parts), method.policy)))
            points.append(Point(swept[text], value, str(made.method)))
    return Sweep("dtype", tuple(points))


def parameter(methods: Sequence[str], assignment: str) -> Sweep:
    """Sweep `part.parameter=value,value,...` over the methods that have that part.

    Raises:
        VBenchError: not of that form, or no method has that part.
    """
    target, _, values = assignment.partition("=")
    name, _, key = target.rpartition(".")
    if not name or not key or not values:
        raise VBenchError(f"--param '{assignment}': write part.parameter=value,value,...")
    points = []
    for text in methods:
        method = parse_method(text)
        if name not in {part.name for part in (method.base, *method.parts)}:
            continue
        for value in values.split(","):
            base, *parts = (_set(p, name, key, value) for p in (method.base, *method.parts))
            made = plan(str(Method(base, tuple(parts), method.policy)))
            points.append(Point(text, value, str(made.method)))
    if not points:
        raise VBenchError(f"--param '{assignment}': no method has a part called '{name}'")
    return Sweep(target, tuple(points))


def with_cheap_half(task: str) -> list[str]:
    """Methods that a bare sweep takes: a base that needs nothing, with propagators likewise."""
    kind = "trackers" if task == "sot" else "detectors"
    bases = [
        name
        for name, entry in catalogue.table(kind).items()
        if not (entry.takes or entry.weights or entry.extras or name == "hold")
        and (task == "vid" or hasattr(catalogue.load(kind, name), "reseat"))
    ]
    cheap = [n for n in BARE_PROPAGATORS if n in catalogue.names("propagators")]
    return [f"{base}+{propagator}" for base in bases[:1] for propagator in cheap]


def match_interval(
    target: float, measure: Callable[[float], float], tolerance: float = NEAR, steps: int = 12
) -> tuple[float, float]:
    """Bisect the threshold c of `online:c:k` until the realised interval is the target.

    `measure(c)` runs the method and returns its realised interval, which falls as c rises.
    Returns the threshold and its interval.

    Raises:
        VBenchError: no threshold reaches the target.
    """
    low, high = 0.0, 1.0
    widest, narrowest = measure(low), measure(high)
    if not narrowest - tolerance <= target <= widest + tolerance:
        mend = "raise k to reach further" if target > widest else "lower k, which bounds all of it"
        raise VBenchError(
            f"--target {target:g}: this method reaches {narrowest:.2f} (c = 1) to {widest:.2f} "
            f"(c = 0); {mend} (BASE+PROPAGATOR@online:0.8:k)"
        )
    best = min(((low, widest), (high, narrowest)), key=lambda found: abs(found[1] - target))
    for _ in range(steps):
        if abs(best[1] - target) <= tolerance:
            break
        middle = (low + high) / 2
        interval = measure(middle)
        best = min((best, (middle, interval)), key=lambda found: abs(found[1] - target))
        low, high = (middle, high) if interval > target else (low, middle)
    return best


def save(folder: RunFolder, sweep: Sweep) -> Path:
    """Keep the axis beside the manifest, so that reports know what was swept."""
    points = [vars(point) for point in sweep.points]
    path = folder.path / "sweep.json"
    text = json.dumps({"schema": SCHEMA, "axis": sweep.axis, "points": points}, indent=1)
    write_atomically(path, text.encode())
    return path


def seconds_a_frame(folders: Iterable[RunFolder], suite: str) -> dict[str, float]:
    """Mean seconds a frame (decoding included) by base model, from runs of a suite, newest first.

    Of several methods of one base the slowest counts.
    """
    found: dict[str, float] = {}
    for folder in folders:
        try:
            manifest = folder.read()
        except (Corrupt, VBenchError):
            continue
        if manifest.suite == suite:
            for base, seconds in _seconds_of(folder, manifest).items():
                found.setdefault(base, seconds)
    return found


def _seconds_of(folder: RunFolder, manifest: Manifest) -> dict[str, float]:
    found: dict[str, float] = {}
    for record in manifest.methods.values():
        for clip in list(manifest.clips)[:1]:
            trace = None if clip in record.problems else _readable(folder, record, clip)
            if trace is not None and np.isfinite(trace.seconds).all():
                mean = float(trace.seconds.mean() + np.nan_to_num(trace.decode_seconds).mean())
                found[record.base] = max(mean, found.get(record.base, 0.0))
    return found


def _readable(folder: RunFolder, record: MethodRecord, clip: str) -> Trace | None:
    try:
        return folder.trace(record, clip)
    except Corrupt:
        return None


def _need_cheap_halves(methods: Sequence[str]) -> None:
    for text in methods:
        found = plan(text)
        own = catalogue.entry(found.base_kind, found.method.base.name).has_cheap_half
        if found.propagator is None and not own:
            raise VBenchError(
                f"method '{text}' has no cheap half to sweep; add a propagator, such as "
                f"{text}+dummy (`vbench list propagators`)"
            )


def _with_k(policy: Policy | None, k: int) -> Policy:
    return replace(policy, k=k) if isinstance(policy, WITH_K) else Fixed(k)


def _alone(method: Method) -> Method:
    """Return the base without its propagator; one with a cheap half inside at interval 1."""
    kept = tuple(p for p in method.parts if p.name not in catalogue.table("propagators"))
    own = kept == method.parts
    return Method(method.base, kept, Fixed(1) if own else None)


def _swept(methods: Sequence[str]) -> dict[str, str]:
    """What each method is called in the table: without its policy, unless others differ by it."""
    short = {text: str(replace(parse_method(text), policy=None)) for text in methods}
    often = Counter(short.values())
    return {text: text if often[name] > 1 else name for text, name in short.items()}


def _set(part: Part, name: str, key: str, value: str) -> Part:
    return _with(part, key, value) if part.name == name else part


def _with(part: Part, key: str, value: str) -> Part:
    """Set a parameter of a part; an empty value takes it away."""
    kept = tuple((k, v) for k, v in part.parameters if k != key)
    return Part(part.name, (*kept, (key, value)) if value else kept)


def one_of(axis: str, known: Sequence[str]) -> str:
    """Return `axis` or raise with the nearest known ones."""
    if axis not in known:
        raise UnknownName("sweep", axis, known, "or --param part.parameter=value,value,...")
    return axis
