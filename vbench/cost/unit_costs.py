"""What one start, keyframe and inter-frame of a method cost, and what a whole trace then cost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError
from vbench.core.roles import Detector, VideoDetector, Work, Worker, WorkTable
from vbench.core.trace import Kind
from vbench.cost.macs import Count, count

NAN = float("nan")
CALLS = frozenset({"start", "track", "anchor", "propagate", "detect", "key", "inter", "apply"})
STEPS = ("start", "key", "inter")
CARRIER = {"anchor": ("start", "key"), "propagate": ("inter",)}
# Column of a trace: the objects that a keyframe anchored, where it answered others as well.
ANCHORED = "anchored"
Counter = Callable[[Sequence[Work]], Count]


@dataclass(frozen=True)
class Price:
    """MACs of one call and of each object in it; NaN is unknown, never 0.

    `uncounted` names what the numbers leave out, `counter` what counted them.
    """

    per_call: float = 0.0
    per_object: float = 0.0
    uncounted: tuple[str, ...] = ()
    counter: str = ""

    def __add__(self, other: Price) -> Price:
        counters = [*self.counter.split("+"), *other.counter.split("+")]
        return Price(
            self.per_call + other.per_call,
            self.per_object + other.per_object,
            tuple(sorted({*self.uncounted, *other.uncounted})),
            "+".join(sorted({c for c in counters if c})),
        )


FREE = Price()


def unknown(what: str) -> Price:
    """Return the price of something of which nothing is known."""
    return Price(NAN, NAN, (what,))


@dataclass(frozen=True)
class UnitCosts:
    """Prices of a method's steps, and of one unit of each extra that its traces report.

    START pays `start`, KEY `key`, INTER `inter`, and FALLBACK both `inter` and `key`.
    """

    start: Price = FREE
    key: Price = FREE
    inter: Price = FREE
    per_extra: Mapping[str, Price] = field(default_factory=dict)

    @property
    def uncounted(self) -> tuple[str, ...]:
        """What any of the prices leaves out, sorted."""
        prices = [self.start, self.key, self.inter, *self.per_extra.values()]
        return tuple(sorted({name for price in prices for name in price.uncounted}))

    def total(
        self,
        kinds: ArrayLike,
        objects: ArrayLike,
        extras: Mapping[str, ArrayLike] | None = None,
        carried: ArrayLike | None = None,
    ) -> Floats:
        """MACs of every frame of a trace, shape (n,).

        kinds (n,) are `Kind`s; objects (n,) are those a keyframe anchored unless the extras have a
        column of these, carried (n,) those that the cheap half carried (the same where it is left
        out). An extra's value that is NaN in a
        frame was not spent there; where an extra has a price but no column, keyframes are unknown.
        """
        kind = np.asarray(kinds)
        anchored = np.asarray((extras or {}).get(ANCHORED, objects), dtype=np.float64)
        moved = anchored if carried is None else np.asarray(carried, dtype=np.float64)
        macs = np.zeros(kind.shape)
        for price, number, frames in (
            (self.start, anchored, kind == Kind.START),
            (self.key, anchored, (kind == Kind.KEY) | (kind == Kind.FALLBACK)),
            (self.inter, moved, (kind == Kind.INTER) | (kind == Kind.FALLBACK)),
        ):
            macs[frames] += price.per_call + price.per_object * number[frames]
        base_ran = (kind == Kind.KEY) | (kind == Kind.FALLBACK)
        for name, price in self.per_extra.items():
            column = (extras or {}).get(name)
            if column is None:
                macs[base_ran] = NAN
                continue
            spent = np.nan_to_num(np.asarray(column, dtype=np.float64), nan=0.0)
            macs += spent * (price.per_call + price.per_object * anchored)
        return macs

    def to_json(self) -> dict[str, Any]:
        """Return a dict for JSON; unknown numbers are None."""
        return {
            "unit": "mac",
            "start": _price_json(self.start),
            "key": _price_json(self.key),
            "inter": _price_json(self.inter),
            "per_extra": {name: _price_json(p) for name, p in sorted(self.per_extra.items())},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> UnitCosts:
        """Read what `to_json` made; VBenchError where it is something else."""
        try:
            data = json.loads(value) if isinstance(value, str) else value
            if data["unit"] != "mac":
                raise ValueError(f"unit '{data['unit']}'")
            start, key, inter = (_price_from(data[step]) for step in ("start", "key", "inter"))
            extras = {str(name): _price_from(p) for name, p in data["per_extra"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise VBenchError(f"unit costs cannot be read: {error}; run the method again") from None
        return cls(start, key, inter, extras)


def _price_json(price: Price) -> dict[str, Any]:
    return {
        "macs_per_call": None if math.isnan(price.per_call) else price.per_call,
        "macs_per_object": None if math.isnan(price.per_object) else price.per_object,
        "uncounted": list(price.uncounted),
        "counter": price.counter,
    }


def _price_from(data: Mapping[str, Any]) -> Price:
    numbers = [data["macs_per_call"], data["macs_per_object"]]
    per_call, per_object = (NAN if n is None else float(n) for n in numbers)
    return Price(per_call, per_object, tuple(map(str, data["uncounted"])), str(data["counter"]))


def price(works: Sequence[Work] | None, what: str, counter: Counter = count) -> Price:
    """Count `works`; None means that nobody said what `what` executes, so it is unknown."""
    if works is None:
        return unknown(what)
    found = counter(works)
    return Price(found.macs_per_call, found.macs_per_object, found.uncounted, found.counter)


def compose(
    start: Sequence[Work] | None,
    key: Sequence[Work] | None,
    inter: Sequence[Work] | None = (),
    per_extra: WorkTable | None = None,
    counter: Counter = count,
) -> UnitCosts:
    """Count the work of a method's steps; None is work that nobody states."""
    return UnitCosts(
        price(start, "start", counter),
        price(key, "key", counter),
        price(inter, "inter", counter),
        {name: price(works, name, counter) for name, works in (per_extra or {}).items()},
    )


