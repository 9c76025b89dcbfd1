"""Full-template correlation: the whole template is one filter.

What PatchNet is measured against (Mao et al., fig. 4 and 9): the 64x64 template on the 119x119
search area, zero-mean normalised correlation, the highest of 56x56 cells. No scale.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Boxes, Floats, Image
from vbench.core.roles import Work

from .patchnet_crop import affine_crops
from .patchnet_network import window_sums
from .peak import plain_scores
from .template_matching import (
    TEMPLATE_PX,
    FirstFrameTemplate,
    TemplateMatching,
    in_turns,
    moved,
    search_corners,
    search_px,
)

SEARCH_PX = search_px(7)
CELLS = SEARCH_PX - TEMPLATE_PX + 1
# Circular correlation of this length is exact in the cells that are kept, and 120 = 2^3 3 5.
FFT_PX = 120
# The energy of a template whose contrast is a hundredth of a grey level.
LEAST_ENERGY = 3 * TEMPLATE_PX**2 * 1e-4
ROUNDING = 1e-5


class FullTemplate(TemplateMatching):
    """The propagator; belief is the correlation coefficient at the peak, at least 0."""

    learned = ("mean", "spectra", "energy")

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def learn(self, frame: Image, corners: Boxes) -> None:
        """Keep the templates' spectra."""
        with torch.inference_mode():
            crops = affine_crops(frame, corners, TEMPLATE_PX, device=self.device)
            self.mean = crops.mean(dim=(2, 3), keepdim=True)
            self.spectra, self.energy = template_spectra(crops - self.mean)

    def match(self, frame: Image, corners: Boxes) -> tuple[Boxes, Floats]:
        """Move to the response's peak; an object on a flat response stays."""
        areas = search_corners(corners, SEARCH_PX)
        parts = []
        with torch.inference_mode():
            for some in in_turns(len(areas)):
                crops = affine_crops(frame, areas[some], SEARCH_PX, device=self.device)
                crops = crops.sub_(self.mean[some])
                parts.append(correlation(crops, self.spectra[some], self.energy[some]))
        peaks = plain_scores(torch.cat(parts).cpu().numpy())
        y, x = np.divmod(peaks.cell, CELLS)
        place = np.stack([x, y], axis=1) - (CELLS - 1) / 2
        return moved(corners, place * (peaks.score > 0)[:, None]), peaks.score

    def costs(self) -> tuple[Work, Work]:
        """The template's transform, and a correlation by transforms."""
        template = torch.zeros(1, 3, TEMPLATE_PX, TEMPLATE_PX, device=self.device)
        search = torch.zeros(1, 3, SEARCH_PX, SEARCH_PX, device=self.device)
        inputs, left_out = (search, *template_spectra(template)), ("crops",)
        return (
            Work("spectrum", template_spectra, (template,), per_object=True, uncounted=left_out),
            Work("correlation", correlation, inputs, per_object=True, uncounted=left_out),
        )


class FullTemplateTracker(FirstFrameTemplate, FullTemplate):
    """The tracker: the template is the first frame's, the search follows the answers."""


def template_spectra(template: Tensor) -> tuple[Tensor, Tensor]:
    """Conjugate spectra and energies (n, 1, 1) of templates (n, 3, 64, 64) without their mean.

    A template without contrast has infinite energy, so that nothing correlates with it.
    """
    spectra = torch.fft.rfft2(template, s=(FFT_PX, FFT_PX)).conj()
    energy = template.square().sum(dim=(1, 2, 3))[:, None, None]
    return spectra, energy.masked_fill(energy < LEAST_ENERGY, torch.inf)


def correlation(search: Tensor, spectra: Tensor, energy: Tensor) -> Tensor:
    """Zero-mean normalised correlation (n, 56, 56) of search areas (n, 3, 119, 119).

    Every channel's mean in each window is taken out, one norm for all channels.
    """
    product = (torch.fft.rfft2(search, s=(FFT_PX, FFT_PX)) * spectra).sum(dim=1)
    maps = torch.fft.irfft2(product, s=(FFT_PX, FFT_PX))[:, :CELLS, :CELLS]
    sums = window_sums(torch.cat([search, search.square().sum(1, keepdim=True)], 1), TEMPLATE_PX)
    squares = sums[:, 3]
    spread = squares - sums[:, :3].square().sum(dim=1) / TEMPLATE_PX**2
    # Less contrast than this is rounding.
    spread = torch.maximum(spread, ROUNDING * squares + LEAST_ENERGY)
    correlated: Tensor = maps / (spread * energy).sqrt()
    return correlated
