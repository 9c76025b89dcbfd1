"""A clip as its files give it, before its classes have numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vbench.core.errors import ClipFailed
from vbench.core.frames import Frames

from .vid_objects import Rows


@dataclass
class RawClip:
    """Name, frames and objects of a clip; `problem` says why it cannot be read."""

    name: str
    frames: Frames | None = None
    rows: Rows = field(default_factory=Rows)
    size: tuple[int, int] | None = None
    fps: float | None = None
    problem: str = ""


def read_or_say(name: str, read: Callable[..., RawClip], *given: Any) -> RawClip:
    """Read a clip; what is wrong with it becomes its problem."""
    try:
        return read(*given)
    except ClipFailed as error:
        return RawClip(name, problem=str(error))
