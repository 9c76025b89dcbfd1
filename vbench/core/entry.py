"""One line of a catalogue: where a thing is, and what can be said of it without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """A name's target `module:Attribute` (module relative to the catalogue folder) and its card.

    `preset` are constructor keywords that make this name a variant of a class. `weights` names an
    entry of the weights registry. `extras` are pip extras of vbench that it needs to be imported;
    `takes` describes an argument after a colon (`stored:PATH`); None where the name takes none;
    with `optional` it may be left out. `has_cheap_half` marks a detector with one of its own;
    one that is `frame_by_frame` skips no frame unless a policy is named.
    """

    target: str
    summary: str
    paper: str = ""
    preset: Mapping[str, object] = field(default_factory=dict)
    weights: str | None = None
    extras: tuple[str, ...] = ()
    takes: str | None = None
    optional: bool = False
    package: str = "vbench"
    has_cheap_half: bool = False
    frame_by_frame: bool = False
