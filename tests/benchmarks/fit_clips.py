"""Clips of synth-vid that detectors are fitted on, and others that they never saw."""

from __future__ import annotations

from collections.abc import Iterable

from vbench.core.clip import Clip
from vbench.core.frames import Rendered
from vbench.suites.synth_split import SPLITS
from vbench.suites.synth_vid import THEMES, Theme, objects_of, scene_of


def clips_of(themes: dict[str, Theme], split: str, seeds: Iterable[int]) -> list[Clip]:
    """A clip of every theme for every seed; splits and seeds never share a draw.

    Themes of the suite give the suite's clips, others begin where its numbers have ended.
    """
    places = {name: 1000 + index for index, name in enumerate(THEMES)}
    found = []
    for seed in seeds:
        for index, (name, theme) in enumerate(themes.items()):
            place = places[name] if THEMES.get(name) == theme else 2000 + index
            scene = scene_of(theme, (SPLITS[split], seed, place))
            found.append(
                Clip(
                    f"{split}-{name}-{seed}",
                    Rendered(len(scene), scene.render),
                    objects=objects_of(scene),
                    tags=(name,),
                    known_size=scene.size,
                )
            )
    return found
