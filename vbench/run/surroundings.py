"""What a run ran on: machine, package versions, the commit of the working folder."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vbench import __version__
from vbench.cost.device import device_block

PACKAGES = (
    "numpy",
    "torch",
    "opencv-contrib-python-headless",
    "onnxruntime",
    "fvcore",
    "got10k",
    "pycocotools",
)


def packages() -> dict[str, str]:
    """Versions of everything whose version may change a number."""
    found = {"python": platform.python_version(), "vbench": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def working_commit() -> str | None:
    """Commit of the folder that the user works in, None outside a repository."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path.cwd(),
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def machine(device: str, threads: int) -> dict[str, Any]:
    """Return the device block: what latency may be compared between."""
    return device_block(device, threads)
