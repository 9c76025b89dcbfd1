"""Long-term precision, recall and F: cases that can be counted by hand."""

import numpy as np
import pytest

from vbench.metrics.longterm import long_term

BOX = [10.0, 10.0, 20.0, 20.0]
GONE = [np.nan] * 4


def case(truth, result, scores):
    return np.array(truth), np.array(result), np.array(scores)


def test_perfect_answers_that_know_when_the_target_is_gone():
    truth, result, scores = case([BOX] * 4 + [GONE] * 2, [BOX] * 6, [1, 1, 1, 1, 0, 0])
    best = long_term([truth], [result], [scores]).best
    assert best == {"lt_precision": 1.0, "lt_recall": 1.0, "lt_f": 1.0}


def test_answers_without_a_target_cost_precision():
    truth, result, scores = case([BOX] * 4 + [GONE] * 2, [BOX] * 6, [1] * 6)
    # 3 of 5 answers (the first frame is given) are right, and all 3 targets found.
    best = long_term([truth], [result], [scores]).best
    assert best["lt_precision"] == pytest.approx(3 / 5)
    assert best["lt_recall"] == pytest.approx(1)
    assert best["lt_f"] == pytest.approx(2 * 0.6 / 1.6)


def test_no_answer_costs_recall():
    truth, result, scores = case([BOX] * 5, [BOX, BOX, GONE, GONE, BOX], [1] * 5)
    best = long_term([truth], [result], [scores]).best
    assert best["lt_precision"] == pytest.approx(1)
    assert best["lt_recall"] == pytest.approx(0.5)


def test_threshold_leaves_out_doubtful_answers():
    wrong = [200.0, 200.0, 20.0, 20.0]
    truth, result, scores = case([BOX] * 5, [BOX, BOX, BOX, wrong, wrong], [9, 0.9, 0.8, 0.3, 0.2])
    curve = long_term([truth], [result], [scores])
    assert curve.best["lt_precision"] == pytest.approx(1)
    assert curve.best["lt_recall"] == pytest.approx(0.5)
    at = int(np.argmax(curve.thresholds == -np.inf))
    assert curve.precision[at] == pytest.approx(0.5)


def test_sequences_weigh_the_same_whatever_their_length():
    good = case([BOX] * 101, [BOX] * 101, [1] * 101)
    bad = case([BOX] * 3, [[200.0, 200.0, 5.0, 5.0]] * 3, [1] * 3)
    best = long_term(*zip(good, bad, strict=True)).best
    assert best["lt_precision"] == pytest.approx(0.5)


def test_scores_that_are_unknown_count_at_the_lowest_threshold():
    truth, result, scores = case([BOX] * 3, [BOX] * 3, [np.nan] * 3)
    assert long_term([truth], [result], [scores]).best["lt_f"] == pytest.approx(1)
