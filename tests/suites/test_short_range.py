"""Pairs of objects some frames apart, how they are run and what counts as a miss."""

import numpy as np
import pytest

from tests.metrics.vid_scenes import objects_of
from vbench import catalogue
from vbench.core.clip import RESTART, Clip
from vbench.core.errors import ClipFailed, UnknownName, VBenchError
from vbench.core.frames import NoFrames, Rendered
from vbench.core.policy import Every, Fixed
from vbench.core.trace import Kind
from vbench.metrics.short_range import judged, miss_rate
from vbench.run.loop import run_clip
from vbench.run.stepper import TrackerStepper
from vbench.suites.short_range import paired
from vbench.trackers.dummy import Dummy
from vbench.trackers.hold import Hold


def frame(index):
    return np.full((50, 90, 3), index, np.uint8)


def clip(rows, tracks, length=30):
    return Clip("a", Rendered(length, frame), objects=objects_of(rows, tracks))


def moving(frames, step=1.0, track=0):
    rows = [(f, 0, (5 + step * f, 5, 20, 20), False) for f in frames]
    return rows, [track] * len(rows)


def numbers(found):
    return [int(found.frames[index][0, 0, 0]) for index in range(len(found))]


def test_pairs_are_ten_frames_apart_and_begin_every_ten() -> None:
    found = paired(clip(*moving(range(3, 30))), 10, 10, "pair")
    assert numbers(found) == [3, 13, 13, 23]
    assert found.frame_tags[RESTART].tolist() == [True, False] * 2
    assert found.truth[:, 0].tolist() == [8, 18, 18, 28]
    assert judged(found.frame_tags[RESTART]).tolist() == [False, True] * 2


def test_objects_come_in_the_order_of_time_and_gaps_make_no_pair() -> None:
    first, second = moving([0, 10], track=1), moving([0, 5, 20], track=2)
    third = moving([4, 14], track=3)
    rows = first[0] + second[0] + third[0]
    found = paired(clip(rows, first[1] + second[1] + third[1]), 10, 5, "pair")
    assert numbers(found) == [0, 10, 4, 14]


def test_frames_between_may_be_shown() -> None:
    found = paired(clip(*moving([*range(7), *range(8, 25)])), 3, 4, "frames")
    # 4-7 lacks frame 7; of 24-27 there is the first frame alone.
    assert numbers(found) == [
        *range(4),
        *range(8, 12),
        *range(12, 16),
        *range(16, 20),
        *range(20, 24),
    ]
    assert judged(found.frame_tags[RESTART]).sum() == 5


def test_ignored_and_untracked_objects_make_no_pair() -> None:
    rows = [(0, 0, (5, 5, 9, 9), True), (10, 0, (5, 5, 9, 9), False)]
    for tracks in ([1, 1], [-1, -1]):
        with pytest.raises(ClipFailed, match="no track has an object in two frames 10 apart"):
            paired(clip(rows, tracks), 10, 10, "pair")


def test_annotations_alone_stay_so() -> None:
    rows, tracks = moving([0, 10])
    bare = Clip("a", NoFrames(30, "there"), objects=objects_of(rows, tracks))
    found = paired(bare, 10, 10, "pair")
    assert isinstance(found.frames, NoFrames)
    assert len(found) == 2


def test_a_method_starts_anew_on_each_pair() -> None:
    found = paired(clip(*moving(range(30))), 10, 10, "pair")
    trace = run_clip(TrackerStepper(Hold()), Every(), found, lambda: 0.0)
    assert trace.kind.tolist() == [Kind.START, Kind.KEY] * 2
    # It answers the truth of the first frame of the pair on both.
    assert trace.boxes[:, 0].tolist() == [5, 5, 15, 15]


def test_a_propagator_is_anchored_on_the_truth() -> None:
    found = paired(clip(*moving(range(30))), 10, 10, "frames")
    trace = run_clip(TrackerStepper(Hold(), Dummy()), Fixed(100), found, lambda: 0.0)
    assert trace.kind.tolist() == ([Kind.START] + [Kind.INTER] * 10) * 2
    assert trace.boxes[-1, 0] == 15


def test_a_miss_is_an_iou_below_seven_tenths() -> None:
    true = np.array([[0, 0, 10, 10]] * 4, float)
    answered = np.array([[0, 0, 10, 7], [0, 0, 10, 6.9], [5, 5, 10, 10], [0, 0, 10, 10]])
    assert miss_rate([true, true[:0]], [answered, answered[:0]]) == 0.5
    assert np.isnan(miss_rate([], []))


def opened(name, **given):
    return catalogue.open_suite(name, None, None, given)


def test_any_suite_of_videos_will_do() -> None:
    suite = opened("short-range-vid:synth-vid", every="40")
    assert suite.name == "short-range-vid:synth-vid"
    assert suite.task == "sot"
    assert suite.coverage == "12/12"
    source = catalogue.open_suite("synth-vid", None, None).clips[0]
    assert source.objects is not None
    pair = suite.clips[0]
    assert pair.size == source.size
    assert (pair.frames[1] == source.frames[source.objects.frame.min() + 10]).all()


@pytest.mark.parametrize(
    ("name", "given", "error", "why"),
    [
        ("short-range-vid:synth-sot", {}, VBenchError, "is a suite of single objects"),
        ("short-range-vid:nothing", {}, UnknownName, "no suite called 'nothing'"),
        ("short-range-vid:synth-vid", {"gap": "0"}, VBenchError, "must be at least 1"),
        ("short-range-vid:synth-vid", {"gap": "1000"}, ClipFailed, "no clip of synth-vid has such"),
    ],
)
def test_what_cannot_be_is_said(name, given, error, why) -> None:
    with pytest.raises(error, match=why):
        opened(name, **given)
