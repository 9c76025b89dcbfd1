"""A suite: a named benchmark of clips, ground truth, protocol and metrics; its card in TOML."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vbench.core.clip import Clip
from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.core.frames import NoFrames

Task = Literal["sot", "vid"]


@dataclass(frozen=True)
class Card:
    """What is published about a suite: title, citation, licence, where to get it, its layout.

    `clips` is the number of clips of the complete suite. `rules` holds what only this suite's
    loader understands (frame ranges, names).
    """

    name: str
    title: str
    task: Task
    clips: int
    citation: str = ""
    licence: str = ""
    url: str = ""
    layout: str = ""
    protocol: str = "ope"
    metrics: tuple[str, ...] = ()
    profile: str = "vbench"
    classes: tuple[str, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def eao_interval(self) -> tuple[int, int] | None:
        """Sequence lengths between which the expected overlap is averaged, both included."""
        found = self.rules.get("eao_interval")
        return (int(found[0]), int(found[1])) if found else None


def read_card(path: Path) -> Card:
    """Read a suite's TOML card."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    for key in ("metrics", "classes"):
        values[key] = tuple(values.get(key, ()))
    return Card(name=values.pop("name", path.stem), **values)


@dataclass(frozen=True)
class Suite:
    """The clips that are here, with the card of the complete suite.

    `problems` names clips that could not be loaded, with the reason.
    """

    card: Card
    clips: Sequence[Clip]
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The suite's name in the catalogue."""
        return self.card.name

    @property
    def task(self) -> Task:
        """`sot` for single-object tracking, `vid` for video object detection."""
        return self.card.task

    @property
    def coverage(self) -> str:
        """Clips here / clips of the complete suite, as printed beside every number: `5/100`."""
        return f"{len(self.clips)}/{max(self.card.clips, len(self.clips))}"

    def with_images(self) -> Suite:
        """Keep the clips whose images are here; those with annotations alone cannot be run.

        Raises:
            NotReady: none has images.
        """
        here = [clip for clip in self.clips if not isinstance(clip.frames, NoFrames)]
        if self.clips and not here:
            frames = self.clips[0].frames
            told = frames.where_to_get if isinstance(frames, NoFrames) else ""
            line = f"suite {self.name}: the images of no clip are here, only annotations. {told}"
            raise NotReady(line.strip())
        return Suite(self.card, here, self.problems)

    @cached_property
    def digest(self) -> str:
        """sha256 of the names and ground truth of all clips."""
        state = hashlib.sha256(self.name.encode())
        for clip in sorted(self.clips, key=lambda clip: clip.name):
            state.update(clip.digest().encode())
        return state.hexdigest()

    def only(self, names: Sequence[str] = (), limit: int | None = None) -> Suite:
        """Keep the clips of `names` (all if empty), at most `limit`; the card stays."""
        known = {clip.name.lower(): clip for clip in self.clips}
        for name in names:
            if name.lower() not in known:
                raise UnknownName(f"clip in {self.name}", name, [c.name for c in self.clips])
        kept = [known[name.lower()] for name in names] if names else list(self.clips)
        if limit is not None and limit < 1:
            raise VBenchError(f"--limit {limit}: at least one clip is needed")
        return Suite(self.card, kept[:limit], self.problems)
