"""A take: the draft of a single-object clip that the recipes of `synth-sot` write into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from vbench.core.boxes import Bools, Boxes, Floats, is_present
from vbench.core.clip import Clip
from vbench.core.frames import Rendered

from .attributes import measured, tags_of
from .synth_motion import camera, motion, seen_at, velocity
from .synth_scene import Actor, Light, Motion, Scene, Sprite
from .synth_shape import blob, plate
from .synth_texture import Texture, palette

MARGIN_PX = 140
# Radii in px and number of the leaves of a target's texture.
TARGET_LEAVES = ((2.5, 14.0), 90)
# From here on an attribute that the benchmark's authors judged by eye is said to hold.
TURNED = np.radians(15.0)
TURNED_AWAY = np.radians(25.0)
HIDDEN_SHARE = 0.1
BENT_SHARE = 0.06
BLURRED_PX = 4.0
LIGHT_RATIO = 1.3
MIDDLE_GREY = 110.0


@dataclass
class Take:
    """What a recipe decides; everything not touched is at rest.

    `screen` (n, 2) is the target's path relative to the middle of the frame in px, `look` (n, 2)
    the camera's relative to the middle of the world, `jitter` (n, 2) moves the picture with
    everything in it. Angles are in radians, `streak` and `camera_streak` (n, 2) in px.
    """

    seed: tuple[int, ...]
    n: int
    size: tuple[int, int]
    target_px: tuple[float, float]
    rng: Generator = field(init=False)
    hue: float = field(init=False)
    sprite: Sprite = field(init=False)
    screen: Floats = field(init=False)
    look: Floats = field(init=False)
    jitter: Floats = field(init=False)
    pose: dict[str, Any] = field(default_factory=dict)
    zoom: Floats | float = 1.0
    roll: Floats | float = 0.0
    gain: Floats | float = 1.0
    offset: Floats | float = 0.0
    camera_streak: Floats | float = 0.0
    cluttered: bool = False
    behind: list[Actor] = field(default_factory=list)
    front: list[Actor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = default_rng(self.seed)
        self.hue = float(self.rng.uniform())
        self.screen = np.zeros((self.n, 2))
        self.look = np.zeros((self.n, 2))
        self.jitter = np.zeros((self.n, 2))
        # A lumpy blob or a plate whose colours differ from the background's.
        outline = blob(self.rng, self.target_px)
        if self.seed[-1] % 3 == 1:
            outline = plate(self.target_px)
        hue = self.hue + self.rng.uniform(0.2, 0.8)
        self.sprite = Sprite(outline, self.texture(1, hue, *TARGET_LEAVES))

    @property
    def canvas(self) -> tuple[int, int]:
        """World size (w, h) px."""
        return self.size[0] + 2 * MARGIN_PX, self.size[1] + 2 * MARGIN_PX

    def room(self, spare_px: float = 6.0) -> Floats:
        """How far (x, y) the target's middle may go from the frame's without leaving it."""
        half = np.array(self.target_px) / 2 + spare_px
        return np.asarray(np.maximum(np.array(self.size) / 2 - half, 1.0))

    def steady_camera(self) -> Floats:
        """World to frame without jitter, shape (n, 2, 3)."""
        middle = np.array(self.canvas) / 2
        return camera(self.size, middle + self.look, self.zoom, self.roll)

    def world(self, screen: Floats) -> Floats:
        """World path (n, 2) of what is seen at `screen` (n, 2) from the middle of the frame."""
        return seen_at(self.steady_camera(), screen + np.array(self.size) / 2)

    def texture(self, tag: int, hue: float, radii: tuple[float, float], leaves: int) -> Texture:
        """Draw a texture whose colours lie around `hue`."""
        return Texture((*self.seed, tag), palette(self.rng, hue), radii, leaves)

    def look_alike(self, tag: int) -> Sprite:
        """Return a sprite with the target's colours and size but its own pattern and outline."""
        texture = Texture((*self.seed, tag), self.sprite.texture.colours, *TARGET_LEAVES)
        return Sprite(blob(self.rng, self.target_px), texture)

    def scenery(self, tag: int, outline: Floats, opacity: float = 1.0) -> Sprite:
        """Return a sprite in the background's manner, to stand in front of the target."""
        texture = self.texture(tag, self.hue + 0.15, (4, 30), 60)
        if opacity < 1:
            black = np.zeros((1, 1, 3), np.uint8)
            texture = Texture((*self.seed, tag), black, (4, 30), 1, rough=0.0)
        return Sprite(outline, texture, density=1.0, opacity=opacity)

    def scene(self) -> tuple[Scene, Actor]:
        """Put everything together; returns the scene and the target in it."""
        target = Actor(self.sprite, motion(self.n, self.world(self.screen), **self.pose))
        view = self.steady_camera()
        view[:, :, 2] += self.jitter
        light = Light(
            np.broadcast_to(self.gain, (self.n,)),
            np.broadcast_to(self.offset, (self.n,)),
            np.broadcast_to(self.camera_streak, (self.n, 2)) * np.ones((self.n, 2)),
        )
        background = self.texture(0, self.hue, (5, 80), 1400)
        actors = (*self.behind, target, *self.front)
        return Scene(self.size, self.canvas, background, view, actors, light, self.seed), target

    def clip(self, name: str) -> Clip:
        """Return the finished clip with its exact boxes and the attributes that it really has."""
        scene, target = self.scene()
        truth = scene.boxes(target)
        frames = attributes(scene, target, truth) | {"BC": np.full(self.n, self.cluttered)}
        return Clip(
            name,
            Rendered(self.n, scene.render),
            truth,
            tags=tags_of(frames),
            frame_tags=frames,
            known_size=self.size,
        )


