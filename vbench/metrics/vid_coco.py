"""COCO's twelve numbers, through pycocotools (imported on first use)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vbench.core.errors import ClipFailed
from vbench.metrics.vid_frames import VidAnswers, VidTruths

# In the order of COCOeval.summarize.
TWELVE = (
    "ap", "ap50", "ap75", "ap_s", "ap_m", "ap_l", "ar_1", "ar_10", "ar_100", "ar_s", "ar_m", "ar_l",
)  # fmt: skip


def twelve_numbers(truths: VidTruths, answers: VidAnswers) -> dict[str, float]:
    """COCO's numbers of detections, NaN where nothing is to be found; ignored objects are crowds.

    Takes about 60 us a detection and its memory; `vid-coco` gives AP at IoU .5 and by size faster.
    """
    return judged(as_coco(truths), as_results(answers))


def judged(dataset: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """COCO's numbers of a result list against an `instances_*.json` that has been read.

    Raises:
        ClipFailed: a score or box that is no number, or an image or class that is not there.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    _check(dataset, results)
    # It prints its progress; it also writes into what it is given.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            **dataset,
            "annotations": [dict(found) for found in dataset["annotations"]],
        }
        truth.createIndex()
        found = truth.loadRes([dict(one) for one in results]) if results else COCO()
        if not results:
            found.dataset = {**truth.dataset, "annotations": []}
            found.createIndex()
        judge = COCOeval(truth, found, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {
        name: float(value) if value >= 0 else float("nan")
        for name, value in zip(TWELVE, judge.stats, strict=True)
    }


def as_coco(truths: VidTruths) -> dict[str, Any]:
    """The objects as a COCO dataset; frames are images, numbered through all clips."""
    frames = int(truths.lengths.sum())
    classes = int(truths.labels.max()) + 1 if len(truths) else 1
    boxes = _boxes(truths.corners)
    return {
        "images": [{"id": index} for index in range(frames)],
        "categories": [{"id": index} for index in range(classes)],
        "annotations": [
            {
                "id": index + 1,
                "image_id": int(truths.frame[index]),
                "category_id": int(truths.labels[index]),
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": int(truths.ignore[index]),
            }
            for index, box in enumerate(boxes)
        ],
    }


def as_results(answers: VidAnswers) -> list[dict[str, Any]]:
    """The detections as a COCO result list."""
    columns = (answers.frame.tolist(), answers.labels.tolist(), _boxes(answers.corners))
    return [
        {"image_id": image, "category_id": label, "bbox": box, "score": score}
        for image, label, box, score in zip(*columns, answers.scores.tolist(), strict=True)
    ]


def _boxes(corners: Any) -> list[list[float]]:
    boxes: list[list[float]] = np.concatenate([corners[:2], corners[2:] - corners[:2]]).T.tolist()
    return boxes


def _check(dataset: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> None:
    images = {image["id"] for image in dataset["images"]}
    for number, one in enumerate(results):
        values = [one["score"], *one["bbox"]]
        if len(values) != 5 or not np.isfinite(values).all():
            raise ClipFailed(f"detection {number} has a score or a box that is no number")
        if one["image_id"] not in images:
            raise ClipFailed(f"detection {number} is of image {one['image_id']}, which is unknown")
