import pytest
import torch

from vbench.nn.bifpn import BiFPN, fusion


def test_fusion_weighs_by_positive_parts() -> None:
    maps = [torch.full((1, 1, 2, 2), v) for v in (2.0, 10.0, 100.0)]
    found = fusion(maps, torch.tensor([1.0, 3.0, -7.0]))
    assert found[0, 0, 0, 0].item() == pytest.approx((1 * 2 + 3 * 10) / (4 + 1e-4), rel=1e-6)


def test_fusion_without_weights_is_zero_and_not_nan() -> None:
    assert fusion([torch.ones(1, 1, 1, 1)], torch.tensor([-1.0])).item() == 0


def test_levels_keep_their_sizes() -> None:
    maps = [torch.randn(1, c, s, s) for c, s in ((5, 16), (6, 8), (7, 4))]
    found = BiFPN((5, 6, 7), 4, 2).eval()(maps)
    assert [tuple(m.shape) for m in found] == [(1, 4, s, s) for s in (16, 8, 4, 2, 1)]


def test_the_finest_input_reaches_the_coarsest_output() -> None:
    pyramid = BiFPN((5, 6, 7), 4, 1).eval()
    maps = [torch.randn(1, c, s, s, requires_grad=True) for c, s in ((5, 16), (6, 8), (7, 4))]
    pyramid(maps)[-1].sum().backward()
    assert all(m.grad is not None and m.grad.abs().sum() > 0 for m in maps)
