"""The devices of this machine, seen without importing torch."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vbench.cost.device import device_block

ROOT = Path("/")
_CUDA = re.compile(r"^cuda\s*(?::[^=]*)?=\s*'([\d.]+)'", re.MULTILINE)
CPU_TORCH = "install a torch that is built with CUDA (https://pytorch.org/get-started)"


@dataclass(frozen=True)
class Device:
    """A device by the name that `--device` takes; `lacks` says what keeps it from being used."""

    name: str
    summary: str
    lacks: str = ""


def devices(root: Path = ROOT) -> list[Device]:
    """Return the devices that torch could compute on here, and what those not ready lack."""
    block = device_block("cpu", root=root)
    found = [Device("cpu", _cpu_summary(block))]
    boards = _gpu_names(root)
    lacks = "" if torch_cuda() else CPU_TORCH
    found += [Device(f"cuda:{i}", name, lacks) for i, name in enumerate(boards)]
    if block["jetson"]:
        found.append(Device("jetson", str(block["jetson"]["model"]), lacks))
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        found.append(Device("mps", "Apple GPU"))
    return found


def torch_cuda() -> str | None:
    """Return the CUDA version that the installed torch was built with, None if for CPU only."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = _CUDA.search(text)
    return found[1] if found else None


def _cpu_summary(block: dict[str, Any]) -> str:
    cpu = block["cpu"]
    memory = f", {block['memory_mb'] / 1024:.0f} GB" if block["memory_mb"] else ""
    return f"{cpu['model'] or cpu['architecture']}, {cpu['usable']} cores{memory}"


def _gpu_names(root: Path) -> list[str]:
    """NVIDIA boards as the kernel's driver names them, in the order of their bus addresses."""
    cards = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    texts = [card.read_text(encoding="utf-8", errors="replace") for card in cards]
    named = [re.search(r"^Model:\s*(.+?)\s*$", text, re.MULTILINE) for text in texts]
    return [match[1] if match else "NVIDIA GPU" for match in named]
