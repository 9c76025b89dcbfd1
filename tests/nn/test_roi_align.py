import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.nn.roi_align import roi_align_adaptive, roi_align_average, roi_align_max, roi_pool

H, W, C = 7, 9, 3
SCALE = 0.25
ROIS = torch.tensor(
    [
        [0, 3.0, 2, 20, 17],
        [1, 10.3, 4.1, 31.9, 25.2],
        [1, -9.0, -7, 5, 30],
        [0, 28.0, 20, 44, 33],
        [0, 60.0, 50, 70, 70],
        [1, 11.0, 9, 11.5, 9.5],
    ],
    dtype=torch.float64,
)


@pytest.fixture
def features():
    return torch.tensor(np.random.default_rng(2).normal(size=(2, C, H, W)))


def pixel(plane, y, x):
    return plane[y, x] if 0 <= y < H and 0 <= x < W else 0.0


def bilinear(plane, y, x):
    """Sum over the four neighbours; those outside the plane count as zero."""
    y0, x0 = math.floor(y), math.floor(x)
    total = 0.0
    for j in (y0, y0 + 1):
        for i in (x0, x0 + 1):
            total += (1 - abs(y - j)) * (1 - abs(x - i)) * pixel(plane, j, i)
    return total


def average_loop(features, rois, size, points, aligned):
    out = np.zeros((len(rois), C, size, size))
    for r, roi in enumerate(rois.numpy()):
        shift = 0.5 if aligned else 0.0
        x1, y1, x2, y2 = roi[1:] * SCALE - shift
        w, h = x2 - x1, y2 - y1
        if not aligned:
            w, h = max(w, 1.0), max(h, 1.0)
        for c in range(C):
            plane = features[int(roi[0]), c].numpy()
            for i in range(size):
                for j in range(size):
                    for a in range(points):
                        for b in range(points):
                            y = y1 + (i + (a + 0.5) / points) * h / size
                            x = x1 + (j + (b + 0.5) / points) * w / size
                            if y < -1 or y > H or x < -1 or x > W:
                                continue
                            y, x = min(max(y, 0), H - 1), min(max(x, 0), W - 1)
                            out[r, c, i, j] += bilinear(plane, y, x) / points**2
    return out


def max_loop(features, rois, size, points):
    """fdn-release roialign.cu, without its double count of whole coordinates."""
    out = np.zeros((len(rois), C, size, size))
    for r, roi in enumerate(rois.numpy()):
        x1, y1, x2, y2 = roi[1:] * SCALE
        bw, bh = max(x2 - x1 + 1, 1) / size, max(y2 - y1 + 1, 1) / size
        for c in range(C):
            plane = features[int(roi[0]), c].numpy()
            for i in range(size):
                for j in range(size):
                    top, bottom = (min(max(y1 + k * bh, 0), H) for k in (i, i + 1))
                    left, right = (min(max(x1 + k * bw, 0), W) for k in (j, j + 1))
                    if bottom <= top or right <= left:
                        continue
                    out[r, c, i, j] = max(
                        bilinear(
                            plane,
                            top + a * (bottom - top) / (points + 1),
                            left + b * (right - left) / (points + 1),
                        )
                        for a in range(1, points + 1)
                        for b in range(1, points + 1)
                    )
    return out


