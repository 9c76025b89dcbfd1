"""Scripted models: what they answer is known beforehand, so counts and schedules are exact."""

from __future__ import annotations

import numpy as np

from vbench.core.clip import Clip
from vbench.core.frames import Rendered
from vbench.core.roles import Detections, Estimate, Propagated, Work

SIZE = (64, 48)


def clip(length: int, name: str = "clip", box=(10.0, 10, 8, 8)) -> Clip:
    """Frames whose red value is their index."""
    frames = Rendered(length, lambda i: np.full((SIZE[1], SIZE[0], 3), i % 256, np.uint8))
    return Clip(name, frames, truth=np.tile(np.array(box), (length, 1)), known_size=SIZE)


class Walker:
    """A tracker that answers x = index of the frame, and remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float]] = []

    def start(self, frame, box) -> None:
        self.calls = [("start", float(box[0]))]
        self.box = np.array(box)

    def track(self, frame) -> Estimate:
        self.calls.append(("track", float(frame[0, 0, 0])))
        self.box = np.array([float(frame[0, 0, 0]), 10, 8, 8])
        return Estimate(self.box, 0.9)

    def reseat(self, box) -> None:
        self.calls.append(("reseat", float(box[0])))

    def work(self):
        return {"start": [Work("w", macs=7)], "track": [Work("w", macs=100, times=3)]}


class Carrier:
    """A propagator whose belief in frame i is `beliefs[i]`; answers x = 1000 + i."""

    def __init__(self, beliefs) -> None:
        self.beliefs = beliefs
        self.calls: list[tuple[str, float]] = []

    def anchor(self, frame, boxes) -> None:
        self.boxes = np.array(boxes)
        self.calls.append(("anchor", float(frame[0, 0, 0])))

    def propagate(self, frame) -> Propagated:
        index = int(frame[0, 0, 0])
        self.calls.append(("propagate", index))
        boxes = self.boxes.copy()
        boxes[:, 0] = 1000.0 + index
        return Propagated(boxes, np.full(len(boxes), self.beliefs[index]))

    def work(self):
        return {
            "anchor": [Work("a", macs=5, per_object=True)],
            "propagate": [Work("p", macs=10, per_object=True), Work("q", macs=1)],
        }


class Sightings:
    """A detector that answers `counts[i]` objects in frame i."""

    def __init__(self, counts) -> None:
        self.counts = counts

    def detect(self, frame) -> Detections:
        n = self.counts[int(frame[0, 0, 0])]
        boxes = np.tile([10.0, 10, 8, 8], (n, 1)) + np.arange(n)[:, None]
        return Detections(boxes, np.linspace(0.9, 0.5, n), np.arange(n))

    def work(self):
        return {"detect": [Work("d", macs=1000)]}
