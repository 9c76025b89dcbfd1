"""Joules of a piece of work, where the machine has a meter; never a guess where it has none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vbench.core.errors import NotReady
from vbench.cost.gpu import nvml
from vbench.cost.rails import module_watts

NAN = float("nan")


class Meter(Protocol):
    """Counts joules of one part of the machine since some moment."""

    name: str
    scope: str

    def joules(self) -> float:
        """Return the joules counted so far; only differences mean something."""
        ...


@dataclass(frozen=True)
class Energy:
    """Joules that a meter counted while a piece of work ran, and what idling would have taken."""

    meter: str
    scope: str
    joules: float
    seconds: float
    idle_watts: float = NAN

    @property
    def watts(self) -> float:
        """Mean power while it ran."""
        return self.joules / self.seconds if self.seconds > 0 else NAN

    @property
    def net_joules(self) -> float:
        """Joules beyond idling; NaN where idling was not measured."""
        return self.joules - self.idle_watts * self.seconds


@dataclass
class RaplMeter:
    """Intel's and AMD's running average power limit counters, all packages (kernel powercap)."""

    zones: list[Path]
    name: str = "rapl"
    scope: str = "cpu package"
    _last: list[float] = field(default_factory=list)
    _wraps: list[int] = field(default_factory=list)

    def joules(self) -> float:
        """Return the joules of all packages; a counter that wrapped goes on."""
        total = 0.0
        for index, zone in enumerate(self.zones):
            now = float((zone / "energy_uj").read_text())
            if index == len(self._last):
                self._last.append(now)
                self._wraps.append(0)
            self._wraps[index] += now < self._last[index]
            self._last[index] = now
            whole = float((zone / "max_energy_range_uj").read_text())
            total += now + self._wraps[index] * whole
        return total / 1e6


@dataclass
class NvmlMeter:
    """The energy counter of an NVIDIA board (Volta and later)."""

    read_millijoules: Callable[[], float]
    name: str = "nvml"
    scope: str = "gpu board"

    def joules(self) -> float:
        """Return the joules since the driver was loaded."""
        return self.read_millijoules() / 1000


@dataclass
class PowerMeter:
    """Adds up a power that is only told from moment to moment, by the trapezium rule."""

    watts: Callable[[], float]
    name: str
    scope: str
    interval_seconds: float = 0.05
    now: Callable[[], float] = time.perf_counter
    _joules: float = 0.0
    _before: tuple[float, float] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def sample(self) -> None:
        """Read the power once and add what flowed since the last reading."""
        with self._lock:
            seconds, watts = self.now(), self.watts()
            if self._before is not None:
                before, then = self._before
                self._joules += (seconds - before) * (watts + then) / 2
            self._before = seconds, watts

    def joules(self) -> float:
        """Return the joules since the first reading."""
        self.sample()
        return self._joules

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Read in the background every `interval_seconds`."""
        self._stop.clear()
        thread = threading.Thread(target=self._loop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(self.interval_seconds):
            self.sample()


def find_meters(device: str = "cpu", root: Path = Path("/")) -> tuple[list[Meter], list[str]]:
    """Return the meters that see `device`, and why others cannot be read, each on one line."""
    found: list[Meter] = []
    problems: list[str] = []
    watts = module_watts(root)
    if watts is not None:
        found.append(PowerMeter(watts, "jetson rails", "module"))
    try:
        rapl = rapl_meter(root)
    except NotReady as error:
        problems.append(str(error))
    else:
        found += [rapl] if rapl is not None else []
    if device.partition(":")[0] == "cuda":
        board = nvml_meter(device)
        found += [board] if board is not None else []
    if not found and not problems:
        problems.append("this machine has no energy meter that can be read (RAPL, NVML, rails)")
    return found, problems


def rapl_meter(root: Path = Path("/")) -> RaplMeter | None:
    """Return the meter of all CPU packages, None where there is none.

    Raises:
        NotReady: there is one, but only root may read it.
    """
    zones = [
        zone
        for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*"))
        if zone.name.count(":") == 1 and (zone / "energy_uj").exists()
    ]
    if not zones:
        return None
    try:
        for zone in zones:
            (zone / "energy_uj").read_text()
    except PermissionError:
        raise NotReady(
            "the RAPL counters may be read by root only: "
            "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
        ) from None
    except OSError:
        return None
    return RaplMeter(zones)


def nvml_meter(device: str) -> NvmlMeter | None:
    """Return the board's energy counter, None without pynvml or before Volta."""
    with nvml(device) as asked:
        if asked is None:
            return None
        pynvml, handle = asked
        try:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except Exception:
            return None
    # The library counts its users; this one stays until the process ends.
    pynvml.nvmlInit()
    read: Any = pynvml.nvmlDeviceGetTotalEnergyConsumption
    return NvmlMeter(lambda: float(read(handle)))


@dataclass
class EnergyWatch:
    """Counts the joules of a block: `with watch: work()`, then `watch.energy`."""

    meter: Meter
    now: Callable[[], float] = time.perf_counter
    idle_watts: float = NAN
    energy: Energy | None = None

    def __enter__(self) -> EnergyWatch:
        self._sampling = self.meter.sampling() if isinstance(self.meter, PowerMeter) else None
        if self._sampling is not None:
            self._sampling.__enter__()
        self._joules, self._seconds = self.meter.joules(), self.now()
        return self

    def __exit__(self, *error: object) -> None:
        joules, seconds = self.meter.joules() - self._joules, self.now() - self._seconds
        if self._sampling is not None:
            self._sampling.__exit__(None, None, None)
        self.energy = Energy(self.meter.name, self.meter.scope, joules, seconds, self.idle_watts)

    def measure_idle(
        self, seconds: float = 2.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Count what doing nothing for `seconds` takes; later blocks are told apart from it."""
        with self:
            sleep(seconds)
        self.idle_watts = self.energy.watts if self.energy else NAN
