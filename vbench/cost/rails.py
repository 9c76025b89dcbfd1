"""Power of a Jetson module: its INA3221 monitors in sysfs, jtop, or tegrastats, in this order."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vbench.cost.tegrastats import parse_tegrastats, total_watts

# Up to L4T 32 a monitor is an iio device with rail_name_N (power in mW); from L4T 34 a hwmon with
# inN_label (voltage in mV, current in mA). The seventh channel of a hwmon is a sum.
MONITORS = "sys/bus/i2c/devices/*"


def rails_watts(root: Path = Path("/")) -> dict[str, float]:
    """Return the power of every rail in W, by its name; empty where there is no monitor."""
    found: dict[str, float] = {}
    for monitor in sorted(root.glob(MONITORS)):
        if not (_read(monitor / "name") or "").startswith("ina3221"):
            continue
        for label in sorted(monitor.glob("iio:device*/rail_name_*")):
            number = label.name.removeprefix("rail_name_")
            milliwatts = _read(label.parent / f"in_power{number}_input")
            _add(found, label, None if milliwatts is None else float(milliwatts) / 1000)
        for label in sorted(monitor.glob("hwmon/hwmon*/in[1-3]_label")):
            number = label.name[2]
            volts = _read(label.parent / f"in{number}_input")
            amperes = _read(label.parent / f"curr{number}_input")
            known = volts is not None and amperes is not None
            _add(found, label, float(volts or 0) * float(amperes or 0) / 1e6 if known else None)
    return found


def module_watts(root: Path = Path("/")) -> Callable[[], float] | None:
    """Return what reads the whole module's power in W, None where nothing can."""
    if total_watts(rails_watts(root)) is not None:
        return lambda: total_watts(rails_watts(root)) or float("nan")
    if root != Path("/"):
        return None
    return _jtop() or _tegrastats()


def _add(found: dict[str, float], label: Path, watts: float | None) -> None:
    name = _read(label)
    # Channels that are not connected are called NC.
    if name and name != "NC" and watts is not None:
        found[name] = watts


def _jtop() -> Callable[[], float] | None:
    try:
        from jtop import jtop

        board: Any = jtop()
        board.start()
    except Exception:
        return None
    return lambda: float(board.power["tot"]["power"]) / 1000


def _tegrastats() -> Callable[[], float] | None:
    if shutil.which("tegrastats") is None:
        return None

    def watts() -> float:
        asked = ["timeout", "1", "tegrastats", "--interval", "100"]
        answer = subprocess.run(asked, capture_output=True, text=True)
        lines = answer.stdout.splitlines()
        read = parse_tegrastats(lines[-1]).watts if lines else None
        return float("nan") if read is None else read

    return watts


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip(" \n\0")
    except OSError:
        return None
