"""What the seconds of a trace say: frames per second, percentiles, each kind of step apart.

Frames per second are frames over seconds, never the mean of 1/t, which a single fast frame
dominates. The first frame (START) is told apart: it is paid once a clip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vbench.core.boxes import Floats
from vbench.core.trace import POST_SECONDS, Kind, Trace

NAN = float("nan")
# A median of fewer seconds than this in all says little; the report marks it.
LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class Spread:
    """Times of n steps in ms; NaN where n is 0. Percentiles interpolate linearly."""

    n: int
    mean: float = NAN
    p50: float = NAN
    p90: float = NAN
    p95: float = NAN
    p99: float = NAN
    max: float = NAN
    total_seconds: float = 0.0

    @property
    def fps(self) -> float:
        """Steps over seconds."""
        return self.n / self.total_seconds if self.total_seconds > 0 else NAN

    def columns(self) -> dict[str, float]:
        """Return the report's columns."""
        return {
            "fps": self.fps,
            "ms_mean": self.mean,
            "ms_p50": self.p50,
            "ms_p95": self.p95,
            "ms_p99": self.p99,
        }


@dataclass(frozen=True)
class Latency:
    """Times of a method over one or more clips.

    `frame` is every frame but the first of a clip; `key`, `inter` and `fallback` split it by what
    happened; `cheap` is the cheap half of INTER and FALLBACK frames alone. `post` is what a frame
    pays for post-processing its clip: part of `frame`, not of the kinds. `decode` is part of none
    of them.
    """

    frame: Spread
    key: Spread
    inter: Spread
    fallback: Spread
    cheap: Spread
    start: Spread
    decode: Spread
    post: Spread
    notes: tuple[str, ...] = field(default=())

    @property
    def fps(self) -> float:
        """Frames over seconds, first frames left out."""
        return self.frame.fps

    def to_json(self) -> dict[str, Any]:
        """Return all spreads by name, unknown numbers as None."""
        return {
            name: {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in d.items()}
            for name in ("frame", "key", "inter", "fallback", "cheap", "start", "decode", "post")
            for d in [vars(getattr(self, name))]
        } | {"notes": list(self.notes)}


def spread(seconds: ArrayLike) -> Spread:
    """Summarise step times (n,) in seconds; NaN entries were not timed and do not count."""
    values = np.asarray(seconds, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Spread(0)
    ms = values * 1000
    p50, p90, p95, p99 = (float(p) for p in np.percentile(ms, [50, 90, 95, 99]))
    return Spread(
        int(ms.size), float(ms.mean()), p50, p90, p95, p99, float(ms.max()), float(values.sum())
    )


def latency(seconds: ArrayLike) -> dict[str, float]:
    """Return the report's columns for step times (n,) in seconds."""
    return spread(seconds).columns()


def latency_by_kind(traces: Sequence[Trace]) -> Latency:
    """Summarise the times of one method's traces, all clips pooled."""
    kind = _joined([t.kind for t in traces])
    seconds = _joined([t.seconds for t in traces])
    cheap = _joined([t.cheap_seconds for t in traces])
    decode = _joined([t.decode_seconds for t in traces])
    first = _joined([np.arange(len(t)) == 0 for t in traces]).astype(bool)
    posts = [t.post_seconds for t in traces if POST_SECONDS in t.extras]
    frame = spread(seconds[~first])
    seconds = seconds - _joined([t.post_seconds for t in traces])
    return Latency(
        frame=frame,
        key=spread(seconds[~first & (kind == Kind.KEY)]),
        inter=spread(seconds[kind == Kind.INTER]),
        fallback=spread(seconds[kind == Kind.FALLBACK]),
        cheap=spread(cheap[(kind == Kind.INTER) | (kind == Kind.FALLBACK)]),
        start=spread(seconds[first]),
        decode=spread(decode),
        post=spread(_joined(posts)),
        notes=_notes(frame),
    )


def median_drift(medians: Sequence[float]) -> float:
    """Return (largest - smallest) / median of the repeats' medians, NaN for fewer than two."""
    found = np.asarray([m for m in medians if math.isfinite(m)])
    if found.size < 2:
        return NAN
    return float((found.max() - found.min()) / np.median(found))


def interleaved(names: Sequence[str], repeats: int) -> list[tuple[int, str]]:
    """Return (repeat, name) so that each repeat runs all names before any runs again.

    Every other repeat goes backwards: a drift of the machine hits all names alike.
    """
    turns = [list(names) if repeat % 2 == 0 else list(names)[::-1] for repeat in range(repeats)]
    return [(repeat, name) for repeat, turn in enumerate(turns) for name in turn]


def needed_runs(run_means: ArrayLike, share: float = 0.01) -> int | None:
    """How many runs bring the mean within `share` at 95 %, by the spread so far; None for < 3.

    n = (1.96 s / (share mean))^2, the normal approximation that pyperf uses.
    """
    values = np.asarray(run_means, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size < 3 or values.mean() <= 0:
        return None
    deviation = float(values.std(ddof=1))
    return max(1, math.ceil((1.96 * deviation / (share * float(values.mean()))) ** 2))


def split_seconds(splits: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Summarise each part (decode, pre, net, post, ...) over the frames that have it."""
    names = sorted({name for split in splits for name in split})
    return {name: spread([s[name] for s in splits if name in s]) for name in names}


def _joined(columns: Sequence[Any]) -> Floats:
    return np.concatenate([np.asarray(c, dtype=np.float64) for c in columns] or [np.zeros(0)])


def _notes(frame: Spread) -> tuple[str, ...]:
    if frame.n and frame.total_seconds < LEAST_SECONDS:
        return (f"timed for {frame.total_seconds:.2g} s only; {LEAST_SECONDS:g} s are wanted",)
    return ()
