"""Expected overlap: how well a tracker does on a sequence of a given length, failures included.

Kristan et al., The Visual Object Tracking VOT2015 challenge results, section 4.2: runs are cut into
fragments at failures; a fragment that ended in a failure goes on with overlap 0 for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vbench.core.boxes import Floats
from vbench.core.vot_run import Code
from vbench.metrics.vot_profiles import SKIP, Fragments

# Fragments that are held as a matrix at a time: 512 of 1,500 frames are 6 MB.
AT_A_TIME = 512


@dataclass(frozen=True)
class Fragment:
    """Overlaps (l,) from a start on, the start itself first. `lost`: it ended in a failure."""

    overlaps: Floats
    lost: bool
    first: int
    last: int  # exclusive, before cutting at the end of the clip


def cut(
    codes: NDArray[np.int8], overlaps: Floats, rule: Fragments, skip: int = SKIP
) -> Iterator[Fragment]:
    """Cut one run (n,) into fragments; NaN overlaps become 0."""
    filled = np.nan_to_num(overlaps, nan=0.0)
    failures = np.flatnonzero(codes == Code.FAILURE)
    n = len(codes)
    if rule == "vot-python" and len(failures):
        starts = np.flatnonzero(codes == Code.START)
        for start, failure in zip(starts, failures, strict=False):
            yield Fragment(filled[start:failure], True, int(start), int(failure))
        if len(starts) > len(failures):
            yield Fragment(filled[starts[-1] :], False, int(starts[-1]), n)
        return
    # pysot lets a restart lie one frame behind the end, MATLAB does not.
    latest = n if rule == "pysot" else n - 1
    again = failures + skip
    points = [0, *again[again <= latest].tolist()]
    for first, after in pairwise(points):
        yield Fragment(filled[first : after + 1], True, first, after + 1)
    if points[-1] < n:
        yield Fragment(filled[points[-1] :], False, points[-1], n)


def weighed(fragments: Sequence[Fragment], weights: Floats, length: int) -> tuple[Floats, Floats]:
    """Weighted sums of the fragments' means at lengths 1 to `length`, and of the weights.

    `weights` (k, f) are k ways of weighing the f fragments; both results are (k, length). Each
    fragment is summed once, for all lengths L at a time: its mean over the frames 2 to L.
    """
    total, weight = np.zeros((len(weights), length)), np.zeros((len(weights), length))
    steps = np.maximum(np.arange(length), 1)
    for first in range(0, len(fragments), AT_A_TIME):
        part = fragments[first : first + AT_A_TIME]
        means, known = np.zeros((len(part), length)), np.zeros((len(part), length))
        for row, here, fragment in zip(means, known, part, strict=True):
            end = min(len(fragment.overlaps), length)
            row[1:end] = fragment.overlaps[1:end]
            here[: length if fragment.lost else end] = 1.0
        np.cumsum(means, axis=1, out=means)
        means /= steps
        means *= known
        share = weights[:, first : first + AT_A_TIME]
        total += share @ means
        weight += share @ known
    return total, weight


def expected_overlaps(fragments: Sequence[Fragment], weights: Floats, length: int) -> Floats:
    """Expected overlap at lengths 1 to `length`, shape (k, length); NaN where no fragment is.

    Length 1 is the start frame, 1 by definition; see `weighed`.
    """
    total, weight = weighed(fragments, weights, length)
    curves: Floats = total / np.where(weight > 0, weight, np.nan)
    curves[:, :1] = 1.0
    return curves


def part_of(curve: Floats, interval: tuple[int, int], first_length: int = 0) -> Floats:
    """The lengths (..., l) of curves (..., length) between two lengths, both included."""
    low, high = interval
    return curve[..., low - 1 + first_length : high + first_length]


def averaged(curve: Floats, interval: tuple[int, int] | None, first_length: int = 0) -> float:
    """Mean of the curve between two lengths, NaN without any; beyond its end nothing counts."""
    if interval is None:
        return float("nan")
    part = part_of(curve, interval, first_length)
    part = part[np.isfinite(part)]
    return float(part.mean()) if len(part) else float("nan")
