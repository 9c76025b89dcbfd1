"""Policies: which frames are keyframes, and whether a propagated answer is believed.

A policy has no state; the loop keeps the gap and hands over a `Moment`. k is the keyframe
interval: the distance between two keyframes, the largest one where a policy may key earlier.
(PatchNet's code counts the inter-frames between two keyframes, which is k - 1.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from vbench.core.boxes import Floats, Image, Ints, iou_matrix
from vbench.core.dort import Dort
from vbench.core.errors import BadMethod, UnknownName, VBenchError
from vbench.core.moment import Limited, Moment


class Policy(Protocol):
    """Decides before a frame whether it is due as a keyframe, after it whether to believe."""

    form: ClassVar[str]
    summary: ClassVar[str]

    @property
    def interval_max(self) -> int | None:
        """The largest distance between two keyframes, None if there is no bound."""
        ...

    def due(self, moment: Moment) -> bool:
        """Is this frame a keyframe? The cheap half has not run yet."""
        ...

    def believes(self, moment: Moment) -> bool:
        """Is the cheap half's answer good enough? If not, the base model runs as well."""
        ...

    def rescored(self, scores: Floats, gap: int) -> Floats:
        """Scores (n,) of carried objects, `gap` frames after their keyframe."""
        ...

    def order(self, frames: int) -> Ints:
        """Indices of a clip's frames in the order in which they are answered."""
        ...


@dataclass(frozen=True)
class Every(Limited):
    """The base model on every frame."""

    form: ClassVar[str] = "every"
    summary: ClassVar[str] = "every frame is a keyframe"

    @property
    def interval_max(self) -> int:
        """Always 1."""
        return 1


@dataclass(frozen=True)
class Fixed(Limited):
    """Keyframes at 0, k, 2k, ... (Zhu et al., Deep Feature Flow, CVPR 2017)."""

    form: ClassVar[str] = "fixed:k"
    summary: ClassVar[str] = "every k-th frame is a keyframe"
    k: int


