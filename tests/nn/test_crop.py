"""Square crops: OpenCV and torch agree; windows follow the reference trackers' rounding."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vbench.nn.crop import (
    LARGEST_PADDED_PX,
    context_sides,
    crops_by_opencv,
    crops_by_torch,
    mean_colour,
    square_crops,
    windows_around,
)

RNG = np.random.default_rng(3)
FRAME = RNG.integers(0, 256, (97, 131, 3), dtype=np.uint8)
FILL = np.array([7, 130, 251], dtype=np.uint8)


def padded_reference(frame, left, top, side, size, fill):
    """siamfc-pytorch's own way: pad the whole frame, cut, resize."""
    pad = side + max(abs(left), abs(top)) + max(frame.shape[:2])
    wide = cv2.copyMakeBorder(
        frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=[float(v) for v in fill]
    )
    patch = wide[top + pad : top + pad + side, left + pad : left + pad + side]
    return cv2.resize(patch, (size, size), interpolation=cv2.INTER_LINEAR)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-150, 200), st.integers(-150, 150), st.integers(1, 300)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([16, 127, 255]),
)
def test_both_paths_equal_pad_cut_resize(windows, size):
    array = np.array(windows, dtype=np.int64)
    by_opencv = crops_by_opencv(FRAME, array, size, FILL)
    by_torch = crops_by_torch(FRAME, array, size, FILL, "cpu").numpy()
    for (left, top, side), crop in zip(windows, by_opencv, strict=True):
        assert np.array_equal(crop, padded_reference(FRAME, left, top, side, size, FILL))
    assert np.abs(by_opencv.astype(int) - by_torch).max() <= 1e-3


def test_a_window_much_larger_than_the_frame_is_sampled_not_padded():
    side = 3000
    assert side * side > LARGEST_PADDED_PX
    windows = np.array([[-1400, -1450, side]])
    got = crops_by_opencv(FRAME, windows, 127, FILL)[0]
    assert np.array_equal(got, padded_reference(FRAME, -1400, -1450, side, 127, FILL))


def test_a_window_beside_the_frame_is_all_padding():
    windows = np.array([[500, 500, 40], [-90, 0, 40]])
    assert (crops_by_opencv(FRAME, windows, 9, FILL) == FILL).all()
    assert (crops_by_torch(FRAME, windows, 9, FILL, "cpu").numpy() == FILL).all()


def test_square_crops_are_planes_of_floats():
    windows = np.array([[3, 4, 20], [10, 5, 20]])
    crops = square_crops(FRAME, windows, 20, FILL)
    assert crops.shape == (2, 3, 20, 20)
    assert np.array_equal(crops[0].permute(1, 2, 0).numpy(), FRAME[4:24, 3:23])


@pytest.mark.parametrize(
    ("rounding", "centre", "side", "corner"),
    [
        ("even", 10.0, 5.0, 8),
        ("even", 10.0, 4.0, 8),  # 8.5 to even
        ("even", 11.0, 4.0, 10),  # 9.5 to even
        ("even", 10.0, 4.5, 8),  # the side itself goes to even: 4
        ("up", 10.0, 5.0, 7),
        ("up", 10.0, 4.0, 8),  # 7.5 + 0.5
        ("up", 10.5, 5.0, 8),
    ],
)
def test_rounding_of_windows(rounding, centre, side, corner):
    window = windows_around([[centre, centre]], [side], rounding)
    assert window.tolist() == [[corner, corner, round(side)]]


def test_one_side_for_each_scale():
    windows = windows_around(np.repeat([[50.0, 40.0]], 3, axis=0), np.array([9.0, 11.0, 13.0]))
    assert windows.tolist() == [[46, 36, 9], [45, 35, 11], [44, 34, 13]]


@given(hnp.arrays(np.float64, (5, 2), elements=st.floats(0.1, 5000)))
def test_context_of_a_square_doubles_it(sizes):
    square = np.repeat(sizes[:, :1], 2, axis=1)
    assert np.allclose(context_sides(square), 2 * square[:, 0])
    w, h = sizes.T
    p = (w + h) / 2
    assert np.allclose(context_sides(sizes), np.sqrt((w + p) * (h + p)))


def test_mean_colour_is_exact_and_rounds_as_asked():
    frame = np.full((7, 3, 3), 100, dtype=np.uint8)
    assert mean_colour(frame, "down").tolist() == [100, 100, 100]
    frame[:4] = 101  # mean 100.571
    assert mean_colour(frame, "down").tolist() == [100, 100, 100]
    assert mean_colour(frame).tolist() == [101, 101, 101]
