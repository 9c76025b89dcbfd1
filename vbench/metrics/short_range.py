"""Objects carried from one frame to another: the share that is missed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.boxes import Bools, Boxes, iou

# Mao et al., PatchNet, section 5.3: "An IoU score below 0.7 is decided as a miss".
LEAST_IOU = 0.7


def judged(restarts: Bools) -> Bools:
    """Tell which frames are the last before a clip begins anew, the last of all among them (n,)."""
    return np.append(restarts[1:], True)[: len(restarts)]


def miss_rate(truths: Sequence[Boxes], results: Sequence[Boxes]) -> float:
    """Share of boxes, over all clips together, with an IoU below .7; NaN if there are none."""
    pairs = list(zip(truths, results, strict=True))
    overlaps = np.concatenate([np.zeros(0), *(iou(truth, result) for truth, result in pairs)])
    return float((overlaps < LEAST_IOU).mean()) if len(overlaps) else float("nan")
