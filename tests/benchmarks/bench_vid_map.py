"""mAP at IoU .5 of detections: vbench against pycocotools (and faster-coco-eval) in one run.

`python bench_vid_map.py [--part N] [--whole]`: peers score one N-th (20) of a problem of the size
of ImageNet VID val, vbench that part and the whole; with --whole the peers score the whole too
(about two minutes and 6 GB). Ratios are of equal problems only.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vbench.core.clip import Objects
from vbench.metrics.vid_coco import as_coco
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_map import mean, score_vid
from vbench.metrics.vid_profiles import VID_PROFILES

FRAMES, OBJECTS, DETECTIONS, CLASSES = 176_126, 273_505, 1_232_882, 30
RULES = VID_PROFILES["vid-coco"]


def problem(part: int = 1) -> tuple[VidTruths, VidAnswers]:
    """Random objects and detections in the numbers of VID val, or one `part`-th of it."""
    rng = np.random.default_rng(7)
    frames, objects, found = FRAMES // part, OBJECTS // part, DETECTIONS // part
    frame = np.sort(rng.integers(0, frames, objects))
    boxes = np.concatenate(
        [rng.uniform(0, 600, (objects, 2)), rng.uniform(16, 500, (objects, 2))], axis=1
    )
    labels = rng.integers(0, CLASSES, objects)
    none = np.full(objects, -1)
    truth = Objects(frame, boxes, labels, none, none >= 0)
    # Nine of ten objects are seen, some of them again and again; the rest are false.
    near = rng.integers(0, objects, found)
    near[: int(0.9 * objects)] = rng.permutation(objects)[: int(0.9 * objects)]
    error = rng.normal(0, 0.12, (found, 4)) * np.tile(boxes[near, 2:], 2)
    given = boxes[near] + error
    false = rng.random(found) < 0.45
    given[false, :2] += 700
    order = np.argsort(frame[near], kind="stable")
    given[:, 2:] = np.maximum(given[:, 2:], 1.0)
    corners = np.ascontiguousarray(given[order].T)
    corners[2:] += corners[:2]
    scores = np.where(false, rng.random(found) ** 2, rng.random(found) ** 0.5)[order]
    answers = VidAnswers(frame[near][order], corners, labels[near][order], scores)
    return VidTruths.of([truth], [frames]), answers


def ours(truths: VidTruths, answers: VidAnswers) -> float:
    """mAP at IoU .5 by vbench."""
    return mean(score_vid(truths, answers, RULES, CLASSES, ranges=False).ap)


def coco(truths: VidTruths, answers: VidAnswers, maker: Any, judge_of: Any, **more: Any) -> float:
    """The same by a COCO evaluation from its arrays of detections; IoU .5 and all sizes only."""
    with contextlib.redirect_stdout(io.StringIO()):
        given = maker()
        given.dataset = as_coco(truths)
        given.createIndex()
        boxes = np.concatenate([answers.corners[:2], answers.corners[2:] - answers.corners[:2]])
        rows = [answers.frame, *boxes, answers.scores, answers.labels]
        judge = judge_of(given, given.loadRes(np.stack(rows, axis=1)), **more)
        judge.params.iouThrs = np.array([0.5])
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def peers() -> dict[str, Callable[[VidTruths, VidAnswers], float]]:
    """The evaluations that are installed."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = {"pycocotools": lambda t, a: coco(t, a, COCO, COCOeval, iouType="bbox")}
    with contextlib.suppress(ImportError):
        faster: Any = importlib.import_module("faster_coco_eval")

        def quick(truths: VidTruths, answers: VidAnswers) -> float:
            return coco(truths, answers, faster.COCO, faster.COCOeval_faster, iouType="bbox")

        found["faster-coco-eval"] = quick
    return found


def timed(score: Callable[[VidTruths, VidAnswers], float], *given: Any) -> tuple[float, float]:
    """Seconds and the score."""
    before = time.perf_counter()
    value = score(*given)
    return time.perf_counter() - before, value


def peak_mb() -> float:
    """Most memory that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(name: str, given: tuple[VidTruths, VidAnswers], against: bool) -> None:
    """Print vbench's seconds and every peer's, and how often ours fit into theirs."""
    runs = [timed(ours, *given) for _ in range(5)]
    own, score = sorted(seconds for seconds, _ in runs)[2], runs[0][1]
    print(f"{name}: {len(given[1]):,} detections, {len(given[0]):,} objects")
    print(f"  vbench            {own:8.3f} s   mAP50 {score:.6f}   peak {peak_mb():.0f} MB")
    for peer, judge in peers().items() if against else ():
        seconds, value = timed(judge, *given)
        print(
            f"  {peer:17} {seconds:8.3f} s   mAP50 {value:.6f}   peak {peak_mb():.0f} MB"
            f"   {seconds / own:.0f} times slower, off by {abs(value - score):.1e}"
        )
        if abs(value - score) > 1e-6:
            sys.exit(f"{peer} and vbench disagree")


def main() -> None:
    """Run the benchmark."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--part", type=int, default=20)
    reader.add_argument("--whole", action="store_true")
    given = reader.parse_args()
    print("peak: most memory that this process has held so far, the problem itself included")
    report("VID val", problem(), against=False)
    report(f"1/{given.part} of it", problem(given.part), against=True)
    if given.whole:
        report("VID val", problem(), against=True)


if __name__ == "__main__":
    main()
