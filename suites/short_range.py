"""`short-range-vid`: ground-truth objects some frames apart, to be carried from one to the other.

Mao et al., PatchNet, section 5.3: objects of ImageNet VID 10 frames apart; an IoU below .7 is a
miss. One clip of the suite holds all pairs of one video, one after the other: the method starts
from the truth on the first frame of each pair and is judged on its last.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from vbench.core.boxes import Ints
from vbench.core.clip import RESTART, Clip, Objects
from vbench.core.errors import ClipFailed, UnknownName, VBenchError
from vbench.core.frames import ChosenFrames, Frames, NoFrames
from vbench.core.suite import Card, Suite, read_card

SOURCE = "imagenet-vid"


def load(
    card: Card,
    argument: str = "",
    data: Path | None = None,
    annotations: Path | None = None,
    gap: int = 10,
    every: int = 10,
    carry: Literal["pair", "frames"] = "pair",
) -> Suite:
    """Return the pairs of each clip of a suite of videos: `argument`, or ImageNet VID.

    `gap` frames lie between the two of a pair, `every` frames between the starts of pairs of one
    object (the paper names neither how many pairs there are nor how they are chosen). `carry`:
    "pair" shows the two frames alone, "frames" all those between.

    Raises:
        VBenchError: no such suite, or none of videos; gap or every below 1.
        ClipFailed: no clip has such a pair.
    """
    if gap < 1 or every < 1:
        raise VBenchError(f"{card.name}: gap and every must be at least 1")
    name = argument or SOURCE
    source = _source(card, name, data, annotations)
    clips: list[Clip] = []
    problems = dict(source.problems)
    for clip in source.clips:
        try:
            clips.append(paired(clip, gap, every, carry))
        except ClipFailed as error:
            problems[clip.name] = str(error)
    if not clips:
        first, why = next(iter(problems.items()), ("", "it has no clips"))
        raise ClipFailed(f"{card.name}: no clip of {name} has such a pair; {first}: {why}")
    title = f"{card.name}:{argument}" if argument else card.name
    own = replace(card, name=title, clips=source.card.clips, citation=source.card.citation)
    return Suite(replace(own, url=source.card.url, layout=source.card.layout), clips, problems)


def paired(clip: Clip, gap: int, every: int, carry: str) -> Clip:
    """The pairs of a clip as one clip of a single object that begins anew with each pair.

    Raises:
        ClipFailed: no track has two frames so far apart.
    """
    objects = clip.objects
    runs = list(_runs(objects, gap, every, carry)) if objects is not None else []
    if not runs or objects is None:
        raise ClipFailed(f"no track has an object in two frames {gap} apart")
    rows = np.concatenate(runs)
    starts = np.zeros(len(rows), bool)
    starts[np.cumsum([0, *(len(run) for run in runs[:-1])])] = True
    return Clip(
        clip.name,
        _chosen(clip.frames, objects.frame[rows]),
        objects.boxes[rows],
        fps=clip.fps,
        tags=clip.tags,
        frame_tags={RESTART: starts},
        known_size=clip.known_size,
    )


def _runs(objects: Objects, gap: int, every: int, carry: str) -> Iterator[Ints]:
    """Rows of the objects of each pair, by the time at which it begins."""
    usable = (objects.tracks >= 0) & ~objects.ignore
    row_of = {
        (int(track), int(frame)): row
        for row, (track, frame) in enumerate(zip(objects.tracks, objects.frame, strict=True))
        if usable[row]
    }
    begins: dict[int, int] = {}
    for (track, frame), row in row_of.items():
        begins[track] = min(begins.get(track, frame), frame)
        if (frame - begins[track]) % every or (track, frame + gap) not in row_of:
            continue
        if carry == "pair":
            yield np.array([row, row_of[track, frame + gap]])
        elif all((track, frame + step) in row_of for step in range(gap)):
            yield np.array([row_of[track, frame + step] for step in range(gap + 1)])


def _chosen(frames: Frames, order: Ints) -> Frames:
    if isinstance(frames, NoFrames):
        return NoFrames(len(order), frames.where_to_get)
    return ChosenFrames(frames, order)


def _source(card: Card, name: str, data: Path | None, annotations: Path | None) -> Suite:
    from . import SUITES

    stem, _, rest = name.partition(":")
    if stem not in SUITES:
        raise UnknownName("suite", name, SUITES, f"'{card.name}:SUITE' takes one of videos")
    entry = SUITES[stem]
    source = read_card(Path(__file__).with_name(f"{stem}.toml"))
    if source.task != "vid":
        raise VBenchError(f"{card.name}:{name}: {stem} is a suite of single objects")
    module, _, attribute = entry.target.partition(":")
    opener = getattr(importlib.import_module(f".{module}", __package__), attribute)
    given = {"data": data, "annotations": annotations, "argument": rest}
    wanted = inspect.signature(opener).parameters
    suite = opener(source, **{key: value for key, value in given.items() if key in wanted})
    if not isinstance(suite, Suite):
        raise VBenchError(f"{card.name}:{name}: {stem} is no vbench Suite")
    return suite
