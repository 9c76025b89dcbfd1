"""Suppression within a frame against its definition, one box after the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.boxes import iou
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections
from vbench.detectors.nms import Nms, SoftNms, Weight, softened, survivors

ROWS = st.lists(
    st.tuples(st.integers(0, 10), st.integers(1, 8), st.integers(0, 8), st.integers(0, 1)),
    max_size=12,
)


def columns(rows):
    table = np.array(rows, float).reshape(-1, 4)
    boxes = np.stack([table[:, 0], table[:, 0] * 0, table[:, 1], table[:, 1] * 0 + 4], axis=1)
    return boxes, table[:, 2] / 8, table[:, 3].astype(np.int64)


@given(ROWS, st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_a_box_stays_if_no_better_one_that_stays_overlaps_it_more(rows, overlap) -> None:
    boxes, scores, labels = columns(rows)
    kept: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: -scores[i]):
        rivals = [j for j in kept if labels[j] == labels[i]]
        if all(iou(boxes[i], boxes[j]) <= overlap for j in rivals):
            kept.append(i)
    assert survivors(boxes, scores, labels, overlap).tolist() == kept


@given(ROWS, st.sampled_from(["gaussian", "linear"]))
def test_soft_scores_are_the_product_of_what_better_boxes_leave(rows, rule) -> None:
    boxes, scores, labels = columns(rows)
    expected = scores.copy()
    waiting = list(range(len(rows)))
    while waiting:
        best = max(waiting, key=lambda i: (expected[i], -i))
        waiting.remove(best)
        for i in waiting:
            if labels[i] == labels[best]:
                over = float(iou(boxes[i], boxes[best]))
                if rule == "gaussian":
                    expected[i] *= np.exp(-(over**2) / 0.5)
                elif over > 0.3:
                    expected[i] *= 1 - over
    found = softened(boxes, scores, labels, Weight(rule, 0.5, 0.3))
    assert found == pytest.approx(expected, abs=1e-12)


CLIP = [
    Detections(
        np.array([[0.0, 0, 10, 10], [0, 0, 10, 8], [0, 0, 10, 8], [50, 0, 10, 10]]),
        np.array([0.6, 0.9, 0.7, 0.1]),
        np.array([0, 0, 1, 0]),
    )
]


def test_nms_keeps_the_order_of_what_stays() -> None:
    (found,) = Nms().apply(CLIP)
    assert (found.scores.tolist(), found.labels.tolist()) == ([0.9, 0.7, 0.1], [0, 1, 0])
    (found,) = Nms(agnostic=True).apply(CLIP)
    assert found.scores.tolist() == [0.9, 0.1]
    (found,) = Nms(overlap=0.8).apply(CLIP)
    assert found.scores.tolist() == [0.6, 0.9, 0.7, 0.1]


def test_soft_nms_lets_go_of_what_falls_below_the_least() -> None:
    (found,) = SoftNms("linear", least=0.15).apply(CLIP)
    # IoU of the first two is 80 / 100.
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])
    (found,) = SoftNms("linear", least=0.1).apply(CLIP)
    assert found.scores.tolist() == pytest.approx([0.6 * 0.2, 0.9, 0.7, 0.1])
    (found,) = SoftNms("gaussian", least=0.0).apply(CLIP)
    assert found.scores[0] == pytest.approx(0.6 * np.exp(-0.64 / 0.5))


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: Nms(overlap=1.5), r"nms\[overlap=1.5\]"),
        (lambda: SoftNms(sigma=0.0), "sigma must be above 0"),
        (lambda: SoftNms(overlap=-1.0), r"soft-nms\[overlap=-1\]"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(made, why) -> None:
    with pytest.raises(VBenchError, match=why):
        made()
