"""Frames of a run's clips, where the suite's images are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vbench.core.boxes import Image
from vbench.core.errors import VBenchError
from vbench.run.request import Request


def frames_of(suite: str, data: Path | None) -> Callable[[str, int], Image | None] | None:
    """Return what decodes frame `index` of a clip, None where the suite cannot be opened here."""
    try:
        clips = {c.name: c for c in Request.read(suite=suite, data=data).open_suite().clips}
    except VBenchError:
        if data is not None:
            raise
        return None

    def frame(clip: str, index: int) -> Image | None:
        try:
            return clips[clip].frames[index]
        except (VBenchError, KeyError, IndexError):
            return None

    return frame
