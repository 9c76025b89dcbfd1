import pytest
import torch
from torch import nn
from torch.nn.functional import grid_sample

from vbench.cost import macs
from vbench.cost.macs import count_module, traced
from vbench.cost.shapes import count_shapes


class Mixed(nn.Module):
    """Layers of many kinds, with a stored norm and a constant."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
        self.up = nn.ConvTranspose2d(8, 4, 4, 2, 1)
        self.grouped = nn.Conv2d(4, 8, 3, groups=2)
        self.last = nn.Linear(8, 5)

    def forward(self, images, grid):
        features = self.grouped(self.up(self.stem(images)))
        features = grid_sample(features, grid, align_corners=False)
        pooled = (features * 0.5).mean(dim=(2, 3))
        attended = torch.softmax(torch.einsum("nc,mc->nm", pooled, pooled), dim=1) @ pooled
        return self.last(attended)


def test_shapes_alone_count_what_a_trace_counts():
    module = Mixed().eval()
    inputs = (torch.randn(2, 3, 12, 16), torch.rand(2, 5, 5, 2))
    by_trace, by_shapes = traced(module, inputs), count_shapes(module, inputs)
    assert not by_shapes.unseen
    assert sum(by_shapes.by_op.values()) == by_trace.macs
    assert by_shapes.by_op["conv"] == by_trace.by_op["conv"]
    for name in ("stem.0", "stem.1", "up", "grouped"):
        assert by_shapes.by_module[name] == by_trace.by_module[name]


def test_large_inputs_are_counted_without_computing(monkeypatch):
    monkeypatch.setattr(macs, "LARGE", 1)
    module = nn.Conv2d(2, 3, 3)

    found = count_module(module, (torch.zeros(1, 2, 6, 6),))
    assert found.counter == "shapes"
    assert found.macs == 16 * 3 * 2 * 9
    assert module.weight.device.type == "cpu"


def test_networks_that_read_numbers_are_traced_all_the_same(monkeypatch):
    monkeypatch.setattr(macs, "LARGE", 1)

    class Reading(nn.Module):
        def forward(self, x):
            return x @ x if float(x.sum()) > 0 else x

    found = count_module(Reading(), (torch.ones(4, 4),))
    assert found.counter.startswith("fvcore")
    assert found.macs == pytest.approx(64)
