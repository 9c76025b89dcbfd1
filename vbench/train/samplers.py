"""What is drawn from clips to learn from: pairs of frames, frames of one clip after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from vbench.core.boxes import Bools, Boxes, Image, Ints, areas, inside_share, is_present
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError

# Decoded frames are kept while they fit.
MOST_BYTES = 512 << 20
# siamfc-pytorch datasets.py, _filter: sides in px, share of the frame, aspect.
LEAST_SIDE, MOST_SIDE = 20.0, 500.0
LEAST_SHARE, MOST_SHARE = 0.01, 0.5
LEAST_ASPECT, MOST_ASPECT = 0.25, 4.0
# DCFNet_pytorch train/dataset/gen_snippet.py:5-19: square root of the share of the frame; distance
# from the border by the mean side.
LEAST_ROOT, MOST_ROOT, BORDER = 0.1, 0.75, 0.05

Usable = Callable[[Boxes, tuple[int, int]], Bools]


class Footage:
    """Clips with ground truth, and their frames, decoded once where they fit into memory.

    `usable` tells which boxes (n, 4) of a frame of (w, h) px are learnt from; where it leaves a
    clip fewer than two, all boxes that are inside their frame are.

    Raises:
        VBenchError: no clip has two frames with a box.
    """

    def __init__(self, clips: Sequence[Clip], usable: Usable | None = None) -> None:
        self.clips: list[Clip] = []
        self.frames: list[Ints] = []
        for clip in clips:
            if len(clip.truth) != len(clip):
                continue
            seen = visible(clip.truth, clip.size)
            good = seen & usable(clip.truth, clip.size) if usable is not None else seen
            chosen = np.flatnonzero(good if good.sum() > 1 else seen)
            if len(chosen) > 1:
                self.clips.append(clip)
                self.frames.append(chosen)
        if not self.clips:
            raise VBenchError("no clip of this suite has two frames with a box to learn from")
        self._kept: OrderedDict[tuple[int, int], Image] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.clips)

    def frame(self, clip: int, index: int) -> Image:
        """Frame `index` of a clip."""
        key = clip, int(index)
        image = self._kept.pop(key, None)
        if image is None:
            image = self.clips[clip].frames[int(index)]
            self._bytes += image.nbytes
        self._kept[key] = image
        while self._bytes > MOST_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return image


class Pair(NamedTuple):
    """Two frames of one clip with their boxes (4,)."""

    template: Image
    template_box: Boxes
    search: Image
    search_box: Boxes


def visible(boxes: Boxes, size: tuple[int, int]) -> Bools:
    """Boxes of which something is inside the frame."""
    return np.asarray(is_present(boxes) & (inside_share(np.nan_to_num(boxes), size) > 0))


def siamfc_usable(boxes: Boxes, size: tuple[int, int]) -> Bools:
    """Boxes that SiamFC is trained with: not small, not huge, not thin."""
    known = np.nan_to_num(boxes)
    w, h = known[:, 2], known[:, 3]
    share = areas(known) / (size[0] * size[1])
    aspect = np.maximum(w, 1e-6) / np.maximum(h, 1e-6)
    return np.asarray(
        (np.minimum(w, h) >= LEAST_SIDE)
        & (np.maximum(w, h) <= MOST_SIDE)
        & (share >= LEAST_SHARE)
        & (share <= MOST_SHARE)
        & (aspect >= LEAST_ASPECT)
        & (aspect <= MOST_ASPECT)
    )


def dcfnet_usable(boxes: Boxes, size: tuple[int, int]) -> Bools:
    """Boxes that DCFNet is trained with: not small, not large, away from the frame's border."""
    known = np.nan_to_num(boxes)
    root = np.sqrt(areas(known) / (size[0] * size[1]))
    ends = np.asarray(size) - known[:, :2] - known[:, 2:]
    room = np.concatenate([known[:, :2], ends], axis=1).min(axis=1)
    away = BORDER * known[:, 2:].mean(axis=1)
    return np.asarray((root > LEAST_ROOT) & (root < MOST_ROOT) & (room > away))


def near_pair(rng: Generator, frames: Ints, farthest: int) -> tuple[int, int]:
    """Two of `frames`, in any order, at most `farthest` places apart (siamfc-pytorch: 100)."""
    first = int(rng.integers(len(frames)))
    low, high = max(first - farthest, 0), min(first + farthest, len(frames) - 1)
    second = int(rng.integers(low, high + 1))
    return int(frames[first]), int(frames[second])


def following_pair(rng: Generator, frames: Ints, distances: int) -> tuple[int, int]:
    """One of `frames` and one 0 ... distances - 1 places later, around the end (PatchNet: 12)."""
    first = int(rng.integers(len(frames)))
    second = (first + int(rng.integers(distances))) % len(frames)
    return int(frames[first]), int(frames[second])


class Starts(NamedTuple):
    """Frames (m,) that are followed: their clips, and how many frames follow without a gap."""

    clips: Ints
    frames: Ints
    followers: Ints


def starts(footage: Footage) -> Starts:
    """Every frame of all clips that the next one follows (DCFNet_pytorch crop_image.py:75).

    Raises:
        VBenchError: no two frames of a clip follow each other.
    """
    columns = []
    for clip, frames in enumerate(footage.frames):
        # Where each unbroken run of frames ends, for all of its frames.
        last = np.flatnonzero(np.append(np.diff(frames) > 1, True))
        ends = frames[last[np.searchsorted(last, np.arange(len(frames)))]]
        columns.append(np.stack([np.full(len(frames), clip), frames, ends - frames]))
    clips, frames, followers = np.concatenate(columns, axis=1)
    if not followers.any():
        raise VBenchError("no clip of this suite has two frames in a row with a box to learn from")
    chosen = followers > 0
    return Starts(clips[chosen], frames[chosen], followers[chosen])


def later_pair(rng: Generator, known: Starts, farthest: int) -> tuple[int, tuple[int, int]]:
    """A clip and two frames, the second 1 ... `farthest` later (DCFNet_pytorch dataset.py:25: 10).

    Every frame that another one follows is as likely to be the first.
    """
    start = int(rng.integers(len(known.frames)))
    first = int(known.frames[start])
    later = int(rng.integers(1, min(int(known.followers[start]), farthest) + 1))
    return int(known.clips[start]), (first, first + later)


def pair(footage: Footage, clip: int, indices: tuple[int, int]) -> Pair:
    """Decode two frames of a clip."""
    first, second = indices
    truth = footage.clips[clip].truth
    return Pair(
        footage.frame(clip, first), truth[first], footage.frame(clip, second), truth[second]
    )


def some_frames(rng: Generator, frames: Ints, count: int) -> Ints:
    """`count` of `frames` in random order; the same again where there are fewer."""
    decks = [rng.permutation(frames) for _ in range(-(-count // len(frames)))]
    return np.concatenate(decks)[:count]
