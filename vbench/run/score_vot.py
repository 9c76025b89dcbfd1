"""From folders of VOT result files to scores: find trackers, read, score, name what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vbench.core.errors import NotReady, VBenchError
from vbench.core.suite import Suite
from vbench.metrics.bootstrap import Difference, Interval
from vbench.metrics.vot import VotScore, score_vot
from vbench.metrics.vot_explain import VotExplanation, explain_vot
from vbench.metrics.vot_frames import VotTruth
from vbench.metrics.vot_intervals import (
    overlap_difference,
    overlap_interval,
    vot_differences,
    vot_intervals,
)
from vbench.metrics.vot_overlap import OverlapScore, score_unsupervised
from vbench.metrics.vot_profiles import VotRules, vot_rules
from vbench.store.raw_vot import VotRuns, read_vot, result_files
from vbench.store.raw_zip import unpacked

EXPERIMENTS = ("baseline", "supervised", "realtime", "unsupervised")
METRICS = ("eao", "accuracy", "robustness", "failures_per_clip", "lost")
COLUMNS = (*METRICS, "ao")
PROTOCOL = "vot-supervised"
Status = Literal["ok", "partial", "failed"]


@dataclass(frozen=True)
class VotResult:
    """What one tracker got; means only where the whole suite was scored, or as asked.

    `overlap` is there for the unsupervised experiment, which is scored by its average alone.
    `notes` are on files that were not read.
    """

    name: str
    score: VotScore | None
    total: int
    problems: dict[str, str]
    allow_partial: bool = False
    overlap: OverlapScore | None = None
    notes: tuple[str, ...] = ()

    @property
    def coverage(self) -> str:
        """Clips scored / clips of the complete suite."""
        return f"{len(self.score.clips) if self.score else 0}/{self.total}"

    @property
    def status(self) -> Status:
        """`ok` if every clip of the complete suite is in the means."""
        if self.score is None:
            return "failed"
        return "ok" if len(self.score.clips) == self.total else "partial"

    @property
    def metrics(self) -> dict[str, float]:
        """Means by metric name; empty where they would be over an incomplete suite."""
        if self.score is None or (self.status == "partial" and not self.allow_partial):
            return {}
        if self.overlap is not None:
            return {"ao": self.overlap.average}
        found = {name: float(getattr(self.score, name)) for name in METRICS}
        return {name: value for name, value in found.items() if value == value}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Bootstrap intervals over clips (seed 0) of the means that are shown."""
        if self.overlap is not None and self.metrics:
            return {"ao": overlap_interval(self.overlap)}
        if self.score is None or "lost" not in self.metrics:
            return {}
        return {k: v for k, v in vot_intervals(self.score).items() if k in self.metrics}

    def by_clip(self) -> dict[str, dict[str, float]]:
        """Accuracy and failures of each clip."""
        if self.score is None:
            return {}
        names = ("accuracy", "failures")
        return {
            clip: {name: float(self.score.by_clip[name][index]) for name in names}
            for index, clip in enumerate(self.score.clips)
        }

    def by_attribute(self) -> dict[str, dict[str, float]]:
        """Accuracy, failures, frames and EAO of each tag."""
        if self.score is None or not self.metrics:
            return {}
        return {tag: dict(values) for tag, values in self.score.tags.items()}

    def as_json(self) -> dict[str, Any]:
        """One entry of `results` in the command line's JSON."""
        score = self.score
        restarts = score is not None and "lost" in self.metrics
        return {
            "name": self.name,
            "clips": self.coverage,
            "status": self.status,
            "metrics": self.metrics,
            "plus_minus": {name: one.half for name, one in self.intervals.items()},
            "interval": list(score.interval) if score and score.interval else None,
            "ar": list(score.ar) if score and restarts else None,
            "problems": [{"clip": clip, "what": why} for clip, why in self.problems.items()],
            "notes": [{"clip": "", "what": what} for what in self.notes],
        }


