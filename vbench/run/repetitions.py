"""Results of several tries on a clip: pooled where the toolkit pools them, else the first counts.

got10k's own suites pool the frames of all repetitions (got10k/experiments/got10k.py:135-150).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from vbench.core.boxes import Floats, Ints
from vbench.metrics.ope import Curves, OpeScores
from vbench.metrics.suite_score import Remark, Result, Scorer, Scores

FIRST_ALONE = Remark("", "repetitions after the first are not scored")


def with_repetitions(
    scorer: Scorer, scores: Scores, name: str, tries: Sequence[Mapping[str, Result]]
) -> Scores:
    """Add the repetitions after the first to the scores of the first, as the rules have it.

    A repetition that cannot be scored is a problem of its clip; the others count.
    """
    if scorer.rules.average != "frames" or not scores.clips:
        return replace(scores, notes=(*scores.notes, FIRST_ALONE))
    found, problems = [scores], list(scores.problems)
    for number, results in enumerate(tries, start=2):
        one = scorer.score(results, name, allow_partial=True)
        found.append(one)
        problems += [
            Remark(remark.clip, f"repetition {number}: {remark.what}")
            for remark in one.problems
            if remark.clip in results
        ]
    names = [clip.name for clip in scores.clips]
    return replace(scores, scored=_pooled(names, found), problems=tuple(problems))


def _pooled(names: Sequence[str], found: Sequence[Scores]) -> OpeScores:
    """Scores of clips over the frames of all of their repetitions."""
    first = found[0].scored
    tables = [_of_clips(names, scores) for scores in found]
    success = np.array([frames for _, _, frames, _ in tables])
    precise = np.array([frames for _, _, _, frames in tables])
    columns = {
        name: _mean(
            [own[name] for own, _, _, _ in tables], precise if "precision" in name else success
        )
        for name in first.columns
    }
    curves = [
        _mean([own[kind] for _, own, _, _ in tables], success if kind == 0 else precise)
        for kind in range(3)
    ]
    return OpeScores(
        columns, Curves(*curves), success.sum(axis=0), precise.sum(axis=0), first.rules
    )


def _of_clips(
    names: Sequence[str], scores: Scores
) -> tuple[dict[str, Floats], list[Floats], Ints, Ints]:
    """Columns, curves and frames of the named clips; NaN and 0 frames where one is not there."""
    place = {clip.name: index for index, clip in enumerate(scores.clips)}
    rows = np.array([place.get(name, -1) for name in names])
    here, scored = rows >= 0, scores.scored

    def taken(values: Floats | Ints) -> Floats:
        if not len(values):
            return np.full((len(names), *values.shape[1:]), np.nan)
        chosen: Floats = values[rows].astype(np.float64)
        chosen[~here] = np.nan
        return chosen

    columns = {name: taken(values) for name, values in scored.columns.items()}
    curves = scored.curves
    frames = [
        np.nan_to_num(taken(own)).astype(np.int64)
        for own in (scored.success_frames, scored.precision_frames)
    ]
    three = [taken(own) for own in (curves.success, curves.precision, curves.normalised)]
    return columns, three, frames[0], frames[1]


def _mean(values: Sequence[Floats], frames: Ints) -> Floats:
    """Mean of repetitions (r, clips, ...), weighted by the frames (r, clips) that count in each."""
    stack = np.array(values)
    weights = frames.reshape(frames.shape + (1,) * (stack.ndim - 2)) * ~np.isnan(stack)
    total = weights.sum(axis=0)
    sums = (np.nan_to_num(stack) * weights).sum(axis=0)
    mean: Floats = np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0)
    return mean
