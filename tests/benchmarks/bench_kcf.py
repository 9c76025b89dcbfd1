"""Milliseconds a frame of `kcf` against OpenCV's trackers and a straight-line KCF, in one run.

Then the objects of many keyframes carried together against one propagator an object. One thread,
processor time.

python tests/benchmarks/bench_kcf.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from vbench import catalogue
from vbench.core.boxes import Box, Image
from vbench.run.threads import set_threads

FRAME = 872, 480
TARGETS = {"17 x 50": (17, 50), "56 x 65": (56, 65), "90 x 90": (90, 90), "150 x 130": (150, 130)}
PEERS = ("kcf", "kcf-opencv", "mosse", "medianflow", "csrt", "mil")
FRAMES = 25
OBJECTS = 30


def clip(size: tuple[int, int]) -> tuple[list[Image], Box]:
    """Frames of a textured target that goes (3, 2) px a frame over a textured ground."""
    rng, (width, height) = np.random.default_rng(0), FRAME
    small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    ground = cv2.resize(small, FRAME, interpolation=cv2.INTER_CUBIC)
    target = cv2.resize(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), size)
    frames = []
    for step in range(FRAMES):
        frame = ground.copy()
        x, y = 300 + 3 * step, 150 + 2 * step
        frame[y : y + size[1], x : x + size[0]] = target
        frames.append(frame)
    return frames, np.array([300.0, 150.0, *size])


def milliseconds(name: str, frames: list[Image], box: Box) -> float:
    """Median of a tracker's milliseconds a frame."""
    tracker = catalogue.build("trackers", name, seed=0)
    tracker.start(frames[0], box)
    spent = []
    for frame in frames[1:]:
        began = time.process_time()
        tracker.track(frame)
        spent.append(time.process_time() - began)
    return float(np.median(spent)) * 1e3


def straight_line(frames: list[Image], box: Box) -> float:
    """Milliseconds a frame of KCF as tracker.m has it: both patches always, numpy's fft2."""
    from vbench.trackers.gradients import gradients
    from vbench.trackers.kcf import Kcf

    tracker = Kcf()
    tracker.start(frames[0], box)
    window, hog = tracker._window, tracker._hog
    taper, place = np.outer(*map(np.hanning, tracker._cells)), tracker._place.copy()
    label = np.fft.fft2(tracker._transform.back(tracker._label))

    def spectrum(frame: Image) -> NDArray[np.complex128]:
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if tracker._shrink == 2:
            grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        at = [int(np.floor(p)) - s // 2 + np.arange(s) for p, s in zip(place, window, strict=True)]
        rows, columns = (np.clip(a, 0, n - 1) for a, n in zip(at, grey.shape, strict=True))
        features = hog(gradients(np.ascontiguousarray(grey[np.ix_(rows, columns)])))
        return np.fft.fft2(np.pad(features, ((0, 0), (1, 1), (1, 1))) * taper)

    def kernel(x: NDArray[np.complex128], z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        cells = label.size
        lengths = (np.abs(x) ** 2).sum() / cells + (np.abs(z) ** 2).sum() / cells
        inner = np.fft.ifft2(x * z.conj()).real.sum(axis=0)
        return np.fft.fft2(np.exp(-np.maximum(lengths - 2 * inner, 0) / x.size / 0.25))

    model = spectrum(frames[0])
    alpha = label / (kernel(model, model) + 1e-4)
    spent = []
    for frame in frames[1:]:
        began = time.process_time()
        response = np.fft.ifft2(alpha * kernel(spectrum(frame), model)).real
        step = np.array(np.unravel_index(response.argmax(), response.shape))
        step = np.where(step > np.array(response.shape) / 2, step - response.shape, step)
        place += 4 * step
        seen = spectrum(frame)
        alpha = 0.98 * alpha + 0.02 * label / (kernel(seen, seen) + 1e-4)
        model = 0.98 * model + 0.02 * seen
        spent.append(time.process_time() - began)
    return float(np.median(spent)) * 1e3


def row(name: str, measure: Callable[[list[Image], Box], float]) -> str:
    """Format one line: milliseconds and how many times `kcf` each is."""
    clips = [clip(size) for size in TARGETS.values()]
    own = [milliseconds("kcf", *each) for each in clips]
    found = [measure(*each) for each in clips]
    cells = (f"{ms:8.2f} ({ms / mine:5.1f}x)" for ms, mine in zip(found, own, strict=True))
    return f"{name:24}" + "".join(f"{cell:>19}" for cell in cells)


def together() -> str:
    """Format one line: milliseconds an object and frame, together and one by one."""
    (frames, _), rng = clip((90, 90)), np.random.default_rng(1)
    corners = rng.uniform([0, 0], [FRAME[0] - 200, FRAME[1] - 200], (OBJECTS, 2))
    boxes = np.hstack([corners, rng.uniform(60, 300, (OBJECTS, 2))])
    carriers = [
        [catalogue.build("propagators", "kcf") for _ in range(many)] for many in (1, OBJECTS)
    ]
    for some in carriers:
        for carrier, part in zip(some, np.split(boxes, len(some)), strict=True):
            carrier.anchor(frames[0], part)
    spent = np.zeros(2)
    for frame in frames[1:6]:
        for index, some in enumerate(carriers):
            began = time.process_time()
            for carrier in some:
                carrier.propagate(frame)
            spent[index] += time.process_time() - began
    batch, alone = spent / 5 / OBJECTS * 1e3
    return f"{OBJECTS} objects of 60 to 300 px: {batch:.2f} ms each, alone {alone / batch:.2f}x"


def main() -> None:
    """Print the table."""
    set_threads(1)
    print(f"ms a frame of {FRAME[0]} x {FRAME[1]} px (times our kcf), by target size in px")
    print(f"{'':24}" + "".join(f"{size:>19}" for size in TARGETS))
    for name in PEERS:
        print(row(name, partial(milliseconds, name)))
    print(row("kcf, straight-line FFT", straight_line))
    print(together())


if __name__ == "__main__":
    main()
