"""Renderer of the embedded suites: textured sprites that move over a textured background.

Coordinates are continuous: pixel i covers [i, i + 1). A sprite has local coordinates with its
middle at the origin; its motion maps them to the world, the camera maps the world to the frame.
The ground truth is the tight axis-aligned box of the sprite's outline polygon after both, whole
even where something covers it, NaN while the polygon lies outside the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import default_rng

from vbench.core.boxes import Bools, Boxes, Floats, Image, around_polygons

from .synth_shape import coverage, inner_points, inside
from .synth_texture import Texture

# Ground truth is rounded to this, so that last-bit differences of sines between machines cannot
# change a suite's digest.
TRUTH_DECIMALS = 4
ALL = slice(None)
# The noise tile is shifted by up to this, so that no two frames in a row carry the same noise.
NOISE_SPARE_PX = 31
# cv2.filter2D changes to a Fourier transform, thirty times slower, above 11 x 11.
LONGEST_STREAK_PX = 11.0


@dataclass(frozen=True, eq=False)
class Sprite:
    """A textured shape: `outline` (p, 2) in local px, painted at `density` texels a px."""

    outline: Floats
    texture: Texture
    density: float = 2.0
    opacity: float = 1.0

    @cached_property
    def half(self) -> Floats:
        """Half the extent of the local canvas (w, h) in px; one px wider than the outline."""
        reach: Floats = np.ceil(np.abs(self.outline).max(axis=0)) + 1.0
        return reach

    @cached_property
    def pyramid(self) -> list[Image]:
        """RGBA with premultiplied alpha, at full density and at each half of it."""
        width, height = (int(np.ceil(v)) for v in 2 * self.half * self.density)
        texels = (self.outline + self.half) * self.density
        colour = self.texture.paint((width, height))
        alpha = self.opacity * coverage(texels, (width, height))[..., None]
        rgba = np.concatenate([colour * alpha, alpha * 255], axis=2)
        levels = [np.round(rgba).astype(np.uint8)]
        while min(levels[-1].shape[:2]) >= 16 and len(levels) < 4:
            small = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
            levels.append(np.asarray(cv2.resize(levels[-1], small, interpolation=cv2.INTER_AREA)))
        return levels

    @cached_property
    def wave(self) -> float:
        """Radians per local px of the bending wave: one period over the sprite's height."""
        return float(np.pi / self.half[1])


