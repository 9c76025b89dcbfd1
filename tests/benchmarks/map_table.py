"""mAP of detectors on clips, and how far one is above another on the same clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vbench.core.clip import Clip, Objects
from vbench.core.roles import Detections
from vbench.metrics.bootstrap import Difference, Interval
from vbench.metrics.vid_bootstrap import map_difference, map_interval
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_profiles import vid_rules_of

RULES = vid_rules_of("vid-fgfa")
DRAWS = 2000

# What a detector answered on every frame of a clip.
Run = Sequence[Detections]


def truths_of(clips: Sequence[Clip], frames: Sequence[int]) -> VidTruths:
    """Objects of the first so many frames of each clip."""
    objects = []
    for clip, count in zip(clips, frames, strict=True):
        found = clip.objects
        assert found is not None
        rows = found.frame < count
        objects.append(
            Objects(
                found.frame[rows],
                found.boxes[rows],
                found.labels[rows],
                found.tracks[rows],
                found.ignore[rows],
            )
        )
    return VidTruths.of(objects, frames)


def answers_of(runs: Sequence[Run]) -> VidAnswers:
    """Answers of clips end to end."""
    found = [frame for run in runs for frame in run]
    boxes = np.concatenate([np.zeros((0, 4)), *(frame.boxes for frame in found)])
    return VidAnswers(
        np.repeat(np.arange(len(found)), [len(frame.boxes) for frame in found]),
        np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).T,
        np.concatenate([np.zeros(0, np.int64), *(frame.labels for frame in found)]),
        np.concatenate([np.zeros(0), *(frame.scores for frame in found)]),
    )


class Table:
    """Answers of several detectors on the same clips."""

    def __init__(self, truths: VidTruths) -> None:
        self.truths = truths
        self.answers: dict[str, VidAnswers] = {}

    def add(self, name: str, runs: Sequence[Run]) -> Interval:
        """Keep what a detector answered; its mAP."""
        self.answers[name] = answers_of(runs)
        return self.interval(name)

    def interval(self, name: str) -> Interval:
        """Its mAP with the interval over clips."""
        return map_interval(self.truths, self.answers[name], RULES, draws=DRAWS)

    def above(self, name: str, other: str) -> Difference:
        """How far one is above another, on the same drawn clips."""
        pair = self.answers[name], self.answers[other]
        return map_difference(self.truths, *pair, RULES, draws=DRAWS)


def spelled(interval: Interval, signed: bool = False) -> str:
    """`0.412 [0.380, 0.444]`, with signs where it is a difference."""
    form = "+.3f" if signed else ".3f"
    return f"{interval.mean:{form}} [{interval.lo:{form}}, {interval.hi:{form}}]"


def sign(gap: Difference) -> str:
    """What the interval says of a difference's sign."""
    if gap.clear:
        return "above" if gap.interval.lo > 0 else "below"
    return "not told"
