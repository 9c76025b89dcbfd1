"""The score of one method on a suite: means, clips, curves, and what could not be scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints, is_present
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, VBenchError
from vbench.core.suite import Suite
from vbench.metrics.bootstrap import Difference, Interval, difference, intervals
from vbench.metrics.metric import OVERLAP_METRICS
from vbench.metrics.ope import (
    FrameValues,
    OpeScores,
    Truths,
    fitted,
    frame_values,
    score_ope,
)
from vbench.metrics.profiles import Rules, rules_of, without_flagged


@dataclass(frozen=True)
class Placed:
    """Boxes of a clip (m, 4) that begin with its frame `first`."""

    boxes: Boxes
    first: int = 0


@dataclass(frozen=True)
class Remark:
    """Something to know of one clip (or of all, where `clip` is empty)."""

    clip: str
    what: str


# What a clip has: boxes, or the reason why it has none.
Result: TypeAlias = Boxes | Placed | str
# A clip, its truth from the result's first frame on, and its result.
Pair: TypeAlias = tuple[Clip, Boxes, Boxes]
Status = Literal["ok", "partial", "failed"]


@dataclass(frozen=True)
class Scores:
    """What one method got: `clips` that were scored, of `total` in the complete suite.

    `problems` name clips that could not be scored, `notes` what is odd in some that were.
    """

    name: str
    suite: str
    rules: Rules
    clips: tuple[Clip, ...]
    scored: OpeScores
    total: int
    problems: tuple[Remark, ...] = ()
    notes: tuple[Remark, ...] = ()
    allow_partial: bool = False
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def coverage(self) -> str:
        """Clips scored / clips of the complete suite."""
        return f"{len(self.clips)}/{self.total}"

    @property
    def status(self) -> Status:
        """`ok` if every clip of the complete suite is in the means."""
        if not self.clips:
            return "failed"
        return "ok" if len(self.clips) == self.total else "partial"

    @property
    def meant(self) -> bool:
        """Tell whether means may be printed."""
        return self.status == "ok" or (self.status == "partial" and self.allow_partial)

    @cached_property
    def metrics(self) -> dict[str, float]:
        """Means by metric name; empty where they would be over an incomplete suite."""
        if not self.meant:
            return {}
        means = {name: self.scored.mean(name) for name in OVERLAP_METRICS}
        return {name: value for name, value in means.items() if not np.isnan(value)} | self.extra

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Bootstrap intervals of the means, over clips (seed 0)."""
        names = [name for name in self.metrics if name in OVERLAP_METRICS]
        found: dict[str, Interval] = {}
        for weights, group in self._by_weights(names):
            values = np.stack([self.scored.columns[name] for name in group], axis=1)
            found |= dict(zip(group, intervals(values, weights), strict=True))
        return {name: found[name] for name in names}

    def _by_weights(self, names: Sequence[str]) -> list[tuple[Floats, list[str]]]:
        if self.rules.average == "clips":
            groups = [list(names)]
        else:
            precise = [name for name in names if "precision" in name]
            groups = [[name for name in names if name not in precise], precise]
        return [(self.scored.weights(group[0]), group) for group in groups if group]

    def by_attribute(self) -> dict[str, tuple[str, dict[str, float]]]:
        """Coverage (clips that have it) and means of each attribute."""
        if not self.meant:
            return {}
        rows = {}
        for tag in sorted({tag for clip in self.clips for tag in clip.tags}):
            chosen: Ints = np.flatnonzero([tag in clip.tags for clip in self.clips])
            named = [name for name in self.metrics if name in OVERLAP_METRICS]
            means = {name: self.scored.mean(name, chosen) for name in named}
            rows[tag] = (f"{len(chosen)}/{len(self.clips)}", means)
        return rows

    def per_clip(self) -> dict[str, dict[str, float]]:
        """Metrics of each clip by its name."""
        return {
            clip.name: {name: float(self.scored.columns[name][i]) for name in OVERLAP_METRICS}
            for i, clip in enumerate(self.clips)
        }

    def as_json(self) -> dict[str, Any]:
        """One entry of `results` in the command line's JSON."""
        return {
            "name": self.name,
            "clips": self.coverage,
            "status": self.status,
            "metrics": self.metrics,
            "plus_minus": {name: found.half for name, found in self.intervals.items()},
            "problems": [vars(remark) for remark in self.problems],
            "notes": [vars(remark) for remark in self.notes],
        }


