import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vbench.nn.same_padding import SameConv2d, same_max_pool, same_padding


@given(st.integers(1, 200), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]))
def test_outputs_number_side_over_stride_rounded_up(side, kernel, stride) -> None:
    before, after = same_padding(side, kernel, stride)
    assert after - before in (0, 1)
    padded = side + before + after
    assert (padded - kernel) // stride + 1 == math.ceil(side / stride)


def test_the_odd_pixel_goes_after() -> None:
    # TensorFlow: 3x3 at stride 2 on 4 px pads (0, 1), on 5 px (1, 1).
    assert same_padding(4, 3, 2) == (0, 1)
    assert same_padding(5, 3, 2) == (1, 1)
    assert same_padding(6, 5, 2) == (1, 2)


def test_convolution_is_that_of_shifted_windows() -> None:
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    nn.init.zeros_(conv.weight)
    with torch.no_grad():
        conv.weight[0, 0, 0, 0] = 1.0
    image = torch.arange(16.0).view(1, 1, 4, 4)
    # No pixel before: the kernel's corner sees even rows and columns.
    assert conv(image).tolist() == [[[[0.0, 2.0], [8.0, 10.0]]]]


def test_pooling_never_takes_the_border() -> None:
    image = -torch.arange(1.0, 17).view(1, 1, 4, 4)
    assert same_max_pool(image).tolist() == [[[[-1.0, -3.0], [-9.0, -11.0]]]]
    assert same_max_pool(torch.full((1, 1, 1, 1), -5.0)).item() == pytest.approx(-5)