def attributes(scene: Scene, target: Actor, truth: Boxes) -> dict[str, Bools]:
    """Frames in which each attribute but BC holds, from the scene's own geometry and light."""
    move, light = target.motion, scene.light
    _, hidden, shaded = scene.cover(target)
    pose = scene.poses(target)
    # The second column does not shrink when the sprite turns about its vertical axis.
    angle = np.unwrap(np.arctan2(-pose[:, 0, 1], pose[:, 1, 1]))
    level = (light.gain * MIDDLE_GREY + light.offset) * (1 - shaded)
    ratio = level / level[0]
    blur = move.streak + light.streak
    here = is_present(truth)
    found = measured(truth, scene.size)
    found |= {
        "IV": (ratio > LIGHT_RATIO) | (ratio < 1 / LIGHT_RATIO),
        "OCC": hidden > HIDDEN_SHARE,
        "DEF": np.abs(move.bend) > BENT_SHARE * 2 * target.sprite.half[0],
        "MB": np.hypot(blur[:, 0], blur[:, 1]) >= BLURRED_PX,
        "IPR": np.abs(angle - angle[0]) > TURNED,
        "OPR": np.abs(move.turn - move.turn[0]) > TURNED_AWAY,
    }
    found = {name: holds & here for name, holds in found.items()}
    found["OV"] |= ~here
    return found


def exposed(path: Floats, shutter: float = 0.5) -> Floats:
    """Motion blur (n, 2) px of a `path` (n, 2) seen with a `shutter` open for part of a frame."""
    return velocity(path) * shutter


def standing(n: int, sprite: Sprite, place: Sequence[float] | Floats) -> Actor:
    """A thing that stands at one place (x, y) of the world."""
    return Actor(sprite, motion(n, np.asarray(place, float)[None]))


def moving(n: int, sprite: Sprite, path: Floats, **given: Any) -> Actor:
    """A thing that moves along a world path (n, 2)."""
    moved: Motion = motion(n, path, **given)
    return Actor(sprite, moved)
