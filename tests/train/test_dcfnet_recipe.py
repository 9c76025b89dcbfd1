"""DCFNet's loss against its equations on whole spectra, its pairs, its rates, what it writes."""

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, local_response_norm

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.frames import Rendered
from vbench.core.roles import Weights
from vbench.nn.state import read_state
from vbench.trackers.dcfnet import DCFNet
from vbench.train.dcfnet_recipe import DCFNetRecipe
from vbench.train.loop import Course, fit, write_state
from vbench.train.losses import filter_loss
from vbench.train.samplers import Footage, dcfnet_usable, later_pair, starts

SIZE = (200, 160)
GOOD = [60.0, 50, 40, 30]


def clip(truth, name="c"):
    """A textured target walks over textured ground, which stands still."""
    noise = np.random.default_rng(len(truth)).integers(0, 256, (2, 160, 200, 3), dtype=np.uint8)
    ground, target = (cv2.GaussianBlur(each, (0, 0), 2) for each in noise)

    def render(index):
        image, (x, y) = ground.copy(), np.nan_to_num(truth[index][:2]).astype(int)
        image[y : y + 30, x : x + 40] = target[:30, :40]
        return image

    return Clip(name, Rendered(len(truth), render), np.array(truth, float), known_size=SIZE)


WALK = clip([[60.0 + 2 * i, 50 + i, 40, 30] for i in range(14)])


def ridge_response(template, search, label, ridge):
    """The filter of one pair (c, h, w), from whole spectra in double precision; its response."""
    spectra, others = np.fft.fft2(template), np.fft.fft2(search)
    energy = sum(np.abs(plane) ** 2 for plane in spectra)
    filters = [np.conj(plane) * np.fft.fft2(label) / (energy + ridge) for plane in spectra]
    answer = sum(other * one for other, one in zip(others, filters, strict=True))
    return np.fft.ifft2(answer).real


@pytest.mark.parametrize("side", [7, 8])
def test_the_loss_is_that_of_the_closed_form(side) -> None:
    rng = np.random.default_rng(3)
    templates, searches = rng.standard_normal((2, 3, 4, side, side))
    label = rng.standard_normal((side, side))
    wanted = np.mean([
        ((ridge_response(one, other, label, 0.7) - label) ** 2).sum()
        for one, other in zip(templates, searches, strict=True)
    ])  # fmt: skip
    first, second, response = (torch.from_numpy(each) for each in (templates, searches, label))
    found = filter_loss(first, second, response, 0.7)
    assert float(found) == pytest.approx(wanted, rel=1e-10)


def test_one_channel_s_filter_solves_the_normal_equations() -> None:
    """Ridge regression over all shifts of the template: no spectrum is taken."""
    rng = np.random.default_rng(4)
    template, search, label = rng.standard_normal((3, 4, 5))
    shifts = [(y, x) for y in range(4) for x in range(5)]
    rows = np.stack([np.roll(template, (-y, -x), (0, 1)).ravel() for y, x in shifts])
    # The filter that answers the label where the template is shifted so.
    weights = np.linalg.solve(rows.T @ rows + 0.3 * np.eye(20), rows.T @ label.ravel())
    others = np.stack([np.roll(search, (-y, -x), (0, 1)).ravel() for y, x in shifts])
    wanted = ((others @ weights - label.ravel()) ** 2).sum()
    one, other = (torch.from_numpy(each[None, None]) for each in (template, search))
    found = filter_loss(one, other, torch.from_numpy(label), 0.3)
    assert float(found) == pytest.approx(wanted, rel=1e-9)


def test_both_gradients_are_those_of_finite_differences() -> None:
    draw = torch.Generator().manual_seed(5)
    pairs = torch.randn(2, 2, 3, 5, 5, generator=draw, dtype=torch.float64)
    label = torch.randn(5, 5, generator=draw, dtype=torch.float64)
    given = [each.clone().requires_grad_() for each in pairs]
    assert torch.autograd.gradcheck(lambda a, b: filter_loss(a, b, label, 0.1), given)


def test_a_pair_of_the_same_frame_costs_nothing_nearly() -> None:
    fitted = DCFNetRecipe(DCFNet(), [WALK], 1, "cpu")
    crop = fitted._crop(WALK.frames[0], WALK.truth[0])
    features = fitted.features(crop).detach()
    assert float(filter_loss(features, features, fitted.wanted, 1e-4)) < 1e-3
    assert float(filter_loss(features, features.roll(3, dims=3), fitted.wanted, 1e-4)) > 1


def test_the_gradient_reaches_the_first_convolution_through_the_norm() -> None:
    """A step of the weights along the gradient changes the loss as the gradient says."""
    tracker = DCFNet(seed=3)
    tracker.network.double()
    fitted = DCFNetRecipe(tracker, [WALK], 1, "cpu")
    crops = [fitted._crop(WALK.frames[i], WALK.truth[i]).double() for i in (0, 6)]

    def loss():
        one, other = (fitted.features(each) for each in crops)
        return filter_loss(one, other, fitted.wanted.double(), 1e-4)

    loss().backward()
    kernel = tracker.network.feature[0].weight
    way = kernel.grad / kernel.grad.norm()
    ends = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            kernel += step * way
            ends.append(loss().item())
            kernel -= step * way
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(float(kernel.grad.norm()), rel=1e-4)


