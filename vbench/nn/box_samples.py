"""Random boxes around a target: candidates of a search, positives and negatives to learn from.

hyseob/MDNet tracking/gen_samples.m and hyeonseobnam/py-MDNet modules/sample_generator.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from vbench.core.boxes import Box, Boxes, Floats, areas, centres, from_centres, iou

# Sizes of a box at each strided place.
SIZES = 11
# Sides of a box: at least so many px, and at most the frame's less so many.
LEAST_PX = 10.0
# Drawing goes on with twice as many each time, up to this many times what is missing.
MOST_TRIES = 16


@dataclass(frozen=True)
class Sampler:
    """How boxes are drawn around a target.

    `shift` is the farthest way in mean sides of the target, `scale` the largest factor of its size
    (the smallest is 1 / scale), `aspect` that between its sides. `gaussian` draws half a standard
    normal, cut off at 1; `growing` moves by shares of either side and makes boxes larger only
    (gen_samples.m, uniform_aspect). Two place boxes anywhere in the frame, each place taken once:
    `whole` on a grid of four times as many as are drawn (sample_generator.py), `strided` a fifth of
    the sides apart, in eleven sizes each (gen_samples.m, whole). With `loose` either
    side is stretched on its own, otherwise one by as much as the other shrinks. With `inside` boxes
    stay in the frame, otherwise their centres do; with `whole_px` they are rounded.
    """

    kind: Literal["gaussian", "uniform", "growing", "whole", "strided"]
    shift: float = 1.0
    scale: float = 1.0
    aspect: float = 1.0
    inside: bool = False
    whole_px: bool = False
    loose: bool = False
    least_px: float = LEAST_PX

    def draw(self, rng: Generator, target: Box, n: int, size: tuple[int, int]) -> Boxes:
        """Draw boxes (n, 4) around `target` (4,) in a frame of `size` (w, h)."""
        middle, sides = centres(target), np.maximum(target[2:], 1e-3)
        if self.kind == "strided":
            places, power = _strided(rng, sides, n, size)
            return self._kept(places, sides * self.scale**power, size)
        if self.kind == "gaussian":
            way = np.clip(rng.normal(0.0, 0.5, (n, 2)), -1, 1)
            grown = np.clip(rng.normal(0.0, 0.5, (n, 1)), -1, 1)
        else:
            least = 0.0 if self.kind == "growing" else -1.0
            way, grown = rng.uniform(-1, 1, (n, 2)), rng.uniform(least, 1, (n, 1))
        sizes = sides * self.scale**grown * self._stretches(rng, n)
        if self.kind == "whole":
            places = _gridded(rng, sides, n, size)
        else:
            reach = sides if self.kind == "growing" else sides.mean()
            places = middle + self.shift * reach * way
        return self._kept(places, sizes, size)

    def _kept(self, places: Floats, sizes: Floats, size: tuple[int, int]) -> Boxes:
        """Boxes around `places` (n, 2) of `sizes` (n, 2), limited, and rounded where asked."""
        boxes = limited(from_centres(places, sizes), size, self.inside, self.least_px)
        return np.rint(boxes) if self.whole_px else boxes

    def _stretches(self, rng: Generator, n: int) -> Floats:
        """Factors (n, 2) of both sides, or (1, 1) where the aspect stays."""
        if self.aspect == 1:
            return np.ones((1, 1))
        if self.loose:
            return np.asarray(self.aspect ** rng.uniform(-1, 1, (n, 2)))
        drawn = rng.uniform(-1, 1, (n, 1))
        return np.asarray(self.aspect ** np.concatenate([drawn, -drawn], axis=1))


def _gridded(rng: Generator, sides: Floats, n: int, size: tuple[int, int]) -> Floats:
    """`n` places (n, 2) of a grid from half the target's sides to the frame's last pixel."""
    line = np.linspace(0.0, 1.0, int(2 * n**0.5))
    shares = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    room = np.maximum(np.asarray(size) - sides / 2 - 1, 0.0)
    return np.asarray(sides / 2 + rng.permutation(shares)[:n] * room)


def _strided(rng: Generator, sides: Floats, n: int, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """`n` places (n, 2) and powers (n, 1) in -1 ... 1 of the scale, pairs once while they last."""
    low, high = np.rint(sides / 2), np.rint(np.asarray(size) - sides / 2)
    stride = np.maximum(np.rint(sides / 5), 1.0)
    across, down = (np.maximum((high - low) // stride, 0).astype(int) + 1).tolist()
    total, drawn = across * down * SIZES, np.zeros(0, np.int64)
    while len(drawn) < n:
        fewer = min(total, n - len(drawn))
        drawn = np.concatenate([drawn, rng.choice(total, fewer, replace=False)])
    place, step = np.divmod(drawn, SIZES)
    cells = np.stack(np.divmod(place, across)[::-1], axis=1)
    return low + stride * cells, (step[:, None] / (SIZES // 2)) - 1


def limited(
    boxes: Boxes, size: tuple[int, int], inside: bool = False, least_px: float = LEAST_PX
) -> Boxes:
    """Keep sides between 10 px and the frame's less 10, and centres (or boxes) in the frame.

    `least_px` takes the place of both tens.
    """
    frame = np.asarray(size, dtype=np.float64)
    largest = np.maximum(frame - least_px, np.minimum(frame, least_px))
    sides = np.clip(boxes[..., 2:], np.minimum(least_px, largest), largest)
    low = sides / 2 if inside else np.zeros(2)
    return from_centres(np.clip(centres(boxes), low, frame - low), sides)


def fitting(
    rng: Generator,
    sampler: Sampler,
    target: Box,
    n: int,
    size: tuple[int, int],
    overlap: tuple[float, float],
    area: tuple[float, float] | None = None,
) -> Boxes:
    """Draw until `n` boxes overlap `target` by an IoU in `overlap`, with areas in `area` times its.

    Where too few do, as with a target of one pixel, the nearest to it fill the rest: (n, 4).
    """
    found, spare, factor = np.zeros((0, 4)), np.zeros((0, 4)), 2
    while len(found) < n and factor <= MOST_TRIES:
        drawn = sampler.draw(rng, target, (n - len(found)) * factor, size)
        good = _away(drawn, target, overlap, area) <= 0
        found = np.concatenate([found, drawn[good]])[:n]
        spare = np.concatenate([spare, drawn[~good]])
        factor *= 2
    if len(found) < n:
        nearest = np.argsort(_away(spare, target, overlap, area), kind="stable")
        # A drawn box may fit and still be cut off above; here only others are left.
        filled = np.resize(spare[nearest][: n - len(found)], (n - len(found), 4))
        found = np.concatenate([found, filled])
    return found


def _away(
    boxes: Boxes, target: Box, overlap: tuple[float, float], area: tuple[float, float] | None
) -> np.ndarray:
    """How far boxes are from fitting, 0 for those that do."""
    shared = iou(boxes, target[None])
    away = np.maximum(np.maximum(overlap[0] - shared, shared - overlap[1]), 0.0)
    if area is not None:
        ratio = areas(boxes) / max(float(areas(target[None])[0]), 1e-9)
        away = away + np.maximum(np.maximum(area[0] - ratio, ratio - area[1]), 0.0)
    return np.asarray(away)
