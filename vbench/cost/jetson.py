"""What decides the speed of an NVIDIA Jetson: board, L4T release, power mode."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

RELEASE = re.compile(r"R(\d+)\s*\(release\),\s*REVISION:\s*([\d.]+)")
POWER_MODE = re.compile(r"NV Power Mode:\s*(\S+)")


def jetson_block(root: Path = Path("/")) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return what is fixed about a Jetson, and what was observed of it; (None, {}) elsewhere."""
    model = _text(root / "proc/device-tree/model")
    release = RELEASE.search(_text(root / "etc/nv_tegra_release") or "")
    if release is None and "Jetson" not in (model or ""):
        return None, {}
    block = {
        "model": model,
        "l4t": f"{release[1]}.{release[2]}" if release else None,
        "power_mode": power_mode(_tool("nvpmodel", "-q", root=root)),
    }
    return block, {"jetson_clocks": _tool("jetson_clocks", "--show", root=root)}


def power_mode(text: str | None) -> str | None:
    """Read the mode's name from what `nvpmodel -q` prints: MAXN, 5W, 15W, ..."""
    found = POWER_MODE.search(text or "")
    return found[1] if found else None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes()[: 1 << 16].decode("utf-8", "replace").strip(" \n\0")
    except OSError:
        return None


def _tool(name: str, *arguments: str, root: Path) -> str | None:
    """Return what a Jetson tool prints; None where it is missing, fails, or wants root."""
    if root != Path("/") or shutil.which(name) is None:
        return None
    try:
        asked = subprocess.run([name, *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
