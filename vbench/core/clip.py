"""A clip: one video sequence of a suite, its frames decoded on demand, its ground truth."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, Ints, absent
from vbench.core.frames import Frames

# The frame tag of frames on which a clip of one object begins anew from its ground truth.
RESTART = "restart"


@dataclass(frozen=True)
class Objects:
    """Ground truth of a clip with many objects: m rows over all frames, ordered by frame.

    frame (m,) 0-based; boxes (m, 4); labels (m,) 0-based class index; tracks (m,) identity, -1 if
    unknown; ignore (m,) objects that count neither for nor against a detector. motion (m,) is the
    mean IoU of an object with itself in the frames around, where the suite publishes it.
    """

    frame: Ints
    boxes: Boxes
    labels: Ints
    tracks: Ints
    ignore: Bools
    motion: Floats | None = None


@dataclass(frozen=True)
class Clip:
    """One video sequence.

    `truth` is (n, 4) for a single-object clip, NaN rows where the target is absent, and (0, 4)
    where there is no ground truth or the clip has many `objects`. `regions` (n, 8) keeps polygons
    where the suite has them. `tags` are attributes of the clip, `frame_tags` of single frames (n,),
    `frame_values` numbers of single frames (VOT's practical difference).
    """

    name: str
    frames: Frames
    truth: Boxes = field(default_factory=lambda: absent(0))
    objects: Objects | None = None
    regions: Floats | None = None
    fps: float | None = None
    tags: tuple[str, ...] = ()
    frame_tags: dict[str, Bools] = field(default_factory=dict)
    known_size: tuple[int, int] | None = None
    frame_values: dict[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Frame size (w, h) in px; decodes the first frame where the suite does not know it."""
        if self.known_size is not None:
            return self.known_size
        height, width = self.frames[0].shape[:2]
        return int(width), int(height)

    def digest(self) -> str:
        """sha256 of the name, the length and the ground truth."""
        state = hashlib.sha256(f"{self.name}\0{len(self)}\0".encode())
        state.update(np.ascontiguousarray(self.truth, dtype="<f8").tobytes())
        if self.regions is not None:
            state.update(np.ascontiguousarray(self.regions, dtype="<f8").tobytes())
        if self.objects is not None:
            objects = self.objects
            for column in (objects.frame, objects.boxes, objects.labels, objects.tracks):
                state.update(np.ascontiguousarray(column, dtype="<f8").tobytes())
        return state.hexdigest()
