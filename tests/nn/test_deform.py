import math

import pytest
import torch
from torch.nn.functional import conv2d

from vbench.nn.deform import deformable_convolution


def bilinear(plane, y, x):
    """One sample of a plane (h, w), zero outside."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * plane[row, column].item()
    return total


def by_loops(features, offsets, weight, stride, padding, dilation, mask, groups):
    filters, channels, kernel, _ = weight.shape
    n, _, height, width = offsets.shape
    out = torch.zeros(n, filters, height, width, dtype=features.dtype)
    for image in range(n):
        for row in range(height):
            for column in range(width):
                for c in range(channels):
                    group = c // (channels // groups)
                    for tap in range(kernel**2):
                        i, j = divmod(tap, kernel)
                        at = 2 * (group * kernel**2 + tap)
                        y = row * stride - padding + i * dilation
                        x = column * stride - padding + j * dilation
                        y += offsets[image, at, row, column].item()
                        x += offsets[image, at + 1, row, column].item()
                        value = bilinear(features[image, c], y, x)
                        if mask is not None:
                            value *= mask[image, group * kernel**2 + tap, row, column].item()
                        out[image, :, row, column] += weight[:, c, i, j] * value
    return out


def drawn(n=2, c=4, size=(5, 6), out=(5, 6), groups=2, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = normal(n, c, *size)
    offsets = normal(n, 18 * groups, *out) * 1.5
    mask = normal(n, 9 * groups, *out).sigmoid()
    return features, offsets, normal(3, c, 3, 3), mask


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 2, 2), (2, 1, 1)])
def test_it_equals_an_explicit_loop(stride, padding, dilation, modulated):
    out = (5, 6) if stride == 1 else (3, 3)
    features, offsets, weight, mask = drawn(out=out)
    mask = mask if modulated else None
    found = deformable_convolution(features, offsets, weight, None, stride, padding, dilation, mask)
    wanted = by_loops(features, offsets, weight, stride, padding, dilation, mask, groups=2)
    assert torch.allclose(found, wanted, atol=1e-9)


def test_no_offsets_make_a_plain_convolution():
    features, offsets, weight, mask = drawn()
    found = deformable_convolution(
        features, 0 * offsets, weight, torch.ones(3, dtype=torch.float64), 1, 2, 2, 0 * mask + 1
    )
    plain = conv2d(features, weight, torch.ones(3, dtype=torch.float64), 1, 2, 2)
    assert torch.allclose(found, plain, atol=1e-9)


def test_gradients_are_those_of_finite_differences():
    inputs = [t.requires_grad_(True) for t in drawn(1, 2, (3, 4), (3, 4), 1, seed=4)]

    def convolved(features, offsets, weight, mask):
        return deformable_convolution(features, offsets, weight, None, 1, 1, 1, mask)

    assert torch.autograd.gradcheck(convolved, inputs, eps=1e-6, atol=1e-5)


def test_torchvision_agrees():
    ops = pytest.importorskip("torchvision.ops")
    features, offsets, weight, mask = drawn()
    wanted = ops.deform_conv2d(features, offsets, weight, None, 1, 2, 2, mask)
    found = deformable_convolution(features, offsets, weight, None, 1, 2, 2, mask)
    assert torch.allclose(found, wanted, atol=1e-4)
