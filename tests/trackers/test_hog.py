"""HOG and grey patches against straight-line statements of their definitions."""

import math

import numpy as np
import pytest

from vbench.trackers.gradients import gradients
from vbench.trackers.grey import grey_patch, halved_grey_patch
from vbench.trackers.hog import CHANNELS, Hog

RNG = np.random.default_rng(5)


def gradient(image, y, x):
    """Central differences, one-sided at the border, of an image in [0, 1]."""
    h, w = image.shape
    left, right = max(x - 1, 0), min(x + 1, w - 1)
    up, down = max(y - 1, 0), min(y + 1, h - 1)
    return (
        (image[y, right] - image[y, left]) / (right - left),
        (image[down, x] - image[up, x]) / (down - up),
    )


def slow_histogram(image, cell):
    """Orientation votes of each pixel, bilinear over cells, edge cells made up for."""
    rows, columns = image.shape[0] // cell, image.shape[1] // cell
    histogram = np.zeros((18, rows, columns))
    for y in range(rows * cell):
        for x in range(columns * cell):
            dx, dy = gradient(image, y, x)
            turn = math.atan2(dy, dx) % (2 * math.pi) / (2 * math.pi)
            orientation = int(turn * 18 + 0.5) % 18
            for row in range(rows):
                for column in range(columns):
                    near_y = 1 - abs((y + 0.5) / cell - (row + 0.5))
                    near_x = 1 - abs((x + 0.5) / cell - (column + 0.5))
                    share = max(near_y, 0) * max(near_x, 0)
                    vote = share * math.hypot(dx, dy) / cell**2
                    for edge in (row == 0, row == rows - 1, column == 0, column == columns - 1):
                        vote *= 8 / 7 if edge else 1
                    histogram[orientation, row, column] += vote
    return histogram


def slow_hog(image, cell=4):
    """31 channels of Felzenszwalb's HOG, one cell after another."""
    votes = slow_histogram(image, cell)
    _, rows, columns = votes.shape
    energy = ((votes[:9] + votes[9:]) ** 2).sum(axis=0)
    gain = np.zeros((rows + 1, columns + 1))
    for y in range(rows + 1):
        for x in range(columns + 1):
            y0, x0 = min(max(y, 1), rows - 1), min(max(x, 1), columns - 1)
            block = energy[y0 - 1 : y0 + 1, x0 - 1 : x0 + 1].sum()
            gain[y, x] = 1 / math.sqrt(block + 1e-4 / 4 / cell**4)
    features = np.zeros((31, rows, columns))
    for y in range(rows):
        for x in range(columns):
            around = [gain[y + 1, x + 1], gain[y, x + 1], gain[y + 1, x], gain[y, x]]
            signed = votes[:, y, x]
            for index, factor in enumerate(around):
                features[:18, y, x] += np.minimum(signed * factor, 0.2) / 2
                features[18:27, y, x] += np.minimum((signed[:9] + signed[9:]) * factor, 0.2) / 2
                features[27 + index, y, x] = np.minimum(signed * factor, 0.2).sum() * 0.2357
    return features


@pytest.mark.parametrize("size", [(16, 20), (23, 14), (12, 12)])
def test_features_are_those_of_the_definition(size):
    image = RNG.integers(0, 256, size).astype(np.uint8)
    found = Hog(size)(gradients(image))
    assert found.shape == (CHANNELS, size[0] // 4 - 2, size[1] // 4 - 2)
    # The definition's arc is exact; the implementation's cosine is cut to 1e-4.
    np.testing.assert_allclose(found, slow_hog(image / 255.0)[:, 1:-1, 1:-1], atol=2e-6)


@pytest.mark.parametrize(("image", "orientation"), [("right", 0), ("left", 9), ("diagonal", 2)])
def test_a_ramp_votes_for_its_own_orientation(image, orientation):
    y, x = np.mgrid[:24, :24]
    ramp = {"right": 4 * x, "left": 255 - 4 * x, "diagonal": 4 * x + 4 * y}[image]
    features = Hog((24, 24))(gradients(ramp.astype(np.uint8)))
    interior = features[:18, 1:-1, 1:-1]
    # 4 blocks, each clipped at .2, halved; nothing in any other signed orientation.
    np.testing.assert_allclose(interior[orientation], 0.4, atol=1e-6)
    assert np.delete(interior, orientation, axis=0).max() == 0


def test_a_flat_patch_has_no_features():
    assert not Hog((16, 16))(gradients(np.full((16, 16), 77, np.uint8))).any()


def test_features_do_not_depend_on_contrast_where_gradients_are_strong():
    image = RNG.integers(0, 64, (32, 32)).astype(np.uint8)
    hog = Hog((32, 32))
    np.testing.assert_allclose(hog(gradients(image)), hog(gradients(image * 4)), atol=2e-3)


def slow_half(grey):
    """imresize(grey, .5): Keys' cubic kernel stretched by two, the frame mirrored at its border."""

    def kernel(x):
        x = abs(x) / 2
        if x <= 1:
            return (1.5 * x**3 - 2.5 * x**2 + 1) / 2
        return (-0.5 * x**3 + 2.5 * x**2 - 4 * x + 2) / 2 if x < 2 else 0.0

    def shrink(rows):
        padded = np.concatenate([rows[::-1], rows, rows[::-1]])
        out = []
        for index in range(-(-len(rows) // 2)):
            at = 2 * index + 0.5
            taps = range(2 * index - 3, 2 * index + 5)
            out.append(sum(kernel(tap - at) * padded[tap + len(rows)] for tap in taps))
        return np.array(out)

    return shrink(shrink(grey.astype(float)).T).T


@pytest.mark.parametrize("frame_size", [(30, 40), (31, 37), (9, 11)])
@pytest.mark.parametrize("corner", [(2, 3), (-4, -6), (10, 12), (-60, 90)])
def test_a_halved_patch_is_cut_from_the_halved_frame(frame_size, corner):
    frame = np.repeat(RNG.integers(0, 256, (*frame_size, 1)), 3, axis=2).astype(np.uint8)
    whole = np.clip(slow_half(frame[..., 0]), 0, 255)
    rows = np.clip(np.arange(corner[0], corner[0] + 13), 0, len(whole) - 1)
    columns = np.clip(np.arange(corner[1], corner[1] + 8), 0, whole.shape[1] - 1)
    patch = halved_grey_patch(frame, *corner, (13, 8))
    np.testing.assert_allclose(patch, whole[np.ix_(rows, columns)], atol=1.0)


@pytest.mark.parametrize("corner", [(2, 3), (-4, -6), (25, 35), (-60, 90), (90, -60)])
def test_a_patch_repeats_the_border_of_the_frame(corner):
    frame = np.repeat(RNG.integers(0, 256, (30, 40, 1)), 3, axis=2).astype(np.uint8)
    rows = np.clip(np.arange(corner[0], corner[0] + 13), 0, 29)
    columns = np.clip(np.arange(corner[1], corner[1] + 8), 0, 39)
    np.testing.assert_array_equal(
        grey_patch(frame, *corner, (13, 8)), frame[..., 0][np.ix_(rows, columns)]
    )