def test_features_are_those_of_convolutions_without_padding() -> None:
    """And crops are BGR, less a mean of VID, around the target at three times its size."""
    tracker = DCFNet(seed=1)
    fitted = DCFNetRecipe(tracker, [WALK], 1, "cpu")
    box = WALK.truth[5]
    found = fitted.features(fitted._crop(WALK.frames[5], box)).detach()
    centre, scale = box[:2] + box[2:] / 2, 124 / (3 * box[2:])
    warp = np.column_stack([np.diag(scale), -scale * (centre - 1.5 * box[2:])])
    crop = cv2.warpAffine(WALK.frames[5][..., ::-1].copy(), warp, (125, 125))
    planes = torch.from_numpy(crop.transpose(2, 0, 1).astype(np.float32))[None]
    planes = planes - torch.tensor([109.0, 120, 119])[:, None, None]
    first, second = tracker.network.feature[0], tracker.network.feature[2]
    planes = conv2d(conv2d(planes, first.weight, first.bias).relu(), second.weight, second.bias)
    wanted = local_response_norm(planes, 5, alpha=1e-4, beta=0.75, k=1.0).detach()
    assert found.shape == (1, 32, 121, 121)
    assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-3)


def test_the_wanted_response_is_as_wide_as_in_the_tracker() -> None:
    wanted = DCFNetRecipe(DCFNet(), [WALK], 1, "cpu").wanted
    sigma = 125 / (1 + 2.0) * 0.1
    assert wanted.shape == (121, 121)
    assert wanted[0, 0] == 1
    assert float(wanted[4, 118]) == pytest.approx(np.exp(-(16 + 9) / (2 * sigma**2)), rel=1e-5)


def test_rates_momentum_decay_and_batch_are_the_published_ones() -> None:
    fitted = DCFNetRecipe(DCFNet(), [WALK], None, "cpu")
    (group,) = fitted.optimiser(None).param_groups
    assert fitted.batch == 32
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-2, 0.9, 5e-5)
    assert len(group["params"]) == 4
    rates = [1e-2 * fitted.factor(epoch / 50) for epoch in range(50)]
    assert rates == pytest.approx(np.logspace(-2, -5, 50))
    # A rate stays for its epoch.
    assert fitted.factor(0.0199) == 1
    assert fitted.factor(0.999) == pytest.approx(1e-3)
    assert fitted.optimiser(0.5).param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("box", "usable"),
    [
        (GOOD, True),
        ([60.0, 50, 17, 18], False),  # a tenth of the side of a square of the frame's area: 17.9
        ([60.0, 50, 18, 18], True),
        ([20.0, 15, 150, 120], False),  # three quarters: 134.2
        ([20.0, 15, 148, 120], True),
        ([1.75, 50, 40, 30], False),  # a twentieth of the mean side, 35: 1.75 from the border
        ([1.76, 50, 40, 30], True),
        ([60.0, 128.3, 40, 30], False),
        ([158.2, 50, 40, 30], True),
        ([np.nan] * 4, False),
    ],
)
def test_small_large_and_cut_targets_are_left_out(box, usable) -> None:
    assert dcfnet_usable(np.array([box]), SIZE).tolist() == [usable]


def test_pairs_go_forward_by_one_to_ten_frames_and_never_over_a_gap() -> None:
    absent = [np.nan] * 4
    first = clip([GOOD] * 20 + [absent] + [GOOD] * 3 + [absent] + [GOOD])
    known = starts(Footage([clip([GOOD, absent, GOOD]), first], dcfnet_usable))
    assert set(known.clips.tolist()) == {1}
    # Neither the last frame of a run nor a lone frame begins a pair.
    assert known.frames.tolist() == [*range(19), 21, 22]
    rng = np.random.default_rng(0)
    drawn = [later_pair(rng, known, 10) for _ in range(4000)]
    ways = {b - a for _, (a, b) in drawn}
    assert ways == set(range(1, 11))
    assert {pair for _, pair in drawn if pair[0] > 20} == {(21, 22), (21, 23), (22, 23)}
    assert max(b for _, (a, b) in drawn if a < 20) == 19
    # Frames weigh the same, so that long clips are drawn more often: 2 of 21 begin after the gap.
    late = np.mean([pair[0] > 20 for _, pair in drawn])
    assert late == pytest.approx(2 / 21, abs=0.02)


def test_frames_that_never_follow_each_other_are_said() -> None:
    gaps = clip([GOOD, [np.nan] * 4] * 3)
    with pytest.raises(VBenchError, match="two frames in a row"):
        DCFNetRecipe(DCFNet(), [gaps], 1, "cpu")


def test_what_it_writes_has_the_published_names_and_the_loss_falls(tmp_path) -> None:
    tracker = DCFNet(seed=2)
    fitted = DCFNetRecipe(tracker, [WALK], 2, "cpu")

    def cost():
        return np.mean([fitted.loss(np.random.default_rng(seed)).item() for seed in range(6)])

    before = cost()
    fit(fitted, Course(15, seed=1))
    assert cost() < 0.96 * before
    path = tmp_path / "own.pt"
    write_state(path, fitted.state())
    state = read_state(path)
    assert set(state) == {
        f"feature.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")
    }
    again = DCFNet(Weights("dcfnet", {path.name: path}, ""), seed=9)
    tracker.start(WALK.frames[0], WALK.truth[0])
    again.start(WALK.frames[0], WALK.truth[0])
    assert again.track(WALK.frames[3]).score == tracker.track(WALK.frames[3]).score
