"""VOT runs frame by frame: the truth of a suite drawn once, overlaps of all its frames at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Bools, Floats, Ints
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.vot_run import Code, VotRun
from vbench.metrics.raster import Rastered, overlaps, rastered
from vbench.metrics.raster_rows import Convention
from vbench.metrics.regions import Regions, extent
from vbench.metrics.vot_profiles import BURN_IN, VotRules

# The tag of frames that have no other one.
EMPTY = "empty"


class VotTruth:
    """The regions of clips laid end to end, drawn once for any number of trackers."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.clips = list(clips)
        self.names = [clip.name for clip in clips]
        self.lengths: Ints = np.array([len(clip) for clip in clips], dtype=np.int64)
        self.starts: Ints = np.cumsum(self.lengths) - self.lengths
        self._drawn: dict[tuple[Convention, bool], Rastered] = {}

    def drawn(self, convention: Convention, bounded: bool) -> Rastered:
        """The regions as pixels under a convention; kept."""
        key = (convention, bounded)
        if key not in self._drawn:
            self._drawn[key] = rastered(self.regions, bounded=bounded, convention=convention)
        return self._drawn[key]

    @cached_property
    def regions(self) -> Regions:
        """Regions of all frames: polygons where the suite has them, else boxes."""
        parts = [Regions.of(c.truth if c.regions is None else c.regions) for c in self.clips]
        points, boxes = [part.points for part in parts], [part.boxes for part in parts]
        return Regions(np.concatenate(points), np.concatenate(boxes))

    @cached_property
    def sizes(self) -> Floats:
        """Frame size (w, h) of every frame (n, 2)."""
        sizes = [clip.size for clip in self.clips]
        return np.repeat(np.array(sizes, dtype=np.float64).reshape(-1, 2), self.lengths, axis=0)

    @cached_property
    def tags(self) -> dict[str, Bools]:
        """Frames (n,) of every tag, `empty` those of no other tag."""
        names = sorted({name for clip in self.clips for name in clip.frame_tags})
        found = {
            name: np.concatenate(
                [c.frame_tags.get(name, np.zeros(len(c), dtype=bool)) for c in self.clips]
            )
            for name in names
        }
        if found:
            found[EMPTY] = ~np.logical_or.reduce(list(found.values()))
        return found

    def slice_of(self, index: int) -> slice:
        """Frames of clip `index` in what is laid end to end."""
        return slice(int(self.starts[index]), int(self.starts[index] + self.lengths[index]))


@dataclass(frozen=True)
class VotFrames:
    """One repetition of all clips laid end to end, n frames in all.

    codes (n,); overlap (n,) as accuracy takes it, NaN where there is no region; whole (n,) as the
    expected overlap takes it; burnt (n,): too soon after a start; present (clips,).
    """

    codes: NDArray[np.int8]
    overlap: Floats
    whole: Floats
    burnt: Bools
    present: Bools

    @cached_property
    def counted(self) -> Floats:
        """Overlaps (n,) that count for accuracy, NaN elsewhere."""
        return np.where(self.burnt, np.nan, self.overlap)

    @property
    def failed(self) -> Bools:
        """Frames (n,) on which the target was lost."""
        lost: Bools = self.codes == Code.FAILURE
        return lost


def lay_out(
    truth: VotTruth, runs: Mapping[str, Sequence[VotRun]], number: int, rules: VotRules
) -> VotFrames:
    """Put repetition `number` of all clips end to end and compare it with the truth.

    Raises:
        VBenchError: a result is shorter or longer than its clip.
    """
    n = int(truth.lengths.sum())
    codes = np.zeros(n, dtype=np.int8)
    regions = Regions(np.full((n, 8), np.nan), np.zeros(n, dtype=bool))
    present = np.zeros(len(truth.names), dtype=bool)
    for index, name in enumerate(truth.names):
        group = runs.get(name, ())
        if number >= len(group):
            continue
        run, place = group[number], truth.slice_of(index)
        if len(run) != truth.lengths[index]:
            raise VBenchError(f"{name}: {len(run)} results for {truth.lengths[index]} frames")
        given = Regions.of(run.regions)
        codes[place], present[index] = run.codes, True
        regions.points[place], regions.boxes[place] = given.points, given.boxes
    overlap, whole = _both_overlaps(truth, regions, rules)
    return VotFrames(codes, overlap, whole, burnt(truth, codes), present)


def _both_overlaps(truth: VotTruth, regions: Regions, rules: VotRules) -> tuple[Floats, Floats]:
    """Overlaps for accuracy and for the expected overlap, which may end one pixel earlier."""
    drawn = truth.drawn(rules.convention, rules.cut)
    if not rules.cut:
        whole = overlaps(drawn, regions)
        return whole, whole
    whole = overlaps(drawn, regions, truth.sizes + rules.eao_cut_px)
    if rules.accuracy_cut_px == rules.eao_cut_px:
        return whole, whole
    edge = truth.sizes + min(rules.accuracy_cut_px, rules.eao_cut_px)
    with np.errstate(invalid="ignore"):
        beyond = (np.ceil(extent(regions.points)[1]) > edge) | (np.ceil(drawn.high) > edge)
    touched = np.flatnonzero((beyond[:, 0] | beyond[:, 1]) & regions.known)
    accurate = whole.copy()
    limits = (truth.sizes + rules.accuracy_cut_px)[touched]
    accurate[touched] = overlaps(drawn.take(touched), regions.take(touched), limits)
    return accurate, whole


def burnt(truth: VotTruth, codes: NDArray[np.int8], among: Ints | None = None) -> Bools:
    """Frames so soon after a start that they do not count for accuracy.

    `codes` (m,) are those of the frames `among` (m,) of all frames; of every frame if None.
    """
    among = np.arange(len(codes)) if among is None else among
    clip = np.searchsorted(truth.starts, among, side="right")
    starts = np.flatnonzero(codes == Code.START)
    after = np.minimum(starts[:, None] + np.arange(BURN_IN), max(len(codes) - 1, 0))
    found = np.zeros(len(codes), dtype=bool)
    found[after[clip[after] == clip[starts, None]]] = True
    return found