@dataclass(frozen=True, eq=False)
class Motion:
    """Pose of a sprite in each of n frames, in world px and radians.

    `turn` is the rotation about its vertical axis (out of plane: its width shrinks by the cosine),
    `bend` the amplitude in local px of a sideways wave of phase `phase`, `streak` (n, 2) the
    motion blur in px.
    """

    centre: Floats
    scale: Floats
    angle: Floats
    turn: Floats
    bend: Floats
    phase: Floats
    streak: Floats
    present: Bools

    @cached_property
    def matrices(self) -> Floats:
        """Local to world, shape (n, 2, 3)."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        across, along = self.scale * np.cos(self.turn), self.scale
        rows = np.stack(
            [
                *(cosine * across, -sine * along, self.centre[:, 0]),
                *(sine * across, cosine * along, self.centre[:, 1]),
            ],
            axis=1,
        )
        return rows.reshape(-1, 2, 3)


@dataclass(frozen=True, eq=False)
class Actor:
    """A sprite and its motion. `label` is its class in the suites with many objects."""

    sprite: Sprite
    motion: Motion
    label: int = -1


@dataclass(frozen=True, eq=False)
class Light:
    """What the camera does to the picture in each of n frames."""

    gain: Floats
    offset: Floats
    streak: Floats


class Cover(NamedTuple):
    """Shares of an actor's area in each of n frames, measured on a grid of points inside it.

    `inside` the frame; `hidden` inside the frame but behind opaque actors; `shaded` by translucent
    actors, weighted with their opacity.
    """

    inside: Floats
    hidden: Floats
    shaded: Floats


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip to be rendered: `actors` from back to front before a `background` texture.

    `camera` (n, 2, 3) maps the world to the frame; the background covers `canvas` (w, h) world px
    from (0, 0) and is mirrored beyond. `size` (w, h) of a frame in px.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]
    background: Texture
    camera: Floats
    actors: Sequence[Actor]
    light: Light
    seed: tuple[int, ...] = (0,)
    noise: int = 3

    def __len__(self) -> int:
        return len(self.camera)

    def poses(self, actor: Actor) -> Floats:
        """Local to frame, shape (n, 2, 3)."""
        matrix = self.camera[:, :, :2] @ actor.motion.matrices
        matrix[:, :, 2] += self.camera[:, :, 2]
        return matrix

    def carried(self, actor: Actor, points: Floats, frames: Bools | slice = ALL) -> Floats:
        """Carry local `points` (p, 2) to `frames` (all of n), shape (n, p, 2)."""
        motion, wave = actor.motion, actor.sprite.wave
        phase = wave * points[None, :, 1] + motion.phase[frames, None]
        bend = motion.bend[frames, None] * np.sin(phase)
        bent = np.stack([points[None, :, 0] + bend, np.broadcast_to(points[:, 1], bend.shape)], -1)
        pose = self._poses[actor][frames]
        moved: Floats = bent @ pose[:, :, :2].transpose(0, 2, 1) + pose[:, None, :, 2]
        return moved

    def boxes(self, actor: Actor) -> Boxes:
        """Tight boxes of the outline, NaN where the actor is wholly out of view, shape (n, 4)."""
        outlines = self.carried(actor, actor.sprite.outline)
        boxes = np.round(around_polygons(outlines.reshape(len(self), -1)), TRUTH_DECIMALS)
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        seen = actor.motion.present & (low < self.size).all(1) & (high > 0).all(1)
        return np.where(seen[:, None], boxes, np.nan)

    def cover(self, actor: Actor) -> Cover:
        """What share of the actor is inside the frame, hidden and shaded; see `Cover`."""
        points = inner_points(actor.sprite.outline)
        moved = self.carried(actor, points)
        inside_frame = (moved >= 0).all(2) & (moved < self.size).all(2)
        inside_frame &= actor.motion.present[:, None]
        hidden = np.zeros_like(inside_frame)
        clear = np.ones(inside_frame.shape)
        for other in self.actors[self.actors.index(actor) + 1 :]:
            rows = other.motion.present & _overlap(self._boxes[actor], self._boxes[other])
            if not rows.any():
                continue
            under = inside(moved[rows], self.carried(other, other.sprite.outline, rows))
            if other.sprite.opacity == 1:
                hidden[rows] |= under
            else:
                clear[rows] *= 1 - other.sprite.opacity * under
        return Cover(
            inside_frame.mean(axis=1), (inside_frame & hidden).mean(axis=1), 1 - clear.mean(axis=1)
        )

    @cached_property
    def _canvas(self) -> Image:
        return self.background.paint(self.canvas)

    def render(self, index: int) -> Image:
        """Draw frame `index`, uint8 (h, w, 3) RGB."""
        frame = np.asarray(
            cv2.warpAffine(
                self._canvas,
                _on_pixel_centres(self.camera[index]),
                self.size,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            )
        )
        for actor in self.actors:
            if actor.motion.present[index]:
                self._draw(frame, actor, index)
        light = self.light
        frame = _streaked(frame, light.streak[index])
        if light.gain[index] != 1 or light.offset[index] != 0:
            frame = cv2.convertScaleAbs(frame, alpha=light.gain[index], beta=light.offset[index])
        return self._with_noise(frame, index)

    def _with_noise(self, frame: Image, index: int) -> Image:
        if self.noise == 0:
            return frame
        step = index + 97 * self.seed[-1]
        x, y = (step * 13) % NOISE_SPARE_PX, (step * 7) % NOISE_SPARE_PX
        width, height = self.size
        tiles = _noise(self.size, self.noise)
        more, less = (tile[y : y + height, x : x + width] for tile in tiles)
        return np.asarray(cv2.subtract(cv2.add(frame, more), less))

    def _draw(self, frame: Image, actor: Actor, index: int) -> None:
        motion, sprite = actor.motion, actor.sprite
        pose = self._poses[actor][index]
        reach = np.abs(pose[:, :2]) @ (sprite.half + np.array([abs(motion.bend[index]), 0.0]))
        pad = 1.0 + np.abs(motion.streak[index]) / 2
        low = np.maximum(np.floor(pose[:, 2] - reach - pad), 0).astype(int)
        high = np.minimum(np.ceil(pose[:, 2] + reach + pad), self.size).astype(int)
        if (high <= low).any():
            return
        local = pose - np.array([[0, 0, low[0]], [0, 0, low[1]]])
        layer = _layer(sprite, motion, index, local, (high[0] - low[0], high[1] - low[1]))
        layer = _streaked(layer, motion.streak[index])
        part = frame[low[1] : high[1], low[0] : high[0]]
        clear = cv2.merge([255 - layer[..., 3]] * 3)
        below = cv2.multiply(part, clear, scale=1 / 255)
        part[:] = cv2.add(below, np.ascontiguousarray(layer[..., :3]))

    @cached_property
    def _boxes(self) -> dict[Actor, Boxes]:
        return {actor: self.boxes(actor) for actor in self.actors}

    @cached_property
    def _poses(self) -> dict[Actor, Floats]:
        return {actor: self.poses(actor) for actor in self.actors}


def _layer(
    sprite: Sprite, motion: Motion, index: int, pose: Floats, size: tuple[int, int]
) -> Image:
    """Warp a sprite's RGBA into a window of `size` (w, h) px."""
    stretch = np.sqrt(abs(np.linalg.det(pose[:, :2]))) + 1e-9
    level = int(np.clip(np.floor(np.log2(sprite.density / stretch)), 0, len(sprite.pyramid) - 1))
    image = sprite.pyramid[level]
    # Each level has its own texel size, because odd sizes round when they are halved.
    whole = np.array(sprite.pyramid[0].shape[1::-1]) / sprite.density
    texel = whole / image.shape[1::-1]
    unpaint = np.array([[texel[0], 0, -sprite.half[0]], [0, texel[1], -sprite.half[1]]])
    if motion.bend[index] == 0:
        matrix = pose[:, :2] @ unpaint
        matrix[:, 2] += pose[:, 2]
        return np.asarray(cv2.warpAffine(image, _on_pixel_centres(matrix), size))
    back = np.linalg.inv(pose[:, :2])
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    x, y = x - pose[0, 2], y - pose[1, 2]
    v = back[1, 0] * x + back[1, 1] * y
    u = back[0, 0] * x + back[0, 1] * y
    u -= motion.bend[index] * np.sin(sprite.wave * v + motion.phase[index])
    u = ((u + sprite.half[0]) / texel[0] - 0.5).astype(np.float32)
    v = ((v + sprite.half[1]) / texel[1] - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(image, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))


