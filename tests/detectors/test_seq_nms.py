"""Seq-NMS against the textbook loop, and on chains whose sums are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detectors.textbook_seq_nms import textbook_seq_nms
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections
from vbench.detectors.seq_nms import SeqNms, SeqTrackNms


def found(*rows):
    """Rows x, score, label of boxes 20 px wide."""
    table = np.array(rows, float).reshape(-1, 3)
    boxes = np.zeros((len(table), 4)) + [0, 0, 20, 20]
    boxes[:, 0] = table[:, 0]
    return Detections(boxes, table[:, 1], table[:, 2].astype(np.int64))


@st.composite
def clips(draw):
    cells = st.tuples(
        st.integers(0, 12).map(lambda x: x * 4), st.integers(0, 8).map(lambda s: s / 8),
        st.integers(0, 1),
    )  # fmt: skip
    return [found(*draw(st.lists(cells, max_size=6))) for _ in range(draw(st.integers(1, 7)))]


def same(a, b):
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert one.boxes.tolist() == other.boxes.tolist()
        assert one.scores.tolist() == other.scores.tolist()
        assert one.labels.tolist() == other.labels.tolist()


@settings(max_examples=100, deadline=None)
@given(clips())
def test_it_is_the_textbook_loop(clip) -> None:
    same(SeqNms().apply(clip), textbook_seq_nms(clip))


@settings(max_examples=100, deadline=None)
@given(clips(), st.integers(-3, 3))
def test_linked_by_predictions_it_is_the_textbook_loop(clip, step) -> None:
    predicted = [d.boxes + [4.0 * step, 0, 0, 0] for d in clip[:-1]]
    expected = textbook_seq_nms(clip, predicted=predicted)
    same(SeqTrackNms().apply_tracked(clip, predicted), expected)


def test_a_chain_gets_the_mean_of_its_scores_and_suppresses_its_rivals() -> None:
    clip = [found((0, 0.9, 3)), found((2, 0.3, 3), (4, 0.5, 3)), found((4, 0.8, 3))]
    first, second, third = SeqNms().apply(clip)
    assert [d.scores.tolist() for d in (first, second, third)] == [[pytest.approx(2.2 / 3)]] * 3
    assert second.boxes[0, 0] == 4


def test_a_chain_may_get_its_highest_score() -> None:
    clip = [found((0, 0.9, 3)), found((2, 0.3, 3))]
    assert [d.scores.tolist() for d in SeqNms(rescore="max").apply(clip)] == [[0.9], [0.9]]


def test_other_classes_neither_link_nor_suppress() -> None:
    clip = [found((0, 0.9, 0), (0, 0.2, 1)), found((0, 0.3, 1))]
    first, second = SeqNms().apply(clip)
    assert first.scores.tolist() == [0.9, 0.25]
    assert second.scores.tolist() == [0.25]


def test_without_any_link_nothing_is_suppressed() -> None:
    clip = [found((0, 0.9, 0), (2, 0.8, 0)), found(), found((0, 0.3, 0))]
    same(SeqNms().apply(clip), clip)


def test_track_predictions_link_what_moved_far() -> None:
    clip = [found((0, 0.9, 0)), found((60, 0.5, 0))]
    same(SeqTrackNms().apply(clip), clip)
    first, second = SeqTrackNms().apply_tracked(clip, [np.array([[59.0, 0, 20, 20]])])
    assert first.scores.tolist() == second.scores.tolist() == [pytest.approx(0.7)]


def test_an_unknown_prediction_links_nothing() -> None:
    clip = [found((0, 0.9, 0)), found((0, 0.5, 0))]
    same(SeqTrackNms().apply_tracked(clip, [np.full((1, 4), np.nan)]), clip)


def test_an_empty_clip_stays_empty() -> None:
    assert SeqNms().apply([]) == []


def test_a_threshold_outside_0_to_1_is_refused() -> None:
    with pytest.raises(VBenchError, match=r"seq-nms\[link=1.5\]"):
        SeqNms(link=1.5)
