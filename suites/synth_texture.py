"""Procedural textures of the embedded suites.

They follow the dead-leaves model (random shapes that occlude each other, radii by a power law),
whose statistics are near those of natural images (Lee, Mumford & Huang, Occlusion Models for
Natural Images, IJCV 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator, default_rng

from vbench.core.boxes import Floats, Image

MAX_CORNERS = 8


def palette(
    rng: Generator,
    hue: float,
    spread: float = 0.08,
    saturation: float = 0.35,
    values: tuple[float, float] = (0.25, 0.95),
    colours: int = 7,
) -> Image:
    """Draw `colours` RGB colours around `hue` in [0, 1), shape (colours, 1, 3)."""
    hues = (hue + rng.uniform(-spread, spread, colours)) % 1.0
    strength = np.clip(saturation + rng.uniform(-0.2, 0.2, colours), 0, 1)
    value = np.linspace(*values, colours)[rng.permutation(colours)]
    hsv = np.stack([hues * 180, strength * 255, value * 255], axis=1).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv[:, None], cv2.COLOR_HSV2RGB), dtype=np.uint8)


def grain(rng: Generator, size: tuple[int, int], cell: int) -> Floats:
    """Smooth random field in [-1, 1] of `size` (w, h) with features of about `cell` px."""
    width, height = size
    coarse = rng.uniform(-1, 1, (height // cell + 3, width // cell + 3)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(field, -1, 1))


def dead_leaves(
    rng: Generator,
    size: tuple[int, int],
    colours: Image,
    radii: tuple[float, float],
    leaves: int,
    rough: float = 0.12,
) -> Image:
    """Texture of `size` (w, h): `leaves` shapes of `radii` px in `colours`, with grain `rough`."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colours[0, 0]
    low, high = radii
    share = np.sort(rng.uniform(0, 1, leaves))[::-1, None]
    # Inverse transform of p(r) ~ r^-3 between the two radii; large leaves lie below small ones.
    radius = (low**-2 - share * (low**-2 - high**-2)) ** -0.5
    corners = rng.integers(3, MAX_CORNERS + 1, leaves)
    angle = rng.uniform(0, 2 * np.pi, (leaves, MAX_CORNERS))
    angle[np.arange(MAX_CORNERS) >= corners[:, None]] = 2 * np.pi
    angle.sort(axis=1)
    corner = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    points = rng.uniform(0, 1, (leaves, 1, 2)) * (width, height) + corner
    fixed = np.round(points * 16).astype(np.int32)
    shades = colours[rng.integers(0, len(colours), leaves), 0].tolist()
    for polygon, count, shade in zip(fixed, corners.tolist(), shades, strict=True):
        cv2.fillPoly(image, [polygon[:count]], shade, cv2.LINE_AA, 4)
    light = 1 + rough * (0.6 * grain(rng, size, 24) + 0.4 * grain(rng, size, 3))
    return np.clip(image * light[..., None], 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Texture:
    """How a surface is painted: dead leaves of `radii` px in `colours`, drawn from `seed`."""

    seed: tuple[int, ...]
    colours: Image
    radii: tuple[float, float]
    leaves: int
    rough: float = 0.12

    def paint(self, size: tuple[int, int]) -> Image:
        """Paint `size` (w, h) px."""
        rng = default_rng(self.seed)
        return dead_leaves(rng, size, self.colours, self.radii, self.leaves, self.rough)
