"""Seq-NMS: chains of detections that overlap from frame to frame score together.

Han et al., Seq-NMS for Video Object Detection, 2016, as in msracver/Flow-Guided-Feature-Aggregation
lib/nms/seq_nms.py: take the chain of the highest sum, give its boxes their mean score, drop what
they suppress, repeat. That code computes all sums anew for every chain; here only those are that
the last chain had a part in, which gives the same chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from vbench.core.boxes import Boxes, Floats, Ints, to_corners
from vbench.core.roles import Detections

from .nms import checked_share

# A chain whose sum is below this ends the search, as does having no link left.
LEAST_SUM = 0.01


class SeqNms:
    """Class by class over a whole clip; wants detections that were not suppressed before.

    Args:
        link: IoU from which boxes of successive frames may be of one chain.
        overlap: IoU from which a chain's box suppresses another of its frame; .3 in the reference,
            .45 in Lyu et al., Plug & Play Convolutional Regression Tracker, 2020.
        rescore: what a chain's boxes get: the mean of their scores, or the highest.
        grown_px: added to width and height before overlaps are taken, 1 in the reference.
    """

    def __init__(
        self,
        link: float = 0.5,
        overlap: float = 0.3,
        rescore: Literal["mean", "max"] = "mean",
        grown_px: float = 1.0,
    ) -> None:
        self.link = checked_share("seq-nms", "link", link)
        self.overlap = checked_share("seq-nms", "overlap", overlap)
        self.rescore, self.grown_px = rescore, grown_px

    def apply(self, clip: Sequence[Detections]) -> list[Detections]:
        """Score and suppress along chains; the order within a frame stays."""
        return self.chained(clip, [found.boxes for found in clip[:-1]])

    def chained(self, clip: Sequence[Detections], predicted: Sequence[Boxes]) -> list[Detections]:
        """Link the objects of frame t by where `predicted[t]` says that they are in t + 1."""
        graph = self._graph(clip, predicted)
        scores = np.concatenate([np.zeros(0), *(found.scores for found in clip)])
        labels = np.concatenate([np.zeros(0, np.int64), *(found.labels for found in clip)])
        search = _Search(graph, scores, self.rescore)
        for label in np.unique(labels):
            search.run(np.flatnonzero(labels == label).tolist())
        kept = ~np.array(search.dropped, dtype=bool)
        rescored = np.array(search.scores, dtype=np.float64)
        ends = np.cumsum([len(found.boxes) for found in clip])
        parts = zip(clip, np.split(kept, ends[:-1]), np.split(rescored, ends[:-1]), strict=True)
        return [Detections(f.boxes[k], s[k], f.labels[k]) for f, k, s in parts] if clip else []

    def _graph(self, clip: Sequence[Detections], predicted: Sequence[Boxes]) -> Graph:
        counts = np.array([len(found.boxes) for found in clip], np.int64)
        first = np.cumsum(counts) - counts
        links, rivals = [], []
        for t, found in enumerate(clip):
            same = found.labels[:, None] == found.labels[None, :]
            i, j = np.nonzero((self._iou(found.boxes, found.boxes) >= self.overlap) & same)
            rivals.append(np.stack([i, j]) + first[t])
            if t + 1 < len(clip):
                after = clip[t + 1]
                same = found.labels[:, None] == after.labels[None, :]
                i, j = np.nonzero((self._iou(predicted[t], after.boxes) >= self.link) & same)
                links.append(np.stack([i + first[t], j + first[t + 1]]))
        total = int(counts.sum())
        i, j = _joined(links)
        back = np.lexsort((i, j))
        one, other = _joined(rivals)
        return Graph(
            _lists(i, j, total), _lists(j[back], i[back], total), _lists(one, other, total)
        )

    def _iou(self, a: Boxes, b: Boxes) -> Floats:
        """IoU of all pairs (n, m) of boxes that are grown by `grown_px`."""
        one, other = to_corners(a)[:, None], to_corners(b)[None]
        width = np.minimum(one[..., 2], other[..., 2]) - np.maximum(one[..., 0], other[..., 0])
        height = np.minimum(one[..., 3], other[..., 3]) - np.maximum(one[..., 1], other[..., 1])
        grown = self.grown_px
        both = np.maximum(width + grown, 0) * np.maximum(height + grown, 0)
        area_a, area_b = ((x[:, 2] + grown) * (x[:, 3] + grown) for x in (a, b))
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = both / (area_a[:, None] + area_b - both)
        return found


class SeqTrackNms(SeqNms):
    """Seq-NMS that links a box to where its track went (Lyu et al., Plug & Play ..., 2020).

    The method's cheap half carries the objects of each frame to the next one, keyframes included.
    """

    def apply(self, clip: Sequence[Detections]) -> list[Detections]:
        """Without predictions an object is expected where it was: Seq-NMS."""
        return super().apply(clip)

    def apply_tracked(
        self, clip: Sequence[Detections], predicted: Sequence[Boxes]
    ) -> list[Detections]:
        """Link by `predicted[t]`: the objects of frame t (n, 4) in frame t + 1, NaN if unknown."""
        return self.chained(clip, predicted)


class Graph(NamedTuple):
    """Detections numbered through the clip: what each links to, is linked from, and suppresses."""

    after: list[list[int]]
    before: list[list[int]]
    rivals: list[list[int]]


class _Search:
    """Takes chains, best first. `sums[n]` is the best sum of a chain that ends in n."""

    def __init__(self, graph: Graph, scores: Floats, rescore: str) -> None:
        self.graph, self.rescore = graph, rescore
        self.scores: list[float] = scores.tolist()
        self.own = list(self.scores)
        self.taken = [False] * len(self.scores)
        self.dropped = [False] * len(self.scores)
        self.sums = [0.0] * len(self.scores)
        self.previous = [-1] * len(self.scores)

    def run(self, nodes: list[int]) -> None:
        """Take all chains of the detections of one class."""
        links = 0
        for node in nodes:
            self._settle(node)
            links += len(self.graph.after[node])
        # Of equal sums the first detection goes first.
        waiting = [(-self.sums[node], node) for node in nodes]
        heapify(waiting)
        while links and waiting:
            negative, node = heappop(waiting)
            if self.taken[node] or -negative != self.sums[node]:
                continue
            if self.sums[node] < LEAST_SUM:
                return
            links -= self._take(node, waiting)

    def _settle(self, node: int) -> None:
        """Find the best chain that ends in `node`; of equal ones the first link."""
        score, sums = self.own[node], self.sums
        best, previous = score, -1
        for before in self.graph.before[node]:
            if not self.taken[before] and sums[before] + score > best:
                best, previous = sums[before] + score, before
        sums[node], self.previous[node] = best, previous

    def _take(self, last: int, waiting: list[tuple[float, int]]) -> int:
        """Take the chain that ends in `last` and what it suppresses; return links that go."""
        chain = [last]
        while self.previous[chain[-1]] >= 0:
            chain.append(self.previous[chain[-1]])
        if self.rescore == "mean":
            score = self.sums[last] / len(chain)
        else:
            score = max(self.own[node] for node in chain)
        cut, lost = 0, set[int]()
        for node in chain:
            self.scores[node] = score
            cut += self._cut(node, lost)
            for rival in self.graph.rivals[node]:
                if not self.taken[rival]:
                    self.dropped[rival] = True
                    cut += self._cut(rival, lost)
        self._resettle(lost, waiting)
        return cut

    def _cut(self, node: int, lost: set[int]) -> int:
        """Take `node` out of the graph; `lost` gains those whose best chain it was in."""
        self.taken[node] = True
        cut = sum(not self.taken[before] for before in self.graph.before[node])
        for after in self.graph.after[node]:
            if not self.taken[after]:
                cut += 1
                if self.previous[after] == node:
                    lost.add(after)
        return cut

    def _resettle(self, lost: set[int], waiting: list[tuple[float, int]]) -> None:
        """Find new chains for `lost` and for those that built on them, frame after frame."""
        queue = list(lost)
        heapify(queue)
        while queue:
            node = heappop(queue)
            if self.taken[node]:
                continue
            before = self.sums[node]
            self._settle(node)
            heappush(waiting, (-self.sums[node], node))
            if self.sums[node] != before:
                for after in self.graph.after[node]:
                    if self.previous[after] == node and after not in lost:
                        lost.add(after)
                        heappush(queue, after)


def _joined(pairs: list[Ints]) -> Ints:
    return np.concatenate([np.zeros((2, 0), np.int64), *pairs], axis=1)


def _lists(keys: Ints, values: Ints, total: int) -> list[list[int]]:
    """`values` by their key, keys ascending, one list for each number below `total`."""
    ends = np.searchsorted(keys, np.arange(total + 1)).tolist()
    flat = values.tolist()
    return [flat[a:b] for a, b in pairwise(ends)]