def adaptive_loop(features, rois, size):
    """RT-MDNet's kernel over a grid of 2 size + 1, neighbours kept inside the map, then 3 x 3."""
    grid = 2 * size + 1
    dense = np.zeros((len(rois), C, grid, grid))
    for r, roi in enumerate(rois.numpy()):
        x1, y1, x2, y2 = roi[1:] * SCALE
        bw, bh = max(x2 - x1 + 1, 0) / grid, max(y2 - y1 + 1, 0) / grid
        sw, sh = max(1, int(bw + 0.5)), max(1, int(bh + 0.5))
        for c in range(C):
            plane = features[int(roi[0]), c].numpy()
            for i in range(grid):
                for j in range(grid):
                    y, x = y1 + i * bh, x1 + j * bw
                    if y < 0 or y >= H or x < 0 or x >= W:
                        continue
                    y0, x0 = min(math.floor(y), H - 2), min(math.floor(x), W - 2)
                    for dy in (0, sh):
                        for dx in (0, sw):
                            share = (1 - abs(y - y0 - dy) / sh) * (1 - abs(x - x0 - dx) / sw)
                            value = plane[min(y0 + dy, H - 1), min(x0 + dx, W - 1)]
                            dense[r, c, i, j] += share * value
    out = np.zeros((len(rois), C, size, size))
    for i in range(size):
        for j in range(size):
            out[:, :, i, j] = dense[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max(axis=(2, 3))
    return out


def pool_loop(features, rois, size):
    """Fast R-CNN's RoIPool."""
    out = np.zeros((len(rois), C, size, size))
    for r, roi in enumerate(rois.numpy()):
        x1, y1, x2, y2 = (math.floor(v * SCALE + 0.5) for v in roi[1:])
        w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
        for c in range(C):
            plane = features[int(roi[0]), c].numpy()
            for i in range(size):
                for j in range(size):
                    top = min(max(y1 + math.floor(i * h / size), 0), H)
                    bottom = min(max(y1 + math.ceil((i + 1) * h / size), 0), H)
                    left = min(max(x1 + math.floor(j * w / size), 0), W)
                    right = min(max(x1 + math.ceil((j + 1) * w / size), 0), W)
                    if bottom > top and right > left:
                        out[r, c, i, j] = plane[top:bottom, left:right].max()
    return out


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("size", "points"), [(3, 2), (2, 1)])
def test_the_average_is_that_of_a_straight_loop(features, size, points, aligned) -> None:
    found = roi_align_average(features, ROIS, size, SCALE, points, aligned)
    assert found.numpy() == pytest.approx(average_loop(features, ROIS, size, points, aligned))


@pytest.mark.parametrize(("size", "points"), [(3, 2), (2, 3)])
def test_the_maximum_is_that_of_a_straight_loop(features, size, points) -> None:
    found = roi_align_max(features, ROIS, size, SCALE, points)
    assert found.numpy() == pytest.approx(max_loop(features, ROIS, size, points))


@pytest.mark.parametrize("size", [1, 3])
def test_the_adaptive_kind_is_that_of_a_straight_loop(features, size) -> None:
    found = roi_align_adaptive(features, ROIS, size, SCALE)
    assert found.numpy() == pytest.approx(adaptive_loop(features, ROIS, size))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_pool_is_that_of_a_straight_loop(features, size) -> None:
    found = roi_pool(features, ROIS, size, SCALE)
    assert found.numpy() == pytest.approx(pool_loop(features, ROIS, size))


@settings(deadline=None, max_examples=25)
@given(
    corner=st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
    sides=st.tuples(st.floats(0, 80), st.floats(0, 80)),
)
def test_any_box_gives_the_straight_loops_answers(corner, sides) -> None:
    maps = torch.tensor(np.random.default_rng(3).normal(size=(1, C, H, W)))
    x, y = corner
    roi = torch.tensor([[0, x, y, x + sides[0], y + sides[1]]], dtype=torch.float64)
    assert roi_pool(maps, roi, 3, SCALE).numpy() == pytest.approx(pool_loop(maps, roi, 3))
    pooled = roi_align_max(maps, roi, 3, SCALE).numpy()
    assert pooled == pytest.approx(max_loop(maps, roi, 3, 2), abs=1e-9)


KINDS = {
    "average": lambda f: roi_align_average(f, ROIS, 3, SCALE),
    "max": lambda f: roi_align_max(f, ROIS, 3, SCALE),
    "adaptive": lambda f: roi_align_adaptive(f, ROIS, 3, SCALE),
    "pool": lambda f: roi_pool(f, ROIS, 3, SCALE),
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(features, kind) -> None:
    weight = torch.tensor(np.random.default_rng(4).normal(size=(len(ROIS), C, 3, 3)))

    def total(maps):
        return (KINDS[kind](maps) * weight).sum()

    maps = features.clone().requires_grad_()
    total(maps).backward()
    assert maps.grad is not None
    rng, step = np.random.default_rng(5), 1e-6
    for _ in range(60):
        place = tuple(int(rng.integers(side)) for side in features.shape)
        up, down = features.clone(), features.clone()
        up[place] += step
        down[place] -= step
        slope = float(total(up) - total(down)) / (2 * step)
        assert float(maps.grad[place]) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_boxes_give_no_features(features, kind, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "ROIS", ROIS[:0])
    assert KINDS[kind](features).shape == (0, C, 3, 3)


def test_boxes_are_taken_in_turns_without_a_difference(features, monkeypatch) -> None:
    whole = roi_align_max(features, ROIS, 3, SCALE)
    monkeypatch.setattr("vbench.nn.roi_align.MOST_ROWS", 1)
    assert torch.equal(roi_align_max(features, ROIS, 3, SCALE), whole)
