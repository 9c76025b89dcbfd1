"""Patch aggregation: normalised correlations of patches, gathered by 2x2 maxima and means.

Mao et al., PatchNet, sec. 3.2 and Table 5; RalphMao/PatchNet (patchnet/patchnet.py,
PatchAggregate). No weights were published: the structural ones need no training. It says where an
object is, not how large.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from vbench.core.boxes import Boxes, Floats, Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Work

from .patchnet_crop import affine_crops
from .patchnet_network import (
    channels_last,
    correlate,
    normaliser,
    read_taps,
    split_patches,
    structural_weight,
)
from .patchnet_sparse import (
    add_shifted,
    cells_of_windows,
    nested,
    nested_patches,
    objects_innermost,
    quadrants,
)
from .peak import peak_scores
from .template_matching import (
    CELL_PX,
    TEMPLATE_PX,
    FirstFrameTemplate,
    TemplateMatching,
    in_turns,
    moved,
    search_corners,
    search_px,
)

CELLS = 7
SEARCH_PX = search_px(CELLS)
# Of a patch, in grey levels: less is rounding.
LEAST_NORM = 1e-2


class PatchAggregationNetwork(nn.Module):
    """Three aggregations of 2x2 patches; the authors' key names.

    At stride 1, as released, the maximum of 2x2 responses goes on; at stride 2, which is what the
    paper counts (44.2 million MACs), every second response alone.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.w2 = nn.Parameter(structural_weight(8))
        self.w3 = nn.Parameter(structural_weight(4))
        self.w4 = nn.Parameter(structural_weight(2))

    def forward(self, search: Tensor, template: Tensor) -> Tensor:
        """Crops (n, 3, 119, 119), (n, 3, 64, 64) -> scores (n, 1, 7, 7), with every zero."""
        kernels, mean = normed_patches(template)
        search = search - mean
        maps = correlate(search, kernels, self.stride) * normaliser(search, self.stride)[:, None]
        maps = max_pool2d(maps, 2) if self.stride == 1 else maps
        maps = max_pool2d(conv2d(maps, self.w2), 2)
        maps = max_pool2d(conv2d(maps, self.w3), 2)
        return conv2d(maps, self.w4)

    def taps(self) -> list[Tensor]:
        """What is not zero of the weights: (4, out, 1, 1), quadrant and out patch."""
        taps = [read_taps(weight.detach()) for weight in (self.w2, self.w3, self.w4)]
        return [nested(found) for found in taps if found is not None]


def normed_patches(template: Tensor) -> tuple[Tensor, Tensor]:
    """Kernels (n, 64, 3, 8, 8) and the mean colour (n, 3, 1, 1) that they and the search lose.

    Kernels are divided by the mean of their norms; those of a template without contrast are zero.
    """
    mean = template.mean(dim=(2, 3), keepdim=True)
    patches = split_patches(template - mean)
    norms = patches.flatten(2).norm(dim=2).mean(dim=1)[:, None, None, None, None]
    return patches / (norms + 1e-6) * (norms > LEAST_NORM), mean


def match(search: Tensor, kernels: Tensor, taps: Sequence[Tensor], stride: int) -> Tensor:
    """Aggregate as the network does, zeros left out.

    Search (n, 3, 119, 119) without the mean, kernels (n, 64, 3, 8, 8) in the order of
    `nested_patches` -> scores (n, 7, 7).
    """
    maps = correlate(search, kernels, stride) * objects_innermost(normaliser(search, stride))
    for layer, weight in enumerate(taps):
        if layer > 0 or stride == 1:
            maps = cells_of_windows(maps).amax(0)
        maps = add_shifted(quadrants(maps), weight)
    return maps[:, 0]


class PatchAggregation(TemplateMatching):
    """The propagator; `stride` is that of the correlation: 1 as released, 2 as counted."""

    learned = ("mean", "kernels")

    def __init__(self, stride: int = 2, device: str = "cpu") -> None:
        if stride not in (1, 2):
            raise VBenchError(f"patch-aggregation[stride={stride}]: give 1 or 2")
        self.stride, self.device = stride, device
        self.taps = [taps.to(device) for taps in PatchAggregationNetwork(stride).taps()]

    def learn(self, frame: Image, corners: Boxes) -> None:
        """Turn the boxes' pixels into kernels."""
        with torch.inference_mode():
            crops = affine_crops(frame, corners, TEMPLATE_PX, device=self.device)
            kernels, self.mean = normed_patches(crops)
            self.kernels = channels_last(nested_patches(kernels))

    def match(self, frame: Image, corners: Boxes) -> tuple[Boxes, Floats]:
        """Move to the response's peak."""
        areas = search_corners(corners, SEARCH_PX)
        parts = []
        with torch.inference_mode():
            for some in in_turns(len(areas)):
                crops = affine_crops(frame, areas[some], SEARCH_PX, device=self.device)
                crops = crops.sub_(self.mean[some])
                parts.append(match(crops, self.kernels[some], self.taps, self.stride))
        peaks = peak_scores(torch.cat(parts).cpu().numpy())
        y, x = np.divmod(peaks.cell, CELLS)
        return moved(corners, CELL_PX * (np.stack([x, y], axis=1) - CELLS // 2)), peaks.score

    def costs(self) -> tuple[Work, Work]:
        """The kernels' norms, and the correlation with its aggregation."""
        template = torch.zeros(1, 3, TEMPLATE_PX, TEMPLATE_PX, device=self.device)
        search = torch.zeros(1, 3, SEARCH_PX, SEARCH_PX, device=self.device)
        kernels = channels_last(nested_patches(normed_patches(template)[0]))

        def matched(search: Tensor, kernels: Tensor) -> Tensor:
            return match(search, kernels, self.taps, self.stride)

        left_out = ("crops",)
        return (
            Work("kernels", normed_patches, (template,), per_object=True, uncounted=left_out),
            Work("match", matched, (search, kernels), per_object=True, uncounted=left_out),
        )


class PatchAggregationTracker(FirstFrameTemplate, PatchAggregation):
    """The tracker: the template is the first frame's, the search follows the answers."""
