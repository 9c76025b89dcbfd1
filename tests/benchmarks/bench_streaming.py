"""Memory of LSTS and Plug & Play while 300 frames of 300 x 500 px go through their full width.

Run: python tests/benchmarks/bench_streaming.py [SHORT_PX [FRAMES]]
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

# Frames between two keyframes (Plug & Play detects on every frame), and what leaves an untrained
# tracker with a dozen boxes a frame, not hundreds.
METHODS: dict[str, tuple[int, dict[str, str]]] = {
    "lsts": (10, {}),
    "plugplay-hrnet": (1, {"proposals": "20", "kept": "0.6"}),
}
SETTLED = 60
# Resident MB that allocators may keep of what was freed.
SLACK_MB = 64


def resident_mb() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def live_tensors() -> tuple[int, float]:
    """How many tensors are alive, and the MB of their storages."""
    gc.collect()
    found = [o for o in gc.get_objects() if type(o) in (torch.Tensor, torch.nn.Parameter)]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in found}
    return len(found), sum(storages.values()) / 2**20


def frame(index: int, short_px: int) -> Any:
    """A texture that drifts to the right, 5 : 3."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    side = -(-short_px // 30)
    large = cells.repeat(side, axis=0).repeat(side, axis=1)
    return np.ascontiguousarray(np.roll(large, 3 * index, axis=1)[:short_px])


def stream(name: str, short_px: int, frames: int) -> None:
    """Print memory every 30 frames; fail where it grows after the first 60."""
    from vbench import catalogue

    interval, more = METHODS[name]
    given = {"short_px": str(short_px)} | more
    detector = catalogue.build("detectors", name, given, weights=None, device="cpu", seed=0)
    detector.start((0, 0))
    marks = []
    before = time.process_time()
    for index in range(frames):
        image = frame(index, short_px)
        call = detector.key if index % interval == 0 else detector.inter
        objects = len(call(image).boxes)
        if (index + 1) % 30 == 0:
            count, held_mb = live_tensors()
            marks.append((index + 1, resident_mb(), held_mb))
            print(
                f"{name} frame {index + 1}: {resident_mb():.0f} MB resident, {count} tensors of "
                f"{held_mb:.1f} MB, {objects} objects, {time.process_time() - before:.0f} s",
                flush=True,
            )
    settled = [mark for mark in marks if mark[0] >= SETTLED]
    assert settled[-1][1] <= settled[0][1] + SLACK_MB, "resident memory grows"
    assert settled[-1][2] <= settled[0][2] + 1, "tensors grow"


def main() -> None:
    """Run each method in a process of its own."""
    if sys.argv[1:2] == ["--here"]:
        stream(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    short_px, frames = (*sys.argv[1:], *("300", "300")[len(sys.argv) - 1 :])
    for name in METHODS:
        command = [sys.executable, __file__, "--here", name, short_px, frames]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
