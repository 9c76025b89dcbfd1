"""`synth-sot`: the embedded single-object suite, rendered on the fly from a seed.

Each recipe makes one kind of difficulty; together they cover all eleven OTB attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.suite import Card, Suite

from .synth_motion import dashes, ramp, shake, swing, through, wander
from .synth_shape import blob, plate
from .synth_split import SPLITS, split_of
from .synth_take import Take, exposed, moving, standing

SMALL, LARGE = (320, 240), (480, 360)

MOST_SEEDS = 100

Recipe = Callable[[Take], None]


def calm(take: Take) -> None:
    """A slow target before a still camera."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.2)


def pan(take: Take) -> None:
    """The camera follows a running target, and not perfectly."""
    take.look = wander(take.rng, take.n, (110, 60), 4.0)
    take.screen = wander(take.rng, take.n, take.room() * 0.5, 1.5)


def approach(take: Take) -> None:
    """The target comes nearer: 2.4 times its size."""
    take.screen = wander(take.rng, take.n, take.room() * 0.3, 1.2)
    take.pose["scale"] = ramp(take.n, 1.0, 2.4, 0.1)


def recede(take: Take) -> None:
    """The target goes away: to .4 of its size."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.5)
    take.pose["scale"] = ramp(take.n, 1.0, 0.4, 0.1)


def zoom(take: Take) -> None:
    """The camera zooms in and out around a walking target."""
    take.screen = wander(take.rng, take.n, take.room() * 0.3, 1.0)
    take.zoom = np.exp(swing(take.rng, take.n, 0.55, take.n * 0.8))


def spin(take: Take) -> None:
    """The target turns a whole circle in the image plane."""
    take.screen = wander(take.rng, take.n, take.room() * 0.5, 1.5)
    take.pose["angle"] = ramp(take.n, 0, take.rng.choice([-2, 2]) * np.pi, 0.05)


def rock(take: Take) -> None:
    """The target rocks and its distance changes."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 2.0)
    take.pose["angle"] = swing(take.rng, take.n, 0.6, 38)
    take.pose["scale"] = np.exp(swing(take.rng, take.n, 0.45, take.n * 0.9))


def roll(take: Take) -> None:
    """The camera rolls."""
    take.screen = wander(take.rng, take.n, take.room() * 0.4, 1.5)
    take.roll = swing(take.rng, take.n, 0.5, take.n * 0.7)


def turn(take: Take) -> None:
    """The target turns away from the camera and back."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.5)
    take.pose["turn"] = swing(take.rng, take.n, 1.05, 55)


def pole(take: Take) -> None:
    """The target passes behind a pole half as wide as itself."""
    _cross(take)
    place = take.world(take.screen)[take.n // 2]
    post = plate((take.target_px[0] * 0.5, take.canvas[1] * 2.0))
    take.front.append(standing(take.n, take.scenery(2, post), place))


def wall(take: Take) -> None:
    """The target disappears behind a wall for some frames."""
    _cross(take)
    place = take.world(take.screen)[take.n // 2]
    block = plate((take.target_px[0] * 1.25, take.target_px[1] * 2.2))
    take.front.append(standing(take.n, take.scenery(2, block), place))


def crowd(take: Take) -> None:
    """Others that look alike walk about, some of them in front."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.5)
    take.cluttered = True
    for index in range(5):
        away = take.target_px[0] * (1.0 + 0.25 * index)
        path = take.screen + wander(take.rng, take.n, (away, away), 2.5)
        # Everyone starts at arm's length.
        start = 1.5 * max(take.target_px) * np.array([np.cos(index * 1.257), np.sin(index * 1.257)])
        path += start - (path[0] - take.screen[0])
        other = moving(take.n, take.look_alike(10 + index), take.world(path))
        (take.front if index % 2 else take.behind).append(other)


def twin(take: Take) -> None:
    """A twin of the target crosses its way, in front of it."""
    take.cluttered = True
    _cross(take, speed_px=0.8)
    path = -take.screen + (0, take.target_px[1] * 0.35)
    take.front.append(moving(take.n, take.sprite, take.world(path)))


def camouflage(take: Take) -> None:
    """The target wears the background's colours."""
    take.cluttered = True
    take.sprite = replace(take.sprite, texture=take.texture(1, take.hue, (4, 40), 60))
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.8)