@dataclass(frozen=True)
class Call:
    """One call of a model: its name, the steps that make it, its work (None: nobody states it).

    `extra` names the trace's column that says how often it ran, where it is no step's own.
    """

    name: str
    steps: tuple[str, ...]
    works: Sequence[Work] | None
    extra: str = ""


def calls_of(base: object, propagator: object | None = None) -> list[Call]:
    """Return the calls of a method: a tracker or detector, carried by `propagator` if there is one.

    A keyframe is the base's call and the anchoring.
    """
    found = []
    for model, names in ((base, _base_calls(base)), (propagator, CARRIER)):
        if model is None:
            continue
        table = model.work() if isinstance(model, Worker) else None
        label = type(model).__name__.lower()
        for call, steps in names.items():
            works = None if table is None else table.get(call, ())
            found.append(Call(f"{label}.{call}", steps, works))
        for extra in sorted(set(table or {}) - CALLS):
            found.append(Call(f"{label}.{extra}", (), (table or {})[extra], extra))
    return found


def unit_costs(
    base: object, propagator: object | None = None, counter: Counter = count
) -> UnitCosts:
    """Return what a method of these models costs, by what their `work()` states.

    Entries of a work table that name no call are charged by the extra of that name. A model without
    `work()` is unknown, and so is every step that it has a part in.
    """
    steps: dict[str, Price] = {}
    extras: dict[str, Price] = {}
    for call in calls_of(base, propagator):
        found = price(call.works, call.name, counter)
        for step in call.steps:
            steps[step] = steps.get(step, FREE) + found
        if call.extra:
            extras[call.extra] = extras.get(call.extra, FREE) + found
    start, key, inter = (steps.get(step, FREE) for step in STEPS)
    return UnitCosts(start, key, inter, extras)


def _base_calls(base: object) -> dict[str, tuple[str, ...]]:
    if isinstance(base, VideoDetector) and not isinstance(base, Detector):
        return {"key": ("start", "key"), "inter": ("inter",)}
    if isinstance(base, Detector):
        return {"detect": ("start", "key")}
    return {"start": ("start",), "track": ("key",)}
