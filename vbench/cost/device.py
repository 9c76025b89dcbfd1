"""The device that a time or an energy holds for, as it goes into every manifest.

No host name, no user, no path: only what decides how fast the machine is. What drifts by itself
(present clocks, temperature, load) stands under `observed` and does not make two devices differ.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vbench.cost.allocator import keeps_freed_memory
from vbench.cost.gpu import gpu_block
from vbench.cost.jetson import jetson_block

SCHEMA = 1
ROOT = Path("/")
# Settings of the process that change its speed.
SETTINGS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "KMP_AFFINITY",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_ARENA_MAX",
    "LD_PRELOAD",
    "CUDA_LAUNCH_BLOCKING",
)


def device_block(
    device: str = "cpu", threads: int | None = None, root: Path = ROOT
) -> dict[str, Any]:
    """Describe the machine and `device` ("cpu", "cuda:0", ...) for a manifest, ready for JSON.

    `threads` is how many a run computes with. What cannot be read is None.
    """
    gpu, gpu_observed = gpu_block(device)
    jetson, jetson_observed = jetson_block(root)
    cpu = _cpu(root)
    return {
        "schema": SCHEMA,
        "name": _name(cpu, gpu, jetson),
        "device": device.partition(":")[0],
        "threads": threads,
        "cpu": cpu,
        "memory_mb": _memory_mb(root),
        "gpu": gpu,
        "jetson": jetson,
        "settings": _settings(),
        "observed": {"cpu_mhz": _mhz_now(root), **gpu_observed, **jetson_observed},
    }


def device_key(block: Mapping[str, Any]) -> str:
    """Return 12 hex digits that are equal where two blocks describe the same device."""
    kept = {name: value for name, value in block.items() if name != "observed"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def device_label(block: Mapping[str, Any]) -> str:
    """Return the device's name with its key: what stands beside times taken on it."""
    return f"{block['name']} ({device_key(block)})"


def differences(a: Mapping[str, Any], b: Mapping[str, Any], within: str = "") -> list[str]:
    """Name the entries in which two device blocks differ, each as `cpu.governor: 'x' / 'y'`."""
    found = []
    for name in sorted({*a, *b} - {"observed"}):
        first, second = a.get(name), b.get(name)
        if isinstance(first, Mapping) and isinstance(second, Mapping):
            found += differences(first, second, f"{within}{name}.")
        elif first != second:
            found.append(f"{within}{name}: {first!r} / {second!r}")
    return found


def read_text(path: Path) -> str | None:
    """Return a small system file's text without surrounding blanks and NULs, None if unreadable."""
    try:
        with path.open("rb") as file:
            return file.read(1 << 16).decode("utf-8", "replace").strip(" \t\r\n\0")
    except OSError:
        return None


def _settings() -> dict[str, str]:
    """What is set in this process that changes its speed."""
    found = {name: _plain(os.environ[name]) for name in SETTINGS if name in os.environ}
    return found | ({"freed_memory": "kept"} if keeps_freed_memory() else {})


def _cpu(root: Path) -> dict[str, Any]:
    fields = _cpu_info(root)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    policy = root / "sys/devices/system/cpu/cpu0/cpufreq"
    most = read_text(policy / "cpuinfo_max_freq")
    return {
        "model": fields.get("model name") or fields.get("Hardware") or platform.processor() or None,
        "architecture": platform.machine(),
        "cores": int(fields["cores"]) if "cores" in fields else os.cpu_count(),
        "usable": usable,
        "quota": _quota(root),
        "governor": read_text(policy / "scaling_governor"),
        "max_mhz": int(most) / 1000 if most and most.isdecimal() else None,
        "turbo": _turbo(root),
    }


def _cpu_info(root: Path) -> dict[str, str]:
    text = read_text(root / "proc/cpuinfo")
    if text is None:
        return {"model name": _mac_model()} if sys.platform == "darwin" else {}
    found: dict[str, str] = {}
    count = 0
    for line in text.splitlines():
        name, _, value = line.partition(":")
        count += name.strip() == "processor"
        found.setdefault(name.strip(), value.strip())
    return found | {"cores": str(count)}


def _mac_model() -> str:
    import subprocess

    try:
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=5).stdout.strip()
    except OSError:
        return platform.processor()


def _quota(root: Path) -> float | None:
    """Cores that the container may use, where a control group limits them."""
    limit = (read_text(root / "sys/fs/cgroup/cpu.max") or "max").split()
    if len(limit) != 2 or not limit[0].isdecimal() or not limit[1].isdecimal():
        return None
    return int(limit[0]) / int(limit[1])


def _turbo(root: Path) -> bool | None:
    off = read_text(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    on = read_text(root / "sys/devices/system/cpu/cpufreq/boost")
    if off is not None:
        return off == "0"
    return on == "1" if on is not None else None


def _mhz_now(root: Path) -> float | None:
    exact = read_text(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    if exact and exact.isdecimal():
        return int(exact) / 1000
    try:
        return float(_cpu_info(root)["cpu MHz"])
    except (KeyError, ValueError):
        return None


def _memory_mb(root: Path) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    return None


def _name(cpu: Mapping[str, Any], gpu: Any, jetson: Any) -> str:
    if jetson:
        return str(jetson["model"])
    return (
        str(gpu["name"]) if gpu else f"{cpu['model'] or cpu['architecture']}, {cpu['cores']} cores"
    )


def _plain(value: str) -> str:
    """Keep of a path its last part: blocks hold no paths."""
    return " ".join(Path(part).name for part in value.split())
