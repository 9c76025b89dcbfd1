"""Seconds a frame of the embedded suites, against decoding the same pictures from JPEG.

python tests/benchmarks/bench_rendering.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from vbench import catalogue
from vbench.core.clip import Clip

EVERY = 4


def seconds_of(calls: list[Callable[[], object]]) -> float:
    """Mean seconds of a call."""
    start = time.perf_counter()
    for call in calls:
        call()
    return (time.perf_counter() - start) / len(calls)


def measured(clip: Clip) -> tuple[float, float]:
    """Mean seconds of rendering and of decoding a frame of `clip`."""
    clip.frames[0]  # textures are painted on the first frame
    indices = range(0, len(clip), EVERY)
    coded = [cv2.imencode(".jpg", clip.frames[i])[1] for i in indices]
    render = seconds_of([lambda i=i: clip.frames[i] for i in indices])  # type: ignore[misc]
    decode = seconds_of([lambda c=c: cv2.imdecode(c, cv2.IMREAD_COLOR_RGB) for c in coded])  # type: ignore[misc]
    return render, decode


def main() -> None:
    """Print milliseconds a frame of each suite and their ratio to JPEG decoding."""
    cv2.setNumThreads(1)
    for name in ("synth-sot", "synth-vid"):
        start = time.perf_counter()
        suite = catalogue.open_suite(name, None, None)
        load = time.perf_counter() - start
        render, decode = np.mean([measured(clip) for clip in suite.clips], axis=0)
        print(
            f"{name}: loaded in {load:.2f} s; render {1e3 * render:.2f} ms, "
            f"decode {1e3 * decode:.2f} ms a frame, ratio {render / decode:.2f}"
        )


if __name__ == "__main__":
    main()
