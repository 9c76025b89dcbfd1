"""The dataset doctor: what of a suite is here, what is odd or missing, and what to do about it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vbench import catalogue
from vbench.core.boxes import is_present
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, NotReady, VBenchError
from vbench.core.frames import ImageFiles, NoFrames, VideoFile, read_image
from vbench.core.suite import Card, Suite, read_card

Level = Literal["problem", "note"]
Depth = Literal["sampled", "all"]
# Frames of a clip that are decoded where not all are: the first, the middle and the last one.
SAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """Something to know of one clip, or of the whole suite where `clip` is empty."""

    level: Level
    clip: str
    what: str


@dataclass(frozen=True)
class ClipCheck:
    """What one clip holds: frames, rows of truth, rows without a target, frame size if known."""

    name: str
    frames: int
    rows: int
    absent: int
    images: bool
    size: tuple[int, int] | None


@dataclass(frozen=True)
class Diagnosis:
    """What is here of a suite. `missing` are names of the complete suite that are not here."""

    suite: str
    title: str
    coverage: str
    frames: int
    variant: tuple[str, ...]
    digest: str
    clips: tuple[ClipCheck, ...] = ()
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    advice: tuple[str, ...] = field(default=())

    @property
    def healthy(self) -> bool:
        """Tell whether nothing is missing and nothing is wrong."""
        here, total = (int(number) for number in self.coverage.split("/"))
        return here == total and not any(f.level == "problem" for f in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {"healthy": self.healthy}


def check_suite(
    name: str,
    data: Path | None = None,
    annotations: Path | None = None,
    *,
    parameters: Mapping[str, str] | None = None,
    depth: Depth = "sampled",
    each_clip: Callable[[str], None] = lambda name: None,
) -> Diagnosis:
    """Examine what lies in `data` and `annotations` as suite `name`.

    With depth "all" every image is decoded, else the first, middle and last of each clip.

    Raises:
        UnknownName: no such suite.
    """
    card = card_of(name)
    try:
        suite = catalogue.open_suite(name, data, annotations, parameters)
    except (NotReady, ClipFailed) as error:
        return _nothing(card, data, annotations, error)
    findings = [Finding("problem", clip, why) for clip, why in suite.problems.items()]
    checks = []
    for clip in suite.clips:
        each_clip(clip.name)
        check, found = _check_clip(clip, depth)
        checks.append(check)
        findings += found
    missing = _missing(suite)
    findings += _of_suite(suite, checks)
    return Diagnosis(
        suite=suite.name,
        title=card.title,
        coverage=suite.coverage,
        frames=sum(check.frames for check in checks),
        variant=tuple(_variant(suite, checks)),
        digest=suite.digest,
        clips=tuple(checks),
        findings=tuple(findings),
        missing=missing,
        advice=tuple(_advice(suite, checks, missing, findings)),
    )


def card_of(name: str) -> Card:
    """Read the card of a suite without looking for its data.

    Raises:
        UnknownName: no such suite.
    """
    stem = name.partition(":")[0]
    return read_card(
        Path(inspect.getfile(catalogue.load("suites", name))).with_name(f"{stem}.toml")
    )


def expected_names(card: Card) -> tuple[str, ...]:
    """Names of the complete suite, where its card lists them."""
    if "of" in card.rules:
        return expected_names(card_of(str(card.rules["of"])))
    if "numbered" in card.rules:
        return tuple(card.rules["numbered"] % number for number in range(1, card.clips + 1))
    listed = card.rules.get("sequences", card.rules.get("frames", expected_frames(card)))
    return tuple(listed) if isinstance(listed, list | tuple | dict) else ()


def expected_frames(card: Card) -> dict[str, int]:
    """Frames of each sequence of the published suite (at its usual rate), where its card says."""
    rules = card.rules.get("rates", {}).get(str(card.rules.get("fps")), card.rules)
    found = rules.get("frames")
    return {
        name: frames
        for name, frames in (found.items() if isinstance(found, dict) else ())
        if isinstance(frames, int)
    }


def _nothing(
    card: Card, data: Path | None, annotations: Path | None, error: VBenchError
) -> Diagnosis:
    findings = [Finding("problem", "", str(error))]
    for place in (data, annotations):
        if place is not None and place.is_dir():
            inside = sorted(entry.name for entry in place.iterdir())
            shown = ", ".join(inside[:8]) + (", ..." if len(inside) > 8 else "")
            findings.append(Finding("note", "", f"{place} holds: {shown or 'nothing'}"))
    return Diagnosis(
        suite=card.name,
        title=card.title,
        coverage=f"0/{card.clips}",
        frames=0,
        variant=(),
        digest="",
        findings=tuple(findings),
        missing=expected_names(card),
        advice=(f"get it from {card.url}", f"lay it out as {card.layout}"),
    )


def _check_clip(clip: Clip, depth: Depth) -> tuple[ClipCheck, list[Finding]]:
    images = not isinstance(clip.frames, NoFrames)
    gone = int((~is_present(clip.truth)).sum()) if len(clip.truth) else 0
    findings = [Finding("problem", clip.name, what) for what in _truth_problems(clip)]
    size, problems = _look(clip, depth) if images else (clip.known_size, [])
    findings += [Finding("problem", clip.name, what) for what in problems]
    findings += [Finding("note", clip.name, what) for what in _truth_notes(clip, size)]
    return ClipCheck(clip.name, len(clip), len(clip.truth), gone, images, size), findings


def _truth_problems(clip: Clip) -> Iterator[str]:
    """What keeps a clip from being run or scored."""
    if clip.objects is not None or not len(clip.truth):
        return
    first = clip.truth[0]
    if not np.isfinite(first).all():
        yield "no box in the first frame: nothing can be started there"
    elif (first[2:] <= 0).any():
        yield f"the first box has no size: {first[2]:g} x {first[3]:g} px"
    if len(clip.truth) not in (1, len(clip)):
        yield f"{len(clip.truth)} rows of truth for {len(clip)} frames"


def _truth_notes(clip: Clip, size: tuple[int, int] | None) -> Iterator[str]:
    """What is odd in the boxes, and often meant so."""
    truth = clip.truth
    if clip.objects is not None or not len(truth):
        return
    here = is_present(truth)
    if (~here).any():
        yield f"{int((~here).sum())} of {len(truth)} rows without a target"
    flat = here & (np.nan_to_num(truth[:, 2:]) <= 0).any(axis=1)
    if flat.any():
        yield f"{int(flat.sum())} boxes without width or height, first in frame {flat.argmax()}"
    if size is not None:
        boxes = np.nan_to_num(truth)
        outside = here & (
            (boxes[:, 0] >= size[0])
            | (boxes[:, 1] >= size[1])
            | (boxes[:, :2] + boxes[:, 2:] <= 0).any(axis=1)
        )
        if outside.any():
            yield (
                f"{int(outside.sum())} boxes wholly outside the {size[0]} x {size[1]} frame, "
                f"first in frame {outside.argmax()}"
            )


def _look(clip: Clip, depth: Depth) -> tuple[tuple[int, int] | None, list[str]]:
    """Decode frames; return their size and what is wrong with them."""
    n = len(clip)
    chosen = range(n) if depth == "all" else sorted({0, n // 2, n - 1})[:SAMPLES]
    problems: list[str] = []
    sizes: dict[tuple[int, int], int] = {}
    if isinstance(clip.frames, ImageFiles):
        absent = [path.name for path in clip.frames.paths if not path.is_file()]
        if absent:
            problems.append(f"{len(absent)} of {n} images missing, first {absent[0]}")
            chosen = [index for index in chosen if clip.frames.paths[index].is_file()]
    unreadable = []
    for index in chosen:
        try:
            height, width = _frame(clip, index).shape[:2]
        except (ClipFailed, VBenchError) as error:
            unreadable.append(str(error))
        else:
            sizes.setdefault((int(width), int(height)), index)
    if unreadable:
        problems.append(f"{len(unreadable)} of {len(chosen)} frames unreadable: {unreadable[0]}")
    if len(sizes) > 1:
        listed = ", ".join(f"{w} x {h} from frame {index}" for (w, h), index in sizes.items())
        problems.append(f"frames differ in size: {listed}")
    size = next(iter(sizes), None)
    if size is not None and clip.known_size is not None and size != tuple(clip.known_size):
        known = clip.known_size
        problems.append(f"frames are {size[0]} x {size[1]}, annotated as {known[0]} x {known[1]}")
    return size, problems


def _frame(clip: Clip, index: int) -> np.ndarray[Any, Any]:
    if isinstance(clip.frames, ImageFiles):
        return read_image(clip.frames.paths[index])
    return clip.frames[index]


def _missing(suite: Suite) -> tuple[str, ...]:
    here = {clip.name.lower() for clip in suite.clips} | {n.lower() for n in suite.problems}
    return tuple(name for name in expected_names(suite.card) if name.lower() not in here)


def _of_suite(suite: Suite, checks: Sequence[ClipCheck]) -> Iterator[Finding]:
    """What only all clips together show."""
    wanted = suite.card.rules.get("frames")
    complete = len(checks) == suite.card.clips
    total = sum(check.frames for check in checks)
    if isinstance(wanted, int) and complete and total != wanted:
        yield Finding("problem", "", f"{total} frames in all, the published suite has {wanted}")
    if len(checks) > suite.card.clips:
        what = f"{len(checks)} clips are here, the published suite has {suite.card.clips}"
        yield Finding("note", "", what)
    yield from _of_published(suite)
    kinds = {check.images for check in checks}
    if len(kinds) == 2:
        bare = [check.name for check in checks if not check.images]
        shown = ", ".join(bare[:5]) + (", ..." if len(bare) > 5 else "")
        yield Finding("note", "", f"{len(bare)} clips have annotations but no images: {shown}")


def _of_published(suite: Suite) -> Iterator[Finding]:
    """Clips that the published suite has not, or has with another number of frames."""
    published, names = expected_frames(suite.card), set(expected_names(suite.card))
    folded = {name.lower() for name in names}
    for clip in suite.clips:
        wanted = published.get(clip.name)
        usual = clip.fps is None or clip.fps == float(suite.card.rules.get("fps", clip.fps))
        if wanted is not None and usual and len(clip) != wanted:
            what = f"{len(clip)} frames, the published sequence has {wanted}"
            yield Finding("note", clip.name, what)
        if names and clip.name.lower() not in folded:
            yield Finding("note", clip.name, "no sequence of the published suite has this name")


def _variant(suite: Suite, checks: Sequence[ClipCheck]) -> Iterator[str]:
    """Which of the variants of a suite this is."""
    with_images = sum(check.images for check in checks)
    if not with_images:
        yield "annotations alone: results can be scored, trackers cannot run"
    elif with_images == len(checks):
        yield "images and annotations"
    else:
        yield f"images of {with_images} of {len(checks)} clips"
    if any(isinstance(clip.frames, VideoFile) for clip in suite.clips):
        yield "video files"
    polygons = sum(clip.regions is not None for clip in suite.clips)
    if polygons:
        yield f"polygons in {polygons} clips"
    starts = [c for c in suite.clips if len(c.truth) == 1 < len(c)]
    if starts:
        yield "ground truth of first frames alone: nothing can be scored here"
    for clip in suite.clips:
        if clip.name == "Tiger1":
            yield f"Tiger1 with {len(clip)} frames"


def _advice(
    suite: Suite,
    checks: Sequence[ClipCheck],
    missing: Sequence[str],
    findings: Sequence[Finding],
) -> Iterator[str]:
    card = suite.card
    if missing or len(checks) < card.clips:
        if card.rules.get("description") or card.rules.get("zips"):
            yield f"`vbench data get {card.name} --data DIR` fetches what is missing"
        yield f"get what is missing from {card.url} and lay it out as {card.layout}"
    if checks and not any(check.images for check in checks):
        yield "to run trackers, say --data DIR with the images"
    if any("unreadable" in f.what or "images missing" in f.what for f in findings):
        yield "fetch or unpack the broken clips again"
    if suite.problems:
        names = list(suite.problems)
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        yield (
            f"{len(names)} clips are left out until what is named is mended ({shown}): unpack or "
            "fetch them again, and see that no other release lies there"
        )
