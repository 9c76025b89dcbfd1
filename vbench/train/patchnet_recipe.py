"""Fitting PatchNet: a template, and the area around it some frames later.

Mao et al., PatchNet, sec. 4.4; RalphMao/PatchNet (train.py, patchnet/patchnet.py, AdamSparse).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from vbench.core.boxes import Box, Boxes, Floats, to_corners
from vbench.core.clip import Clip
from vbench.train.losses import patchnet_loss
from vbench.train.samplers import Footage, following_pair, pair

TEMPLATE_PX, CELL_PX, SEARCH_PX, CELLS = 64, 8, 119, 7
RATE, DECAY, BATCH = 1e-3, 5e-4, 1
# Two frames are 0 ... 11 apart.
DISTANCES = 12
# Where the target is further away than three cells, the search goes there in steps of four.
STEP_CELLS = 4
# Channels of the offset map: y min, y max, x min, x max.
AS_CHANNELS = [1, 3, 0, 2]
# Weights no larger than this at the start stay where they are.
ZERO = 1e-9


class Goal(NamedTuple):
    """What a pair asks for.

    stand: where the search stands, in cells (x, y) from the template's place; cell: row and column
    of the right cell; offsets (4,): in the order of the network's channels.
    """

    stand: Floats
    cell: tuple[int, int]
    offsets: Floats


class PatchNetRecipe:
    """One step is one pair of one clip. `batch` is the number of pairs."""

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.tracker, self.batch = tracker, batch or BATCH
        self.module: nn.Module = tracker.network
        self.device = device
        self.footage = Footage(clips)
        self.free = [(p.detach().abs() > ZERO).to(p.dtype) for p in self.module.parameters()]

    def optimiser(self, rate: float | None) -> Optimizer:
        """Adam; what is zero at first stays zero."""
        return Adam(self.module.parameters(), lr=rate or RATE, weight_decay=DECAY)

    def factor(self, share: float) -> float:
        """The rate stays."""
        return 1.0

    def loss(self, rng: Generator) -> Tensor:
        """Mean loss of some pairs; pairs that the search cannot reach are drawn again."""
        total, count = torch.zeros((), device=self.device), 0
        for _ in range(50 * self.batch):
            clip = int(rng.integers(len(self.footage)))
            chosen = following_pair(rng, self.footage.frames[clip], DISTANCES)
            found = pair(self.footage, clip, chosen)
            if min(found.template_box[2], found.template_box[3]) < 1:
                continue
            goal = goal_of(found.template_box, found.search_box)
            corners = to_corners(found.template_box[None])
            template = self.tracker.crops(found.template, corners, TEMPLATE_PX)
            area = search_area(corners, goal.stand)
            scores, offsets = self.module(
                self.tracker.crops(found.search, area, SEARCH_PX), template
            )
            wanted = torch.tensor(goal.offsets, dtype=offsets.dtype, device=offsets.device)
            total = total + patchnet_loss(scores[0, 0], offsets[0], goal.cell, wanted)
            count += 1
            if count == self.batch:
                break
        return total / max(count, 1)

    def prepare_step(self) -> None:
        """Take the gradients off what must stay zero."""
        for parameter, free in zip(self.module.parameters(), self.free, strict=True):
            if parameter.grad is not None:
                parameter.grad.mul_(free.to(parameter.device))

    def state(self) -> Mapping[str, Tensor]:
        """Everything."""
        return self.module.state_dict()


def goal_of(template: Box, search: Box) -> Goal:
    """What the network should answer for a target that moved from `template` to `search` (4,)."""
    sides = template[2:]
    unit = TEMPLATE_PX / CELL_PX / sides
    shift = (search[:2] + search[2:] / 2 - template[:2] - sides / 2) * unit
    # As numpy and torch round: halves to even.
    whole = np.rint(shift)
    far = np.abs(whole) >= STEP_CELLS
    stand = np.where(far, np.sign(shift) * (np.abs(shift) // STEP_CELLS) * STEP_CELLS, 0.0)
    column, row = (whole - stand).astype(int) + CELLS // 2
    moved = (to_corners(search) - to_corners(template)) * np.tile(unit, 2) - np.tile(whole, 2)
    inside = int(np.clip(row, 0, CELLS - 1)), int(np.clip(column, 0, CELLS - 1))
    return Goal(stand, inside, moved[AS_CHANNELS])


def search_area(corners: Boxes, stand: Floats) -> Boxes:
    """Boxes x1 y1 x2 y2 (n, 4) moved by `stand` (x, y) cells and grown to the search crop."""
    sides = corners[:, 2:] - corners[:, :2]
    centre = (corners[:, :2] + corners[:, 2:]) / 2 + stand * sides * CELL_PX / TEMPLATE_PX
    half = sides * (SEARCH_PX / TEMPLATE_PX / 2)
    return np.concatenate([centre - half, centre + half], axis=1)
