"""The regression gate: a run against a committed reference, paired clip by clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vbench.core.boxes import Floats
from vbench.metrics.metric import METRICS
from vbench.metrics.regression import DropTest, drop_test
from vbench.report.tables import per_clip
from vbench.store.reference import Incomparable, Reference
from vbench.store.run_folder import RunFolder

# What is kept and compared, where a run has it: accuracy by a test, costs by a share.
ACCURACY = ("success_auc", "precision_20px", "map50")
COSTS = ("interval", "gmac_per_frame")
OK, REGRESSED, CHANGED, MISSING = "ok", "regressed", "changed", "missing"


@dataclass(frozen=True)
class Rule:
    """How much may change: accuracy in shares (0.005 = 0.5 points), costs and times relatively."""

    tolerance: float = 0.005
    confidence: float = 0.95
    cost_tolerance: float = 1e-3
    latency_tolerance: float = 0.1


@dataclass(frozen=True)
class Finding:
    """One method and metric: then, now, and the verdict with its reason."""

    method: str
    metric: str
    then: float
    now: float
    verdict: str
    why: str
    test: DropTest | None = None

    @property
    def fails(self) -> bool:
        """Whether the gate closes on it."""
        return self.verdict != OK


@dataclass(frozen=True)
class Verdict:
    """All findings of a check, and methods that only one side has."""

    suite: str
    clips: int
    rule: Rule
    findings: tuple[Finding, ...]
    new: tuple[str, ...]
    not_run: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing fails."""
        return not any(finding.fails for finding in self.findings)


def reference_of(folder: RunFolder) -> Reference:
    """Take the numbers of a run as a reference."""
    manifest = folder.read()
    table = per_clip(folder, manifest)
    clips = sorted(manifest.clips)
    methods = {}
    for name in manifest.methods:
        own = table[table["method"] == name].set_index("clip").reindex(clips)
        methods[name] = {
            metric: [None if pd.isna(v) else float(v) for v in own[metric]]
            for metric in (*ACCURACY, *COSTS)
            if metric in own and own[metric].notna().any()
        }
    return Reference(
        suite=manifest.suite,
        profile=manifest.profile,
        clips={clip: manifest.clips[clip] for clip in clips},
        methods=methods,
        seed=manifest.seed,
        git=manifest.git,
        packages=manifest.packages,
        machine=str(manifest.machine.get("name", "")),
    )


def compare(now: Reference, then: Reference, rule: Rule) -> Verdict:
    """Compare two results clip by clip.

    Raises:
        Incomparable: other suite, profile, clips or ground truth, or no method in common.
    """
    _comparable(now, then)
    shared = [name for name in then.methods if name in now.methods]
    clips = list(then.clips)
    findings = [f for name in shared for f in _method(name, now, then, clips, rule)]
    return Verdict(
        now.suite,
        len(clips),
        rule,
        tuple(findings),
        tuple(name for name in now.methods if name not in then.methods),
        tuple(name for name in then.methods if name not in now.methods),
    )


def with_latency(verdict: Verdict, ratios: Mapping[str, Floats]) -> Verdict:
    """Add a finding a method on its time now / then, from repeats run in turn (repeats,).

    It fails only if the time rose by more than the tolerance with the stated confidence.
    """
    rule, found = verdict.rule, list(verdict.findings)
    for method, values in ratios.items():
        # On a log scale faster and slower are symmetric; a rise is a drop of -log.
        test = drop_test(-np.log(values), float(np.log1p(rule.latency_tolerance)), rule.confidence)
        ratio = float(np.exp(-test.mean))
        least = float(np.exp(-test.most))
        sure = f"{rule.confidence:.0%} confidence over {test.clips} repeats"
        why = f"{ratio:.3f} times as long, at least {least:.3f} with {sure}"
        verdict_word = REGRESSED if test.regressed else OK
        found.append(Finding(method, "ms_p50", 1.0, ratio, verdict_word, why, test))
    return replace(verdict, findings=tuple(found))


