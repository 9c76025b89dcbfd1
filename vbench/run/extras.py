"""Optional parts of vbench: which modules a pip extra brings, and whether they are here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

# extra -> (modules that it brings, what they are for); the extras of pyproject.toml
EXTRAS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "onnx": (("onnxruntime",), "methods that are published as ONNX files"),
    "mat": (("scipy",), "ground truth, results and weights in MATLAB files"),
    "parquet": (("pyarrow",), "tables as Parquet files"),
    "ray": (("ray",), "runs spread over several machines"),
    "torchvision": (("torchvision",), "detectors of torchvision"),
    "ultralytics": (("ultralytics",), "detectors of ultralytics"),
    "effdet": (("effdet",), "detectors of the package effdet"),
    "got10k": (("got10k", "six"), "trackers and datasets of the GOT-10k toolkit"),
}


def is_here(module: str) -> bool:
    """Whether a top-level module can be imported; it is not imported."""
    try:
        return find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def missing_modules(extra: str) -> tuple[str, ...]:
    """Return the modules of an extra that are not here; an unknown extra brings none."""
    modules, _ = EXTRAS.get(extra, ((), ""))
    return tuple(module for module in modules if not is_here(module))


def install_command(extra: str) -> str:
    """Return what installs an extra."""
    return f"pip install 'vbench[{extra}]'"
