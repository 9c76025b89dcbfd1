"""Decoding: what a frame costs, and what decoding one frame ahead saves a method.

Frames are JPEGs of 640x480 made here; the tracker is one that sleeps in numpy for a given time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from vbench.core.clip import Clip
from vbench.core.frames import ImageFiles
from vbench.core.policy import Every
from vbench.core.roles import Estimate
from vbench.run.loop import run_clip
from vbench.run.stepper import TrackerStepper

FRAMES = 200
BOX = np.array([10.0, 10, 40, 40])


class Busy:
    """Computes for about `ms` with the interpreter lock released."""

    def __init__(self, ms: float) -> None:
        self.ms = ms
        self.matrix = np.random.default_rng(0).random((160, 160), dtype=np.float32)

    def start(self, frame, box):
        self.box = box

    def track(self, frame):
        until = time.perf_counter() + self.ms / 1e3
        while time.perf_counter() < until:
            self.matrix @ self.matrix
        return Estimate(self.box, 1.0)


def seconds(clip: Clip, ms: float, prefetch: bool) -> float:
    """Seconds of a whole clip, the best of three."""
    found = []
    for _ in range(3):
        before = time.perf_counter()
        run_clip(TrackerStepper(Busy(ms)), Every(), clip, time.perf_counter, prefetch=prefetch)
        found.append(time.perf_counter() - before)
    return min(found)


def main() -> None:
    """Print milliseconds a frame and the ratio that decoding ahead gains."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for index in range(FRAMES):
            coarse = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
            image = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC)
            paths.append(Path(folder) / f"{index:04d}.jpg")
            cv2.imwrite(str(paths[-1]), image)
        clip = Clip("x", ImageFiles(paths), np.tile(BOX, (FRAMES, 1)), known_size=(640, 480))
        before = time.perf_counter()
        for index in range(FRAMES):
            clip.frames[index]
        print(f"decoding alone: {(time.perf_counter() - before) / FRAMES * 1e3:.2f} ms a frame")
        for ms in (2.6, 5.1, 20.0):
            plain, ahead = seconds(clip, ms, False), seconds(clip, ms, True)
            print(f"a {ms:4.1f} ms tracker: {plain / ahead:.2f}x faster with a frame ahead")


if __name__ == "__main__":
    main()