@dataclass(frozen=True)
class FixedMiddle(Fixed):
    """Keyframes in the middle of every segment of k frames, answered before the frames around.

    It looks ahead, so it is for detectors with a cheap half of their own, whose inter-frames do not
    follow on each other (LSTS's released configuration, jiangzhengkai/LSTS: key = 4 + 10 i).
    """

    form: ClassVar[str] = "fixed_middle:k"
    summary: ClassVar[str] = "the middle of every k frames is the keyframe; looks ahead"
    looks_ahead: ClassVar[bool] = True

    def order(self, frames: int) -> Ints:
        """Each segment's keyframe first, then the rest of the segment."""
        visits: list[int] = []
        for start in range(0, frames, self.k):
            end = min(start + self.k, frames)
            key = min(start + (self.k - 1) // 2, end - 1)
            visits += [key, *(i for i in range(start, end) if i != key)]
        return np.array(visits, dtype=np.int64)


@dataclass(frozen=True)
class Online(Limited):
    """Key after k frames at the latest, earlier when the belief in any object is below c.

    PatchNet section 4: a frame that is not believed is answered by the base model as well.
    """

    form: ClassVar[str] = "online:c:k"
    summary: ClassVar[str] = "at most k apart; a belief below c makes a keyframe at once"
    c: float
    k: int

    def believes(self, moment: Moment) -> bool:
        """Every object's belief is at least c (an unknown one counts as believed)."""
        return not bool((moment.belief < self.c).any())


@dataclass(frozen=True)
class Decay(Limited):
    """As `fixed:k`, and a carried object's score shrinks by gamma a frame."""

    form: ClassVar[str] = "decay:k:gamma"
    summary: ClassVar[str] = "every k-th frame; carried scores shrink by gamma a frame"
    k: int
    gamma: float

    def rescored(self, scores: Floats, gap: int) -> Floats:
        """Return score * gamma^gap."""
        return scores * self.gamma**gap


@dataclass(frozen=True)
class Adaptive(Limited):
    """Key when a cheap cue says that the scene changed, after k frames at the latest.

    `diff`: mean absolute difference of 64 x 64 grey thumbnails to the keyframe, in [0, 1].
    `move`: largest centre displacement of a box since the keyframe, in its own size.
    `drop`: largest 1 - belief.
    """

    form: ClassVar[str] = "adaptive:cue:threshold:k"
    summary: ClassVar[str] = "key when diff, move or drop exceeds the threshold, at most k apart"
    cue: str
    threshold: float
    k: int

    def due(self, moment: Moment) -> bool:
        """After k frames, or when the frame itself differs from the keyframe by the threshold."""
        if moment.gap >= self.k:
            return True
        return self.cue == "diff" and _difference(moment) > self.threshold

    def believes(self, moment: Moment) -> bool:
        """The boxes moved, or the belief dropped, by no more than the threshold."""
        if self.cue == "move":
            return not bool((_displacement(moment) > self.threshold).any())
        if self.cue == "drop":
            return not bool((1 - moment.belief > self.threshold).any())
        return True


@dataclass(frozen=True)
class Oracle(Limited):
    """Believe a frame only where every object of the ground truth is met with IoU >= tau.

    An upper bound for evaluation: it looks at the ground truth.
    """

    form: ClassVar[str] = "oracle:tau[:k]"
    summary: ClassVar[str] = "upper bound: a keyframe exactly where IoU with the truth < tau"
    tau: float
    k: int | None = None

    def believes(self, moment: Moment) -> bool:
        """Each present object of the truth has a box with IoU of at least tau."""
        truth = moment.truth[np.isfinite(moment.truth).all(axis=1)]
        if len(truth) == 0:
            return True
        if len(moment.boxes) == 0:
            return False
        return bool((iou_matrix(truth, moment.boxes).max(axis=1) >= self.tau).all())


class Spend(NamedTuple):
    """What a frame may cost: billions of MACs, or milliseconds."""

    amount: float
    unit: Literal["GMAC", "ms"] = "GMAC"

    def __str__(self) -> str:
        return f"{self.amount:.15g}{'ms' if self.unit == 'ms' else ''}"


@dataclass(frozen=True)
class Budget(Limited):
    """As `online:c:k` with the highest c that spends no more than `most` a frame.

    c depends on the clips: a run finds it before it starts and keeps it with the method.
    """

    form: ClassVar[str] = "budget:most[:k]"
    summary: ClassVar[str] = "online:c:k, the highest c for at most 0.5 GMAC (0.5) or 12 ms (12ms)"
    most: Spend
    k: int | None = None

    @property
    def limit(self) -> int:
        """The largest distance between two keyframes, 10 where nothing is said."""
        return self.k or 10

    @property
    def interval_max(self) -> int:
        """The same."""
        return self.limit

    def believes(self, moment: Moment) -> bool:
        """A budget says nothing of a single frame."""
        raise VBenchError(f"'{self}' stands for online:c:k, whose c a run over clips finds")


POLICIES: Mapping[str, type[Policy]] = {
    "every": Every,
    "fixed": Fixed,
    "fixed_middle": FixedMiddle,
    "online": Online,
    "decay": Decay,
    "adaptive": Adaptive,
    "oracle": Oracle,
    "budget": Budget,
    "dort": Dort,
}
CUES = ("diff", "move", "drop")


def parse_policy(text: str, method: str = "", at: int = 0) -> Policy:
    """Parse `name:value:...`; errors point into `method`, where the policy starts at `at`."""
    name, *values = text.split(":")
    shown = method or text
    if name not in POLICIES:
        raise UnknownName("policy", name, POLICIES, f"in '{shown}'; `vbench list policies`")
    kind = POLICIES[name]
    try:
        return kind(*_values(kind, values))
    except (ValueError, TypeError) as error:
        why = f"policy '{name}' is written {kind.form}: {error}"
        raise BadMethod(shown, at, len(text), why) from None


def _values(kind: type[Policy], texts: Sequence[str]) -> list[object]:
    wanted = fields(kind)  # type: ignore[arg-type]
    least = sum(1 for f in wanted if f.default is not None)
    if not least <= len(texts) <= len(wanted):
        raise ValueError(f"{len(texts)} value{'s' * (len(texts) != 1)} given")
    return [CHECKS[f.name](text) for f, text in zip(wanted, texts, strict=False)]


def _interval(text: str) -> int:
    k = int(text) if text.isdecimal() else 0
    if k < 1:
        raise ValueError(f"k = '{text}' must be a whole number from 1")
    return k


def _share(name: str) -> Callable[[str], float]:
    def check(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not 0 <= value <= 1:
            raise ValueError(f"{name} = '{text}' must be a number in [0, 1]")
        return value

    return check


def _positive(name: str) -> Callable[[str], float]:
    def check(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} = '{text}' must be a number from 0")
        return value

    return check


def _spend(text: str) -> Spend:
    if text.endswith("ms"):
        return Spend(_positive("most in ms")(text.removesuffix("ms")), "ms")
    return Spend(_positive("most in GMAC, or with ms behind it,")(text))


def _cue(text: str) -> str:
    if text not in CUES:
        raise ValueError(f"cue = '{text}' must be one of {', '.join(CUES)}")
    return text


CHECKS: Mapping[str, Callable[[str], object]] = {
    "k": _interval,
    "c": _share("c"),
    "gamma": _share("gamma"),
    "tau": _share("tau"),
    "threshold": _positive("threshold"),
    "most": _spend,
    "cue": _cue,
    "scheduler": str,
}


def _difference(moment: Moment) -> float:
    return float(np.abs(_thumbnail(moment.frame) - _thumbnail(moment.key_frame)).mean())


def _thumbnail(frame: Image) -> Floats:
    """Grey values in [0, 1] at the centres of a 64 x 64 grid: sampled, so nearly free."""
    rows = (np.arange(64) + 0.5) * frame.shape[0] / 64
    columns = (np.arange(64) + 0.5) * frame.shape[1] / 64
    picked = frame[rows.astype(int)[:, None], columns.astype(int)[None, :]]
    grey: Floats = picked.astype(np.float64).mean(axis=2) / 255
    return grey


def _displacement(moment: Moment) -> Floats:
    if len(moment.boxes) != len(moment.key_boxes):
        return np.zeros(0)
    size = np.maximum(moment.key_boxes[:, 2:], 1.0)
    move = (moment.boxes[:, :2] + moment.boxes[:, 2:] / 2) - (
        moment.key_boxes[:, :2] + moment.key_boxes[:, 2:] / 2
    )
    distance: Floats = np.abs(move / size).max(axis=1)
    return distance