def differences(ours: Scores, theirs: Scores, seed: int = 0) -> dict[str, Difference]:
    """Paired differences ours - theirs by metric, over the clips that both have, equally weighted.

    Raises:
        VBenchError: they have no clip in common.
    """
    other = {clip.name: i for i, clip in enumerate(theirs.clips)}
    pairs = [(i, other[clip.name]) for i, clip in enumerate(ours.clips) if clip.name in other]
    if not pairs:
        raise VBenchError(f"'{ours.name}' and '{theirs.name}' have no clip in common")
    a, b = np.array(pairs).T
    found = {}
    for name in OVERLAP_METRICS:
        mine, yours = ours.scored.columns[name][a], theirs.scored.columns[name][b]
        if not np.isnan(mine - yours).all():
            found[name] = difference(mine, yours, seed)
    return found


class Scorer:
    """Scores any number of results on one suite; what depends on the truth is laid out once."""

    def __init__(self, suite: Suite, profile: str | Rules | None = None) -> None:
        self.suite = suite
        self.rules = (
            profile
            if isinstance(profile, Rules)
            else rules_of(profile or suite.card.profile, suite.name)
        )
        self.clips = [clip for clip in suite.clips if is_present(clip.truth).any()]
        without = {clip.name for clip in suite.clips} - {clip.name for clip in self.clips}
        self._problems = [Remark(*item) for item in suite.problems.items()]
        self._problems += [
            Remark(c, "the suite has no ground truth for it") for c in sorted(without)
        ]
        self.total = max(suite.card.clips, len(suite.clips))
        self._truth = {clip.name: self._seen(clip) for clip in self.clips}
        self._truths = Truths(list(self._truth.values()), [clip.known_size for clip in self.clips])

    def score(
        self,
        results: Mapping[str, Result],
        name: str = "",
        allow_partial: bool = False,
        notes: Sequence[Remark] = (),
        problems: Sequence[Remark] = (),
    ) -> Scores:
        """Score the boxes of each clip by its name; a clip without any is a problem.

        `notes` and `problems` that are known already stand behind those found here.
        """
        kept, missing = self.pairs(results)
        return Scores(
            name,
            self.suite.name,
            self.rules,
            tuple(clip for clip, _, _ in kept),
            score_ope(self._truths_of(kept), [result for _, _, result in kept], self.rules),
            self.total,
            (*missing, *problems),
            tuple(notes),
            allow_partial,
        )

    def frames(self, results: Mapping[str, Result]) -> tuple[list[Pair], FrameValues]:
        """Compare every frame of the clips that can be scored."""
        kept, _ = self.pairs(results)
        truths = self._truths_of(kept)
        return kept, frame_values(truths, [result for _, _, result in kept], self.rules)

    def pairs(self, results: Mapping[str, Result]) -> tuple[list[Pair], list[Remark]]:
        """Truth and result of each clip that can be scored, and why others cannot."""
        kept: list[Pair] = []
        problems = list(self._problems)
        for clip in self.clips:
            try:
                kept.append((clip, *self._paired(clip, results.get(clip.name, "no result"))))
            except ClipFailed as error:
                problems.append(Remark(clip.name, str(error)))
        return kept, problems

    def _seen(self, clip: Clip) -> Boxes:
        """Truth of a clip, without the frames that the rules take as flagged absent."""
        return without_flagged(clip.truth, clip.frame_tags, self.rules)

    def _paired(self, clip: Clip, found: Result) -> tuple[Boxes, Boxes]:
        """Truth and result of a clip, if the rules take them. Raises ClipFailed."""
        if isinstance(found, str):
            raise ClipFailed(found)
        placed = found if isinstance(found, Placed) else Placed(found)
        truth = self._truth[clip.name]
        if placed.first and self.rules.late == "placed":
            truth = truth[placed.first :]
        try:
            fitted(truth, placed.boxes, self.rules)
        except ClipFailed as error:
            raise ClipFailed(f"{error}, which profile {self.rules.name} refuses") from None
        return truth, placed.boxes

    def _truths_of(self, kept: Sequence[Pair]) -> Truths:
        whole = len(kept) == len(self.clips)
        if whole and all(truth is self._truth[clip.name] for clip, truth, _ in kept):
            return self._truths
        return Truths([truth for _, truth, _ in kept], [clip.known_size for clip, _, _ in kept])


def score(
    suite: Suite,
    results: Mapping[str, Result],
    profile: str | Rules | None = None,
    name: str = "",
    allow_partial: bool = False,
) -> Scores:
    """Score one method's boxes, by clip name, on a suite.

    A value may be boxes (n, 4), `Placed` boxes that begin later, or the reason why there are none.
    Means exist only where the whole suite was scored, or with `allow_partial`.

    Raises:
        UnknownName: there is no such profile.
    """
    return Scorer(suite, profile).score(results, name, allow_partial)
