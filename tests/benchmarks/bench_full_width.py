"""Processor seconds and peak memory of every detector's published network at 600 x 1000 px.

Each runs in a process and on a thread of its own, untrained: it costs the same. The second keyframe
and the frame after it are timed; FGFA's memory is full by then.

Run: python tests/benchmarks/bench_full_width.py [METHOD ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZE = (1000, 600)
# Peak resident memory that a laptop has to spare.
MOST_MB = 8192
METHODS = (
    "rfcn",
    "rfcn[dcn=1]",
    "dff",
    "fgfa",
    "lsts",
    "lsts[align=uniform]",
    "lsts[align=flow]",
    "lsts[align=matchtrans]",
    "lsts[align=nonlocal]",
    "lsts[dcn=1]",
    "dt",
    "frcnn-hrnet",
    "frcnn-x101",
    "plugplay-hrnet",
    "plugplay-x101",
    "efficientdet-d0",
)


def frame(shift: int) -> Any:
    """A textured frame, moved to the right."""
    import cv2

    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    large = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)
    return np.roll(large, shift, axis=1)


def fill(detector: Any) -> None:
    """Fill a memory of several frames with copies of the one that it holds."""
    memory: Any = getattr(detector, "memory", None)
    if getattr(memory, "maxlen", None):
        while len(memory) < memory.maxlen:
            memory.append(type(memory[0])(*(part.clone() for part in memory[0])))


def timed(call: Callable[[Any], Any], image: Any) -> tuple[float, int]:
    """Processor seconds of a call, and how many objects it answered."""
    before = time.process_time()
    found = call(image)
    return time.process_time() - before, len(found.boxes)


def measure(text: str) -> dict[str, Any]:
    """Numbers of one method, run in this process."""
    from vbench import catalogue
    from vbench.core.method import parse_method
    from vbench.core.roles import VideoDetector
    from vbench.cost.memory import peak_memory_mb
    from vbench.run.tuning import networks_of

    part = parse_method(text).base
    given = dict(part.parameters)
    detector = catalogue.build("detectors", part.name, given, weights=None, device="cpu", seed=0)
    tensors = {id(p): p.numel() for n in networks_of(detector) for p in n.parameters()}
    video = isinstance(detector, VideoDetector)
    if video:
        detector.start(SIZE)
    key = detector.key if video else detector.detect
    key(frame(0))
    fill(detector)
    found: dict[str, Any] = {"parameters_m": sum(tensors.values()) / 1e6}
    found["key_seconds"], found["objects"] = timed(key, frame(4))
    if catalogue.entry("detectors", part.name).has_cheap_half:
        found["inter_seconds"], _ = timed(detector.inter, frame(8))
    return found | {"peak_mb": peak_memory_mb("cpu")}


def main() -> None:
    """Print a row a method; fail where one needs more memory than it may."""
    if sys.argv[1:2] == ["--here"]:
        print(json.dumps(measure(sys.argv[2])))
        return
    print("| method | parameters, M | key, s | inter, s | objects | peak memory, MB |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for method in sys.argv[1:] or METHODS:
        command = [sys.executable, __file__, "--here", method]
        one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
        answer = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread)
        row = json.loads(answer.stdout)
        inter = f"{row['inter_seconds']:.2f}" if "inter_seconds" in row else ""
        print(
            f"| `{method}` | {row['parameters_m']:.1f} | {row['key_seconds']:.2f} | {inter} | "
            f"{row['objects']} | {row['peak_mb']:.0f} |",
            flush=True,
        )
        worst = max(worst, row["peak_mb"])
    print(f"largest peak: {worst:.0f} MB of {MOST_MB} MB")
    assert worst <= MOST_MB


if __name__ == "__main__":
    main()
