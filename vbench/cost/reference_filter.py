"""Speed in units of a filter that every machine can run, as VOT's equivalent filter operations.

Kristan et al., The Visual Object Tracking VOT2014 challenge results, section 3.4: a 30 x 30 maximum
filter over a 600 x 600 image (votchallenge/toolkit-legacy tracker/benchmark_hardware.m times it,
analysis/normalize_speed.m divides by it). The filter here is OpenCV's, so that numbers are
comparable among themselves and only akin to published ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np

IMAGE_PX = 600
FILTER_PX = 30
REPETITIONS = 20
BRIEF = 5


def filter_seconds(
    now: Callable[[], float] = time.perf_counter, repetitions: int = REPETITIONS
) -> float:
    """Mean seconds of one maximum filter on one thread of this machine."""
    import cv2

    image = np.random.default_rng(0).random((IMAGE_PX, IMAGE_PX))
    kernel = np.ones((FILTER_PX, FILTER_PX), np.uint8)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        cv2.dilate(image, kernel)  # the first call allocates
        before = now()
        for _ in range(repetitions):
            cv2.dilate(image, kernel)
        return (now() - before) / repetitions
    finally:
        cv2.setNumThreads(threads)


@cache
def machine_filter_seconds() -> float:
    """Seconds of one filter here, measured once in a process and briefly, for runs to keep."""
    return filter_seconds(repetitions=BRIEF)


def filter_operations(seconds_a_frame: float, reference_seconds: float) -> float:
    """Frames a tracker does in the time of one filter: EFO-like speed, higher is faster."""
    return reference_seconds / seconds_a_frame if seconds_a_frame > 0 else float("nan")
