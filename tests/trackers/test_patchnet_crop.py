"""Crops against torch's grid_sample of the whole frame in double precision."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks.bench_patchnet import MEAN_BGR, crop
from vbench.trackers.patchnet_crop import affine_crops

SIDE = st.integers(1, 40)
PLACE = st.floats(-60, 90, allow_nan=False)
LENGTH = st.floats(0, 120, allow_nan=False)
BOX = st.tuples(PLACE, PLACE, LENGTH, LENGTH)


def frame_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_grid_sample(frame, corners, size: int, align_corners: bool) -> torch.Tensor:
    pixels = torch.from_numpy(frame[..., ::-1].astype(np.float64)) - MEAN_BGR.double()
    return crop(pixels.permute(2, 0, 1)[None], corners, size, align_corners)


@settings(max_examples=60, deadline=None)
@given(SIDE, SIDE, st.lists(BOX, min_size=1, max_size=3), st.integers(2, 24), st.booleans())
def test_crops_are_those_of_the_whole_frame(height, width, boxes, size, align) -> None:
    # A frame one pixel wide has no affine transform in the reference: its scale divides by w - 1.
    height, width = height + 1, width + 1
    frame = frame_of(height, width)
    corners = np.array(boxes)
    corners[:, 2:] += corners[:, :2]
    found = affine_crops(frame, corners, size, align)
    expected = by_grid_sample(frame, corners, size, align)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-3)


def test_outside_is_zero_after_the_mean_is_subtracted() -> None:
    crops = affine_crops(frame_of(20, 30), np.array([[100.0, 100, 140, 140]]), 8)
    assert not crops.any()


def test_the_frame_stays_and_its_layout_does_not_matter() -> None:
    frame = frame_of(40, 50)
    kept, corners = frame.copy(), np.array([[5.0, 6, 30, 31]])
    frame.setflags(write=False)
    found = affine_crops(frame, corners, 16)
    mirrored = affine_crops(frame[:, ::-1, :][:, ::-1, :], corners, 16)
    assert torch.equal(found, mirrored)
    assert np.array_equal(frame, kept)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_frames_one_pixel_wide_can_be_cropped(shape) -> None:
    crops = affine_crops(frame_of(*shape), np.array([[-2.0, -2, 4, 4]]), 12)
    assert torch.isfinite(crops).all()
    assert crops.any()


def test_far_away_boxes_are_empty_not_errors() -> None:
    corners = np.array([[1e12, 1e12, 1e12 + 5, 1e12 + 5], [-1e12, 0, -1e12 + 1, 1]])
    assert not affine_crops(frame_of(20, 30), corners, 8).any()
