"""RT-MDNet: MDNet with convolutions on the scene around the candidates, and adaptive RoIAlign.

Jung et al., Real-Time MDNet, ECCV 2018; constants of IlchaeJung/RT-MDNet (options.py, tracker.py),
whose checkpoints load. Scenes are scaled so that the target is 107 x 107 px.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Image, centres, from_centres, to_corners
from vbench.core.roles import Weights, Work, WorkTable
from vbench.nn.box_samples import Sampler
from vbench.nn.roi_align import roi_align_adaptive, roi_align_average, roi_align_max, roi_pool

from .domain_tracker import DomainTracker, Recipe, check_network
from .mdnet_network import CELLS, mdnetwork
from .mdnet_update import TORCH, Lesson

TARGET_PX, MARGIN, RECEPTIVE_PX = 107, 1.2, 75
# A scene never becomes larger than this, which only targets far smaller than their samples ask.
LONGEST_PX = 1600
# Scenes of the first frame are seen shifted by so many px of it, and at so many scales.
JITTER = (
    ((0.0, 0.0), 1.0),
    ((-4.0, 0.0), 1.0),
    ((0.0, -4.0), 1.0),
    *(((0.0, 0.0), 1.1**step) for step in (-1, 1, -2, 2)),
)
LEAST_PX = 5.0
# The scene that costs are stated for: what candidates of a square target span.
NOMINAL_PX = 263
POOLS = {
    "adaptive": roi_align_adaptive,
    "max": roi_align_max,
    "average": roi_align_average,
    "pool": roi_pool,
}
# Samples of a box times neighbours of a sample; RoIPool compares, and multiplies nothing.
TAPS = {"adaptive": (2 * CELLS + 1) ** 2 * 4, "max": 4 * CELLS**2 * 4, "average": 4 * CELLS**2 * 4}

PUBLISHED = Recipe(
    candidates=Sampler("gaussian", 0.6, 1.05, inside=True, least_px=LEAST_PX),
    positives=Sampler("gaussian", 0.1, 1.2, least_px=LEAST_PX),
    first_negatives=(Sampler("uniform", 1.0, 2.0, 1.1, least_px=LEAST_PX),),
    negatives=Sampler("uniform", 1.5, 1.2, least_px=LEAST_PX),
    regression=Sampler("uniform", 0.3, 1.5, 1.1, least_px=LEAST_PX),
    first=Lesson(1e-4, 50),
    later=Lesson(3e-4, 15),
    habits=TORCH,
    # After a failure candidates reach 1.4 at once.
    grows=10.0,
    widest=1.4,
    keeps_first=True,
)


class RTMDNet(DomainTracker):
    """The tracker: one scene a frame is convolved, candidates are cut out of its feature map.

    Args:
        roi: how they are cut out; the published way is `adaptive`.
        convs: convolutions of the trunk, 3 or 5.
        fcs: connected layers, 3 or 2.
        regression: refine the answer by box regression.
        jitter: learn the first frame from seven scenes, shifted and scaled; the release adds a
            hundred crops of the target.
        stop: end an update once its loss is below this, as FDN does; None never does.
        candidates: boxes that are scored in a frame.
        samples: share of the published numbers of samples that is drawn to learn from.
        width: of all layers, relative to the published network.
    """

    def __init__(
        self,
        roi: Literal["adaptive", "max", "average", "pool"] = "adaptive",
        convs: int = 3,
        fcs: int = 3,
        regression: bool = True,
        jitter: bool = True,
        stop: float | None = None,
        candidates: int = 256,
        samples: float = 1.0,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check_network("rt-mdnet", convs, fcs, width)
        self.network = mdnetwork("scene", "rt-mdnet", convs, fcs, width, weights, device, seed)
        self.pool, self.taps = POOLS[roi], TAPS.get(roi, 0)
        self.scenes = JITTER if jitter else JITTER[:1]
        super().__init__(PUBLISHED, candidates, samples, regression, stop, device, seed)

    def look(self, frame: Image) -> None:
        """Keep `frame` to cut scenes from."""
        self.frame, self.macs = frame, 0.0

    def features(self, boxes: Boxes) -> Tensor:
        """Convolve the scene that holds all boxes with their margins, and cut them out."""
        return self._seen(boxes, (0.0, 0.0), 1.0)

    def first_features(self, boxes: Boxes) -> Tensor:
        """As `features`, in every scene, and as many as `boxes` of them by chance."""
        found = torch.cat([self._seen(boxes, shift, scale) for shift, scale in self.scenes])
        if len(found) == len(boxes):
            return found
        return found[torch.from_numpy(self.rng.permutation(len(found))[: len(boxes)])]

    def spent(self) -> dict[str, float]:
        """Convolutions of this frame's scenes beyond (or short of) those of the nominal scene."""
        return {"gmac_above_nominal": (self.macs - self._nominal_macs()) / 1e9}

    def work(self) -> WorkTable:
        """Convolutions nominally on one scene of 263 px; learning by its iterations."""
        recipe, taps = self.recipe, float(self.taps * self.network.trunk.channels)
        first = self._some(recipe.first_positives + recipe.first_negative_count) * len(self.scenes)
        scenes = 2 * len(self.scenes)
        if self.regression is not None:
            first, scenes = first + self._some(recipe.regression_count), scenes + 1
        nominal = self._nominal_macs()
        return {
            "start": [
                Work("convolutions", macs=nominal * scenes, uncounted=("crops", "scenes' sizes")),
                Work("boxes", macs=taps * first),
                *self.start_work(),
            ],
            "track": [
                Work("convolutions", macs=nominal, uncounted=("crops", "local normalisation")),
                Work("boxes", macs=taps * self.candidates),
                self.score_work(),
            ],
            "update_iterations": [self.iteration_work()],
            "gmac_above_nominal": [Work("convolutions", macs=1e9)],
        }

    def _seen(self, boxes: Boxes, shift_px: tuple[float, float], scale: float) -> Tensor:
        """Features of boxes in a scene that is moved by so many px of the frame, and scaled."""
        padded = to_corners(from_centres(centres(boxes), boxes[:, 2:] * MARGIN))
        low, high = padded[:, :2].min(axis=0), padded[:, 2:].max(axis=0)
        span = np.maximum(high - low, 1.0)
        low = low + shift_px
        factor = np.minimum(TARGET_PX * scale / np.maximum(self.box[2:], 1e-3), LONGEST_PX / span)
        size = np.maximum(np.trunc(span * factor).astype(int), RECEPTIVE_PX)
        scene = torch.from_numpy(scene_of(self.frame, low, span, (int(size[0]), int(size[1]))))
        image = scene.to(self.device).permute(2, 0, 1)[None].float() - 128
        self.macs += self.network.trunk.conv_macs(int(size[1]), int(size[0]))
        # A cell sees a receptive field that begins at its own stride: the far side loses that.
        rois = (padded - np.tile(low, 2)) * np.tile(factor, 2) - [0, 0, RECEPTIVE_PX, RECEPTIVE_PX]
        table = torch.from_numpy(np.pad(rois, ((0, 0), (1, 0)))).float().to(self.device)
        features = self.network.trunk(image)
        stride = self.network.trunk.layout.stride_px
        return self.pool(features, table, CELLS, 1 / stride).flatten(1)

    def _nominal_macs(self) -> float:
        return self.network.trunk.conv_macs(NOMINAL_PX, NOMINAL_PX)


def scene_of(frame: Image, low: np.ndarray, span: np.ndarray, size: tuple[int, int]) -> Image:
    """Sample a box of `frame` at `low` (x, y), `span` (w, h), to `size` (w, h) px; zero outside.

    Samples stand at 0 ... span + 1, ends included (RT-MDNet modules/img_cropper.py crops by its
    RoIAlign).
    """
    step = (span + 1) / np.maximum(np.asarray(size) - 1, 1)
    matrix = np.array([[step[0], 0, low[0]], [0, step[1], low[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    scene: Image = cv2.warpAffine(frame, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return scene
