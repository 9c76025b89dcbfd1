"""Outlines of the embedded suites' sprites: closed polygons (p, 2) around the origin, in px."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from vbench.core.boxes import Bools, Floats

OUTLINE_POINTS = 64


def blob(rng: Generator, size: tuple[float, float], lumps: float = 0.12) -> Floats:
    """Smooth outline around the origin that fills `size` (w, h), shape (64, 2), star-shaped."""
    angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    radius = np.ones(OUTLINE_POINTS)
    for order in (2, 3, 5):
        phase = rng.uniform(0, 2 * np.pi)
        radius += lumps / np.sqrt(order) * np.cos(order * angle + phase)
    return fitted(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), size)


def polygon(corners: int, size: tuple[float, float], inner: float = 1.0) -> Floats:
    """Regular polygon that fills `size`, or a star with inner corners at `inner` of the radius.

    Edges are subdivided, so that the outline can bend; shape (k, 2).
    """
    angle = np.arange(2 * corners) * np.pi / corners - np.pi / 2
    radius = np.where(np.arange(2 * corners) % 2 == 0, 1.0, inner)
    if inner == 1.0:
        angle, radius = angle[::2], radius[::2]
    return fitted(
        subdivided(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)), size
    )


def plate(size: tuple[float, float]) -> Floats:
    """Rectangle of `size` (w, h) with subdivided edges, shape (k, 2)."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return subdivided(corners) * size


def subdivided(corners: Floats) -> Floats:
    """Put points on the edges of a closed polygon (c, 2) until it has at least 64."""
    steps = -(-OUTLINE_POINTS // len(corners))
    share = np.arange(steps)[None, :, None] / steps
    following = np.roll(corners, -1, axis=0)
    points: Floats = corners[:, None] * (1 - share) + following[:, None] * share
    return points.reshape(-1, 2)


def fitted(points: Floats, size: tuple[float, float]) -> Floats:
    """Scale and shift a closed polygon so that its box is centred and of `size` (w, h)."""
    low, high = points.min(axis=0), points.max(axis=0)
    fit: Floats = (points - (low + high) / 2) / (high - low) * size
    return fit


def inner_points(outline: Floats, side: int = 12) -> Floats:
    """Grid points inside a polygon (p, 2), shape (m, 2)."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    share = (np.arange(side) + 0.5) / side
    grid = np.stack(np.meshgrid(share, share), axis=-1).reshape(-1, 2) * (high - low) + low
    inner: Floats = grid[inside(grid[None], outline[None])[0]]
    return inner


def inside(points: Floats, polygons: Floats) -> Bools:
    """Which points (n, m, 2) lie inside the polygon (n, p, 2) of their row, by crossings."""
    x, y = points[:, :, None, 0], points[:, :, None, 1]
    x1, y1 = polygons[:, None, :, 0], polygons[:, None, :, 1]
    x2, y2 = np.roll(x1, -1, axis=2), np.roll(y1, -1, axis=2)
    spans = (y1 > y) != (y2 > y)
    rise = np.where(y1 == y2, 1.0, y2 - y1)
    crossed = spans & (x < x1 + (y - y1) * (x2 - x1) / rise)
    odd: Bools = np.asarray(crossed.sum(axis=2) % 2 == 1)
    return odd


def coverage(polygon: Floats, size: tuple[int, int], rows_per_px: int = 8) -> Floats:
    """Share of every pixel of a `size` (w, h) picture that a polygon (p, 2) covers, shape (h, w).

    Exact along x, sampled on `rows_per_px` lines along y.
    """
    width, height = size
    y = ((np.arange(height * rows_per_px) + 0.5) / rows_per_px)[:, None]
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    spans = (y1 > y) != (y2 > y)
    rise = np.where(y1 == y2, 1.0, y2 - y1)
    crossings = np.sort(np.where(spans, x1 + (y - y1) * (x2 - x1) / rise, np.inf), axis=1)
    share = np.zeros((len(y), width))
    right_edges = np.arange(1, width + 1)
    for index in range(int(spans.sum(axis=1).max())):
        sign = 1.0 if index % 2 == 0 else -1.0
        share += sign * np.clip(right_edges - crossings[:, index, None], 0, 1)
    mean: Floats = share.reshape(height, rows_per_px, width).mean(axis=1)
    return mean
