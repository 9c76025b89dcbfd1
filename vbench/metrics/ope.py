"""One-pass evaluation: boxes against boxes, under any rules, all frames of all clips at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vbench.core.boxes import Bools, Boxes, Floats, Ints, absent
from vbench.core.errors import ClipFailed
from vbench.metrics.profiles import Invalid, Rules, Valid, iou_thresholds

# Centre errors in px at which precision is drawn, and errors over box size.
PIXELS = np.arange(51, dtype=np.float64)
SIZES = np.arange(51, dtype=np.float64) / 100
# Where the one number of each curve is read: 20 px, .20 of the box size.
AT = 20
Sizes = Sequence[tuple[int, int] | None]


class Truths:
    """The ground truth of clips, laid end to end once for any number of results."""

    def __init__(self, clips: Sequence[Boxes], sizes: Sizes | None = None) -> None:
        self.clips = clips
        self.sizes = sizes
        self.lengths: Ints = np.array([len(clip) for clip in clips], dtype=np.int64)
        self._absent: dict[tuple[Valid, float, float], Bools] = {}
        self._first_cells: dict[int, Ints] = {}

    def absent(self, rule: Valid, rules: Rules) -> Bools:
        """Which frames have no target by a rule of validity (n,), found out once."""
        key = rule, rules.origin_px, rules.centre_origin_px
        if key not in self._absent:
            self._absent[key] = ~valid(self.columns, rule, rules)
        return self._absent[key]

    def first_cells(self, bins: int) -> Ints:
        """Where each frame's clip begins in a table of `bins` columns laid end to end (n,)."""
        if bins not in self._first_cells:
            self._first_cells[bins] = self.clip * bins
        return self._first_cells[bins]

    @cached_property
    def columns(self) -> Floats:
        """x, y, w, h of all frames (4, n)."""
        return _columns(self.clips)

    @cached_property
    def starts(self) -> Ints:
        """Index of the first frame of each clip that has one."""
        return (np.cumsum(self.lengths) - self.lengths)[self.lengths > 0]

    @cached_property
    def clip(self) -> Ints:
        """Index of the clip of each frame (n,)."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)


@dataclass(frozen=True)
class FrameValues:
    """What the rules make of every frame of every clip, laid end to end, n frames in all.

    overlap (n,): IoU, -1 where it can reach no threshold. error (n,): px, -1 counts as a hit, inf
    as a miss. normalised (n,): the same over the box size. success, precision, normalisable (n,):
    which frames count in each, None for all of them.
    """

    truths: Truths
    overlap: Floats
    error: Floats
    normalised: Floats
    success: Bools | None
    precision: Bools | None
    normalisable: Bools | None


@dataclass(frozen=True)
class Curves:
    """Plots of each clip; all NaN for a clip with no frame that counts.

    success (clips, bins) over IoU, precision (clips, 51) over px, normalised (clips, 51) over
    error / size.
    """

    success: Floats
    precision: Floats
    normalised: Floats


@dataclass(frozen=True)
class OpeScores:
    """Scores of n clips: columns by metric name (n,), curves, and frames that count (n,)."""

    columns: dict[str, Floats]
    curves: Curves
    success_frames: Ints
    precision_frames: Ints
    rules: Rules

    def mean(self, metric: str, chosen: Ints | None = None) -> float:
        """Mean of a metric over the clips (or the `chosen` ones), as the rules average."""
        values, weights = self.columns[metric], self.weights(metric)
        if chosen is not None:
            values, weights = values[chosen], weights[chosen]
        known = ~np.isnan(values) & (weights > 0)
        if not known.any():
            return float("nan")
        return float(np.average(values[known], weights=weights[known]))

    def weights(self, metric: str) -> Floats:
        """What each clip weighs in the mean of `metric`: 1, or its frames (n,)."""
        if self.rules.average == "clips":
            return np.ones(len(self.success_frames))
        frames = self.precision_frames if "precision" in metric else self.success_frames
        return frames.astype(np.float64)


def score_ope(
    truths: Sequence[Boxes] | Truths, results: Sequence[Boxes], rules: Rules
) -> OpeScores:
    """Score the boxes of each clip against its truth; both lists in the same order.

    Raises:
        ClipFailed: the rules refuse a result (its length, or rows that are no box).
    """
    values = frame_values(truths, results, rules)
    thresholds = iou_thresholds(rules.thresholds, rules.bins)
    below = _histogram(ranks(values.overlap, thresholds), values.success, values, rules.bins)
    frames = below.sum(axis=1)
    precision, precise = _error_curves(values.error, values.precision, values, PIXELS)
    normalised, _ = _error_curves(values.normalised, values.normalisable, values, SIZES)
    above = below[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    curves = Curves(_shares(above, frames), precision, normalised)
    columns = {
        "success_auc": curves.success.mean(axis=1),
        "precision_20px": precision[:, AT],
        "norm_precision": normalised[:, AT],
    }
    for threshold, names in ((0.5, ("op50", "sr50")), (0.75, ("op75", "sr75"))):
        # Every spelling of the thresholds has .5 and .75 exactly.
        at = int(np.flatnonzero(thresholds == threshold)[0])
        columns |= dict.fromkeys(names, curves.success[:, at])
    columns["ao"] = _shares(_sums(np.maximum(values.overlap, 0.0), values.success, values), frames)
    return OpeScores(columns, curves, frames, precise, rules)


def frame_values(
    truths: Sequence[Boxes] | Truths, results: Sequence[Boxes], rules: Rules
) -> FrameValues:
    """Compare every frame of every clip under the rules. Raises ClipFailed as `score_ope` does."""
    truths = truths if isinstance(truths, Truths) else Truths(truths)
    pairs = [fitted(t, r, rules) for t, r in zip(truths.clips, results, strict=True)]
    if any(fit[0] is not own for fit, own in zip(pairs, truths.clips, strict=True)):
        truths = Truths([truth for truth, _ in pairs], truths.sizes)
    truth, starts = truths.columns, truths.starts
    result = _usable(truth, _columns([result for _, result in pairs]), starts, rules)
    if rules.first_frame == "truth":
        result[:, starts] = truth[:, starts]
    overlap = overlaps(*_cut(truths, result)) if rules.bounded else overlaps(truth, result)
    error, normalised = _errors(truth, result, rules)
    target = truths.absent(rules.valid_success, rules)
    centre = truths.absent(rules.valid_precision, rules)
    overlap[target] = -1.0
    error[centre] = -1.0 if rules.invalid_precision == "hit" else np.inf
    normalised[centre] = -1.0 if rules.invalid_normalised == "hit" else np.inf
    dropped = starts if rules.first_frame == "dropped" else None
    return FrameValues(
        truths,
        overlap,
        error,
        normalised,
        _counting(target, rules.invalid_success, dropped),
        _counting(centre, rules.invalid_precision, dropped),
        _counting(centre, rules.invalid_normalised, dropped),
    )


def fitted(truth: Boxes, result: Boxes, rules: Rules) -> tuple[Boxes, Boxes]:
    """Bring truth and result to one length, as the rules do; ClipFailed where they refuse it."""
    n, m = len(truth), len(result)
    if rules.no_box == "refuse":
        wrong = np.count_nonzero(unusable(result.T)[1])
        if wrong:
            raise ClipFailed(f"{wrong} rows have NaN or a negative size")
    if n == m:
        return truth, result
    rule = rules.short if m < n else rules.long
    if rule == "refuse":
        raise ClipFailed(f"{m} rows for {n} frames")
    if rule == "pad" and m < n:
        return truth, np.concatenate([result, absent(n - m)])
    return (truth, result[:n]) if m > n else (truth[:m], result)


def valid(truth: Floats, rule: Valid, rules: Rules) -> Bools:
    """Tell which frames of `truth` (4, n) have a target, by a rule of validity (n,)."""
    x, y, w, h = truth
    good: Bools
    if rule == "finite":
        good = np.isfinite(x + y + w + h)
    elif rule == "size":
        good = (w > 0) & (h > 0)
    elif rule == "box":
        origin = -rules.origin_px
        good = (x > origin) & (y > origin) & (w > 0) & (h > 0)
    else:
        origin = -rules.centre_origin_px
        good = (x + w / 2 > origin) & (y + h / 2 > origin)
    return good


def unusable(boxes: Floats) -> tuple[Bools, Bools]:
    """Tell which of `boxes` (4, n) have w or h = 0, and which NaN or a negative size, both (n,)."""
    x, y, w, h = boxes
    with np.errstate(invalid="ignore", over="ignore"):
        no_box = ~np.isfinite(x + y + w + h)
    smaller = np.minimum(w, h)
    no_box |= smaller < 0
    return (smaller == 0) & ~no_box, no_box


def overlaps(a: Floats, b: Floats) -> Floats:
    """IoU of each box of `a` (4, n) with its box of `b`, 0 where either has no area (n,)."""
    ax, ay, aw, ah = a
    bx, by, bw, bh = b
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        width = np.minimum(ax + aw, bx + bw)
        width -= np.maximum(ax, bx)
        height = np.minimum(ay + ah, by + bh)
        height -= np.maximum(ay, by)
        both = np.maximum(width, 0.0, out=width)
        both *= np.maximum(height, 0.0, out=height)
        either = aw * ah
        either += bw * bh
        either -= both
        both /= either
    both[~(both > 0)] = 0.0
    ratio: Floats = np.minimum(both, 1.0, out=both)
    return ratio


def ranks(values: Floats, thresholds: Floats) -> Ints:
    """How many of the evenly spaced thresholds (from 0) lie strictly below each value, no NaN."""
    # A little too much, so that the product never rounds down across a whole number: then it is
    # the answer or one less.
    steps = (len(thresholds) - 1) / thresholds[-1] * (1 + 1e-15)
    guess = np.clip(values, 0.0, thresholds[-1])
    guess *= steps
    rank = guess.astype(np.int64)
    rank += thresholds[rank] < values
    return rank


def _columns(clips: Sequence[Boxes]) -> Floats:
    """Lay boxes of all clips end to end (4, n)."""
    columns = np.empty((4, sum(len(clip) for clip in clips)))
    first = 0
    for clip in clips:
        columns[:, first : first + len(clip)] = clip.T
        first += len(clip)
    return columns


def _usable(truth: Floats, result: Floats, starts: Ints, rules: Rules) -> Floats:
    """Apply the rules for predictions that are no box."""
    if "previous" not in (rules.no_size, rules.no_box):
        return result
    no_size, no_box = unusable(result)
    bad = np.zeros(len(no_size), dtype=bool)
    if rules.no_size == "previous":
        bad |= no_size
    if rules.no_box == "previous":
        bad |= no_box
    bad &= np.isfinite(truth.sum(axis=0))
    return repeated(result, bad, starts)


def repeated(boxes: Floats, bad: Bools, starts: Ints) -> Floats:
    """Replace the bad of `boxes` (4, n) by the one before, except at `starts`."""
    bad[starts] = False
    if not bad.any():
        return boxes
    source = np.where(bad, -1, np.arange(len(bad)))
    return boxes[:, np.maximum.accumulate(source)]


def _cut(truths: Truths, result: Floats) -> tuple[Floats, Floats]:
    """Bring boxes into their clip's frame, where its size is known, as got10k does.

    A box that begins outside is moved in and keeps its size: only what then reaches beyond the
    right or lower border is cut (got10k/utils/metrics.py:33-43).
    """
    truth, result = truths.columns.copy(), result.copy()
    edges = np.cumsum(truths.lengths)
    for first, last, size in zip(edges - truths.lengths, edges, truths.sizes or (), strict=False):
        for boxes in (truth, result) if size is not None else ():
            place, extent = boxes[:2, first:last], boxes[2:, first:last]
            limit = np.array(size, dtype=np.float64)[:, None]
            np.clip(place, 0.0, limit, out=place)
            np.clip(extent, 0.0, limit - place, out=extent)
    return truth, result


def _errors(truth: Floats, result: Floats, rules: Rules) -> tuple[Floats, Floats]:
    """Distance of centres in px, and over the size of the truth's box; NaN becomes inf."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        offset = (result[2:] - truth[2:]) * 0.5
        offset += result[:2] - truth[:2]
        error = _lengths(offset)
        if rules.error_decimals is not None:
            error = np.round(error, rules.error_decimals)
        if rules.normalised_by == "nothing":
            return error, np.full(len(error), np.nan)
        size = truth[2:]
        if rules.normalised_by == "epsilon":
            size = size + 1e-16
        elif rules.normalised_by == "clamp":
            size = np.maximum(size, 1.0)
        offset /= size
        return error, _lengths(offset)


