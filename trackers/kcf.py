"""Kernelized correlation filter: Henriques et al., High-Speed Tracking with KCF, PAMI 2015.

Follows the authors' MATLAB code (run_tracker.m, tracker.m, get_features.m, get_subwindow.m,
gaussian_correlation.m, and run_KCF.m for the benchmark), with its quirks: positions move by whole
cells and start at the floor of half the size, so that a target of odd size is answered half a pixel
up and left of where it began; large targets are tracked at half resolution; no scale.
What differs from it: grey values may be off by one (JPEG decoder, OpenCV's rgb2gray, one rounding
instead of two in the halved image); HOG takes exact square roots (see `hog`); channels are
computed and transformed in single precision; a flat response stays where it is; windows have at
least 3 x 3 cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import log2, prod
from typing import Literal, NamedTuple

import numpy as np
import torch

from vbench.core.boxes import Bools, Box, Boxes, Floats, Image, absent, areas, is_present
from vbench.core.errors import ClipFailed
from vbench.core.roles import Estimate, Propagated, Work, WorkTable

from .fourier import HannTransform, Spectra, Spectrum, transformed
from .grey_frame import GreyFrame, Window
from .hog import CHANNELS, Hog

PADDING = 1.5
REGULARISATION = 1e-4
LABEL_SPREAD = 0.1
LARGE_PX = 100.0
FEWEST_CELLS = 3
TIE = 1e-6


class Settings(NamedTuple):
    """What the authors chose for a kind of features: cell px, learning rate, kernel width."""

    cell: int
    rate: float
    sigma: float


SETTINGS = {"hog": Settings(4, 0.02, 0.5), "gray": Settings(1, 0.075, 0.2)}


class Seen(NamedTuple):
    """Transformed features of a patch, their squared lengths over all channels, and the sum."""

    spectra: Spectra
    power: Spectrum
    energy: float


class Kcf:
    """Correlation filter on HOG or grey values with a Gaussian or linear kernel."""

    def __init__(
        self,
        features: Literal["hog", "gray"] = "hog",
        kernel: Literal["gaussian", "linear"] = "gaussian",
    ) -> None:
        self.features = features
        self.kernel = kernel
        self.cell, self.rate, self.sigma = SETTINGS[features]
        self._prepare(np.array([60.0, 60.0]))

    def start(self, frame: Image, box: Box) -> None:
        """Learn the target inside `box`; ClipFailed if the box has no area."""
        if not (is_present(box[None])[0] and box[2] > 0 and box[3] > 0):
            raise ClipFailed(f"kcf cannot start on a box without area: {box.tolist()}")
        self.aim(box)
        self.learn(GreyFrame(frame))

    def aim(self, box: Box) -> Window:
        """Look at `box`, which has an area, and forget every target before; say where."""
        self._size = np.array([box[3], box[2]])
        self._prepare(self._size)
        # (y, x), 1-based, in the halved image where that is used.
        self._place = np.array([box[1] + 1, box[0] + 1]) + np.floor(self._size / 2)
        if self._shrink == 2:
            self._place = np.floor(self._place / 2)
        return self.window()

    def learn(self, frame: GreyFrame) -> None:
        """Learn what is there from a frame whose grey values may serve others as well."""
        self._model = self._see(frame)
        self._alpha = self._train(self._model)

    def track(self, frame: Image) -> Estimate:
        """Move to the peak of the response, learn the target there; the score is the peak.

        The extra `moved` is 1 where the target moved, so that a second patch was computed.
        """
        return self.follow(GreyFrame(frame))

    def follow(self, frame: GreyFrame) -> Estimate:
        """Track in a frame whose grey values may serve others as well."""
        seen = self._see(frame)
        response = self._transform.back(self._alpha * self._correlate(seen, self._model))
        step, peak = _peak(response)
        moved = bool(step.any())
        if moved:
            self._place = self._place + self.cell * step
            seen = self._see(frame)
        self._learn(seen)
        return Estimate(self._box(), peak, {"moved": float(moved)})

    def window(self) -> Window:
        """Where it looks next."""
        top, left = (
            int(np.floor(at)) - side // 2
            for at, side in zip(self._place, self._window, strict=True)
        )
        return Window(top, left, self._window, self._shrink)

    def reseat(self, box: Box) -> Box | None:
        """Search around the centre of `box` next; model and size stay."""
        centre = np.array([box[1] + box[3] / 2, box[0] + box[2] / 2]) + 1
        self._place = centre / self._shrink
        own = self._box()
        return None if np.array_equal(own, box) else own

    def work(self) -> WorkTable:
        """MACs by formula for the window of the last target (60 x 60 px before the first).

        A transform and its way back cost r c log2(r c) for a plane of r x c cells, those of the
        features as in `HannTransform.macs`. A frequency: 4 a complex product, 2 a squared length
        or an update. A pixel: 3 for grey, 16 to halve; HOG as in `Hog.macs`. `moved` is the patch
        that is computed again where the target moved.
        """
        channels = CHANNELS if self.features == "hog" else 1
        frequencies = self._cells[0] * self._cells[1] // 2
        lone = prod(self._cells) * log2(prod(self._cells))
        # The Gaussian kernel goes to the plane of shifts and back.
        kernel = 2 * lone * (self.kernel == "gaussian")
        find = 4 * (channels + 1) * frequencies + kernel + lone
        learn = 2 * (2 * channels + 1) * frequencies + kernel
        patch = self._patch_macs(channels) + 2 * channels * frequencies
        return {
            "start": [_counted(patch + kernel)],
            "track": [_counted(patch + find + learn)],
            "moved": [_counted(patch)],
        }

    def _patch_macs(self, channels: int) -> float:
        """Count grey values, halving, features and transform of one patch."""
        rows, columns = self._window
        pixels, halving = rows * columns, 0
        if self._shrink == 2:
            pixels = (2 * rows + 6) * (2 * columns + 6)
            halving = 16
        features = self._hog.macs() if self._hog else rows * columns
        return float((3 + halving) * pixels + features + channels * self._transform.macs())

    def _prepare(self, size: Floats) -> None:
        """Set up everything that depends on the target's `size` (h, w) px alone."""
        self._shrink = 2 if np.sqrt(size.prod()) >= LARGE_PX else 1
        size = np.maximum(np.floor(size / 2), 1) if self._shrink == 2 else size
        window = np.maximum(np.floor(size * (1 + PADDING)), FEWEST_CELLS * self.cell)
        self._window = int(window[0]), int(window[1])
        rows, columns = (side // self.cell for side in self._window)
        self._cells = rows, columns
        spread = np.sqrt(size.prod()) * LABEL_SPREAD / self.cell
        self._label = transformed(_label(spread, self._cells))
        self._hog = _hog(self._window, self.cell) if self.features == "hog" else None
        self._transform = HannTransform(self._cells)

    def _see(self, frame: GreyFrame) -> Seen:
        """Return the transformed, tapered features around the present place."""
        if self._hog is not None:
            features = self._hog(frame.gradients(self.window()))
        else:
            plane = (frame.grey(self.window()) * np.float32(1 / 255)).astype(np.float32)
            features = (plane - plane.mean(dtype=np.float64))[None, 1:-1, 1:-1]
        spectra = self._transform(features)
        power = self._transform.power(spectra)
        return Seen(spectra, power, self._transform.energy(power))

    def _correlate(self, x: Seen, z: Seen) -> Spectrum:
        """Return the transformed kernel of `x` with all shifts of `z` (eq. 31, 32)."""
        product = x.power if x is z else self._transform.product(x.spectra, z.spectra)
        cells = prod(self._cells)
        size = cells * x.spectra.shape[2]
        if self.kernel == "linear":
            linear: Spectrum = product / size
            return linear
        distance = self._transform.back(product)
        distance *= -2
        distance += (x.energy + z.energy) / cells
        np.maximum(distance, 0, out=distance)
        distance /= -(self.sigma**2) * size
        return transformed(np.exp(distance, out=distance))

    def _train(self, x: Seen) -> Spectrum:
        """Return the dual coefficients for `x` alone (eq. 17)."""
        found: Spectrum = self._label / (self._correlate(x, x) + REGULARISATION)
        return found

    def _learn(self, x: Seen) -> None:
        self._alpha += self.rate * (self._train(x) - self._alpha)
        spectra = self._model.spectra
        torch.from_numpy(spectra).lerp_(torch.from_numpy(x.spectra), self.rate)
        power = self._transform.power(spectra)
        self._model = Seen(spectra, power, self._transform.energy(power))

    def _box(self) -> Box:
        corner = self._place * self._shrink - self._size / 2 - 1
        return np.array([corner[1], corner[0], self._size[1], self._size[0]])


class KcfPropagator:
    """One KCF an object, learnt at the keyframe, updated on the frames between as KCF does.

    Belief is the peak of the response, cut to [0, 1]; an absent box stays absent, belief 0.
    """

    def __init__(
        self,
        features: Literal["hog", "gray"] = "hog",
        kernel: Literal["gaussian", "linear"] = "gaussian",
    ) -> None:
        self._make: Callable[[], Kcf] = lambda: Kcf(features, kernel)
        self._filters: list[Kcf | None] = []

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Learn every box (n, 4) of the keyframe anew."""
        self._filters = []
        self.join(frame, boxes)

    joins = True

    def join(self, frame: Image, boxes: Boxes) -> None:
        """Learn these boxes (n, 4) as well."""
        wanted = is_present(boxes) & (areas(boxes) > 0)
        learnt = [self._make() if each else None for each in wanted]
        chosen = [(each, box) for each, box in zip(learnt, boxes, strict=True) if each is not None]
        windows = [each.aim(box) for each, box in chosen]
        grey = GreyFrame(frame, windows)
        for each, _ in chosen:
            each.learn(grey)
        self._filters += learnt

    def keep(self, kept: Bools) -> None:
        """Drop the filters of the others."""
        self._filters = [self._filters[row] for row in np.flatnonzero(kept)]

    def propagate(self, frame: Image) -> Propagated:
        """Track every object for itself."""
        boxes, belief = absent(len(self._filters)), np.zeros(len(self._filters))
        grey = GreyFrame(frame, [each.window() for each in self._filters if each is not None])
        for row, each in enumerate(self._filters):
            if each is not None:
                boxes[row], belief[row], _ = each.follow(grey)
        return Propagated(boxes, np.clip(belief, 0.0, 1.0))

    def seat(self, boxes: Boxes) -> None:
        """Search around the centres of `boxes` (n, 4) next."""
        for each, box in zip(self._filters, boxes, strict=True):
            if each is not None and is_present(box[None])[0]:
                each.reseat(box)

    def work(self) -> WorkTable:
        """Work of one object as in `Kcf.work`, of the first object's window, every one moving."""
        one = next((each for each in self._filters if each is not None), None) or self._make()
        calls = one.work()
        parts = {"anchor": calls["start"], "propagate": [*calls["track"], *calls["moved"]]}
        return {name: [replace(part, per_object=True) for part in parts[name]] for name in parts}


def _label(spread: float, cells: tuple[int, int]) -> Floats:
    """Return the Gaussian target (rows, columns), its peak at [0, 0], wrapped around."""
    rows, columns = (np.arange(side) - side // 2 + 1 for side in cells)
    bell = np.exp(-0.5 / spread**2 * (rows[:, None] ** 2 + columns**2))
    return np.roll(bell, (1 - cells[0] // 2, 1 - cells[1] // 2), axis=(0, 1))


# A propagator meets the same sizes at every keyframe.
_hog = lru_cache(maxsize=64)(Hog)


def _counted(macs: float) -> Work:
    return Work("kcf", macs=float(macs), uncounted=("exponentials", "divisions", "peak search"))


def _peak(response: Floats) -> tuple[Floats, float]:
    """Return the signed shift (y, x) of the highest response, and the response there.

    The first in column order wins, as in MATLAB; where nothing is higher, the target stays.
    """
    highest = float(response.max())
    if response[0, 0] >= highest - TIE:
        return np.zeros(2), float(response[0, 0])
    rows, columns = response.shape
    x, y = divmod(int(response.T.argmax()), rows)
    shift = [at - side if at + 1 > side / 2 else at for at, side in ((y, rows), (x, columns))]
    return np.array(shift, dtype=np.float64), highest
