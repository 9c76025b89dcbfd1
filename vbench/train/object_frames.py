"""Frames of clips with many objects to learn from, alone and in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from vbench.core.boxes import Boxes, Image, Ints, is_present
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError


class Scene(NamedTuple):
    """A frame with its objects: boxes (n, 4) in px of the frame, labels and tracks (n,)."""

    frame: Image
    boxes: Boxes
    labels: Ints
    tracks: Ints


class ObjectFrames:
    """Clips with objects of at most `classes` classes.

    Raises:
        VBenchError: no clip has objects, or one has a class beyond the last.
    """

    def __init__(self, clips: Sequence[Clip], classes: int) -> None:
        self.clips = [clip for clip in clips if clip.objects is not None and len(clip)]
        if not self.clips:
            raise VBenchError("no clip of this suite has objects with classes to learn from")
        most = max(int(c.objects.labels.max(initial=-1)) for c in self.clips if c.objects) + 1
        if most > classes:
            raise VBenchError(
                f"this suite has {most} classes, the detector {classes}; "
                f"add classes={most} to its parameters"
            )

    def draw(self, rng: Generator) -> Scene:
        """Any frame, mirrored half of the time."""
        clip = self.clips[int(rng.integers(len(self.clips)))]
        found = scene_of(clip, int(rng.integers(len(clip))))
        return mirrored(found) if rng.integers(2) else found

    def draw_pair(self, rng: Generator, farthest: int) -> tuple[Scene, Scene]:
        """Two frames 1 ... `farthest` apart in either order, both or none of them mirrored."""
        clip = self.clips[int(rng.integers(len(self.clips)))]
        gap = min(int(rng.integers(1, farthest + 1)), len(clip) - 1)
        first = int(rng.integers(len(clip) - gap))
        ends = [scene_of(clip, first), scene_of(clip, first + gap)]
        if rng.integers(2):
            ends.reverse()
        if rng.integers(2):
            ends = [mirrored(end) for end in ends]
        return ends[0], ends[1]


def scene_of(clip: Clip, index: int) -> Scene:
    """A frame and those of its objects that count."""
    found = clip.objects
    assert found is not None  # noqa: S101  (only such clips are kept)
    rows = (found.frame == index) & ~found.ignore & is_present(found.boxes)
    rows &= (found.boxes[:, 2:] > 0).all(axis=1)
    return Scene(clip.frames[index], found.boxes[rows], found.labels[rows], found.tracks[rows])


def mirrored(scene: Scene) -> Scene:
    """Left and right exchanged."""
    boxes = scene.boxes.copy()
    boxes[:, 0] = scene.frame.shape[1] - boxes[:, 0] - boxes[:, 2]
    return scene._replace(frame=np.ascontiguousarray(scene.frame[:, ::-1]), boxes=boxes)
