"""Which class of COCO is which of ImageNet VID: the sixteen that both know.

The names of ImageNet VID are those of its development kit (map_vid.txt), in its order. COCO's cow
is VID's cattle, its cat the domestic cat, its boat the watercraft. COCO's truck is no car in VID,
whose synsets are n02958343 (car) and n02924116 (bus); the other 14 of VID are not in COCO.
"""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import Ints

VID = (
    "airplane", "antelope", "bear", "bicycle", "bird", "bus", "car", "cattle", "dog",
    "domestic cat", "elephant", "fox", "giant panda", "hamster", "horse", "lion", "lizard",
    "monkey", "motorcycle", "rabbit", "red panda", "sheep", "snake", "squirrel", "tiger", "train",
    "turtle", "watercraft", "whale", "zebra",
)  # fmt: skip
# The 80 classes that COCO's detectors answer, in the order of their outputs.
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
# Of the 90 numbers of COCO's annotation files, those that no object has.
NEVER_USED = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
OTHERWISE = {"cow": "cattle", "cat": "domestic cat", "boat": "watercraft"}
NO_CLASS = -1


def vid_index_of(names: tuple[str, ...]) -> Ints:
    """0-based class of ImageNet VID of each of the detector's classes, -1 for none, (len,)."""
    places = {name: index for index, name in enumerate(VID)}
    return np.array([places.get(OTHERWISE.get(name, name), NO_CLASS) for name in names], np.int64)


def coco_names_by_number() -> tuple[str, ...]:
    """Names by the numbers of COCO's annotation files: number 0 and unused ones are empty."""
    names = iter(COCO)
    return tuple("" if n == 0 or n in NEVER_USED else next(names) for n in range(91))
