"""Size and speed of the HTML page of 100 clips x 30 methods, of trackers and of detectors.

python -m tests.benchmarks.bench_page

Clips are as long as OTB's and as ImageNet VID's are in the mean, boxes are noise and pictures blots
of random colour, which neither base64 nor JPEG can shorten; a page of a real run is smaller.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.report.browser import CHROMIUM, Browser
from tests.report.test_html import made_run, noise, picture
from tests.run.scripted import clip
from vbench.core.clip import Objects
from vbench.core.trace import Trace
from vbench.report.html import html
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder

CLIPS, METHODS = 100, 30
MOST_BYTES = 5_000_000
# Mean frames of a clip: OTB-100's, and 176,126 frames of 555 snippets.
TRACKED_FRAMES, VIDEO_FRAMES = 590, 317
# Objects that are carried, and of those what has a score worth drawing.
CARRIED, DRAWN = 30, 6
CLASSES = 30


def detections(rng: np.random.Generator, frames: int) -> Trace:
    """A trace of as many noisy detections a frame, few of which are strong."""
    one, n = noise(rng, frames), frames * CARRIED
    boxes = np.array([300.0, 200, 80, 60]) + rng.normal(0, 20, (n, 4))
    scores = np.where(np.arange(n) % CARRIED < DRAWN, 0.9, 0.1)
    number = np.full(frames, CARRIED)
    labels = rng.integers(0, CLASSES, n)
    return replace(one, objects=number, carried=number, boxes=boxes, scores=scores, labels=labels)


def video_run(folder: Path) -> RunFolder:
    """A run of detectors: 100 snippets x 30 methods."""
    rng = np.random.default_rng(0)
    run = RunFolder(folder)
    manifest = Manifest("imagenet-vid", "vid", "d", CLIPS)
    manifest.classes = [f"class{i}" for i in range(CLASSES)]
    frames = np.arange(VIDEO_FRAMES)
    whole = np.ones(VIDEO_FRAMES, np.int64)
    truth = Objects(
        frames, np.tile([300.0, 200, 80, 60], (VIDEO_FRAMES, 1)), whole, whole, whole == 0
    )
    scenes = [
        replace(clip(VIDEO_FRAMES), name=f"ILSVRC2015_val_{i:08d}", objects=truth)
        for i in range(CLIPS)
    ]
    for scene in scenes:
        manifest.clips[scene.name] = scene.digest()
        run.save_truth(scene)
    for index in range(METHODS):
        name = f"nanodet+patchnet[floor=0.{index:02d}]@fixed:5"
        manifest.methods[name] = MethodRecord(name, f"{index:064d}", base="nanodet", policy="fixed")
        for scene in scenes:
            run.save(manifest.methods[name], scene, detections(rng, VIDEO_FRAMES))
    run.write(manifest)
    return run


def opened(page: Path, profile: Path) -> str:
    """Say how the page behaves in Chromium at two widths."""
    if CHROMIUM is None:
        return "Chromium is not installed"
    said = []
    with Browser(profile) as browser:
        for width in (1280, 360):
            start = time.perf_counter()
            browser.open(page, width)
            rows = browser.ask("document.querySelectorAll('#table tbody tr').length")
            clips = browser.ask("document.querySelectorAll('#clip option').length")
            wide = browser.ask("document.documentElement.scrollWidth")
            seconds = time.perf_counter() - start
            said.append(f"{rows} methods, {clips} clips, {wide} of {width} px, {seconds:.1f} s")
    return "; ".join(said)


def main() -> None:
    """Print bytes and seconds of both pages; exit code 1 where one is too large."""
    large = False
    with tempfile.TemporaryDirectory() as made:
        room = Path(made)
        runs = {
            "trackers": made_run(room / "sot", METHODS, CLIPS, TRACKED_FRAMES),
            "detectors": video_run(room / "vid"),
        }
        for name, run in runs.items():
            start = time.process_time()
            page = html(run, picture).encode()
            seconds = time.process_time() - start
            path = room / f"{name}.html"
            path.write_bytes(page)
            large |= len(page) >= MOST_BYTES
            print(f"{name}: {len(page) / 1e6:.2f} MB in {seconds:.1f} s of one processor")
            print(f"  {opened(path, room / f'browser-{name}')}")
    sys.exit(int(large))


if __name__ == "__main__":
    main()
