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

        kinds (n,) are `Kind`s; objects (n,) are those a keyframe anchored, carried (n,) those that
        the cheap half carried (the same where it is left out). An extra's value that is NaN in a
        frame was not spent there; an extra that has a price but no column makes the cost unknown.
        """
        kind = np.asarray(kinds)
        anchored = np.asarray(objects, dtype=np.float64)
        moved = anchored if carried is None else np.asarray(carried, dtype=np.float64)
        macs = np.zeros(kind.shape)
        for price, number, frames in (
            (self.start, anchored, kind == Kind.START),
            (self.key, anchored, (kind == Kind.KEY) | (kind == Kind.FALLBACK)),
            (self.inter, moved, (kind == Kind.INTER) | (kind == Kind.FALLBACK)),
        ):
            macs[frames] += price.per_call + price.per_object * number[frames]
        for name, price in self.per_extra.items():
            column = (extras or {}).get(name, np.full(kind.shape, np.inf))
            spent = np.nan_to_num(np.asarray(column, dtype=np.float64), nan=0.0, posinf=np.nan)
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


def unit_costs(
    base: object, propagator: object | None = None, counter: Counter = count
) -> UnitCosts:
    """Return what a method of these models costs, by what their `work()` states.

    A tracker or detector as `base`, carried by `propagator` where there is one: a keyframe is the
    base's call and the anchoring. Entries of a table that name no call are charged by the extra of
    that name. A model without `work()` is unknown, and so is every step that it has a part in.
    """
    table, carrier = _table(base), _table(propagator)
    prices: dict[str, Price] = {}

    def of(model: object, given: WorkTable | None, call: str) -> Price:
        name = f"{type(model).__name__.lower()}.{call}"
        if given is not None and call not in prices:
            prices[call] = price(given.get(call, ()), name, counter)
        return unknown(name) if given is None else prices[call]

    anchor = of(propagator, carrier, "anchor") if propagator is not None else FREE
    inter = of(propagator, carrier, "propagate") if propagator is not None else FREE
    if isinstance(base, VideoDetector) and not isinstance(base, Detector):
        start = key = of(base, table, "key")
        inter = of(base, table, "inter")
    elif isinstance(base, Detector):
        start = key = of(base, table, "detect")
    else:
        start, key = of(base, table, "start"), of(base, table, "track")
    extras = {
        name: price(works, name, counter)
        for name, works in {**(table or {}), **(carrier or {})}.items()
        if name not in CALLS
    }
    return UnitCosts(start + anchor, key + anchor, inter, extras)


def _table(model: object | None) -> WorkTable | None:
    return model.work() if isinstance(model, Worker) else None