def _comparable(now: Reference, then: Reference) -> None:
    for what in ("suite", "profile"):
        if getattr(now, what) != getattr(then, what):
            raise Incomparable(
                f"the run is of {what} {getattr(now, what)}, the reference of {getattr(then, what)}"
            )
    missing = [clip for clip in then.clips if clip not in now.clips]
    if missing:
        raise Incomparable(
            f"{len(missing)} of the reference's {len(then.clips)} clips are not in the run "
            f"({', '.join(missing[:3])}); run the whole suite"
        )
    other = [clip for clip, digest in then.clips.items() if now.clips[clip] != digest]
    if other:
        raise Incomparable(
            f"the ground truth of {len(other)} clips differs from the reference's "
            f"({', '.join(other[:3])}); make a new one with --update"
        )
    if not set(now.methods) & set(then.methods):
        raise Incomparable(
            f"no method in common: the reference has {', '.join(then.methods)}; run one of them"
        )


def _method(
    name: str, now: Reference, then: Reference, clips: Sequence[str], rule: Rule
) -> list[Finding]:
    found = []
    for metric, values in then.methods[name].items():
        before = _array(values)
        after = _column(now, name, metric, clips)
        lost = np.isnan(after) & ~np.isnan(before)
        if lost.any():
            why = f"no result on {int(lost.sum())} clips that had one ({clips[int(lost.argmax())]})"
            found.append(Finding(name, metric, _mean(before), _mean(after), MISSING, why))
        elif metric in COSTS:
            found.append(_cost(name, metric, before, after, rule))
        else:
            found.append(_accuracy(name, metric, before, after, rule))
    return found


def _accuracy(name: str, metric: str, before: Floats, after: Floats, rule: Rule) -> Finding:
    test = drop_test(after - before, rule.tolerance, rule.confidence)
    sure = f"{rule.confidence:.0%} confidence over {test.clips} clips"
    if test.regressed:
        verdict, why = REGRESSED, f"the drop exceeds {rule.tolerance * 100:g} points with {sure}"
    else:
        verdict, why = OK, f"no drop larger than {rule.tolerance * 100:g} points with {sure}"
    return Finding(name, metric, _mean(before), _mean(after), verdict, why, test)


def _cost(name: str, metric: str, before: Floats, after: Floats, rule: Rule) -> Finding:
    then, now = _mean(before), _mean(after)
    change = abs(now - then) / abs(then) if then else abs(now)
    if change <= rule.cost_tolerance or (np.isnan(then) and np.isnan(now)):
        return Finding(name, metric, then, now, OK, f"within {rule.cost_tolerance:.2%}")
    why = f"changed by {change:.2%}, allowed are {rule.cost_tolerance:.2%}; --update if meant"
    return Finding(name, metric, then, now, CHANGED, why)


def _column(reference: Reference, name: str, metric: str, clips: Sequence[str]) -> Floats:
    """Values of a metric in the order of `clips`, NaN where there are none."""
    values = reference.methods[name].get(metric)
    if values is None:
        return np.full(len(clips), np.nan)
    by_clip = dict(zip(reference.clips, values, strict=True))
    return _array([by_clip[clip] for clip in clips])


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def power(verdict: Verdict) -> str:
    """Say in sentences what the smallest visible drops mean."""
    sure = f"{verdict.rule.confidence:.0%}"
    said = (
        f"'sees drops from': the smallest true drop of the mean that is caught with {sure} "
        f"probability, at this spread of the differences over {verdict.clips} clips; what it is "
        "above the tolerance halves with four times as many clips."
    )
    tests = [f.test for f in verdict.findings if f.test is not None]
    if any(test.visible <= verdict.rule.tolerance for test in tests):
        said += (
            " Where it is the tolerance itself, the two runs do not differ and nothing is known of "
            "that spread: then it holds for a drop that is the same on every clip, and a drop on a "
            "few clips alone has to be larger."
        )
    return said


def shown(metric: str, value: float) -> str:
    """Write a value with one digit more than tables do: a gate sees small changes."""
    return "-" if np.isnan(value) else f"{value:.{METRICS[metric].decimals + 1}f}"
