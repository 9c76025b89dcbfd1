import math

import pytest
import torch

from vbench.nn.psroi import psroi_pool


def pooled_by_loops(features, rois, size, scale):
    """Straight from R-FCN's eq. 1 and the operator's rounding, one bin at a time."""
    _, channels, h, w = features.shape
    c = channels // size**2
    out = torch.zeros(len(rois), c, size, size, dtype=features.dtype)
    for n, (image, x1, y1, x2, y2) in enumerate(rois.tolist()):
        left, top = math.floor(x1 + 0.5) * scale, math.floor(y1 + 0.5) * scale
        wide = max((math.floor(x2 + 0.5) + 1) * scale - left, 0.1) / size
        high = max((math.floor(y2 + 0.5) + 1) * scale - top, 0.1) / size
        for row in range(size):
            for column in range(size):
                y = range(
                    min(max(math.floor(top + row * high), 0), h),
                    min(max(math.ceil(top + (row + 1) * high), 0), h),
                )
                x = range(
                    min(max(math.floor(left + column * wide), 0), w),
                    min(max(math.ceil(left + (column + 1) * wide), 0), w),
                )
                if not len(y) or not len(x):
                    continue
                for k in range(c):
                    bin_map = features[int(image), (k * size + row) * size + column]
                    out[n, k, row, column] = bin_map[y.start : y.stop, x.start : x.stop].mean()
    return out


def boxes(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(n, 2, generator=generator) * torch.tensor([200.0, 140.0]) - 20
    extent = torch.rand(n, 2, generator=generator) * 150
    image = torch.randint(0, 2, (n, 1), generator=generator)
    return torch.cat([image, corner, corner + extent], dim=1)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_it_equals_plain_loops(size):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 3 * size**2, 9, 13, generator=generator)
    rois = torch.cat(
        [
            boxes(12),
            torch.tensor([[0.0, 0, 0, 207, 143], [1, 50, 50, 50, 50], [0, 300, 9, 350, 20]]),
        ]
    )
    found = psroi_pool(features, rois, size, 1 / 16)
    assert found.shape == (15, 3, size, size)
    assert torch.allclose(found, pooled_by_loops(features, rois, size, 1 / 16), atol=1e-6)


def test_its_gradient_is_that_of_the_loops():
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 8, 5, 6, generator=generator, dtype=torch.float64)
    rois = boxes(6, seed=3) * torch.tensor([1, 0.4, 0.4, 0.4, 0.4])
    share = torch.randn(6, 2, 2, 2, generator=generator, dtype=torch.float64)
    gradients: list[torch.Tensor] = []
    for pool in (psroi_pool, pooled_by_loops):
        leaf = features.clone().requires_grad_(True)
        (pool(leaf, rois, 2, 1 / 16) * share).sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-9)


def test_no_boxes_pool_to_nothing():
    assert psroi_pool(torch.zeros(1, 49, 4, 4), torch.zeros(0, 5), 7, 1 / 16).shape == (0, 1, 7, 7)
