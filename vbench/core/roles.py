"""What a tracker, propagator, detector, video detector and post-processing must offer.

These are protocols: nothing has to inherit from them. A constructor may take any of the keywords
`weights` (a `Weights` or None for random ones), `device` ("cpu", "cuda", ...) and `seed` (int); it
gets those that it names, plus the parameters of the method string (`siamfc[scales=1]`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from vbench.core.boxes import Bools, Box, Boxes, Floats, Image, Ints


class Estimate(NamedTuple):
    """A tracker's answer: a box, how sure it is (NaN if it cannot tell), and numbers to record.

    `extras` become columns of the trace. Where `work()` has a part under the name of an extra, that
    part is charged as often as the extra says (MDNet: `update_iterations`).
    """

    box: Box
    score: float = float("nan")
    extras: Mapping[str, float] = {}


class Detections(NamedTuple):
    """Objects of one frame: boxes (n, 4), scores (n,), labels (n,) int, 0-based class index."""

    boxes: Boxes
    scores: Floats
    labels: Ints


class Propagated(NamedTuple):
    """A propagator's answer: boxes (n, 4) and belief (n,) in [0, 1]; NaN belief means unknown."""

    boxes: Boxes
    belief: Floats


@dataclass(frozen=True)
class Weights:
    """Files with trained parameters, by the file names of the registry, and their digest."""

    name: str
    files: Mapping[str, Path]
    sha256: str


@dataclass(frozen=True)
class Work:
    """What one call of a model executes, so that its multiply-accumulates can be counted.

    Give either `module` with example `inputs` (a torch module or a callable of tensors, counted by
    tracing), or `onnx` (a model file), or `macs` by a formula. `times` is how often one call runs
    it (three scales: 3). `uncounted` names what the number leaves out.
    """

    name: str
    module: Any = None
    inputs: Sequence[Any] = ()
    onnx: Path | None = None
    macs: float | None = None
    times: float = 1.0
    per_object: bool = False
    uncounted: Sequence[str] = field(default=())


# Calls that `work()` may describe. Trackers: start, track. Propagators: anchor, propagate.
# Detectors: detect. Video detectors: key, inter. Any other key is charged by the extra it names.
WorkTable = Mapping[str, Sequence[Work]]


@runtime_checkable
class Tracker(Protocol):
    """A full model for one target."""

    def start(self, frame: Image, box: Box) -> None:
        """Learn the target inside `box` of the first frame; forget every earlier one."""
        ...

    def track(self, frame: Image) -> Estimate:
        """Find the target in the next frame."""
        ...


@runtime_checkable
class Reseatable(Protocol):
    """A tracker that can be told where the target went on frames it did not see."""

    def reseat(self, box: Box) -> Box | None:
        """Move the search to `box`; the appearance model stays as it is.

        Returns the box that the tracker now searches around when it differs from `box`
        (a damped scale, say); the propagator takes it as its prior.
        """
        ...


@runtime_checkable
class Propagator(Protocol):
    """The cheap half: carries n boxes from the last keyframe to this frame."""

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of this keyframe as what is carried from now on."""
        ...

    def propagate(self, frame: Image) -> Propagated:
        """Carry the anchored boxes to this frame, in the same order, n of them."""
        ...


@runtime_checkable
class Joining(Protocol):
    """A propagator that carries the objects of several keyframes in one call.

    Its objects do not influence each other: each goes where it would go if it were alone.
    """

    @property
    def joins(self) -> bool:
        """Whether that is so with its parameters."""
        ...

    def join(self, frame: Image, boxes: Boxes) -> None:
        """Carry `boxes` (n, 4) of the frame it saw last as well, after what it carries already."""
        ...

    def keep(self, kept: Bools) -> None:
        """Carry on with these of its objects (n,) alone, in their order."""
        ...


@runtime_checkable
class Blind(Protocol):
    """A propagator that never looks at the pixels of a frame, only at its size."""

    @property
    def blind(self) -> bool:
        """Whether that is so with its parameters."""
        ...


@runtime_checkable
class Seated(Protocol):
    """A propagator that can be told where to search next (the base model's own state)."""

    def seat(self, boxes: Boxes) -> None:
        """Search around `boxes` (n, 4) in the next frame instead of around the last answer."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """A propagator that can work on what the base model computes anyway."""

    def share(self, base: object) -> None:
        """Use the features of `base` from now on, if they are of a kind that this one reads."""
        ...


@runtime_checkable
class Detector(Protocol):
    """A full model for all objects of a frame."""

    def detect(self, frame: Image) -> Detections:
        """Find the objects of `frame`."""
        ...


@runtime_checkable
class VideoDetector(Protocol):
    """A detector with its own cheap half inside, or its own memory."""

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip of frames of `size` (w, h); forget the last one."""
        ...

    def key(self, frame: Image) -> Detections:
        """Answer a keyframe with the whole model."""
        ...

    def inter(self, frame: Image) -> Detections:
        """Answer a frame between keyframes with the cheap half."""
        ...


@runtime_checkable
class Post(Protocol):
    """Post-processing of a whole clip."""

    def apply(self, clip: Sequence[Detections]) -> list[Detections]:
        """Return the per-frame detections of a clip after processing, same length."""
        ...


@runtime_checkable
class TrackPost(Protocol):
    """Post-processing that also wants to know where the objects of each frame went."""

    def apply_tracked(
        self, clip: Sequence[Detections], predicted: Sequence[Boxes]
    ) -> list[Detections]:
        """Return the detections after processing, same length.

        `predicted[t]` (n, 4) are the n objects of frame t in frame t + 1, NaN where unknown.
        """
        ...


@runtime_checkable
class Predicting(Protocol):
    """A model that tells where the objects of its last answer but one are in the last frame."""

    predicted: Boxes


@runtime_checkable
class Spending(Protocol):
    """A video detector that tells how often its last call ran the parts that `work()` names.

    `spent` becomes columns of the trace, as the extras of an `Estimate` do.
    """

    spent: Mapping[str, float]


@runtime_checkable
class Placed(Protocol):
    """A model that answers from a record, and so must know where it is."""

    def enter(self, clip: str, frames: int) -> None:
        """Begin the clip of this name, of so many frames. Raises ClipFailed if it has no record."""
        ...

    def at(self, index: int) -> None:
        """The next call is about the frame of this index."""
        ...


@runtime_checkable
class Recorded(Protocol):
    """A model that answers from files: its seconds are stated, its content is theirs."""

    @property
    def stated_seconds(self) -> float:
        """Seconds of one call as somebody stated them, NaN if nobody did."""
        ...

    def digest(self) -> str:
        """sha256 of the files."""
        ...

    def strangers(self, clips: Sequence[str]) -> list[str]:
        """Names of files that are of none of these clips."""
        ...


@runtime_checkable
class Worker(Protocol):
    """A model that says what its calls execute."""

    def work(self) -> WorkTable:
        """Return the work of each call by name; see `Work`."""
        ...
