"""From a folder of raw result files to scores: find, read, place, score, name what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vbench.core.errors import NotReady, VBenchError
from vbench.core.suite import Suite
from vbench.metrics.profiles import Rules
from vbench.metrics.suite_score import Placed, Remark, Result, Scorer, Scores
from vbench.run.forks import can_fork, forked_map
from vbench.run.threads import cores
from vbench.store.raw_layout import ClipNames, RawTracker, find_trackers
from vbench.store.raw_quirks import PlacedResults, place
from vbench.store.raw_results import read_tracker

T = TypeVar("T")

WORKERS = 4
# How a remark on a file begins that belongs to no sequence of the suite.
FOREIGN = "no sequence"


@dataclass(frozen=True)
class ResultFiles:
    """A tracker's files, read: by clip, boxes as they are inside or the reason why there are none.

    `unknown` are files of no clip of the suite.
    """

    name: str
    results: dict[str, Result]
    notes: tuple[Remark, ...]
    unknown: tuple[Remark, ...]
    origin_px: float
    tracker: RawTracker
    repaired: bool = False


def read_path(path: Path, suite: Suite, repair: bool = False) -> list[ResultFiles]:
    """Read the results of every tracker under `path`.

    Raises:
        VBenchError: nothing there is named for a clip of the suite.
    """
    return _threaded(*_each(path, suite, repair, lambda files: files))


def score_path(
    path: Path,
    suite: Suite,
    profile: str | Rules | None = None,
    repair: bool = False,
    allow_partial: bool = False,
) -> list[Scores]:
    """Score every tracker under `path` on a suite.

    Raises:
        VBenchError: nothing there is named for a clip of the suite; no such profile; the suite is
            of many objects.
        NotReady: the suite's ground truth is kept by its server.
    """
    check_scorable(suite)
    scorer = Scorer(suite, profile)

    def scores_of(files: ResultFiles) -> Scores:
        found = scored(scorer, files, allow_partial)
        # Kept in the scores, and drawn here where several trackers are worked on at a time.
        _ = found.intervals
        return found

    # Scores are small; boxes, which `read_path` returns, would take longer to hand over.
    if can_fork():
        trackers, work = _each(path, suite, repair, scores_of)
        return forked_map(work, trackers, min(WORKERS, cores()), [*suite.clips, scorer.rules])
    return _threaded(*_each(path, suite, repair, scores_of))


def check_scorable(suite: Suite) -> None:
    """Raise where single-target results cannot be scored on `suite`, with what to do instead."""
    if suite.task != "sot":
        raise VBenchError(
            f"suite {suite.name} is of many objects, `vbench score` of single targets; "
            f"`vbench run --suite {suite.name} --methods stored:FILE` scores stored detections"
        )
    if suite.clips and all(len(clip.truth) < len(clip) for clip in suite.clips):
        raise NotReady(
            f"{suite.name} has the first box of each clip alone, its server scores the rest; "
            "`vbench export RUN --format got10k-submission` writes what it takes"
        )


def scored(scorer: Scorer, files: ResultFiles, allow_partial: bool = False) -> Scores:
    """Score one tracker's files."""
    complete = all(clip.name in files.results for clip in scorer.suite.clips)
    # Files of other sequences matter only where one of the suite's own is missing.
    notes, problems = files.notes, files.unknown
    if complete:
        foreign = tuple(remark for remark in problems if remark.what.startswith(FOREIGN))
        notes += foreign
        problems = tuple(remark for remark in problems if remark not in foreign)
    scores = scorer.score(files.results, files.name, allow_partial, notes, problems)
    if files.tracker.repeated:
        from vbench.run.repetitions import with_repetitions

        tries = read_tries(files, scorer.suite)
        scores = with_repetitions(scorer, scores, files.name, tries)
    if files.tracker.confidences:
        from vbench.run.confidences import with_long_term

        scores = with_long_term(scores, files.results, files.tracker)
    return scores


def read_tries(files: ResultFiles, suite: Suite) -> list[dict[str, Result]]:
    """Read the tries after the first: for each, boxes by clip or the reason why there are none."""
    repeated, names = files.tracker.repeated, ClipNames(clip.name for clip in suite.clips)
    found = []
    for number in range(max(map(len, repeated.values()), default=0)):
        own = {clip: again[number] for clip, again in repeated.items() if number < len(again)}
        one = _files(RawTracker(files.name, own), names, suite, files.repaired)
        found.append({clip: what for clip, what in one.results.items() if clip in own})
    return found


def _each(
    path: Path, suite: Suite, repair: bool, use: Callable[[ResultFiles], T]
) -> tuple[list[RawTracker], Callable[[RawTracker], T]]:
    """The trackers under `path`, and what is done with each."""
    names = ClipNames(clip.name for clip in suite.clips)

    def work(tracker: RawTracker) -> T:
        return use(_files(tracker, names, suite, repair))

    return find_trackers(path, [clip.name for clip in suite.clips]), work


def _threaded(trackers: Sequence[RawTracker], work: Callable[[RawTracker], T]) -> list[T]:
    if len(trackers) == 1:
        return [work(trackers[0])]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(WORKERS, cores())) as pool:
        return list(pool.map(work, trackers))


def _files(tracker: RawTracker, names: ClipNames, suite: Suite, repair: bool) -> ResultFiles:
    read = read_tracker(tracker, names)
    truths = {clip.name: clip.truth for clip in suite.clips if len(clip.truth)}
    usual = float(suite.card.rules.get("first_pixel", 1))
    for clip in read.started:
        if clip in truths:
            # The file's other rows count pixels as the suite's own files do.
            read.boxes[clip][0] = truths[clip][0] + [usual, usual, 0.0, 0.0]  # type: ignore[index]
    placed = place(read.boxes, truths, usual, repair)
    results: dict[str, Result] = {
        clip: found if isinstance(found, str) else Placed(found.boxes, found.first)
        for clip, found in placed.boxes.items()
    }
    own = [Remark(clip, note) for clip, note in read.notes.items()]
    own += [Remark("", remark) for remark in read.remarks]
    elsewhere = ClipNames(suite.card.rules.get("sequences", ()) if read.unknown else ())
    unknown = (Remark(name, _unplaced(name, suite.name, elsewhere)) for name in read.unknown)
    return ResultFiles(
        read.name,
        results,
        (*own, *_noted(placed)),
        tuple(unknown),
        placed.origin_px,
        tracker,
        repair,
    )


def _unplaced(name: str, suite: str, sequences: ClipNames) -> str:
    """Why a file belongs to no clip."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    if sequences.split(stem)[0] is not None:
        return f"the annotation of this sequence of {suite} is not here"
    return f"{FOREIGN} of {suite} has this name"


def _noted(placed: PlacedResults) -> Iterator[Remark]:
    for clip, notes in placed.notes.items():
        yield Remark(clip, "; ".join(notes))
