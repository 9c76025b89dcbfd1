"""Whether other programs kept the machine busy while something was timed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NAN = float("nan")
# Others using more than this many cores make a timing doubtful.
TOLERATED_CORES = 0.15
# The kernel charges whole ticks to whatever runs as they pass: so many a core may be wrong.
TICKS_A_CORE = 3
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Load:
    """Mean number of cores that this process and others kept busy over some seconds."""

    own_cores: float
    foreign_cores: float
    cores: int
    seconds: float

    @property
    def is_busy(self) -> bool:
        """Whether others took so much that the times are doubtful; False if unknown."""
        return self.foreign_cores > TOLERATED_CORES

    def note(self) -> str:
        """One line for the table, empty where the machine was quiet or nothing is known."""
        if not self.is_busy:
            return ""
        return f"other programs used {self.foreign_cores:.1f} of {self.cores} cores meanwhile"


class LoadWatch:
    """Tells own from foreign processor time between `start` and `stop` (proc(5), /proc/stat)."""

    def __init__(
        self,
        root: Path = Path("/"),
        now: Callable[[], float] = time.perf_counter,
        own_seconds: Callable[[], float] | None = None,
    ) -> None:
        self.root, self.now = root, now
        self.own_seconds = own_seconds or _own_seconds
        self.start()

    def start(self) -> None:
        """Begin to watch, again from now."""
        self._begun = self.now(), self._busy_seconds()[0], self.own_seconds()

    def stop(self) -> Load:
        """Return the load since `start`; foreign is NaN where the system does not tell."""
        began, busy_before, own_before = self._begun
        busy, cores = self._busy_seconds()
        seconds = max(self.now() - began, 1e-9)
        own = (self.own_seconds() - own_before) / seconds
        foreign = max(0.0, (busy - busy_before) / seconds - own)
        if round(foreign * seconds * TICKS_PER_SECOND, 3) <= TICKS_A_CORE * cores:
            foreign = 0.0
        return Load(own, foreign if busy == busy else NAN, cores, seconds)

    def _busy_seconds(self) -> tuple[float, int]:
        try:
            lines = (self.root / "proc/stat").read_text().splitlines()
        except OSError:
            return NAN, os.cpu_count() or 1
        cores = sum(1 for line in lines if line.startswith("cpu")) - 1
        # user nice system idle iowait irq softirq steal: all but idle and iowait; guest time is
        # part of user time already.
        ticks = [int(text) for text in lines[0].split()[1:9]]
        busy = sum(ticks) - sum(ticks[3:5])
        return busy / TICKS_PER_SECOND, cores


def _own_seconds() -> float:
    """Processor time of this process and its finished children."""
    return sum(os.times()[:4])
