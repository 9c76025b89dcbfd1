import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import grid_sample

import vbench.nn.local_correlation as local_correlation_module
from vbench.nn.local_correlation import correlation_at, gathered_at, local_correlation, square
from vbench.nn.sampling import aligned, sampled, sampling_macs, similarities, taps_of


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def at(features, y, x):
    """One bilinear sample of (c, h, w), zero outside."""
    total = torch.zeros(features.shape[0], dtype=features.dtype)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < features.shape[1] and 0 <= column < features.shape[2]:
                share = (1 - abs(y - row)) * (1 - abs(x - column))
                total = total + share * features[:, row, column]
    return total


def by_loops(features, source, target, offsets):
    """Eqs. 1 to 4 with softmax, one cell at a time."""
    b, c, h, w = features.shape
    out = torch.zeros(b, c, h, w, dtype=features.dtype)
    for image in range(b):
        for y in range(h):
            for x in range(w):
                places = [(y + oy, x + ox) for ox, oy in offsets.tolist()]
                products = torch.stack(
                    [at(source[image], *p) @ target[image, :, y, x] for p in places]
                )
                shares = products.softmax(dim=0)
                for share, place in zip(shares, places, strict=True):
                    out[image, :, y, x] += share * at(features[image], *place)
    return out


def by_grid_sample(features, source, target, offsets):
    """The same with torch's own sampler, all samples interpolated."""
    h, w = features.shape[-2:]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    place = torch.stack([x, y], dim=-1) + offsets[:, None, None]
    grid = 2 * place / (torch.tensor([w, h]) - 1) - 1

    def read(maps):
        grids = grid.reshape(1, -1, w, 2).expand(len(maps), -1, -1, -1)
        found = grid_sample(maps, grids, align_corners=True)
        return found.view(*maps.shape[:2], len(offsets), h, w)

    weights = (read(source) * target[:, :, None]).sum(dim=1).softmax(dim=1)
    return (read(features) * weights[:, None]).sum(dim=2)


def drawn(n=7, b=2, size=(5, 6)) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    features, *embedded = (normal(b, c, *size, seed=seed) for c, seed in ((6, 1), (3, 2), (3, 3)))
    return (features, embedded[0], embedded[1]), normal(n, 2, seed=4) * 2


def test_it_equals_an_explicit_loop():
    maps, offsets = drawn()
    assert torch.allclose(aligned(*maps, offsets), by_loops(*maps, offsets), atol=1e-10)


def test_it_equals_grid_sample():
    maps, offsets = drawn(n=40, size=(9, 11))
    assert torch.allclose(aligned(*maps, offsets), by_grid_sample(*maps, offsets), atol=1e-10)


@given(st.lists(st.tuples(*[st.floats(-30, 30)] * 2), min_size=1, max_size=9))
@settings(max_examples=30, deadline=None)
def test_any_offsets_give_what_grid_sample_gives(pairs):
    maps, _ = drawn(b=1, size=(4, 5))
    offsets = torch.tensor(pairs, dtype=torch.float64)
    assert torch.allclose(aligned(*maps, offsets), by_grid_sample(*maps, offsets), atol=1e-8)


def test_offsets_have_the_gradient_of_finite_differences():
    maps, offsets = drawn(n=5, b=1, size=(4, 5))
    leaves = [t.requires_grad_(True) for t in (*maps, offsets)]
    assert torch.autograd.gradcheck(aligned, leaves, eps=1e-6, atol=1e-6)


def test_similarity_has_the_papers_gradient():
    """Eq. 6: d s / d p is the sum over q of d G(p, q) / d p times <f_q, g_p0>."""
    (_, source, target), _ = drawn(b=1, size=(4, 4))
    offset = torch.tensor([[0.3, -0.6]], dtype=torch.float64, requires_grad=True)
    found = similarities(source, target, taps_of(offset, (4, 4)))
    found[0, 0, 2, 1].backward()
    f, g = source[0], target[0, :, 2, 1]
    # p = (1.3, 1.4) in x y: neighbours 1, 2 along x and 1, 2 along y.
    product = {(y, x): float(f[:, y, x] @ g) for y in (1, 2) for x in (1, 2)}
    along_x = 0.6 * (product[1, 2] - product[1, 1]) + 0.4 * (product[2, 2] - product[2, 1])
    along_y = 0.7 * (product[2, 1] - product[1, 1]) + 0.3 * (product[2, 2] - product[1, 2])
    assert offset.grad is not None
    assert offset.grad[0].tolist() == pytest.approx([along_x, along_y])


def test_whole_offsets_keep_their_gradient():
    maps, _ = drawn(b=1)
    offsets = square(1).double().requires_grad_(True)
    aligned(*maps, offsets).square().sum().backward()
    assert offsets.grad is not None
    assert (offsets.grad != 0).all()


def test_whole_offsets_read_one_tap_each_where_nothing_is_learned():
    assert len(taps_of(square(4).float(), (38, 63)).displacements) == 81


def test_the_printed_normalisation_divides_by_the_sum():
    maps, offsets = drawn(n=3)
    taps = taps_of(offsets, (5, 6))
    products = similarities(maps[1], maps[2], taps)
    wanted = sampled(maps[0], products / products.sum(dim=1, keepdim=True), taps)
    assert torch.allclose(aligned(*maps, offsets, norm="sum"), wanted)


def test_identical_frames_at_no_offset_stay():
    features = normal(1, 3, 4, 5)
    assert torch.allclose(aligned(features, features, features, torch.zeros(1, 2)), features)


def test_products_follow_from_the_distinct_displacements():
    # Four taps of one offset, two shared with another at the same height.
    offsets = torch.tensor([[0.5, 0.5], [1.5, 0.5]])
    assert sampling_macs(offsets, (2, 3), 4, 8) == 6 * (6 * 12 + 2 * 6 * 2 + 2)


def test_correlation_is_a_mean_of_products_in_a_window():
    a, b = normal(1, 2, 5, 6, seed=5), normal(1, 2, 5, 6, seed=6)
    found = local_correlation(a, b, radius=2)
    assert found.shape == (1, 25, 5, 6)
    # Displacements row by row: (x, y) = (1, -2) is the fourth.
    assert found[0, 3, 2, 3] == pytest.approx(float(a[0, :, 2, 3] @ b[0, :, 0, 4]) / 2)
    assert found[0, 0, 0, 0] == 0
    assert local_correlation(a, b, radius=8).shape[1] == 289
    assert local_correlation(a, b, 1, stride=2).shape == (1, 9, 3, 3)


@pytest.mark.parametrize("steps", [square(2), square(1) + 3, torch.tensor([[2, -1]])])
def test_windows_and_far_displacements_correlate_alike(steps, monkeypatch):
    source, target = normal(2, 3, 4, 5, seed=7), normal(2, 3, 4, 5, seed=8)
    as_window = correlation_at(source, target, steps)
    monkeypatch.setattr(local_correlation_module, "DENSE", 0)
    assert torch.allclose(as_window, correlation_at(source, target, steps))


def test_gathering_is_the_adjoint_of_correlating():
    """<w, corr(s, t)> = <gather(s, w), t>."""
    source, target = normal(2, 3, 4, 5, seed=7), normal(2, 3, 4, 5, seed=8)
    steps = torch.tensor([[0, 0], [2, -1], [-3, 3], [9, 9]])
    weights = normal(2, 4, 4, 5, seed=9)
    left = (weights * correlation_at(source, target, steps)).sum()
    assert torch.allclose(left, (gathered_at(source, weights, steps) * target).sum())
