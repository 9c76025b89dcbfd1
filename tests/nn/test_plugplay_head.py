import pytest
import torch

from vbench.cost.macs import torch_flops
from vbench.nn.correlation import depthwise
from vbench.nn.plugplay import PlugPlayHead, carried, cut_outs, windows


@pytest.mark.parametrize(
    ("channels", "mmacs", "millions"), [(480, 92.8, 0.667), (768, 128.9, 0.814)]
)
def test_an_object_costs_what_was_measured_of_the_reference(channels, mmacs, millions) -> None:
    with torch.device("meta"):
        head = PlugPlayHead(channels).eval()
        inputs = torch.zeros(1, channels, 7, 7), torch.zeros(1, channels, 21, 21)
    assert sum(torch_flops(head, inputs).values()) / 2e6 == pytest.approx(mmacs, abs=0.05)
    count = sum(p.numel() for p in head.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=5e-4)
    # By the formulas of the layers.
    assert count == 2 * channels * 256 + 3 * 512 + 2 * 256**2 + 256 + 5 * 57600 + 5


def test_correlation_is_that_of_loops() -> None:
    search, kernel = torch.randn(2, 3, 9, 9), torch.randn(2, 3, 4, 4)
    found = depthwise(search, kernel)
    assert found.shape == (2, 3, 6, 6)
    for n in range(2):
        for c in range(3):
            for y in range(6):
                for x in range(6):
                    window = search[n, c, y : y + 4, x : x + 4]
                    assert found[n, c, y, x].item() == pytest.approx(
                        float((window * kernel[n, c]).sum()), abs=1e-4
                    )


def test_windows_are_twenty_sixths_of_the_inclusive_box() -> None:
    # Pixels 10 ... 40 of x and 20 ... 50 of y: differences of 30, windows of 100, centre 25 35.
    found = windows(torch.tensor([[10.0, 20, 41, 51]]))
    assert found.tolist() == [[-25.0, -15.0, 76.0, 86.0]]
    one = windows(torch.tensor([[3.0, 4, 3.5, 4.5]]))
    assert (one[:, 2:] > one[:, :2]).all()


def test_features_are_as_fine_as_the_box_is_small() -> None:
    # The same picture at twice the size, a box twice as large: the same cut-outs inside.
    ramp = torch.arange(40.0)[None, None, None].expand(1, 1, 40, 40)
    wide = torch.arange(80.0)[None, None, None].expand(1, 1, 80, 80) / 2
    small = cut_outs(ramp, ramp, torch.tensor([[16.0, 16, 23, 23]]), 1)
    large = cut_outs(wide, wide, torch.tensor([[32.0, 32, 46, 46]]), 1)
    assert small[0].shape == (1, 1, 7, 7) and small[1].shape == (1, 1, 21, 21)
    assert torch.allclose(small[0].diff(dim=3), torch.ones(1, 1, 7, 6), atol=1e-4)
    assert torch.allclose(large[0].diff(dim=3), torch.ones(1, 1, 7, 6), atol=1e-4)
    assert (small[0] - large[0]).abs().max() < 0.6


def test_objects_are_carried_alike_alone_and_in_turns() -> None:
    head = PlugPlayHead(4, 1 / 16).eval()
    before, now = torch.randn(2, 1, 4, 12, 16).unbind(0)
    low = torch.rand(40, 2) * 60
    corners = torch.cat([low, low + 5 + 40 * torch.rand(40, 2)], dim=1)
    with torch.no_grad():
        boxes, fits = carried(head, before, now, corners, 8, (128, 96))
        one, fit = carried(head, before, now, corners[35:36], 8, (128, 96))
        none, _ = carried(head, before, now, corners[:0], 8, (128, 96))
    assert boxes.shape == (40, 4) and none.shape == (0, 4)
    assert torch.allclose(boxes[35:36], one, atol=1e-4)
    assert torch.allclose(fits[35:36], fit, atol=1e-5)
    assert ((fits > 0) & (fits < 1)).all()


def test_an_unmoved_answer_of_zero_codes_is_the_box_itself() -> None:
    head = PlugPlayHead(4, 1 / 16).eval()
    with torch.no_grad():
        head.rpn_module.rpn_reg.weight.zero_()
        maps = torch.randn(1, 4, 12, 16)
        boxes, _ = carried(head, maps, maps, torch.tensor([[20.0, 10, 60, 50]]), 8, (128, 96))
    assert boxes[0].tolist() == pytest.approx([20, 10, 60, 50], abs=1e-4)
