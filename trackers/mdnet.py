"""MDNet: candidates around the last place, scored by a network that learns the target on the way.

Nam and Han, Learning Multi-Domain Convolutional Neural Networks for Visual Tracking, CVPR 2016;
constants of hyeonseobnam/py-MDNet (tracking/options.yaml) with its checkpoints, and of hyseob/MDNet
(tracking/mdnet_init.m) with MATLAB's. Patches are resized as by hyseob/MDNet utils/im_crop.m:
bilinear, without smoothing.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Image
from vbench.core.roles import Weights, Work, WorkTable
from vbench.nn.box_samples import Sampler

from .domain_tracker import DomainTracker, Recipe, check_network
from .mdnet_network import is_published_matlab, mdnetwork
from .mdnet_update import MATCONVNET, TORCH, Lesson

PATCH_PX, PADDING_PX, OUTSIDE = 107, 16, 128

PY_MDNET = Recipe(
    candidates=Sampler("gaussian", 0.6, 1.05),
    positives=Sampler("gaussian", 0.1, 1.3),
    first_negatives=(Sampler("uniform", 1.0, 1.6), Sampler("whole")),
    negatives=Sampler("uniform", 2.0, 1.3),
    regression=Sampler("uniform", 0.3, 1.6, 1.1, loose=True),
    first=Lesson(5e-4, 50),
    later=Lesson(1e-3, 15),
    habits=TORCH,
    grows=1.1,
    widest=1.5,
    short=30,
)
STEP = 1.05
MATLAB = Recipe(
    candidates=Sampler("gaussian", 0.6, STEP, whole_px=True),
    positives=Sampler("gaussian", 0.1, STEP**5, whole_px=True),
    first_negatives=(
        Sampler("uniform", 1.0, STEP**10, whole_px=True),
        Sampler("strided", 1.0, STEP**5, whole_px=True),
    ),
    negatives=Sampler("uniform", 2.0, STEP**5, whole_px=True),
    regression=Sampler("growing", 0.3, STEP**10, STEP**2, whole_px=True, loose=True),
    first=Lesson(1e-4, 30),
    later=Lesson(3e-4, 10),
    habits=MATCONVNET,
    grows=1.1,
    widest=1.5,
    whitened=True,
    counted_from=1,
)
RELEASES = {"py-mdnet": PY_MDNET, "matlab": MATLAB}


class MDNet(DomainTracker):
    """The tracker: every candidate is a patch of 107 px that goes through the whole network.

    Args:
        convs: convolutions of the trunk, 3 or 5.
        fcs: connected layers, 3 or 2.
        regression: refine the answer by box regression.
        norm: the local normalisation: that of the weights' origin, MATLAB or not, if `auto`.
        release: whose samples, learning rates and box regression; the weights' origin's, if `auto`.
        stop: end an update once its loss is below this, as FDN does; None never does.
        candidates: boxes that are scored in a frame.
        samples: share of the published numbers of samples that is drawn to learn from.
        batch: patches that go through the network at once.
        width: of all layers, relative to the published network.
    """

    def __init__(
        self,
        convs: int = 3,
        fcs: int = 3,
        regression: bool = True,
        norm: Literal["auto", "py-mdnet", "matconvnet"] = "auto",
        release: Literal["auto", "py-mdnet", "matlab"] = "auto",
        stop: float | None = None,
        candidates: int = 256,
        samples: float = 1.0,
        batch: int = 256,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check_network("mdnet", convs, fcs, width)
        matlab = is_published_matlab(weights)
        if norm == "auto":
            norm = "matconvnet" if matlab else "py-mdnet"
        if release == "auto":
            release = "matlab" if matlab else "py-mdnet"
        self.network = mdnetwork("patch", norm, convs, fcs, width, weights, device, seed)
        self.batch = max(1, batch)
        recipe = RELEASES[release]
        super().__init__(recipe, candidates, samples, regression, stop, device, seed)

    def look(self, frame: Image) -> None:
        """Keep `frame` to cut patches from."""
        self.frame, self.cut = frame, 0

    def features(self, boxes: Boxes) -> Tensor:
        """Cut a patch around each box, with a margin, and convolve it."""
        self.cut += len(boxes)
        parts = []
        for first in range(0, len(boxes), self.batch):
            patches = torch.from_numpy(patches_of(self.frame, boxes[first : first + self.batch]))
            images = patches.to(self.device).permute(0, 3, 1, 2).float() - OUTSIDE
            parts.append(self.network.trunk(images).flatten(1))
        return torch.cat(parts)

    def spent(self) -> dict[str, float]:
        """Patches beyond the candidates: those to learn from."""
        return {"update_patches": float(self.cut - self.candidates)}

    def work(self) -> WorkTable:
        """Patches through the trunk, candidates through the rest; learning by its iterations."""
        patch = torch.zeros(1, 3, PATCH_PX, PATCH_PX, device=self.device)
        recipe = self.recipe
        first = [recipe.first_positives, recipe.first_negative_count, recipe.later_negatives]
        if self.regression is not None:
            first.append(recipe.regression_count)
        times = float(sum(self._some(count) for count in first))
        trunk = self.network.trunk
        return {
            "start": [Work("patches", trunk, (patch,), times=times), *self.start_work()],
            "track": [
                Work("patches", trunk, (patch,), times=self.candidates, uncounted=("crops",)),
                self.score_work(),
            ],
            "update_iterations": [self.iteration_work()],
            "update_patches": [Work("patches", trunk, (patch,))],
        }


def patches_of(frame: Image, boxes: Boxes) -> Image:
    """Patches uint8 (n, 107, 107, 3) of boxes (n, 4) with a margin of 16 px of 107 on each side.

    Rounding of py-MDNet modules/utils.py, crop_image: towards zero after half is added.
    """
    half = boxes[:, 2:] / 2 + PADDING_PX * boxes[:, 2:] / PATCH_PX
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    low = np.trunc(middle - half + 0.5).astype(np.int64)
    high = np.maximum(np.trunc(middle + half + 0.5).astype(np.int64), low + 1)
    patches: Image = np.empty((len(boxes), PATCH_PX, PATCH_PX, 3), dtype=np.uint8)
    height, width = frame.shape[:2]
    for patch, (x0, y0), (x1, y1) in zip(patches, low.tolist(), high.tolist(), strict=True):
        part = frame[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
        if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
            spare = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
            grey = (OUTSIDE, OUTSIDE, OUTSIDE)
            part = cv2.copyMakeBorder(part, *spare, cv2.BORDER_CONSTANT, value=grey)
        cv2.resize(part, (PATCH_PX, PATCH_PX), dst=patch, interpolation=cv2.INTER_LINEAR)
    return patches
