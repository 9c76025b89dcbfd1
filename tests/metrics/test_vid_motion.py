"""Motion IoU from track identities, by closed formula."""

import numpy as np
import pytest

from tests.metrics.vid_scenes import objects_of
from vbench.metrics.vid_motion import motion_iou, own_motion_iou, shares


def moving(step, frames, size=19, start=0, track=0, skip=()):
    """Rows and tracks of one box of `size` px (20 with the last pixel) that moves to the right."""
    rows = [
        (f, 0, (start + step * f, 0, size, size), False) for f in range(frames) if f not in skip
    ]
    return rows, [track] * len(rows)


def iou_at(shift):
    return max(20 - shift, 0) / (20 + shift) if shift < 20 else 0.0


def test_a_steady_object_in_the_middle_of_a_long_clip() -> None:
    rows, tracks = moving(1, 40)
    motion = own_motion_iou(objects_of(rows, tracks))
    assert motion[20] == pytest.approx(np.mean([iou_at(k) for k in range(1, 11)] * 2))
    # At the ends only ten frames are left, frame itself not among them.
    assert motion[0] == motion[39] == pytest.approx(np.mean([iou_at(k) for k in range(1, 11)]))


def test_frames_without_the_object_do_not_count() -> None:
    rows, tracks = moving(2, 12, skip=(1, 2, 3))
    motion = own_motion_iou(objects_of(rows, tracks))
    assert motion[0] == pytest.approx(np.mean([iou_at(2 * k) for k in range(4, 11)]))


def test_one_frame_alone_stands_still_and_no_track_is_no_motion() -> None:
    rows = [(0, 0, (0, 0, 5, 5), False), (0, 0, (9, 9, 5, 5), False)]
    motion = own_motion_iou(objects_of(rows, [3, -1]))
    assert motion[0] == 1.0
    assert np.isnan(motion[1])
    assert shares(motion) == (1.0, 0.0, 0.0)
    assert np.isnan(shares(motion[1:])).all()


def test_tracks_do_not_mix() -> None:
    slow, fast = moving(0, 15, track=1), moving(30, 15, start=500, track=2)
    motion = own_motion_iou(objects_of(slow[0] + fast[0], slow[1] + fast[1]))
    # Ordered by frame: the slow one and the fast one take turns.
    assert motion[0::2].tolist() == [1.0] * 15
    assert motion[1::2].tolist() == [0.0] * 15
    assert shares(motion) == (0.5, 0.0, 0.5)


def test_what_a_suite_publishes_is_taken() -> None:
    rows, tracks = moving(1, 3)
    objects = objects_of(rows, tracks)
    published = type(objects)(
        objects.frame,
        objects.boxes,
        objects.labels,
        objects.tracks,
        objects.ignore,
        np.array([0.1, 0.2, 0.3]),
    )
    assert motion_iou(published).tolist() == [0.1, 0.2, 0.3]
