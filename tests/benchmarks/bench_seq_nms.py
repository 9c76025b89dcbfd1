"""Seq-NMS on 1,000 frames of 100 detections, and against the textbook loop on fewer frames."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.detectors.textbook_seq_nms import textbook_seq_nms
from vbench.core.roles import Detections
from vbench.detectors.seq_nms import SeqNms


def clip_of(frames: int, objects: int = 10, boxes: int = 8, clutter: int = 20) -> list[Detections]:
    """Objects that drift, each with several boxes a frame, and clutter: five classes."""
    rng = np.random.default_rng(0)
    start = rng.uniform([0, 0], [900, 500], (objects, 2))
    speed = rng.normal(0, 2, (objects, 2))
    size = rng.uniform(40, 160, (objects, 2))
    found = []
    for t in range(frames):
        place = np.repeat(start + speed * t, boxes, axis=0)
        sides = np.repeat(size, boxes, axis=0)
        near = np.concatenate([place + rng.normal(0, 4, place.shape), sides], axis=1)
        far = np.concatenate(
            [rng.uniform(0, 900, (clutter, 2)), rng.uniform(30, 200, (clutter, 2))], axis=1
        )
        labels = np.concatenate([np.repeat(np.arange(objects) % 5, boxes), np.arange(clutter) % 5])
        scores = np.concatenate([rng.beta(4, 2, len(near)), rng.beta(1, 8, clutter)])
        found.append(Detections(np.concatenate([near, far]), scores, labels))
    return found


def seconds_of(run: Callable[[Any], Any], clip: list[Detections]) -> float:
    """Seconds that the processor spent on one run."""
    before = time.process_time()
    run(clip)
    return time.process_time() - before


def main() -> None:
    """Print seconds by length, and the ratio to the textbook loop."""
    post = SeqNms()
    for frames in (125, 250, 500, 1000):
        clip = clip_of(frames)
        print(f"{frames:5} frames x 100 detections: {seconds_of(post.apply, clip):6.2f} s")
    short = clip_of(60)
    ours, theirs = (
        min(seconds_of(f, short) for _ in range(2)) for f in (post.apply, textbook_seq_nms)
    )
    print(f"60 frames: {ours:.3f} s, textbook loop {theirs:.2f} s: {theirs / ours:.0f} x")


if __name__ == "__main__":
    main()
