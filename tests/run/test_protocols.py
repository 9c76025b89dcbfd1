"""Protocols that cut clips: starts, shifted boxes, anchors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.scripted import clip
from vbench.core.clip import Clip
from vbench.core.errors import ClipFailed, UnknownName
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.run.protocols import (
    SHIFTS,
    anchors_of,
    expanded,
    multistart_clips,
    shifted,
    sre_clips,
    tre_clips,
    tre_starts,
    under_protocol,
)

BOX = np.array([99.0, 49.0, 40.0, 25.0])  # 1-based: 100 50 40 25


def truth(n):
    return np.tile(BOX, (n, 1))


def test_starts_are_spread_over_the_usable_frames():
    # 209 frames: 190 leave 20 to come, 190 / 19 = 10 apart, MATLAB's floor(1:10:190), then 190.
    starts = tre_starts(truth(209))
    assert (starts + 1).tolist() == [*range(1, 190, 10), 190]


def test_frames_without_a_usable_box_are_passed_over():
    boxes = truth(60)
    boxes[0] = np.nan
    boxes[1, 0] = -1  # 1-based x = 0
    boxes[2, 2] = 0
    assert tre_starts(boxes)[0] == 3
    assert tre_starts(boxes, (np.arange(60) >= 3) & (np.arange(60) < 10))[0] == 10
    assert len(tre_starts(boxes)) == 20
    with pytest.raises(ClipFailed, match="no frame can be started from"):
        tre_starts(np.full((30, 4), np.nan))
    assert tre_starts(truth(5)).tolist() == [0]


@given(n=st.integers(20, 3000), seed=st.integers(0, 5))
def test_twenty_starts_ascend_and_leave_twenty_frames(n, seed):
    boxes = truth(n)
    boxes[np.random.default_rng(seed).random(n) < 0.2] = np.nan
    boxes[0] = BOX
    starts = tre_starts(boxes)
    assert (np.diff(starts) >= 0).all()
    assert (n - starts >= 20).all()
    assert np.isfinite(boxes[starts]).all()
    usable = np.flatnonzero(np.isfinite(boxes[:, 0]) & (n - np.arange(n) >= 20))
    assert starts[0] == usable[0]
    assert starts[-1] == usable[-1]
    assert len(starts) == (20 if len(usable) > 19 else len(starts))


def test_the_segments_of_a_clip():
    whole = clip(100)
    parts = tre_clips(whole)
    assert [part.name for part in parts[:2]] == ["clip/tre01", "clip/tre02"]
    assert len(parts) == 20
    for part, start in zip(parts, tre_starts(whole.truth), strict=True):
        assert len(part) == len(part.truth) == 100 - start
        assert part.frames[0][0, 0, 0] == start


SIZE = (320, 240)
# shiftInitBB.m on 100 50 40 25: 10 % are 4 and 2.5 px.
EXPECTED = {
    "left": (96, 50, 40, 25),
    "right": (104, 50, 40, 25),
    "up": (100, 47, 40, 25),
    "down": (100, 53, 40, 25),
    "topLeft": (96, 48, 44, 27),  # round(47.5) = 48
    "topRight": (100, 48, 44, 27),
    "bottomLeft": (96, 50, 44, 28),  # round(74 + 2.5) = 77
    "bottomRight": (100, 50, 44, 28),
    "scale_8": (104, 53, 32, 20),  # centre 120, 62.5: 104, 52.5
    "scale_9": (102, 51, 36, 23),  # 51.25; 22.5
    "scale_11": (98, 49, 44, 28),  # 48.75; 27.5
    "scale_12": (96, 48, 48, 30),  # 47.5
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_the_twelve_shifts(shift):
    np.testing.assert_array_equal(shifted(BOX, shift, SIZE) + [1, 1, 0, 0], EXPECTED[shift])


def test_the_port_widens_instead_of_moving_down():
    found = shifted(BOX, "down", SIZE, "compat") + [1, 1, 0, 0]
    np.testing.assert_array_equal(found, (100, 50, 40 + 3, 25))  # round(2.5 + .5)
    wide = np.array([99.0, 49.0, 40.0, 20.0])
    # Where 10 % are whole pixels the port moves one further: round(2 + .5) = 3, ceil(2) = 2.
    assert shifted(wide, "up", SIZE, "compat")[1] == 49 - 3
    assert shifted(wide, "up", SIZE)[1] == 49 - 2
    same = [shift for shift in SHIFTS if "scale" in shift or "op" in shift]
    for shift in same:
        np.testing.assert_array_equal(
            shifted(BOX, shift, SIZE), shifted(BOX, shift, SIZE, "compat")
        )


@given(x=st.integers(0, 300), y=st.integers(0, 220), w=st.integers(4, 200), h=st.integers(4, 200))
def test_shifted_boxes_stay_inside_the_frame(x, y, w, h):
    for shift in SHIFTS:
        box = shifted(np.array([x, y, w, h], float), shift, SIZE)
        assert (box[:2] >= 0).all()
        assert (box[:2] + box[2:] <= SIZE).all() or box[2] < 0 or box[3] < 0


def test_shifted_clips_start_from_the_shifted_box_alone():
    parts = sre_clips(clip(30, box=(10.0, 10, 20, 20)))
    assert [part.name for part in parts] == [f"clip/sre-{shift}" for shift in SHIFTS]
    for part in parts:
        assert len(part) == 30
        np.testing.assert_array_equal(part.truth[1:], np.tile([10, 10, 20, 20], (29, 1)))
    assert parts[0].truth[0].tolist() == [8, 10, 20, 20]


def test_the_errors_of_the_port_are_a_protocol_of_their_own():
    suite = Suite(Card("s", "s", "sot", 1), [clip(30, box=(10.0, 10, 20, 20))])
    right, port = (expanded(suite, name).clips for name in ("sre", "sre-compat"))
    down = SHIFTS.index("down")
    assert right[down].truth[0].tolist() == [10, 12, 20, 20]
    assert port[down].truth[0].tolist() == [10, 10, 23, 20]  # wider by round(2 + .5)
    assert under_protocol(suite, "sre-compat")[1] == "sre-compat"


def test_starts_stay_out_of_omitted_frames():
    whole = clip(60)
    omitted = replace(whole, frame_tags={"init_omit": np.arange(60) < 5})
    assert [len(part) for part in tre_clips(omitted)][:2] == [55, 54]
    assert len(sre_clips(omitted)[0]) == 55


def test_a_suite_is_expanded_and_its_broken_clips_named():
    bad = Clip("bad", NoFrames(3), np.full((3, 4), np.nan), known_size=(64, 48))
    suite = Suite(Card("s", "s", "sot", 2), [clip(40), bad])
    tre = expanded(suite, "tre")
    assert (len(tre.clips), tre.coverage) == (20, "20/40")
    assert "no frame can be started" in tre.problems["bad"]
    assert len(expanded(suite, "sre").clips) == 12
    assert expanded(suite, "ope") is suite
    with pytest.raises(UnknownName, match="did you mean 'tre'"):
        expanded(suite, "tree")


def test_anchors_run_towards_the_farther_end():
    assert anchors_of(clip(171)) == [(0, False), (50, False), (100, True), (150, True), (170, True)]
    values = np.zeros(30)
    values[[4, 20]] = 1, -1
    marked = Clip("m", NoFrames(30), np.zeros((30, 4)), frame_values={"anchor": values})
    assert anchors_of(marked) == [(4, False), (20, True)]


def test_backward_clips_end_at_the_first_frame():
    parts = {part.name: part for part in multistart_clips(clip(101))}
    assert list(parts) == ["clip/00000000", "clip/00000050", "clip/00000100"]
    backward = parts["clip/00000100"]
    assert len(backward) == 101
    assert [int(backward.frames[i][0, 0, 0]) for i in (0, 1, 100)] == [100, 99, 0]
    assert len(parts["clip/00000050"]) == 51
