"""SiamFC with PatchNet's response added to its own at every scale before the peak is read.

Mao et al., PatchNet - Short-range Template Matching for Efficient Video Processing, score fusion;
RalphMao/PatchNet siamfc/combined_tracker.py. The two maps do not show the same area: PatchNet's
reaches 3/8 of the box's sides, SiamFC's a good half of its window. They are added as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vbench.core.boxes import Box, Image, as_boxes, to_corners
from vbench.core.roles import Estimate, Weights, WorkTable

from .patchnet import PatchNet
from .siamfc import Matcher, logistic, search_work, template_work, upsampled


class SiamFCBoosted:
    """The tracker; both templates are the first frame's. `factor` weighs PatchNet's map.

    `width` is that of SiamFC's layers, relative to the published network. The score is the
    logistic of the highest response of the sum.
    """

    def __init__(
        self,
        factor: float = 0.05,
        scales: int = 3,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        siamfc, patchnet = split_files(weights)
        self.matcher = Matcher(scales, siamfc, device, seed, width)
        self.patches = PatchNet(weights=patchnet, device=device)
        self.factor = factor

    def start(self, frame: Image, box: Box) -> None:
        """Take both templates from `box` (4,)."""
        boxes = as_boxes(box)
        self.matcher.learn(frame, boxes)
        self.patches.learn(frame, to_corners(boxes))

    def track(self, frame: Image) -> Estimate:
        """Search around the last place with both."""
        maps = upsampled(self.matcher.responses(frame))
        boost, _ = self.patches.responses(frame, to_corners(self.matcher.boxes()))
        maps += np.float32(self.factor) * upsampled(boost)[:, None]
        peaks = self.matcher.follow(maps)
        return Estimate(self.matcher.boxes()[0], float(logistic(peaks)[0]))

    def reseat(self, box: Box) -> Box:
        """As SiamFC: move to the middle of `box`, the size follows by a quarter of its change."""
        self.matcher.carry(as_boxes(box))
        place: Box = self.matcher.boxes()[0]
        return place

    def work(self) -> WorkTable:
        """The work of both."""
        patches = self.patches.work()
        kernels, match = (
            [replace(part, per_object=False) for part in patches[call]]
            for call in ("anchor", "propagate")
        )
        scales = len(self.matcher.factors)
        return {
            "start": [template_work(self.matcher), *kernels],
            "track": [*search_work(self.matcher, scales), *match],
        }


def split_files(weights: Weights | None) -> tuple[Weights | None, Weights | None]:
    """Tell SiamFC's file from PatchNet's by the name `patchnet.pth`; both may be missing."""
    if weights is None:
        return None, None
    patchnet = {name: path for name, path in weights.files.items() if "patchnet" in name}
    siamfc = {name: path for name, path in weights.files.items() if name not in patchnet}
    parts = [Weights(weights.name, part, "") if part else None for part in (siamfc, patchnet)]
    return parts[0], parts[1]
