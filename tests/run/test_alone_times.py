"""What steps take alone, from their shares of common calls and from some that were made alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.run.alone_times import Alone, Knots, line_through

COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(lambda n: len(set(n)) > 1)


@given(COUNTS, st.floats(0.1, 10), st.floats(0.1, 10))
def test_a_line_is_found(counts, start, slope) -> None:
    calls = [(n, start + slope * n) for n in counts]
    assert line_through(calls) == pytest.approx((start, slope), rel=1e-6)


def test_what_does_not_rise_with_the_objects_is_charged_to_the_call() -> None:
    assert line_through([(1, 5.0), (3, 5.0)]) == pytest.approx((5.0, 0.0))
    assert line_through([(1, 6.0), (3, 4.0)]) == pytest.approx((5.0, 0.0))


def test_what_would_start_below_zero_is_charged_to_the_objects() -> None:
    assert line_through([(1, 1.0), (2, 4.0), (3, 7.0)]) == pytest.approx((0.0, 12 / 6))


def test_calls_that_were_not_timed_are_shared_evenly() -> None:
    assert line_through([]) == line_through([(3, 0.0)]) == line_through([(2, float("nan"))])
    assert line_through([]) == (1.0, 0.0)


def test_knots_are_medians_with_straight_lines_between() -> None:
    knots = Knots.of([(4, 8.0), (2, 1.0), (2, 3.0), (2, 2.0)])
    assert knots.objects.tolist() == [2, 4] and knots.medians.tolist() == [2, 8]
    assert [knots.at(n) for n in (1, 2, 3, 4, 9)] == [2, 2, 5, 8, 8]


def test_factors_are_of_the_same_steps() -> None:
    """Anchoring took a tenth more alone; the next frame all of its share, later ones half."""
    seconds = {(0, 0): 1.1, (0, 1): 4.0, (0, 2): 3.0, (5, 5): 2.2, (5, 6): 9.0, (5, 7): 9.0}
    objects = {step: 2 if step[0] == 0 else 4 for step in seconds}
    shares = {(0, 0): 1.0, (0, 1): 4.0, (0, 2): 6.0, (5, 5): 2.0, (5, 6): 9.0, (7, 8): 1.0}
    anchoring, near, far = Alone(seconds, objects).factors(shares)
    assert [anchoring.at(n) for n in (2, 4)] == pytest.approx([1.1, 1.1])
    assert [near.at(n) for n in (2, 3, 4)] == pytest.approx([1, 1, 1])
    assert [far.at(n) for n in (2, 3, 4)] == pytest.approx([0.5, 0.5, 0.5])
    shares[5, 7] = 6.0
    *_, far = Alone(seconds, objects).factors(shares)
    assert [far.at(n) for n in (2, 3, 4)] == pytest.approx([0.5, 1.0, 1.5])


def test_factors_that_nothing_tells_are_one() -> None:
    assert [knots.at(3) for knots in Alone({}, {}).factors({})] == [1, 1, 1]
    *_, far = Alone({(0, 1): 2.0}, {(0, 1): 3}).factors({(0, 1): 4.0})
    assert far.at(3) == 0.5
