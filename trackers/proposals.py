"""Choosing among a Siamese tracker's proposals: penalties on change, a window, damped sizes.

SiamRPN, sec. 4.3 and eq. 13-14; constants are the trackers' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vbench.core.boxes import Floats

# Targets are not let shrink below this (pysot siamrpn_tracker.py:66, DaSiamRPN run_SiamRPN.py:171).
SMALLEST_PX = 10.0


class Chosen(NamedTuple):
    """The winning proposal: its place in the list, its penalty, its score without and with them.

    `final_scores` (n,) are those of all proposals with penalty and window, by which they rank.
    """

    place: int
    penalty: float
    score: float
    final_score: float
    final_scores: Floats


@dataclass(frozen=True)
class Taste:
    """Weight of the penalty on change, share of the window, rate at which sizes follow."""

    penalty: float
    window: float
    rate: float


def choose(sizes: Floats, scores: Floats, window: Floats, before: Floats, taste: Taste) -> Chosen:
    """Pick among n proposals of `sizes` (n, 2) and `scores` (n,) in [0, 1].

    `window` (n,) prefers places, `before` (2,) is the last size on the same scale as `sizes`.
    """
    penalties = change_penalty(sizes, before, taste.penalty)
    final = scores * penalties * (1 - taste.window) + window * taste.window
    best = int(np.argmax(final))
    return Chosen(best, float(penalties[best]), float(scores[best]), float(final[best]), final)


def change_penalty(sizes: Floats, before: Floats, weight: float) -> Floats:
    """exp(-weight (r s - 1)), r the change of the ratio and s that of the padded side, >= 1.

    SiamRPN's eq. 13 prints exp(weight r s), which favours change; pysot siamrpn_tracker.py.
    """
    ratio = _change((before[0] / before[1]) / (sizes[:, 0] / sizes[:, 1]))
    scale = _change(padded_side(sizes) / padded_side(before))
    penalty: Floats = np.exp(-(ratio * scale - 1) * weight)
    return penalty


def padded_side(sizes: Floats) -> Floats:
    """sqrt((w + p)(h + p)) with p = (w + h) / 2, of (..., 2): SiamRPN, eq. 14."""
    pad = sizes.sum(axis=-1) / 2
    side: Floats = np.sqrt((sizes[..., 0] + pad) * (sizes[..., 1] + pad))
    return side


def settle(centre: Floats, size: Floats, frame_size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Keep a centre inside the frame (w, h) and a size between 10 px and the frame's."""
    limit = np.array(frame_size, dtype=np.float64)
    # As max(10, min(size, limit)): a frame smaller than 10 px does not shrink the target further.
    return np.clip(centre, 0, limit), np.maximum(SMALLEST_PX, np.minimum(size, limit))


def cosine_window(side: int, repeats: int = 1) -> Floats:
    """Hann window over a `side` x `side` map, flat, once for each of `repeats` anchors."""
    return np.tile(np.outer(np.hanning(side), np.hanning(side)).reshape(-1), repeats)


def grid(side: int, stride_px: int) -> Floats:
    """Centres x y (side * side, 2) of a response map's cells, relative to the crop's centre."""
    steps = (np.arange(side) - side // 2) * float(stride_px)
    x, y = np.meshgrid(steps, steps)
    return np.stack([x.reshape(-1), y.reshape(-1)], axis=1)


def _change(ratio: Floats) -> Floats:
    change: Floats = np.maximum(ratio, 1 / ratio)
    return change