def _lengths(offset: Floats) -> Floats:
    lengths: Floats = np.sqrt(offset[0] * offset[0] + offset[1] * offset[1])
    lengths[np.isnan(lengths)] = np.inf
    return lengths


def _counting(bad: Bools, rule: Invalid, dropped: Ints | None) -> Bools | None:
    """Which frames count, None for all of them."""
    if rule != "dropped" and dropped is None:
        return None
    counts = ~bad if rule == "dropped" else np.ones(len(bad), dtype=bool)
    if dropped is not None:
        counts[dropped] = False
    return counts


def _sums(values: Floats, counts: Bools | None, frames: FrameValues) -> Floats:
    """Sum of `values` by clip (clips,)."""
    if counts is not None:
        values = np.where(counts, values, 0.0)
    sums = np.zeros(len(frames.truths.lengths))
    if len(values):
        sums[frames.truths.lengths > 0] = np.add.reduceat(values, frames.truths.starts)
    return sums


def _shares(sums: Floats | Ints, frames: Ints) -> Floats:
    """Sums by clip (clips, ...) over the clip's frames, NaN where none counts."""
    over = np.where(frames > 0, frames, np.nan)
    shares: Floats = (sums.T / over).T
    return shares


def _error_curves(
    errors: Floats, counts: Bools | None, values: FrameValues, at: Floats
) -> tuple[Floats, Ints]:
    """Share of frames whose error is at most each threshold (clips, thresholds), and frames."""
    if np.isnan(errors).any():
        missing = np.full((len(values.truths.lengths), len(at)), np.nan)
        return missing, np.zeros(len(missing), dtype=np.int64)
    within = _histogram(ranks(errors, at), counts, values, len(at)).cumsum(axis=1)
    return _shares(within[:, :-1], within[:, -1]), within[:, -1]


def _histogram(rank: Ints, counts: Bools | None, values: FrameValues, bins: int) -> Ints:
    """Frames by clip and rank (clips, bins + 1)."""
    cells = values.truths.first_cells(bins + 1) + rank
    if counts is not None:
        cells = cells[counts]
    clips = len(values.truths.lengths)
    table = np.bincount(cells, minlength=clips * (bins + 1)).astype(np.int64)
    return table.reshape(clips, bins + 1)
