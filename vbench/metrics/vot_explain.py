"""Why the same VOT files score differently elsewhere: one rule at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Protocol, Self

import numpy as np

from vbench.core.boxes import Bools, Floats
from vbench.core.vot_run import VotRun
from vbench.metrics.vot import counted, score_vot
from vbench.metrics.vot_curve import cut
from vbench.metrics.vot_frames import VotTruth, lay_out
from vbench.metrics.vot_overlap import counted_overlaps, score_unsupervised
from vbench.metrics.vot_profiles import (
    VOT_PROFILES,
    VOT_RULES,
    VOT_VALUES,
    VotRules,
    differing_vot,
    vot_rules,
)

SHOWN = ("accuracy", "robustness", "failures_per_clip", "eao")


@dataclass(frozen=True)
class VotCause:
    """What one rule changes, on the way from the first profile to another one.

    `frames` whose part in a mean changes: all that count, where they are only weighed otherwise.
    """

    rule: str
    what: str
    before: str
    after: str
    frames: int
    changes: dict[str, float]


@dataclass(frozen=True)
class VotExplanation:
    """One profile's numbers on the same files, and the rules behind the difference.

    The rules are changed one after the other, so that their changes add up to the difference.
    `clips` is how many could be scored.
    """

    profile: str
    source: str
    clips: int
    means: dict[str, float]
    causes: tuple[VotCause, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


class _Numbers(Protocol):
    """Files under some rules."""

    rules: VotRules
    clips: int
    means: dict[str, float]

    def touched(self, rule: str, there: Self) -> int:
        """Frames whose part in a mean is another one there, where `rule` was changed."""
        ...


class _Scored:
    """Runs under some rules: means, the frames that count, and the pieces between failures."""

    def __init__(self, files: _Files, rules: VotRules) -> None:
        self.rules = rules
        score = score_vot(files.truth, files.runs, rules, files.interval, suite=files.suite)
        self.clips = len(score.clips)
        self.means = {name: float(getattr(score, name)) for name in SHOWN}
        chosen = {name: counted(group, rules) for name, group in files.runs.items() if group}
        rounds = range(max(len(group) for group in chosen.values()))
        self.rounds = [lay_out(files.truth, chosen, number, rules) for number in rounds]
        self.frames = sum(int(np.isfinite(one.counted).sum()) for one in self.rounds)
        self.pieces = {
            (number, place.start + piece.first, place.start + piece.last, piece.lost)
            for number, one in enumerate(self.rounds)
            for place in map(files.truth.slice_of, np.flatnonzero(one.present).tolist())
            for piece in cut(one.codes[place], one.whole[place], rules.fragments)
        }

    def touched(self, rule: str, there: Self) -> int:
        """Pieces of a run count with all of their frames."""
        if rule == "per_clip":
            return 0
        if rule in ("accuracy", "first_length"):
            return there.frames
        if rule == "fragments":
            gone, new = self.pieces - there.pieces, there.pieces - self.pieces
            return max(_frames_of(new), _frames_of(gone))
        total = abs(self.frames - there.frames) if len(self.rounds) != len(there.rounds) else 0
        for ours, theirs in zip(self.rounds, there.rounds, strict=False):
            total += int(
                (_differ(ours.overlap, theirs.overlap) | _differ(ours.whole, theirs.whole)).sum()
            )
        return total


class _ScoredWhole:
    """Runs without restarts under some rules: their average overlap, and what each frame counts."""

    def __init__(self, files: _Files, rules: VotRules) -> None:
        self.rules = rules
        score = score_unsupervised(files.truth, files.runs, rules)
        self.clips = len(score.clips)
        self.means = {"ao": score.average}
        _, self.counted = counted_overlaps(files.truth, files.runs, rules)

    def touched(self, rule: str, there: Self) -> int:
        """Frames that count otherwise, or no more."""
        return int(_differ(self.counted, there.counted).sum())


@dataclass(frozen=True)
class _Files:
    truth: VotTruth
    runs: Mapping[str, Sequence[VotRun]]
    suite: str
    interval: tuple[int, int] | None


def explain_vot(
    truth: VotTruth,
    runs: Mapping[str, Sequence[VotRun]],
    suite: str,
    interval: tuple[int, int] | None = None,
    restarts: bool = True,
) -> list[VotExplanation]:
    """Score the same runs under every VOT profile, and name what makes each differ from pysot.

    `interval` of lengths is the suite's if not given. Runs without `restarts` have one number, the
    average overlap `ao`.
    """
    files = _Files(truth, runs, suite, interval)
    scored = partial(_Scored if restarts else _ScoredWhole, files)
    first = scored(vot_rules("vot-pysot", suite))
    return [_explained(scored, first, vot_rules(name, suite)) for name in VOT_PROFILES]


def _explained(
    scored: Callable[[VotRules], _Numbers], first: _Numbers, rules: VotRules
) -> VotExplanation:
    at, causes = first, []
    for name in differing_vot(first.rules, rules):
        there = scored(replace(at.rules, **{name: getattr(rules, name)}))
        cause = _cause(name, at, there)
        if (
            cause.frames
            or any(cause.changes.values())
            or (name == "per_clip" and "robustness" in at.means)
        ):
            causes.append(cause)
        at = there
    return VotExplanation(rules.title, rules.source, at.clips, at.means, tuple(causes))


def _cause(rule: str, at: _Numbers, there: _Numbers) -> VotCause:
    before, after = (_word(rule, getattr(one.rules, rule)) for one in (at, there))
    changes = {key: there.means[key] - at.means[key] for key in at.means}
    return VotCause(rule, VOT_RULES[rule], before, after, at.touched(rule, there), changes)


def _differ(ours: Floats, theirs: Floats) -> Bools:
    return ~np.isclose(ours, theirs, rtol=0, atol=1e-12, equal_nan=True)


def _frames_of(pieces: set[tuple[int, int, int, bool]]) -> int:
    return sum(last - first for _, first, last, _ in pieces)


def _word(rule: str, value: object) -> str:
    return VOT_VALUES.get(rule, {}).get(value, str(value))
