"""SiamFC a frame: ours against a straight-line statement of siamfc-pytorch, in one run.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_siamfc.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch

from vbench.nn.correlation import dense
from vbench.nn.crop import square_crops, windows_around
from vbench.run.threads import set_threads
from vbench.trackers.nanotrack import NanoTrack
from vbench.trackers.siamfc import SiamFC, SiamFCPropagator, read_peaks, upsampled
from vbench.trackers.siamrpn import SiamRPN

FRAME = np.random.default_rng(0).integers(0, 256, (480, 872, 3), dtype=np.uint8)
BOX = np.array([400.0, 200, 60, 80])
# At the border, where the frame has to be padded.
CORNER = np.array([5.0, 8, 60, 80])
FACTORS = 1.0375 ** np.array([-1.0, 0, 1])


def fastest_ms(call: Callable[[], object], repeats: int) -> float:
    """Fastest of `repeats` calls: neighbours only ever make one slower."""
    call()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best * 1e3


def line_crops(centre: np.ndarray, sides: np.ndarray) -> torch.Tensor:
    """Pad the whole frame for every crop, cut, resize."""
    fill = FRAME.mean(axis=(0, 1))
    crops = []
    for side in sides.round().astype(int):
        corner = np.round(centre - (side - 1) / 2).astype(int)
        pad = max(0, *(-corner), *(corner + side - FRAME.shape[1::-1]))
        wide = FRAME
        if pad:
            wide = cv2.copyMakeBorder(
                FRAME, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=fill.tolist()
            )
        x, y = corner + pad
        crops.append(cv2.resize(wide[y : y + side, x : x + side], (255, 255)))
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()


def line_post(responses: np.ndarray) -> tuple[int, int]:
    """Enlarge map by map, normalise, add the window."""
    large = np.stack([cv2.resize(r, (272, 272), interpolation=cv2.INTER_CUBIC) for r in responses])
    large[0] *= 0.9745
    large[2] *= 0.9745
    chosen = large[np.argmax(large.max(axis=(1, 2)))]
    chosen = chosen - chosen.min()
    chosen /= chosen.sum()
    window = np.outer(np.hanning(272), np.hanning(272))
    y, x = np.unravel_index((0.824 * chosen + 0.176 * window).argmax(), chosen.shape)
    return int(y), int(x)


def compare_parts() -> None:
    """Print each part of a frame, theirs and ours."""
    tracker = SiamFC()
    backbone = tracker.matcher.network.backbone
    tracker.start(FRAME, BOX)
    template = tracker.matcher.templates
    responses = np.random.default_rng(1).normal(size=(3, 17, 17)).astype(np.float32)
    side = np.sqrt((60 + 70) * (80 + 70)) * 255 / 127 * FACTORS
    rows = []
    for name, box in (("crops at the border", CORNER), ("crops", BOX)):
        centre = box[:2] + (box[2:] - 1) / 2
        windows = windows_around(centre[None].repeat(3, axis=0), side)
        theirs = fastest_ms(partial(line_crops, centre, side), 30)
        ours = fastest_ms(partial(square_crops, FRAME, windows, 255, tracker.matcher.fill), 30)
        rows.append((name, theirs, ours))
    windows = windows_around(tracker.matcher.centres.repeat(3, axis=0), side)
    crops = square_crops(FRAME, windows, 255, tracker.matcher.fill)
    planes = line_crops(tracker.matcher.centres[0], side)
    with torch.inference_mode():
        features = backbone(crops)
        theirs = fastest_ms(lambda: backbone(planes), 5)
        rows.append(("backbone, 8.16 GMAC", theirs, fastest_ms(lambda: backbone(crops), 5)))
        call = torch.nn.functional.conv2d
        theirs = fastest_ms(lambda: call(features, template), 10)
        rows.append(("correlation", theirs, fastest_ms(lambda: dense(features, template), 10)))
    theirs = fastest_ms(lambda: line_post(responses), 20)
    ours = fastest_ms(lambda: read_peaks(upsampled(responses[None])), 20)
    rows.append(("post", theirs, ours))
    rows.append(("frame", sum(r[1] for r in rows[1:]), fastest_ms(lambda: tracker.track(FRAME), 5)))
    for name, slow, fast in rows:
        print(f"{name:22s} {slow:8.2f} ms {fast:8.2f} ms  {slow / fast:5.2f}x")


def compare_batches() -> None:
    """Print what an object costs when several are carried at once."""
    alone = 0.0
    for n in (1, 4, 7, 16):
        propagator = SiamFCPropagator()
        boxes = np.random.default_rng(n).uniform([0, 0, 30, 30], [700, 400, 90, 90], (n, 4))
        propagator.anchor(FRAME, boxes)
        spent = fastest_ms(partial(propagator.propagate, FRAME), 4) / n
        alone = alone or spent
        print(f"{n:2d} objects in one batch  {spent:8.2f} ms an object  {alone / spent:5.2f}x")


def compare_trackers() -> None:
    """Print other Siamese trackers, a frame, with random weights."""
    trackers = {
        "nanotrack": NanoTrack("v1"),
        "nanotrack-v3": NanoTrack("v3"),
        "dasiamrpn-vot": SiamRPN("dasiamrpn-vot"),
        "siamrpn-alex-dw": SiamRPN("siamrpn-alex-dw"),
    }
    for name, tracker in trackers.items():
        tracker.start(FRAME, BOX)
        spent = fastest_ms(partial(tracker.track, FRAME), 5)
        print(f"{name:22s} {spent:8.2f} ms a frame")


def main() -> None:
    """Compare on as many threads as the environment gives."""
    set_threads(torch.get_num_threads())
    print(f"{torch.get_num_threads()} thread(s); straight line | ours | ratio")
    compare_parts()
    compare_batches()
    compare_trackers()


if __name__ == "__main__":
    main()
