"""Speed in units of a maximum filter."""

import math

import pytest

from vbench.cost.reference_filter import filter_operations, filter_seconds
from vbench.cost.stopwatch import FakeClock


def test_seconds_are_those_of_one_filter():
    assert filter_seconds(FakeClock(8.0).now, repetitions=4) == 2.0
    assert 0 < filter_seconds(repetitions=1) < 5


def test_a_tracker_that_takes_as_long_as_the_filter_does_one_operation():
    assert filter_operations(0.02, 0.02) == 1
    assert filter_operations(0.01, 0.02) == pytest.approx(2)
    assert math.isnan(filter_operations(0.0, 0.02))
