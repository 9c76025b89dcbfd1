"""PatchNet: carries boxes by matching the keyframe's templates, 58 million MACs an object.

Mao et al., PatchNet - Short-range Template Matching for Efficient Video Processing; constants and
conventions of RalphMao/PatchNet (patchnet/patchnet.py), whose checkpoint loads.

Boxes need no conversion: the authors' corners are x1 = left - 1 of a 1-based file and x2 = x1 + w,
which are x and x + w here. They add 1 to x2 and y2 where crops are made, and only there.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Floats, Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights, Work

from .patchnet_crop import affine_crops
from .patchnet_network import PATCH_PX, patch_network
from .patchnet_sparse import SparsePatchNet
from .peak import Maps, Peaks, combined_scores, peak_scores, plain_scores, temporal_scores
from .template_matching import (
    TEMPLATE_PX,
    FirstFrameTemplate,
    TemplateMatching,
    in_turns,
    moved,
    search_corners,
    search_px,
)

# Channels y min, y max, x min, x max as x1 y1 x2 y2.
AS_CORNERS = [2, 0, 3, 1]
MOST_CELLS = 31


class PatchNet(TemplateMatching):
    """The propagator; `grouped` is PatchNetG, with the same answers.

    Args:
        align_corners: of the crops' sampler. The formula of the crop wants it, but the authors'
            version of torch did without.
        prior: search around the last answer, or around the keyframe's box until the next one (as
            in the authors' video object detection, scripts/vod_track.py).
        score: what `belief` is; see `peak`.
        batch_coupled: the contrast term of the normaliser over all objects together, as in the
            authors' code, so that the objects of a frame influence each other.
        resp_size: cells a side of the response; the search reaches (resp_size - 1) / 16 box sizes.
        dense: run the layers as plain convolutions even where the weights are structured.
        weights: trained ones, or None for the structural ones that training starts from.
    """

    learned = ("kernels", "kernel_norms")

    def __init__(
        self,
        align_corners: bool = False,
        prior: Literal["previous", "keyframe"] = "previous",
        score: Literal["peak", "plain", "temporal", "combined"] = "peak",
        batch_coupled: bool = False,
        resp_size: int = 7,
        dense: bool = False,
        grouped: bool = False,
        weights: Weights | None = None,
        device: str = "cpu",
    ) -> None:
        if not 1 <= resp_size <= MOST_CELLS:
            raise VBenchError(f"patchnet[resp_size={resp_size}]: give 1 to {MOST_CELLS} cells")
        self.align_corners, self.score, self.device = align_corners, score, device
        self.follows = prior == "previous"
        self.resp_size, self.search_px = resp_size, search_px(resp_size)
        self.joins = not batch_coupled
        self.network = patch_network(weights, device, grouped, batch_coupled)
        self.sparse = None if dense else SparsePatchNet.of(self.network)

    def learn(self, frame: Image, corners: Boxes) -> None:
        """Turn the boxes' pixels into kernels, patches reweighted by frequency."""
        with torch.inference_mode():
            crops = self.crops(frame, corners, TEMPLATE_PX)
            kernels = self.network.feature_layer(crops)
            self.kernels = self.sparse.fold(kernels) if self.sparse else kernels
        energy = kernels.square().sum(dim=(1, 2, 3, 4)) / kernels.shape[1]
        self.kernel_norms = energy.sqrt().cpu().numpy().astype(np.float64)

    def match(self, frame: Image, corners: Boxes) -> tuple[Boxes, Floats]:
        """Move to the response's peak, then let every side follow its offset there."""
        maps, offsets = self.responses(frame, corners)
        peaks = self._peaks(maps)
        n, cells = len(maps), self.resp_size
        y, x = np.divmod(peaks.cell, cells)
        place = np.stack([x, y], axis=1) - (cells - 1) / 2
        sides = offsets.reshape(n, 4, cells**2)[np.arange(n), :, peaks.cell][:, AS_CORNERS]
        size = np.tile(corners[:, 2:] - corners[:, :2], (1, 2))
        cell = PATCH_PX / TEMPLATE_PX
        return moved(corners, place * PATCH_PX) + sides * cell * size, peaks.score

    def responses(self, frame: Image, corners: Boxes) -> tuple[Maps, Maps]:
        """Score maps (n, r, r) and offset maps (n, 4, r, r) around boxes x1 y1 x2 y2 (n, 4)."""
        areas = search_corners(corners, self.search_px)
        matcher = self.sparse or self.network
        coupled = self.network.batch_coupled
        parts = []
        with torch.inference_mode():
            for some in [slice(None)] if coupled else in_turns(len(areas)):
                crops = self.crops(frame, areas[some], self.search_px)
                parts.append(matcher.match(crops, self.kernels[some]))
        scores, offsets = (torch.cat(maps).cpu().numpy() for maps in zip(*parts, strict=True))
        return scores[:, 0], offsets

    def costs(self) -> tuple[Work, Work]:
        """The patches' transform, and the network."""
        template = torch.zeros(1, 3, TEMPLATE_PX, TEMPLATE_PX, device=self.device)
        search = torch.zeros(1, 3, self.search_px, self.search_px, device=self.device)
        transform, matcher = self.network.feature_layer, self.sparse or self.network
        with torch.no_grad():
            kernels = transform(template)
            inputs = (search, self.sparse.fold(kernels) if self.sparse else kernels)
        return (
            Work("kernels", transform, (template,), per_object=True, uncounted=("crops",)),
            Work("match", matcher.match, inputs, per_object=True, uncounted=("crops",)),
        )

    def crops(self, frame: Image, corners: Boxes, size: int) -> Tensor:
        """Warp boxes x1 y1 x2 y2 (n, 4) to (n, 3, size, size), as the network takes them."""
        return affine_crops(frame, corners, size, self.align_corners, self.device)

    def _peaks(self, maps: Maps) -> Peaks:
        if self.score == "plain":
            return plain_scores(maps)
        if self.score == "temporal":
            return temporal_scores(maps, self.kernel_norms)
        if self.score == "combined":
            return combined_scores(maps, self.kernel_norms)
        return peak_scores(maps)


class PatchNetTracker(FirstFrameTemplate, PatchNet):
    """The tracker: the template is the first frame's, the search follows the answers."""