def dusk(take: Take) -> None:
    """Light fades to a third and comes back."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.5)
    take.gain = 1 - 0.66 * np.sin(np.pi * np.arange(take.n) / (take.n - 1)) ** 2


def flicker(take: Take) -> None:
    """Lights go on and off at once."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.5)
    level = take.rng.choice([-55.0, 0.0, 50.0], take.n // 12 + 1)
    level[0] = 0.0
    level[1:3] = -55.0, 50.0
    take.offset = np.repeat(level, 12)[: take.n]


def shade(take: Take) -> None:
    """The target walks through a deep shadow and turns a little."""
    _cross(take)
    place = take.world(take.screen)[take.n // 2]
    outline = blob(take.rng, (take.target_px[0] * 3.0, take.target_px[1] * 5.0))
    take.front.append(standing(take.n, take.scenery(2, outline, opacity=0.55), place))
    take.pose["turn"] = swing(take.rng, take.n, 0.6, 70)


def streak(take: Take) -> None:
    """The target darts about in a low light: long exposures."""
    take.screen = wander(take.rng, take.n, take.room() * 0.9, 16.0)
    take.pose["streak"] = exposed(take.screen, 0.8)


def handheld(take: Take) -> None:
    """The camera shakes and blurs everything."""
    take.screen = wander(take.rng, take.n, take.room(45) * 0.5, 1.5)
    take.jitter = shake(take.rng, take.n, 12.0)
    take.jitter -= take.jitter[0]
    take.camera_streak = exposed(take.jitter, 0.7)


def dash(take: Take) -> None:
    """The target leaps from place to place."""
    take.screen = dashes(take.rng, take.n, 33.0, 11) + wander(take.rng, take.n, (6, 6), 0.6)


def jelly(take: Take) -> None:
    """The target wobbles."""
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 1.8)
    take.pose["bend"] = swing(take.rng, take.n, 0.28 * take.target_px[0], 26)
    take.pose["phase"] = np.arange(take.n) * 0.11


def swim(take: Take) -> None:
    """The target swims: it bends, turns and is carried along."""
    take.look = wander(take.rng, take.n, (80, 40), 2.0)
    take.screen = wander(take.rng, take.n, take.room() * 0.6, 2.5)
    take.pose["bend"] = ramp(take.n, 0, 0.2 * take.target_px[0], 0, 0.2)
    take.pose["phase"] = np.arange(take.n) * 0.45
    take.pose["angle"] = swing(take.rng, take.n, 0.9, 60)


def edge(take: Take) -> None:
    """The target leaves the view by half and comes back."""
    x, y = take.size[0] / 2 * take.rng.choice([-1, 1]), take.rng.uniform(-60, 60)
    take.screen = through(take.n, [(0, 0, 0), (0.4, x, y), (0.6, x, y - 40), (1, 0, y / 2)])


def vanish(take: Take) -> None:
    """The target leaves the view altogether and comes back near the same place."""
    x = (take.size[0] / 2 + take.target_px[0]) * take.rng.choice([-1, 1])
    y = take.rng.uniform(-60, 60)
    take.screen = through(take.n, [(0, 0, 0), (0.45, x, y), (0.6, x, y + 5), (1, x / 8, y / 2)])


def speck(take: Take) -> None:
    """A target of few pixels on a hand-held picture."""
    take.screen = wander(take.rng, take.n, take.room(40) * 0.6, 1.5)
    take.jitter = shake(take.rng, take.n, 2.0)


def flyer(take: Take) -> None:
    """A small thing flies away over moving ground."""
    take.look = wander(take.rng, take.n, (100, 60), 4.0)
    take.screen = wander(take.rng, take.n, take.room(20) * 0.7, 3.0)
    take.pose["scale"] = ramp(take.n, 1.0, 0.55, 0.2)
    take.pose["angle"] = swing(take.rng, take.n, 0.5, 50)


def chase(take: Take) -> None:
    """A little of everything behind a hand-held camera."""
    take.look = wander(take.rng, take.n, (90, 50), 3.5)
    take.screen = wander(take.rng, take.n, take.room(20) * 0.6, 3.0)
    take.jitter = shake(take.rng, take.n, 2.5)
    take.camera_streak = exposed(take.look + take.jitter, 0.6)
    take.pose["scale"] = np.exp(swing(take.rng, take.n, 0.5, take.n * 1.1))
    take.pose["turn"] = swing(take.rng, take.n, 0.7, 80)
    take.pose["angle"] = swing(take.rng, take.n, 0.4, 45)
    take.gain = ramp(take.n, 1.0, 0.6, 0.5, 0.8)
    path = take.world(take.screen)
    late = path[take.n // 3 : take.n * 4 // 5]
    place = late[np.argmax(np.abs(late[:, 0] - path[0, 0]))]
    post = plate((take.target_px[0] * 0.4, take.canvas[1] * 2.0))
    take.front.append(standing(take.n, take.scenery(2, post), place))


def _cross(take: Take, speed_px: float = 0.0) -> None:
    """Walk from one side to the other, bobbing."""
    x = take.room()[0] * 0.8 * take.rng.choice([-1.0, 1.0])
    path = through(take.n, [(0, -x, 0), (1, x, 0)])
    take.screen = path + wander(take.rng, take.n, (4, 8), 1.0 + speed_px)


# name: recipe, frames, target (w, h) px, frame (w, h) px
RECIPES: dict[str, tuple[Recipe, int, tuple[float, float], tuple[int, int]]] = {
    "calm": (calm, 60, (44, 52), SMALL),
    "pan": (pan, 80, (40, 56), SMALL),
    "approach": (approach, 80, (34, 40), SMALL),
    "recede": (recede, 80, (64, 60), SMALL),
    "zoom": (zoom, 90, (44, 40), SMALL),
    "spin": (spin, 80, (48, 44), SMALL),
    "rock": (rock, 80, (42, 56), SMALL),
    "roll": (roll, 70, (60, 44), LARGE),
    "turn": (turn, 80, (56, 56), SMALL),
    "pole": (pole, 80, (44, 60), SMALL),
    "wall": (wall, 90, (38, 44), SMALL),
    "crowd": (crowd, 80, (34, 44), SMALL),
    "twin": (twin, 80, (40, 46), SMALL),
    "camouflage": (camouflage, 80, (46, 46), SMALL),
    "dusk": (dusk, 80, (44, 44), SMALL),
    "flicker": (flicker, 72, (44, 50), SMALL),
    "shade": (shade, 80, (42, 48), SMALL),
    "streak": (streak, 70, (44, 44), LARGE),
    "handheld": (handheld, 70, (46, 52), SMALL),
    "dash": (dash, 80, (44, 48), SMALL),
    "jelly": (jelly, 70, (50, 64), SMALL),
    "swim": (swim, 80, (44, 62), SMALL),
    "edge": (edge, 80, (50, 50), SMALL),
    "vanish": (vanish, 90, (44, 48), SMALL),
    "speck": (speck, 70, (17, 18), SMALL),
    "flyer": (flyer, 90, (26, 22), SMALL),
    "chase": (chase, 120, (48, 56), LARGE),
}


def clip_of(name: str, seed: int, split: str) -> Clip:
    """Return the clip of one recipe; `train` clips carry the split in their name."""
    recipe, n, target_px, size = RECIPES[name]
    take = Take((SPLITS[split], seed, list(RECIPES).index(name)), n, size, target_px)
    recipe(take)
    return take.clip(name if split == "test" else f"{split}-{name}")


def load(card: Card, argument: str = "", seed: int = 0, seeds: int = 1) -> Suite:
    """Return the clips of `seed`, those kept for training if `argument` is "train".

    With `seeds` those of so many seeds from there on, other targets and grounds, to learn from;
    clips after the first seed's carry theirs in their name.

    Raises:
        UnknownName: a split that is neither test nor train.
        VBenchError: a negative seed, or no seed.
    """
    split = split_of(card, argument, seed)
    if not 1 <= seeds <= MOST_SEEDS:
        raise VBenchError(f"{card.name}[seeds={seeds}]: give 1 to {MOST_SEEDS}")
    clips = [clip_of(name, seed, split) for name in RECIPES]
    for other in range(seed + 1, seed + seeds):
        more = [clip_of(name, other, split) for name in RECIPES]
        clips += [replace(clip, name=f"{clip.name}-{other}") for clip in more]
    return Suite(replace(card, name=f"{card.name}:{split}") if argument else card, clips)
