import math

import pytest
import torch

from vbench.nn.roi_align_dense import roi_align_dense


def by_loops(plane, box, size, scale):
    """One channel (h, w), one box: means of ceil(side / size) samples a bin."""
    height, width = plane.shape
    x1, y1, x2, y2 = (v * scale for v in box)
    bin_h, bin_w = max(y2 - y1, 0) / size, max(x2 - x1, 0) / size
    ny, nx = max(1, math.ceil(bin_h)), max(1, math.ceil(bin_w))

    def sample(y, x):
        if y < -1 or y > height or x < -1 or x > width:
            return 0.0
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        top, left = int(y), int(x)
        below, right = min(top + 1, height - 1), min(left + 1, width - 1)
        dy, dx = y - top, x - left
        upper = plane[top, left] * (1 - dx) + plane[top, right] * dx
        lower = plane[below, left] * (1 - dx) + plane[below, right] * dx
        return float(upper * (1 - dy) + lower * dy)

    found = torch.zeros(size, size, dtype=torch.float64)
    for i in range(size):
        for j in range(size):
            ys = [y1 + (i + (k + 0.5) / ny) * bin_h for k in range(ny)]
            xs = [x1 + (j + (k + 0.5) / nx) * bin_w for k in range(nx)]
            found[i, j] = sum(sample(y, x) for y in ys for x in xs) / (ny * nx)
    return found


BOXES = [
    [8.0, 8, 72, 40],
    [-30.0, -20, 41, 33],
    [60.0, 30, 200, 90],
    [33.3, 21.7, 34.1, 22.2],
    [0.0, 0, 96, 64],
    [300.0, 300, 400, 400],
]


@pytest.mark.parametrize("size", [3, 7])
def test_means_are_those_of_a_loop(size) -> None:
    features = torch.randn(1, 2, 8, 12, dtype=torch.float64)
    found = roi_align_dense(features, torch.tensor(BOXES, dtype=torch.float64), size, 1 / 8)
    for index, box in enumerate(BOXES):
        for channel in range(2):
            expected = by_loops(features[0, channel], box, size, 1 / 8)
            assert torch.allclose(found[index, channel], expected, atol=1e-9), box
    assert not found[-1].any()


def test_no_boxes_have_no_features() -> None:
    found = roi_align_dense(torch.randn(1, 2, 8, 12), torch.zeros(0, 4), 7, 1 / 8)
    assert found.shape == (0, 2, 7, 7)


def test_gradients_reach_the_map() -> None:
    features = torch.randn(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    corners = torch.tensor([[4.0, 3, 30, 37]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda f: roi_align_dense(f, corners, 3, 1 / 8), (features,))
