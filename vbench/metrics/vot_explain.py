"""Why the same VOT files score differently elsewhere: one rule at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from vbench.core.vot_run import VotRun
from vbench.metrics.vot import VotScore, score_vot
from vbench.metrics.vot_frames import VotTruth
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
    """What one rule changes, on the way from the first profile to another one."""

    rule: str
    what: str
    before: str
    after: str
    changes: dict[str, float]


@dataclass(frozen=True)
class VotExplanation:
    """One profile's numbers on the same files, and the rules behind the difference.

    The rules are changed one after the other, so that their changes add up to the difference.
    """

    profile: str
    source: str
    means: dict[str, float]
    causes: tuple[VotCause, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def explain_vot(
    truth: VotTruth, runs: Mapping[str, Sequence[VotRun]], suite: str
) -> list[VotExplanation]:
    """Score the same runs under every VOT profile, and name what makes each differ from pysot."""
    first = vot_rules("vot-pysot", suite)
    return [_explained(truth, runs, suite, first, vot_rules(name, suite)) for name in VOT_PROFILES]


def _explained(
    truth: VotTruth,
    runs: Mapping[str, Sequence[VotRun]],
    suite: str,
    first: VotRules,
    rules: VotRules,
) -> VotExplanation:
    now, before = first, _means(score_vot(truth, runs, first, suite=suite))
    causes = []
    for name in differing_vot(first, rules):
        old, new = getattr(now, name), getattr(rules, name)
        now = replace(now, **{name: new})
        after = _means(score_vot(truth, runs, now, suite=suite))
        changes = {key: after[key] - before[key] for key in SHOWN}
        causes.append(VotCause(name, VOT_RULES[name], _word(name, old), _word(name, new), changes))
        before = after
    return VotExplanation(rules.title, rules.source, before, tuple(causes))


def _word(rule: str, value: object) -> str:
    return VOT_VALUES.get(rule, {}).get(value, str(value))


def _means(score: VotScore) -> dict[str, float]:
    return {name: float(getattr(score, name)) for name in SHOWN}
