"""What windows share has the values that each has alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.trackers.gradients import gradients
from vbench.trackers.grey import grey_patch, halved_grey_patch
from vbench.trackers.grey_frame import GreyFrame, Window

FRAME = np.random.default_rng(7).integers(0, 256, (61, 83, 3)).astype(np.uint8)
WINDOWS = st.builds(
    Window,
    st.integers(-90, 90),
    st.integers(-90, 90),
    st.tuples(st.integers(12, 70), st.integers(12, 90)),
    st.sampled_from([1, 2]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(WINDOWS, min_size=1, max_size=6), st.lists(WINDOWS, max_size=3))
def test_values_do_not_depend_on_what_was_expected(expected, others) -> None:
    shared = GreyFrame(FRAME, expected)
    for window in expected + others:
        cut = halved_grey_patch if window.shrink == 2 else grey_patch
        patch = cut(FRAME, window.top, window.left, window.size)
        np.testing.assert_array_equal(shared.grey(window), patch)
        alone, found = gradients(patch), shared.gradients(window)
        np.testing.assert_array_equal(found.orientation, alone.orientation)
        np.testing.assert_array_equal(found.length, alone.length)


@pytest.mark.parametrize(("windows", "converted"), [(1, 0), (2, 1), (30, 1)])
def test_overlapping_windows_are_converted_at_once(monkeypatch, windows, converted) -> None:
    import vbench.trackers.grey_frame as module

    cuts, whole = [], module.grey_patch

    def counting(*arguments):
        cuts.append(arguments)
        return whole(*arguments)

    frame = np.tile(FRAME, (4, 4, 1))
    monkeypatch.setattr(module, "grey_patch", counting)
    same = [Window(40 + step, 50, (120, 130)) for step in range(windows)]
    shared = GreyFrame(frame, same)
    for window in same:
        shared.gradients(window)
    assert len(cuts) == (converted or windows)