def differences_of(ours: VotResult, theirs: VotResult) -> dict[str, Difference]:
    """Paired differences ours - theirs by metric, over the clips that both have.

    Raises:
        VBenchError: they have no clip in common, or are of different experiments.
    """
    if ours.score is None or theirs.score is None:
        raise VBenchError(f"{ours.name} or {theirs.name} has no clip that can be scored")
    if (ours.overlap is None) != (theirs.overlap is None):
        raise VBenchError(f"{ours.name} and {theirs.name} are results of different experiments")
    if ours.overlap is not None and theirs.overlap is not None:
        return {"ao": overlap_difference(ours.overlap, theirs.overlap)}
    return vot_differences(ours.score, theirs.score)


def is_vot(suite: Suite, profile: str | None) -> bool:
    """Tell whether results of `suite` are to be read as VOT runs under `profile`."""
    if profile is None:
        return suite.card.protocol == PROTOCOL
    return profile.startswith("vot-")


def score_vot_path(
    path: Path, suite: Suite, profile: str | None = None, allow_partial: bool = False
) -> list[VotResult]:
    """Score every tracker under `path`; see `trackers_in` for the layouts.

    Raises:
        NotReady: no VOT result of a clip of the suite lies there.
        UnknownName: no such VOT profile.
    """
    rules = vot_rules(profile or suite.card.profile, suite.name)
    truth = VotTruth(suite.clips)
    with unpacked(path) as (place, refused):
        return [
            _scored(name, folder, truth, suite, rules, allow_partial, tuple(refused))
            for name, folder in _trackers(place, suite)
        ]


def explain_vot_path(path: Path, suite: Suite) -> dict[str, list[VotExplanation]]:
    """Score every tracker under `path` under every VOT profile, with the rules behind it.

    Raises:
        NotReady: no VOT result of a clip of the suite lies there.
        VBenchError: a tracker has no clip that can be scored.
    """
    truth = VotTruth(suite.clips)
    found = {}
    with unpacked(path) as (place, _):
        for name, folder in _trackers(place, suite):
            runs = _read(folder, suite)
            if not runs.runs:
                clip, why = next(iter(runs.problems.items()))
                raise VBenchError(f"{name}: no clip can be scored; {clip}: {why}")
            restarts = folder.name != "unsupervised"
            interval = suite.card.eao_interval
            found[name] = explain_vot(truth, runs.runs, suite.name, interval, restarts)
    return found


def trackers_in(path: Path, clips: list[str]) -> list[tuple[str, Path]]:
    """Trackers under `path` and the folders of their experiment.

    `path` is an experiment (`KCF/baseline`), a tracker (`KCF`), or a folder of trackers.
    """
    folder = _experiment_in(path, clips)
    if folder is not None:
        return [(path.resolve().parent.name if path.name in EXPERIMENTS else path.name, folder)]
    found = []
    inner = sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []
    for entry in inner:
        folder = _experiment_in(entry, clips)
        if folder is not None:
            found.append((entry.name, folder))
    return found


def _experiment_in(path: Path, clips: list[str]) -> Path | None:
    for folder in (path, *(path / name for name in EXPERIMENTS)):
        if any(result_files(folder, clip) for clip in clips):
            return folder
    return None


def _trackers(path: Path, suite: Suite) -> list[tuple[str, Path]]:
    trackers = trackers_in(path, [clip.name for clip in suite.clips])
    if not trackers:
        raise NotReady(
            f"{path}: no VOT result of {suite.name}; expected TRACKER/baseline/CLIP/CLIP_001.txt "
            "with a line a frame: 1 start, 2 failure, 0 skipped, or a region"
        )
    return trackers


def _read(folder: Path, suite: Suite) -> VotRuns:
    return read_vot(folder, {clip.name: len(clip) for clip in suite.clips})


def _scored(
    name: str,
    folder: Path,
    truth: VotTruth,
    suite: Suite,
    rules: VotRules,
    allow_partial: bool,
    notes: tuple[str, ...],
) -> VotResult:
    found = _read(folder, suite)
    total = max(suite.card.clips, len(suite.clips))
    problems = {**suite.problems, **found.problems}
    interval = suite.card.eao_interval
    score = score_vot(truth, found.runs, rules, interval, suite=suite.name) if found.runs else None
    average = None
    if score is not None and folder.name == "unsupervised":
        average = score_unsupervised(truth, found.runs, rules)
    return VotResult(name, score, total, problems, allow_partial, average, notes)
