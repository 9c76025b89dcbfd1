"""One clip frame by frame: overlaps by a formula, marks in the colour of their method."""

import numpy as np
import pytest

from vbench.core.clip import Objects
from vbench.core.trace import Kind, Trace
from vbench.report.timeline import overlaps, timeline
from vbench.store.traces import StoredTruth

FRAMES = 4
BOX = [10.0, 10, 20, 20]
# Half of the width beside it: a third of the union.
BESIDE = [20.0, 10, 20, 20]


def of_many(boxes, scores, labels, objects) -> Trace:
    kind = np.array([Kind.START, Kind.INTER, Kind.KEY, Kind.INTER], np.int8)
    one, ones = np.ones(FRAMES), np.ones(FRAMES, np.int64)
    return Trace(
        kind, np.array(objects), ones, one, one, one, one, np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float), np.array(labels),
    )  # fmt: skip


def truth_of(frames, boxes, labels, ignore) -> StoredTruth:
    number = np.full(len(frames), -1)
    objects = Objects(
        np.array(frames), np.array(boxes, float), np.array(labels), number, np.array(ignore, bool)
    )
    return StoredTruth("clip", FRAMES, "d", np.zeros((0, 4)), objects=objects)


def test_many_objects_count_by_the_best_box_of_their_class_that_is_drawn() -> None:
    # Frame 0: met exactly, and by half. 1: a box of another class, a weak one. 2: no object but
    # an ignored one. 3: an object and no box.
    truth = truth_of(
        [0, 0, 1, 2, 3], [BOX, [110.0, 10, 20, 20], BOX, BOX, BOX], [0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0],
    )  # fmt: skip
    trace = of_many(
        [BESIDE, BOX, [120.0, 10, 20, 20], BOX, BOX, BOX], [0.9, 0.5, 0.9, 0.9, 0.1, 0.9],
        [0, 0, 1, 1, 0, 0], [3, 2, 1, 0],
    )  # fmt: skip
    found = overlaps(truth, trace)
    assert found[:2] == pytest.approx([(1 + 1 / 3) / 2, 0])
    assert np.isnan(found[2])
    assert found[3] == 0


def test_keyframes_have_the_colour_of_their_method_and_the_axis_is_iou_alone() -> None:
    truth = truth_of([0], [BOX], [0], [0])
    traces = {name: of_many([], [], [], [0] * FRAMES) for name in ("a", "b")}
    axes = timeline(truth, traces, "").axes[0]
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    marks = [line for line in drawn if line.get_marker() == "|"]
    colours = {line.get_label(): line.get_color() for line in drawn}
    assert [line.get_color() for line in marks] == [colours["a"], colours["b"]]
    assert colours["a"] != colours["b"]
    assert [list(line.get_xdata()) for line in marks] == [[2], [2]]
    assert axes.get_yticks().tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b", "keyframe"]
