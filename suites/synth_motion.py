"""Paths of the embedded suites: smooth random curves over the n frames of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from vbench.core.boxes import Floats

from .synth_scene import Motion


def wander(rng: Generator, n: int, reach: Sequence[float] | Floats, speed_px: float) -> Floats:
    """Smooth closed-ish curve (n, 2) around 0 that stays within `reach` (x, y).

    Its mean speed is near `speed_px` a frame.
    """
    t = np.arange(n)
    curve = np.zeros((n, 2))
    for axis in range(2):
        room = max(float(reach[axis]), 1e-6)
        # A sine of amplitude a and angular speed w moves 2 a w / pi a frame on average.
        pace = speed_px / np.sqrt(2) * np.pi / 2 / room
        mix = rng.uniform(0.55, 0.75)
        for share, factor in ((mix, 0.8), (1 - mix, 1.9)):
            phase = rng.uniform(0, 2 * np.pi)
            curve[:, axis] += share * room * np.sin(pace * factor * t + phase)
    return curve


def ramp(n: int, start: float, end: float, begin: float = 0.0, finish: float = 1.0) -> Floats:
    """Smooth step (n,) from `start` to `end` between two shares of the clip."""
    share = np.clip((np.arange(n) / max(n - 1, 1) - begin) / (finish - begin), 0, 1)
    eased: Floats = start + (end - start) * share * share * (3 - 2 * share)
    return eased


def swing(rng: Generator, n: int, amplitude: float, period: float) -> Floats:
    """Sine (n,) of `amplitude` around 0 that starts at 0, `period` in frames."""
    sign = rng.choice([-1.0, 1.0])
    wave: Floats = sign * amplitude * np.sin(2 * np.pi * np.arange(n) / period)
    return wave


def dashes(rng: Generator, n: int, jump_px: float, every: int) -> Floats:
    """Rest and leap (n, 2): every `every` frames a jump of about `jump_px` within one frame."""
    path = np.zeros((n, 2))
    for frame in range(every, n, every):
        angle = rng.uniform(0, 2 * np.pi)
        step = jump_px * rng.uniform(0.85, 1.25) * np.array([np.cos(angle), np.sin(angle)])
        # Turn back where the path would stray.
        if np.abs(path[frame - 1] + step).max() > 2.2 * jump_px:
            step = -np.abs(step) * np.sign(path[frame - 1])
        path[frame:] += step
    return path


def shake(rng: Generator, n: int, amplitude_px: float) -> Floats:
    """Hand-held jitter (n, 2) px: low-passed noise of standard deviation `amplitude_px`."""
    noise = rng.normal(0, 1, (n + 4, 2))
    smooth = (noise[:-4] + 2 * noise[1:-3] + 3 * noise[2:-2] + 2 * noise[3:-1] + noise[4:]) / 4.36
    return np.asarray(amplitude_px * smooth)


def through(n: int, points: Sequence[tuple[float, float, float]]) -> Floats:
    """Path (n, 2) through `points` (share of the clip, x, y), straight between them."""
    share = np.arange(n) / max(n - 1, 1)
    times = [p[0] for p in points]
    columns = [np.interp(share, times, [p[axis] for p in points]) for axis in (1, 2)]
    return np.stack(columns, axis=1)


def motion(n: int, centre: Floats, **given: Any) -> Motion:
    """A motion along `centre` (n, 2); everything not given is at rest. Scalars are repeated."""
    rest: dict[str, Any] = {"scale": 1.0, "angle": 0.0, "turn": 0.0, "bend": 0.0, "phase": 0.0}
    rest |= {"present": True, "streak": (0.0, 0.0)} | given
    streak = np.broadcast_to(np.asarray(rest.pop("streak"), float), (n, 2))
    present = np.broadcast_to(np.asarray(rest.pop("present"), bool), (n,))
    columns = {k: np.broadcast_to(np.asarray(v, float), (n,)) for k, v in rest.items()}
    return Motion(np.broadcast_to(centre, (n, 2)), streak=streak, present=present, **columns)


def velocity(centre: Floats) -> Floats:
    """Displacement a frame (n, 2) px by central differences."""
    speed: Floats = np.gradient(centre, axis=0)
    return speed


def camera(
    size: tuple[int, int], look: Floats, zoom: Floats | float = 1.0, roll: Floats | float = 0.0
) -> Floats:
    """World to frame (n, 2, 3): the world point `look` (n, 2) stands in the middle of the frame."""
    n = len(look)
    zoom, roll = np.broadcast_to(zoom, (n,)), np.broadcast_to(roll, (n,))
    cosine, sine = np.cos(roll) * zoom, np.sin(roll) * zoom
    linear = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(n, 2, 2)
    offset = np.asarray(size) / 2 - np.einsum("nij,nj->ni", linear, look)
    return np.concatenate([linear, offset[:, :, None]], axis=2)


def seen_at(matrices: Floats, points: Floats) -> Floats:
    """World points (n, 2) that a camera `matrices` (n, 2, 3) shows at the frame's `points`."""
    back = np.linalg.inv(matrices[:, :, :2])
    world: Floats = np.einsum("nij,nj->ni", back, points - matrices[:, :, 2])
    return world
