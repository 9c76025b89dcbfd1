"""FDN: MDNet with convolutions on the whole image, RoIAlign, and updates that stop when enough.

Cui et al., Fast Dynamic Convolutional Neural Networks for Visual Tracking, ACML 2018; constants of
ZhiyanCui/fdn-release (tracking/mdnet_init.m, mdnet_run.m), whose MATLAB weights load. The release
limits samples to the size of the resized image; here it is that of the frame.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Image, to_corners
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights, Work, WorkTable
from vbench.nn.roi_align import roi_align_max, roi_pool

from .domain_tracker import DomainTracker, check_network
from .mdnet import MATLAB
from .mdnet_network import CELLS, mdnetwork
from .mdnet_update import Lesson

# The longer side stays below this, relative to the shorter side's wanted length.
LONGEST = 1000 / 600
# The shape of frame that costs are stated for: 800 x 600 px.
NOMINAL = 4 / 3
POOLS = {"align": roi_align_max, "pool": roi_pool}
# Bilinear samples of a box (2 x 2 in each of 3 x 3 cells) times neighbours of a sample; RoIPool
# compares, and multiplies nothing.
TAPS = {"align": 4 * CELLS**2 * 4, "pool": 0}

# The release was made of MDNet's, and learns five times as fast.
FDN_RELEASE = replace(MATLAB, first=Lesson(5e-4, 30), later=Lesson(1.5e-3, 10))


class FDN(DomainTracker):
    """The tracker: one pass of convolutions a frame, candidates cut out of the feature map.

    Args:
        roi: how they are cut out: RoIAlign with a maximum over 2 x 2 samples, or RoIPool (fig. 7).
        convs: convolutions of the trunk, 3 or 5 (fig. 8).
        fcs: connected layers, 3 or 2 (fig. 8).
        stop: an update ends once its loss is below this (sec. 3.4); None takes all iterations.
        regression: refine the answer by box regression, as the paper says; the release learns it
            and leaves its answers aside.
        candidates: boxes that are scored in a frame.
        samples: share of the published numbers of samples that is drawn to learn from.
        short_px: the shorter side of the image that is convolved; the longer one is at most 5 / 3.
        rate: factor of the published learning rates while tracking. A step moves the scores of a
            network of `width` w only w times as far, so narrow ones take more, up to 1 / w.
        width: of all layers, relative to the published network.
    """

    def __init__(
        self,
        roi: Literal["align", "pool"] = "align",
        convs: int = 3,
        fcs: int = 3,
        stop: float | None = 0.01,
        regression: bool = False,
        candidates: int = 512,
        samples: float = 1.0,
        short_px: int = 600,
        rate: float = 1.0,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check_network("fdn", convs, fcs, width)
        if not 64 <= short_px <= 4096:
            raise VBenchError(f"fdn[short_px={short_px}]: give 64 to 4096 px")
        if not 0 < rate <= 100:
            raise VBenchError(f"fdn[rate={rate}]: give a factor above 0 and up to 100")
        self.network = mdnetwork("image", "matconvnet", convs, fcs, width, weights, device, seed)
        self.pool, self.taps, self.short_px = POOLS[roi], TAPS[roi], short_px
        first, later = FDN_RELEASE.first.faster(rate), FDN_RELEASE.later.faster(rate)
        recipe = replace(FDN_RELEASE, first=first, later=later)
        super().__init__(recipe, candidates, samples, regression, stop, device, seed)

    def look(self, frame: Image) -> None:
        """Convolve the whole image."""
        self.scale = image_scale(frame.shape[1], frame.shape[0], self.short_px)
        width, height = (max(1, round(side * self.scale)) for side in frame.shape[1::-1])
        resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
        image = torch.from_numpy(resized).to(self.device).permute(2, 0, 1)[None].float()
        self.map = self.network.trunk(image - self.network.mean.to(self.device)[:, None, None])
        self.above = self.network.trunk.conv_macs(height, width) - self._nominal_macs()

    def features(self, boxes: Boxes) -> Tensor:
        """Cut boxes out of the feature map."""
        corners = to_corners(boxes) * self.scale
        rois = torch.from_numpy(np.pad(corners, ((0, 0), (1, 0)))).float().to(self.device)
        cells = self.pool(self.map, rois, CELLS, 1 / self.network.trunk.layout.stride_px)
        return cells.flatten(1)

    def spent(self) -> dict[str, float]:
        """Convolutions beyond (or short of) those of the nominal image, for frames of its shape."""
        return {"gmac_above_nominal": self.above / 1e9}

    def work(self) -> WorkTable:
        """One pass of convolutions, nominally on 800 x 600 px; learning by its iterations."""
        recipe, taps = self.recipe, float(self.taps * self.network.trunk.channels)
        first = recipe.first_positives + recipe.first_negative_count + recipe.later_negatives
        if self.regression is not None:
            first += recipe.regression_count
        convolutions = Work(
            "convolutions", macs=self._nominal_macs(), uncounted=("resizing", "local normalisation")
        )
        return {
            "start": [
                convolutions,
                Work("boxes", macs=taps * self._some(first)),
                *self.start_work(),
            ],
            "track": [
                convolutions,
                Work("boxes", macs=taps * self.candidates),
                self.score_work(),
            ],
            "update_iterations": [self.iteration_work()],
            "gmac_above_nominal": [Work("convolutions", macs=1e9)],
        }

    def _nominal_macs(self) -> float:
        return self.network.trunk.conv_macs(self.short_px, round(self.short_px * NOMINAL))


def image_scale(width: int, height: int, short_px: int) -> float:
    """Factor that makes a frame's shorter side `short_px`, or its longer one 5 / 3 of that."""
    factor = short_px / min(width, height)
    longest = short_px * LONGEST
    return factor if max(width, height) * factor <= longest else longest / max(width, height)
