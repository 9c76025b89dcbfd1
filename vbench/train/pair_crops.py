"""Pairs of crops as pysot draws them: exemplar and search of one clip, moved and scaled at random.

STVIR/pysot pysot/datasets/augmentation.py, with the limits that its configs and NanoTrack's give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from vbench.core.boxes import Box, Boxes, Floats, Image
from vbench.nn.crop import context_sides, mean_colour, square_crops, windows_around
from vbench.train.samplers import Footage, near_pair, pair

EXEMPLAR_PX, FARTHEST = 127, 100
# Shift in px of the crop and share of enlargement, each up to so much.
TEMPLATE_MOVES, SEARCH_MOVES = (4.0, 0.05), (64.0, 0.18)


class PairCrops(NamedTuple):
    """Exemplars (n, 3, 127, 127), searches (n, 3, s, s), and where the targets are in these.

    Boxes (n, 4) are cx cy w h in px from the middle of the search.
    """

    exemplars: Tensor
    searches: Tensor
    boxes: Boxes


@dataclass(frozen=True)
class PairSampler:
    """Draws pairs from clips; the search is `search_px` wide, RGB or BGR.

    The target is moved by at most `reach_px`: of no use is one where no answer is looked at.
    """

    footage: Footage
    search_px: int
    reach_px: float
    bgr: bool
    device: str

    def draw(self, rng: Generator, count: int) -> PairCrops:
        """Draw `count` pairs, of one clip each."""
        exemplars, searches, boxes = [], [], []
        for _ in range(count):
            clip = int(rng.integers(len(self.footage)))
            chosen = near_pair(rng, self.footage.frames[clip], FARTHEST)
            found = pair(self.footage, clip, chosen)
            moves = drawn_moves(rng, *TEMPLATE_MOVES)
            exemplars.append(self.crop(found.template, found.template_box, EXEMPLAR_PX, *moves)[0])
            moves = drawn_moves(rng, min(SEARCH_MOVES[0], self.reach_px), SEARCH_MOVES[1])
            crop, box = self.crop(found.search, found.search_box, self.search_px, *moves)
            searches.append(crop)
            boxes.append(box)
        return PairCrops(torch.cat(exemplars), torch.cat(searches), np.stack(boxes))

    def crop(
        self, frame: Image, box: Box, size: int, shift_px: Floats, stretch: float
    ) -> tuple[Tensor, Box]:
        """A crop (1, 3, size, size), and `box` in it as cx cy w h from its middle.

        As when tracking, the target's exemplar is 127 px; the picture is then enlarged by
        `stretch`, and the window moved by `shift_px` (x, y) of the crop.
        """
        side = float(context_sides(np.maximum(box[2:], 1e-3)))
        step = side / EXEMPLAR_PX / stretch
        centre = box[:2] + (box[2:] - 1) / 2
        windows = windows_around(centre + shift_px * step, size * step, "up")
        crop = square_crops(frame, windows, size, mean_colour(frame, "down"), self.device)
        left, top, width = windows[0]
        scale = size / width
        place = (centre - (np.array([left, top]) + (width - 1) / 2)) * scale
        inside: Box = np.concatenate([place, box[2:] * scale])
        return (crop.flip(1) if self.bgr else crop), inside


def drawn_moves(rng: Generator, shift_px: float, stretch: float) -> tuple[Floats, float]:
    """How far a crop is moved, x and y, and how much it is enlarged, each up to so much."""
    return rng.uniform(-shift_px, shift_px, 2), 1 + rng.uniform(-stretch, stretch)
