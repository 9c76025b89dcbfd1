"""Cross-correlations against plain sums."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.nn.correlation import dense, depthwise, up_channel


def summed(search, kernel):
    """(c, h, w) and (c, kh, kw) -> (c, h', w') by the definition, one output at a time."""
    kh, kw = kernel.shape[1:]
    out = np.zeros((len(search), search.shape[1] - kh + 1, search.shape[2] - kw + 1))
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            out[:, y, x] = (search[:, y : y + kh, x : x + kw] * kernel).sum(axis=(1, 2))
    return out


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
    st.integers(0, 99),
)
def test_all_three_equal_the_definition(n, c, k, side, shared, seed):
    rng = np.random.default_rng(seed)
    search = rng.normal(size=(n, c, 6, 7))
    templates = rng.normal(size=(1 if shared else n, k, c, side, side))
    got = up_channel(torch.from_numpy(search), torch.from_numpy(templates)).numpy()
    first = torch.from_numpy(templates[:, 0])
    got_dense = dense(torch.from_numpy(search), first).numpy()
    got_depth = depthwise(torch.from_numpy(search), first).numpy()
    for i in range(n):
        of = 0 if shared else i
        maps = [summed(search[i], templates[of, j]) for j in range(k)]
        assert np.allclose(got[i], [m.sum(axis=0) for m in maps])
        assert np.allclose(got_dense[i, 0], maps[0].sum(axis=0))
        assert np.allclose(got_depth[i], maps[0])


@pytest.mark.parametrize(
    ("correlate", "shape", "groups"),
    [(dense, (5, 4, 3, 3), 5), (depthwise, (5, 4, 3, 3), 20), (up_channel, (5, 6, 4, 3, 3), 5)],
)
def test_a_batch_is_one_grouped_convolution(correlate, shape, groups, monkeypatch):
    asked, real = [], torch.nn.functional.conv2d

    def conv2d(*given, **named):
        asked.append(named["groups"])
        return real(*given, **named)

    monkeypatch.setattr("vbench.nn.correlation.conv2d", conv2d)
    correlate(torch.randn(5, 4, 8, 8), torch.randn(shape))
    assert asked == [groups]


@pytest.mark.parametrize("correlate", [dense, depthwise])
def test_objects_do_not_touch_each_other(correlate):
    search, templates = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 3, 3)
    before = correlate(search, templates)
    search[1] += 100
    after = correlate(search, templates)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2], after[2])
    assert not torch.allclose(before[1], after[1])
