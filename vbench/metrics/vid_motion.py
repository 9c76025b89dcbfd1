"""How fast an object moves: mean IoU with itself in the frames around.

Defined in Zhu et al., Flow-Guided Feature Aggregation, ICCV 2017, section 5.1; that the IoU counts
the last pixel, leaves out the frame itself, and averages over those of the 20 frames in which the
object exists, is read off the published array (lib/dataset/imagenet_vid_groundtruth_motion_iou.mat
of msracver/Flow-Guided-Feature-Aggregation).
"""

from __future__ import annotations

import numpy as np

from vbench.core.boxes import Floats, Ints
from vbench.core.clip import Objects
from vbench.metrics.vid_frames import overlap

FRAMES_AROUND = 10
GROWN_PX = 1.0


def motion_iou(objects: Objects, around: int = FRAMES_AROUND) -> Floats:
    """Motion IoU of each object of a clip (m,); 1 where it has no frame around, NaN if untracked.

    An array that comes with the suite is taken as it is.
    """
    if objects.motion is not None:
        return objects.motion
    return own_motion_iou(objects, around)


def own_motion_iou(objects: Objects, around: int = FRAMES_AROUND) -> Floats:
    """Motion IoU computed from track identities (m,), as `motion_iou`."""
    order = np.lexsort((objects.frame, objects.tracks))
    track, frame = objects.tracks[order], objects.frame[order]
    corners = np.ascontiguousarray(objects.boxes[order].T)
    corners[2:] += corners[:2]
    total, count = np.zeros(len(order)), np.zeros(len(order))
    for step in range(1, len(order)):
        same = _followers(track, frame, step, around)
        if not len(same):
            break
        iou = overlap(
            corners.take(same, axis=1), corners.take(same + step, axis=1), grown_px=GROWN_PX
        )
        for end in (same, same + step):
            total[end] += iou
            count[end] += 1
    motion = np.empty(len(order))
    motion[order] = np.where(count > 0, total / np.maximum(count, 1), 1.0)
    motion[objects.tracks < 0] = np.nan
    return motion


def _followers(track: Ints, frame: Ints, step: int, around: int) -> Ints:
    """Rows whose object is, `step` rows on, still the same and not too far away in time."""
    near = (track[step:] == track[:-step]) & (frame[step:] - frame[:-step] <= around)
    return np.flatnonzero(near & (frame[step:] > frame[:-step]))


def shares(motion: Floats) -> tuple[float, float, float]:
    """Share of objects that are slow (> .9), medium, and fast (< .7), of those with a motion."""
    known = motion[~np.isnan(motion)]
    if not len(known):
        return (float("nan"),) * 3
    slow, fast = float((known > 0.9).mean()), float((known < 0.7).mean())
    return slow, 1.0 - slow - fast, fast
