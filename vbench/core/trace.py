"""The per-frame record of one method on one clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Boxes, Floats, Ints

# Column of the seconds of post-processing of a whole clip, spread evenly over its frames; they are
# part of `seconds`.
POST_SECONDS = "post_seconds"


class Kind(IntEnum):
    """What happened in a step. FALLBACK: propagated, not believed, so the base model ran too.

    SKIPPED: nothing ran, as after a failure in a protocol with restarts; the box is NaN.
    """

    START = 0
    KEY = 1
    INTER = 2
    FALLBACK = 3
    SKIPPED = 4


@dataclass(frozen=True)
class Trace:
    """One method's record of a clip of n frames with m answered objects in all.

    kind (n,) int8; objects (n,) answered a frame, carried (n,) by the cheap half; belief (n,) the
    least of the frame (NaN: none); seconds (n,) of the whole step, cheap_seconds (n,) of its cheap
    half, decode_seconds (n,). boxes (m, 4), scores (m,), labels (m,) follow frame by frame; for a
    single target m = n and labels are -1. extras are numbers a model reports, each (n,).
    """

    kind: NDArray[np.int8]
    objects: Ints
    carried: Ints
    belief: Floats
    seconds: Floats
    cheap_seconds: Floats
    decode_seconds: Floats
    boxes: Boxes
    scores: Floats
    labels: Ints
    extras: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def post_seconds(self) -> Floats:
        """Share (n,) of each frame in post-processing the clip; 0 without any."""
        found = self.extras.get(POST_SECONDS)
        return np.zeros(len(self)) if found is None else found

    @property
    def key_frames(self) -> Ints:
        """Frames on which the base model ran, the first one included."""
        return np.flatnonzero((self.kind != Kind.INTER) & (self.kind != Kind.SKIPPED))

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """Frames that a method answered after a start (n,): what costs and times are about."""
        return np.asarray((self.kind != Kind.START) & (self.kind != Kind.SKIPPED))

    @property
    def begin(self) -> int:
        """First frame that was not skipped: results of other toolkits may begin late."""
        ran = np.flatnonzero(self.kind != Kind.SKIPPED)
        return int(ran[0]) if len(ran) else len(self)

    @property
    def interval(self) -> float:
        """Realised keyframe interval: (n - 1) / keyframes without the first; NaN without any.

        PatchNet's statistic (RalphMao/PatchNet siamfc/siamfc.py:434-457).
        """
        keys = len(self.key_frames) - 1
        ran = int((self.kind != Kind.SKIPPED).sum())
        return (ran - 1) / keys if keys > 0 else float("nan")

    def frame_slices(self) -> list[slice]:
        """Rows of `boxes` that belong to each frame."""
        ends = np.cumsum(self.objects)
        return [
            slice(int(end - count), int(end)) for end, count in zip(ends, self.objects, strict=True)
        ]
