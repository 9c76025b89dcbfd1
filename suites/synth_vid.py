"""`synth-vid`: the embedded suite with many objects of five classes, rendered on the fly.

The boxes are the tight boxes of the outlines, whole behind other things, cut at the frame's border.
An object of which nothing is visible has no row; one of which little is visible is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, default_rng

from vbench.core.boxes import Bools, Floats, clipped
from vbench.core.clip import Clip, Objects
from vbench.core.frames import Rendered
from vbench.core.suite import Card, Suite

from .synth_motion import camera, motion, ramp, seen_at, swing, wander
from .synth_scene import Actor, Light, Scene, Sprite
from .synth_shape import blob, plate, polygon
from .synth_split import SPLITS, split_of
from .synth_texture import Texture, palette

SIZE = (320, 240)
MARGIN_PX = 120
# An object counts neither for nor against a detector while less of its area than this is visible.
IGNORED_SHARE = 0.25

Outline = Callable[[float], Floats]
# In the order of the card's classes: hue in [0, 1) and outline of a given size in px.
CLASSES: tuple[tuple[float, Outline], ...] = (
    (0.00, lambda px: polygon(64, (px, px))),  # ball
    (0.60, lambda px: plate((px, px))),  # crate
    (0.36, lambda px: polygon(3, (px * 1.1, px * 1.2))),  # cone
    (0.14, lambda px: polygon(5, (px * 1.3, px * 1.25), inner=0.45)),  # star
    (0.83, lambda px: plate((px * 1.8, px * 0.6))),  # bar
)


@dataclass(frozen=True)
class Theme:
    """What a clip is about: how many objects, how large and how fast (px a frame), and the rest.

    `passing` is the share of objects that cross the frame, `blinking` of those that appear and
    disappear on the spot; the others stay. `posts` stand in front.
    """

    n: int
    objects: int
    px: tuple[float, float] = (26.0, 46.0)
    speed_px: tuple[float, float] = (0.5, 2.5)
    passing: float = 0.4
    blinking: float = 0.15
    posts: int = 0
    pan_px: float = 0.0
    growth: float = 1.0
    spin: float = 0.3
    dusk: float = 1.0
    shutter: float = 0.0


THEMES: dict[str, Theme] = {
    "still": Theme(60, 4, speed_px=(0.2, 0.8), passing=0.0, blinking=0.5),
    "stroll": Theme(80, 5),
    "rush": Theme(80, 6, speed_px=(5.0, 9.0), passing=0.8, shutter=0.5),
    "crowd": Theme(80, 11, px=(24, 36), speed_px=(0.8, 3.0)),
    "near": Theme(70, 4, px=(60, 90), speed_px=(1.0, 3.0)),
    "far": Theme(80, 8, px=(13, 20), speed_px=(0.5, 2.5)),
    "posts": Theme(90, 6, speed_px=(1.5, 3.5), passing=0.7, posts=3),
    "approach": Theme(80, 5, px=(18, 26), growth=2.6, speed_px=(0.4, 1.5), passing=0.1),
    "tumble": Theme(70, 5, spin=3.0, speed_px=(1.0, 2.5)),
    "dusk": Theme(80, 5, dusk=0.4),
    "pan": Theme(90, 7, pan_px=4.5, speed_px=(0.3, 1.5), passing=0.2),
    "fair": Theme(100, 9, px=(18, 56), speed_px=(0.5, 7.0), posts=1, pan_px=2.0, shutter=0.5),
}


def load(card: Card, argument: str = "", seed: int = 0) -> Suite:
    """Return the clips of `seed`, those kept for training if `argument` is "train".

    Raises:
        UnknownName: a split that is neither test nor train.
        VBenchError: a negative seed.
    """
    split = split_of(card, argument, seed)
    clips = [clip_of(name, seed, split) for name in THEMES]
    return Suite(replace(card, name=f"{card.name}:{split}") if argument else card, clips)


def clip_of(name: str, seed: int, split: str) -> Clip:
    """Return the clip of one theme; `train` clips carry the split in their name."""
    # The third number keeps the draws apart from those of synth-sot.
    scene = scene_of(THEMES[name], (SPLITS[split], seed, 1000 + list(THEMES).index(name)))
    return Clip(
        name if split == "test" else f"{split}-{name}",
        Rendered(len(scene), scene.render),
        objects=objects_of(scene),
        tags=(name,),
        known_size=scene.size,
    )


def scene_of(theme: Theme, seed: tuple[int, ...]) -> Scene:
    """Draw a scene of a theme."""
    rng = default_rng(seed)
    n, canvas = theme.n, (SIZE[0] + 2 * MARGIN_PX, SIZE[1] + 2 * MARGIN_PX)
    look = np.array(canvas) / 2 + wander(rng, n, (90, 50), theme.pan_px) * (theme.pan_px > 0)
    view = camera(SIZE, look)
    labels = rng.permutation(theme.objects) % len(CLASSES)
    actors = [
        _object(rng, theme, view, int(label), (*seed, index), first=index == 0)
        for index, label in enumerate(labels)
    ]
    actors += [_post(rng, theme, canvas, (*seed, 500 + index)) for index in range(theme.posts)]
    gain = 1 - (1 - theme.dusk) * np.sin(np.pi * np.arange(n) / (n - 1)) ** 2
    light = Light(gain, np.zeros(n), np.zeros((n, 2)))
    ground = palette(rng, rng.uniform(), spread=0.3, saturation=0.1)
    background = Texture((*seed, 900), ground, (5, 60), 1200)
    return Scene(SIZE, canvas, background, view, actors, light, seed)


def _object(
    rng: Generator, theme: Theme, view: Floats, label: int, seed: tuple[int, ...], first: bool
) -> Actor:
    """One object; the `first` of a clip is there from the start to the end."""
    hue, outline = CLASSES[label]
    n, px = theme.n, rng.uniform(*theme.px)
    colours = palette(
        rng, hue + rng.uniform(-0.03, 0.03), spread=0.015, saturation=0.75, values=(0.5, 0.95)
    )
    sprite = Sprite(outline(px), Texture((*seed, 1), colours, (2, px / 4), 40))
    draw = 1.0 if first else rng.uniform()
    screen = _passing(rng, theme, px) if draw < theme.passing else _staying(rng, theme, px)
    blinks = theme.passing <= draw < theme.passing + theme.blinking
    pose = {
        "scale": ramp(n, 1.0, theme.growth ** rng.uniform(0.3, 1.0), 0.1),
        "angle": rng.uniform(-0.25, 0.25) + swing(rng, n, theme.spin * rng.uniform(), 60),
        "streak": theme.shutter * np.gradient(screen, axis=0),
        "present": _spell(rng, n) if blinks else True,
    }
    return Actor(sprite, motion(n, seen_at(view, screen), **pose), label)


def _staying(rng: Generator, theme: Theme, px: float) -> Floats:
    """Path (n, 2) on the screen that stays inside the frame."""
    room = np.array(SIZE) - px * theme.growth - 8
    reach = np.minimum(room / 2, 60)
    place = np.array(SIZE) / 2 + rng.uniform(-1, 1, 2) * (room / 2 - reach)
    return place + wander(rng, theme.n, reach, rng.uniform(*theme.speed_px))


def _passing(rng: Generator, theme: Theme, px: float) -> Floats:
    """Path (n, 2) on the screen that comes in at one border and goes on straight."""
    side = rng.choice([-1.0, 1.0])
    start = np.array([(SIZE[0] + px) / 2 * side, rng.uniform(-0.4, 0.4) * SIZE[1]])
    aim = np.array([0, rng.uniform(-0.3, 0.3) * SIZE[1]]) - start
    speed = rng.uniform(*theme.speed_px) * aim / np.hypot(*aim)
    born = rng.integers(-theme.n // 3, theme.n // 2)
    time = np.arange(theme.n)[:, None] - born
    path: Floats = np.array(SIZE) / 2 + start + speed * time
    return path + wander(rng, theme.n, (4, 4), 0.5)


def _spell(rng: Generator, n: int) -> Bools:
    """Frames (n,) of a life that begins and may end within the clip."""
    born, length = rng.integers(0, n // 2), rng.integers(n // 4, n)
    frame = np.arange(n)
    alive: Bools = (frame >= born) & (frame < born + length)
    return alive


def _post(rng: Generator, theme: Theme, canvas: tuple[int, int], seed: tuple[int, ...]) -> Actor:
    """A grey thing that stands in front of everything and has no class."""
    width = rng.uniform(12, 24)
    outline = plate((width, canvas[1] * 1.0)) if rng.uniform() < 0.6 else blob(rng, (50, 70))
    colours = palette(rng, rng.uniform(), spread=0.1, saturation=0.1)
    place = (MARGIN_PX + rng.uniform(0.15, 0.85) * SIZE[0], canvas[1] / 2)
    path = np.tile(np.array(place), (theme.n, 1))
    return Actor(Sprite(outline, Texture(seed, colours, (3, 15), 60)), motion(theme.n, path))


def objects_of(scene: Scene) -> Objects:
    """Ground truth of all actors that have a class, ordered by frame, then by track."""
    columns: list[tuple[Floats, ...]] = []
    classed = [actor for actor in scene.actors if actor.label >= 0]
    for track, actor in enumerate(classed):
        boxes = clipped(scene.boxes(actor), scene.size)
        cover = scene.cover(actor)
        visible = cover.inside - cover.hidden
        (rows,) = np.nonzero(np.isfinite(boxes[:, 0]) & (visible > 0))
        same = np.ones(len(rows))
        columns.append(
            (rows.astype(np.float64), boxes[rows], same * actor.label, same * track, visible[rows])
        )
    frame, boxes, labels, tracks, visible = (np.concatenate(c) for c in zip(*columns, strict=True))
    order = np.lexsort((tracks, frame))
    return Objects(
        frame[order].astype(np.int64),
        boxes[order],
        labels[order].astype(np.int64),
        tracks[order].astype(np.int64),
        visible[order] < IGNORED_SHARE,
    )
