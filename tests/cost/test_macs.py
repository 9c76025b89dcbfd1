"""Counting against closed formulas written out here."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from vbench.core.roles import Work
from vbench.cost.macs import count, count_module, torch_flops


def macs(call, *inputs):
    found = count_module(call, inputs)
    assert found.counter.startswith("fvcore")
    assert found.uncounted == ()
    return found.macs


@pytest.mark.parametrize(
    ("call", "inputs", "expected"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), [(2, 4, 9, 8)], 2 * 7 * 6 * 6 * 2 * 9),
        (nn.ConvTranspose2d(4, 6, 4, stride=2), [(1, 4, 5, 5)], 25 * 4 * 6 * 16),
        (nn.Linear(7, 5), [(3, 7)], 3 * 7 * 5),
        (lambda x, z: functional.conv2d(x, z), [(1, 3, 20, 20), (8, 3, 5, 5)], 16 * 16 * 8 * 75),
        (lambda a, b: a @ b, [(2, 3, 4), (4, 5)], 2 * 3 * 4 * 5),
        (torch.bmm, [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (torch.baddbmm, [(2, 3, 5), (2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        (lambda a, b: torch.einsum("nchw,nc->nhw", a, b), [(2, 3, 4, 5), (2, 3)], 2 * 3 * 4 * 5),
        (lambda a, b: torch.einsum("...ij,...jk->...ik", a, b), [(2, 3, 4), (2, 4, 5)], 120),
        (
            lambda a, b, c: torch.einsum("ij,jk,kl->il", a, b, c),
            [(2, 3), (3, 4), (4, 5)],
            2 * 3 * 4 + 2 * 4 * 5,
        ),
        (
            functional.scaled_dot_product_attention,
            [(1, 2, 6, 8), (1, 2, 7, 8), (1, 2, 7, 8)],
            2 * 6 * 7 * (8 + 8 + 1),
        ),
        (nn.BatchNorm2d(3).eval(), [(2, 3, 4, 5)], 120),
        (nn.LayerNorm(5), [(4, 5)], 40),
        (lambda x: functional.interpolate(x, scale_factor=2, mode="nearest"), [(1, 3, 4, 4)], 0),
        (
            lambda x: functional.interpolate(x, (9, 9), mode="bilinear", align_corners=False),
            [(1, 3, 4, 4)],
            4 * 3 * 81,
        ),
        (
            lambda x, g: functional.grid_sample(x, g, align_corners=False),
            [(1, 3, 9, 9), (1, 5, 6, 2)],
            4 * 3 * 30,
        ),
        (
            lambda t: functional.affine_grid(t, [2, 3, 5, 6], align_corners=False),
            [(2, 2, 3)],
            2 * 5 * 6 * 2 * 3,
        ),
        (lambda x: functional.relu(x + x).amax(1), [(3, 4)], 0),
        (lambda x, y: torch.add(x, y, alpha=0.25), [(3, 4), (3, 4)], 12),
        (lambda x: x * 0.5, [(3, 4)], 12),
        (lambda x: functional.max_pool2d(x, 2), [(1, 3, 8, 8)], 0),
        (lambda x: functional.avg_pool2d(x, 2), [(1, 3, 8, 8)], 48),
        (torch.cdist, [(5, 3), (7, 3)], 5 * 7 * 3),
    ],
)
def test_an_operator_costs_its_closed_formula(call, inputs, expected):
    assert macs(call, *(torch.rand(*size) for size in inputs)) == expected


@pytest.mark.parametrize(
    ("call", "size", "values", "points", "flops"),
    [
        (torch.fft.rfft2, (3, 64, 64), 3 * 4096, 4096, 2.5),
        (torch.fft.rfft, (4, 16), 64, 16, 2.5),
        (torch.fft.fft2, (3, 8, 8), 192, 64, 5),
        (lambda x: torch.fft.rfft2(x, s=(16, 16)), (3, 8, 8), 3 * 256, 256, 2.5),
        (lambda x: torch.fft.rfft(x, dim=0), (32, 3), 96, 32, 2.5),
        (lambda x: torch.fft.rfftn(x, dim=(-3, -2, -1)), (2, 4, 4, 4), 128, 64, 2.5),
    ],
)
def test_a_fourier_transform_costs_n_log_n(call, size, values, points, flops):
    assert macs(call, torch.rand(*size)) == values * flops * math.log2(points) / 2


def test_the_inverse_costs_what_the_forward_transform_costs():
    spectrum = torch.fft.rfft2(torch.rand(3, 8, 8))
    back = macs(lambda f: torch.fft.irfft2(f, s=(8, 8)), spectrum)
    assert back == 3 * 64 * 2.5 * 6 / 2


def test_a_complex_product_is_four_real_ones():
    a = torch.fft.fft(torch.rand(6))
    assert macs(lambda x, y: x * y, a, a) == 24
    assert macs(lambda x, y: x * y, a, torch.rand(6)) == 12
    assert macs(lambda x, y: torch.einsum("i,i->", x, y), a, a) == 24


def test_torchs_counter_says_twice_as_much_where_both_count():
    network = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
    x = torch.rand(1, 3, 15, 15)
    assert sum(torch_flops(network, [x]).values()) == 2 * macs(network, x)


def test_modules_and_operators_each_add_up_to_the_total():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1)).eval()
    found = count([Work("net", network, [torch.rand(1, 3, 6, 6)])])
    assert found.by_module == {"net.0": 16 * 8 * 27, "net.1": 16 * 8, "net.2": 16 * 16}
    assert found.by_op == {"conv": 16 * 8 * 27 + 16 * 16, "batch_norm": 128}
    assert sum(found.by_module.values()) == found.macs


def test_times_and_objects_are_kept_apart():
    found = count(
        [
            Work("crop", macs=10.0, times=3),
            Work("head", nn.Linear(4, 2), [torch.rand(1, 4)], per_object=True, times=2),
        ]
    )
    assert (found.macs_per_call, found.macs_per_object) == (30, 16)
    assert found.counter.startswith("formula+fvcore")


def test_what_no_rule_covers_is_named():
    found = count_module(torch.linalg.svdvals, [torch.rand(3, 3)])
    assert found.uncounted == ("linalg_svdvals",)


def test_work_that_says_nothing_is_unknown_never_free():
    found = count([Work("box", macs=5.0), Work("csrt", uncounted=("OpenCV's CSRT",))])
    assert math.isnan(found.macs_per_call)
    assert found.uncounted == ("OpenCV's CSRT", "csrt")


class Model:
    def __init__(self):
        self.network = nn.Linear(4, 2)
        self.gain = nn.Parameter(torch.ones(1))

    def head(self, x):
        return self.network(x) * self.gain


def test_functions_that_hold_trainable_networks_are_traced_and_left_trainable():
    model = Model()
    for call in (model.head, partial(Model.head, model), lambda x: model.head(x)):
        assert macs(call, torch.rand(1, 4)) == 8 + 2
    assert all(p.requires_grad for p in [*model.network.parameters(), model.gain])


def test_what_cannot_be_traced_falls_back_to_torchs_counter_and_says_so():
    class Untraceable(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x):
            if torch._C._get_tracing_state():
                raise RuntimeError("no tracing here")
            return {"answer": self.layer(x)}

    found = count_module(Untraceable(), [torch.rand(1, 4)])
    assert (found.macs, found.counter) == (8, "torch/2")
    assert "no tracing here" in found.uncounted[0]


def test_what_cannot_even_run_is_unknown():
    def broken(x):
        raise RuntimeError("shapes disagree")

    found = count_module(broken, [torch.rand(1)])
    assert np.isnan(found.macs)
    assert found.uncounted == ("cannot be run: shapes disagree",)