@lru_cache(maxsize=8)
def _noise(size: tuple[int, int], deviation: int) -> tuple[Image, Image]:
    """What the sensor adds and takes away, a little larger than a frame of `size` (w, h)."""
    shape = (size[1] + NOISE_SPARE_PX, size[0] + NOISE_SPARE_PX, 3)
    tile = np.round(default_rng(77).normal(0, deviation, shape)).clip(-255, 255)
    return tile.clip(0).astype(np.uint8), (-tile).clip(0).astype(np.uint8)


def _on_pixel_centres(matrix: Floats) -> Floats:
    """Turn a map of continuous coordinates into one of pixel indices (centres at + 0.5)."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    return shifted


def _streaked(image: Image, streak: Floats) -> Image:
    """Blur along `streak` (dx, dy) px, centred."""
    length = float(np.hypot(*streak))
    if length < 1:
        return image
    streak = streak * min(1.0, LONGEST_STREAK_PX / length)
    half = int(np.ceil(np.abs(streak).max() / 2))
    steps = np.linspace(-0.5, 0.5, 4 * half + 1)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for x, y in half + steps[:, None] * streak:
        kernel[round(float(y)), round(float(x))] += 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _overlap(a: Boxes, b: Boxes) -> Bools:
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    meets: Bools = np.asarray((high > low).all(axis=1))
    return meets
