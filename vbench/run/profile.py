"""Timing every part of some methods in isolation, for a device profile."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbench.core.boxes import Boxes, Image
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.roles import Detector, Propagator, Tracker, VideoDetector, Worker
from vbench.cost.device import device_block
from vbench.cost.device_profile import Component, DeviceProfile
from vbench.cost.energy import EnergyWatch, find_meters
from vbench.cost.latency import Spread, interleaved, median_drift, spread
from vbench.cost.load import LoadWatch
from vbench.cost.macs import count
from vbench.cost.memory import forget_peak, peak_memory_mb
from vbench.cost.stopwatch import Clock, synchronised
from vbench.run.compose import Composed

NAN = float("nan")
# Frames of a clip that are timed over, again and again; they are held decoded.
MOST_FRAMES = 32
# Repeats whose medians differ by more say that the machine was not quiet.
STEADY = 0.05


@dataclass
class Timed:
    """One call to be timed: `begin` once a block, `prepare` before each call, neither timed."""

    model: str
    call: str
    objects: int
    run: Callable[[], Any]
    begin: Callable[[], Any] = lambda: None
    prepare: Callable[[], Any] = lambda: None
    part: Any = None
    blocks: list[list[float]] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)
    memory_mb: float = NAN

    @property
    def name(self) -> str:
        """`model.call x objects`, unique within a profile."""
        return f"{self.model}.{self.call} x {self.objects}"


@dataclass(frozen=True)
class Effort:
    """How long to time: `repeats` blocks of at least `seconds` / repeats and 3 calls each."""

    repeats: int = 3
    seconds: float = 1.0
    warm_up: int = 3
    objects: tuple[int, ...] = (1, 4, 7)

    def __post_init__(self) -> None:
        if self.repeats < 1 or self.seconds < 0 or not self.objects or min(self.objects) < 1:
            raise VBenchError("profile: repeats and objects start at 1, seconds at 0")


def profile(
    methods: Sequence[Composed],
    clip: Clip,
    device: str = "cpu",
    threads: int = 1,
    effort: Effort | None = None,
    clock: Clock | None = None,
) -> DeviceProfile:
    """Time every part of `methods` on the first frames of `clip`.

    Blocks of calls are interleaved over all parts, there and back, so that a drift of the machine
    hits all alike.
    """
    given = effort or Effort()
    frames = [clip.frames[i] for i in range(min(len(clip), MOST_FRAMES))]
    calls = list(_calls(methods, frames, _seed_box(clip, frames[0]), given.objects))
    now = (clock or synchronised(device)).now
    meters, problems = find_meters(device)
    watch = EnergyWatch(meters[0]) if meters else None
    if watch is not None:
        watch.measure_idle()
    for each in calls:
        _block(each, now, given.warm_up, 0.0, device, None)
        each.blocks.clear()
        each.joules.clear()
    load = LoadWatch()
    by_name = {each.name: each for each in calls}
    for _, name in interleaved(list(by_name), given.repeats):
        _block(by_name[name], now, 3, given.seconds / given.repeats, device, watch)
    notes = [*problems, *_unsteady(calls), *([load.stop().note()] if load.stop().note() else [])]
    block = device_block(device, threads)
    return DeviceProfile(
        re.sub(r"[^a-z0-9]+", "-", str(block["name"]).lower()).strip("-"),
        "measured",
        block,
        tuple(_components(calls)),
        notes=tuple(notes),
    )


def _calls(
    methods: Sequence[Composed], frames: Sequence[Image], box: Any, objects: Sequence[int]
) -> Iterator[Timed]:
    seen: set[str] = set()
    for composed in methods:
        parts = composed.stepper.parts()
        names = [composed.method.base, *composed.method.parts]
        for part, name in zip(parts, names, strict=False):
            kind = "carrier" if part is not parts[0] else "base"
            if f"{kind} {name}" in seen:
                continue
            seen.add(f"{kind} {name}")
            if kind == "carrier":
                yield from _carrier_calls(str(name), part, frames, box, objects)
            else:
                yield from _base_calls(str(name), part, frames, box)


def _base_calls(name: str, part: Any, frames: Sequence[Image], box: Any) -> Iterator[Timed]:
    film = _Film(frames)
    if isinstance(part, Detector):
        yield Timed(
            name, "detect", 1, lambda: part.detect(film.frame), film.rewind, film.wind, part
        )
    elif isinstance(part, VideoDetector):
        size = frames[0].shape[1], frames[0].shape[0]

        def first() -> None:
            film.rewind()
            part.start(size)
            part.key(film.frame)

        film.at_end = first
        yield Timed(name, "key", 1, lambda: part.key(film.frame), first, film.wind, part)
        yield Timed(name, "inter", 1, lambda: part.inter(film.frame), first, film.wind, part)
    elif isinstance(part, Tracker):

        def start() -> None:
            film.rewind()
            part.start(film.frame, box)

        film.at_end = start
        yield Timed(name, "start", 1, lambda: part.start(frames[0], box), part=part)
        yield Timed(name, "track", 1, lambda: part.track(film.frame), start, film.wind, part)


def _carrier_calls(
    name: str, part: Propagator, frames: Sequence[Image], box: Any, objects: Sequence[int]
) -> Iterator[Timed]:
    for n in objects:
        film, boxes = _Film(frames), spread_boxes(box, n, frames[0])
        yield from _one_count(name, part, film, boxes)


def _one_count(name: str, part: Propagator, film: _Film, boxes: Boxes) -> Iterator[Timed]:
    def anchor() -> None:
        film.rewind()
        part.anchor(film.frame, boxes)

    film.at_end = anchor
    n = len(boxes)
    yield Timed(name, "anchor", n, lambda: part.anchor(film.frames[0], boxes), part=part)
    yield Timed(name, "propagate", n, lambda: part.propagate(film.frame), anchor, film.wind, part)


@dataclass
class _Film:
    """Frames that are shown one after the other, from the start again when they end."""

    frames: Sequence[Image]
    index: int = 0
    at_end: Callable[[], None] | None = None

    @property
    def frame(self) -> Image:
        return self.frames[self.index]

    def rewind(self) -> None:
        self.index = 0

    def wind(self) -> None:
        if self.index + 1 == len(self.frames):
            (self.at_end or self.rewind)()
        self.index = min(self.index + 1, len(self.frames) - 1)


def spread_boxes(box: Any, n: int, frame: Image) -> Boxes:
    """Return n boxes (n, 4) of the size of `box`: itself, then copies over the frame in a grid."""
    height, width = frame.shape[:2]
    side = int(np.ceil(np.sqrt(max(n - 1, 1))))
    steps = (np.arange(n - 1)[:, None] // np.array([1, side]) % side + 0.5) / side
    room = np.maximum(np.array([width, height]) - box[2:], 0.0)
    copies = np.concatenate([steps * room, np.tile(box[2:], (n - 1, 1))], axis=1)
    return np.concatenate([np.asarray(box, dtype=np.float64)[None], copies])


def _block(
    timed: Timed,
    now: Callable[[], float],
    least: int,
    seconds: float,
    device: str,
    watch: EnergyWatch | None,
) -> None:
    """Time calls until there are `least` of them and `seconds` have passed."""
    forget_peak(device)
    timed.begin()
    laps: list[float] = []
    if watch is not None:
        watch.__enter__()
    until = time.perf_counter() + seconds
    while len(laps) < least or time.perf_counter() < until:
        timed.prepare()
        before = now()
        timed.run()
        laps.append(now() - before)
    if watch is not None:
        watch.__exit__()
        if watch.energy is not None:
            timed.joules.append(watch.energy.net_joules / len(laps))
    timed.blocks.append(laps)
    timed.memory_mb = peak_memory_mb(device)


def _components(calls: Sequence[Timed]) -> Iterator[Component]:
    groups: dict[tuple[str, str], list[Timed]] = {}
    for each in calls:
        groups.setdefault((each.model, each.call), []).append(each)
    for (model, call), group in groups.items():
        times = {each.objects: _spread(each) for each in group}
        least = times[min(times)]
        joules = [j for each in group[:1] for j in each.joules]
        yield Component(
            model,
            call,
            {n: found.p50 for n, found in times.items()},
            least.p95,
            least.n,
            _macs(group[0].part, call),
            max(each.memory_mb for each in group),
            float(np.mean(joules)) if joules else None,
        )


def _macs(part: Any, call: str) -> float | None:
    """MACs of the call with one object, None where nobody states them."""
    table: Mapping[str, Any] = part.work() if isinstance(part, Worker) else {}
    if call not in table:
        return None
    macs = count(table[call]).macs
    return macs if np.isfinite(macs) else None


def _spread(timed: Timed) -> Spread:
    return spread([seconds for block in timed.blocks for seconds in block])


def _unsteady(calls: Sequence[Timed]) -> Iterator[str]:
    for each in calls:
        drift = median_drift([float(np.median(block)) for block in each.blocks])
        if drift > STEADY:
            yield f"{each.name}: medians of its repeats differ by {drift:.0%}"


def _seed_box(clip: Clip, frame: Image) -> Any:
    """Return the clip's first box; a quarter of the frame where it has none."""
    if len(clip.truth) and np.isfinite(clip.truth[0]).all():
        return clip.truth[0]
    height, width = frame.shape[:2]
    return np.array([width * 3 / 8, height * 3 / 8, width / 4, height / 4])
