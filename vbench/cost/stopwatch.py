"""Clocks: what time it is once the device has finished what it was given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from vbench.core.errors import VBenchError


class Clock(Protocol):
    """Tells seconds from some fixed moment; waits first for the work it is to time."""

    def now(self) -> float:
        """Seconds, monotonic."""
        ...


class WallClock:
    """The monotonic clock with the highest resolution; for work that is done when it returns."""

    def now(self) -> float:
        """Seconds, monotonic."""
        return time.perf_counter()


@dataclass(frozen=True)
class WaitingClock:
    """Waits for the device's queue to run empty, then reads the time.

    An accelerator returns from a call before the work is done; reading the clock at once would
    time the launch only.
    """

    wait: Callable[[], None]
    read: Callable[[], float] = time.perf_counter

    def now(self) -> float:
        """Seconds, monotonic, after the device has finished."""
        self.wait()
        return self.read()


class FakeClock:
    """Counts instead of measuring: readings lie `steps` apart; the last step repeats."""

    def __init__(self, *steps: float) -> None:
        self.seconds = 0.0
        self._steps = list(steps) or [1.0]

    def now(self) -> float:
        """Return the time and let the next step pass."""
        reading = self.seconds
        self.seconds += self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return reading

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds


def synchronised(device: str = "cpu") -> Clock:
    """Return the clock for work on `device` ("cpu", "cuda", "cuda:1", "mps").

    Raises:
        VBenchError: torch cannot reach that device here.
    """
    kind = device.partition(":")[0]
    if kind in ("cpu", ""):
        return WallClock()
    import torch

    if kind == "cuda" and (device in devices() or (device == "cuda" and torch.cuda.is_available())):
        index = torch.device(device)
        return WaitingClock(lambda: torch.cuda.synchronize(index))
    if kind == "mps" and torch.backends.mps.is_available():
        return WaitingClock(torch.mps.synchronize)
    raise VBenchError(f"device '{device}' is not here; there are: {', '.join(devices())}")


def devices() -> list[str]:
    """Return the names of the devices that torch can reach here."""
    import torch

    found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


@dataclass
class Stopwatch:
    """Adds up seconds by the name of what was timed."""

    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Time the block and add it to `name`, also when it raises."""
        begun = self.clock.now()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock.now() - begun

    def take(self) -> dict[str, float]:
        """Return the seconds so far and start again from nothing."""
        taken, self.seconds = self.seconds, {}
        return taken
