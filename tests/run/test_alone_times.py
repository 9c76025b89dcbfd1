"""What a call takes by its objects, from calls of other sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.run.alone_times import Knots, line_through, paces

COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(lambda n: len(set(n)) > 1)


@given(COUNTS, st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_line_is_found(counts, start, slope) -> None:
    calls = [(n, start + slope * n) for n in counts]
    assert line_through(calls) == pytest.approx((start, slope), rel=1e-6)
    assert paces(calls) == pytest.approx([1.0] * len(calls))


def test_a_slow_call_is_told_by_how_much() -> None:
    calls = [(2, 4.0), (2, 4.0), (2, 6.0), (4, 8.0), (4, 8.0), (4, 8.0)]
    assert paces(calls) == pytest.approx([1, 1, 1.5, 1, 1, 1])


def test_what_does_not_rise_with_the_objects_is_charged_to_the_call() -> None:
    assert line_through([(1, 5.0), (3, 5.0)]) == pytest.approx((5.0, 0.0))
    assert line_through([(1, 6.0), (3, 4.0)]) == pytest.approx((5.0, 0.0))


def test_what_would_start_below_zero_is_charged_to_the_objects() -> None:
    assert line_through([(1, 1.0), (2, 4.0), (3, 7.0)]) == pytest.approx((0.0, 12 / 6))


def test_knots_are_medians_with_straight_lines_between() -> None:
    knots = Knots.of([(4, 8.0), (2, 1.0), (2, 3.0), (2, 2.0)])
    assert knots.objects.tolist() == [2, 4] and knots.seconds.tolist() == [2, 8]
    assert [knots.at(n) for n in (2, 3, 4)] == [2, 5, 8]


def test_nothing_timed_takes_nothing() -> None:
    assert Knots.of([]).at(7) == 0
    assert paces([]) == []
