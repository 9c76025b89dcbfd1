from functools import partial

import numpy as np
import pytest
import torch

from tests.nn.test_mxnet_params import params_bytes, published
from tests.train.test_detection_recipe import TINY, clip
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.detectors.lsts import Lsts
from vbench.detectors.rfcn import Rfcn
from vbench.nn.alignment import small
from vbench.nn.rpn import ProposalRule
from vbench.train.loop import Course, fit
from vbench.train.lsts_recipe import LstsRecipe, Made, MadeOnce


@pytest.fixture
def detector_of(tmp_path):
    """LSTS that stands on the weights of an R-FCN."""
    path = tmp_path / "rfcn.pth"
    torch.save(Rfcn(**TINY, seed=3).network.state_dict(), path)

    def build(**given):
        weights = Weights("lsts", {path.name: path}, "")
        return Lsts(**TINY, untrained=True, weights=weights, **given)

    return build


def recipe_of(detector, clips=None):
    made = LstsRecipe(detector, clips or [clip()], 1, "cpu")
    made.rule = ProposalRule(200, 40, 0.7)
    return made


def test_it_begins_with_the_layers_that_r_fcn_has_too(detector_of, tmp_path) -> None:
    rfcn = Rfcn(**TINY, seed=3)
    own = detector_of().network.state_dict()
    for key, value in rfcn.network.state_dict().items():
        assert torch.equal(own[key], value), key
    path = tmp_path / "rfcn.params"
    path.write_bytes(params_bytes(published(rfcn.network)))
    weights = Weights("lsts", {path.name: path}, "")
    again = Lsts(**TINY, untrained=True, weights=weights).network.state_dict()
    assert torch.equal(again["heads.rfcn_cls.weight"], own["heads.rfcn_cls.weight"])
    with pytest.raises(VBenchError, match="missing"):
        Lsts(**TINY, weights=weights)


def test_what_joins_frames_learns_and_all_else_stays(detector_of) -> None:
    detector = detector_of()
    before = {key: value.clone() for key, value in detector.network.state_dict().items()}
    fit(recipe_of(detector), Course(4, rate=0.01))
    changed = {
        key.partition(".")[0]
        for key, value in detector.network.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert {"low2high", "cur_quality", "key_quality", "init_offset", "key2cur"} <= changed
    assert not changed & {"trunk", "heads"}


@pytest.mark.parametrize("align", ["gaussian", "copy", "flow"])
def test_layers_that_stay_see_a_frame_once_and_losses_are_the_same(align, detector_of) -> None:
    kept, plain = recipe_of(detector_of(align=align)), recipe_of(detector_of(align=align))
    plain.trunk_stays = False
    calls = []
    kept.module.trunk.register_forward_hook(lambda *_: calls.append(1))
    for seed in (0, 1, 1):
        ours, theirs = (r.loss(np.random.default_rng(seed)) for r in (kept, plain))
        assert float(ours.detach()) == pytest.approx(float(theirs.detach()), rel=1e-5)
    # The flow reads images, which are not kept.
    assert bool(calls) == (align == "flow")
    assert bool(kept.made.known) == (align != "flow")


def test_new_layers_alone_learn_by_adam_and_places_by_a_hundredth_of_a_cell(detector_of) -> None:
    made = recipe_of(detector_of())
    adam = made.optimiser(None)
    assert isinstance(adam, torch.optim.Adam)
    rates = {id(p): group["lr"] for group in adam.param_groups for p in group["params"]}
    assert rates.pop(id(made.module.init_offset)) == pytest.approx(1e-2, rel=0.02)
    assert set(rates.values()) == {3e-4}
    fitted = {id(p) for p in made.module.parameters() if p.requires_grad}
    assert set(rates) | {id(made.module.init_offset)} == fitted


def test_a_detector_of_its_own_weights_is_fitted_whole() -> None:
    made = recipe_of(Lsts(**TINY))
    assert isinstance(made.optimiser(None), torch.optim.SGD)
    assert all(p.requires_grad for p in made.module.parameters())


def test_what_was_made_is_made_once_and_bounded() -> None:
    store, made = MadeOnce(most_bytes=3 * 2 * 4 * 10), []

    def make(number):
        made.append(number)
        return Made(torch.full((10,), float(number)), torch.zeros(10), (1, 1), 1.0)

    for number in (0, 1, 2, 0, 3, 1):
        assert float(store.of(number, partial(make, number)).low[0]) == number
    # Three fit; when 3 came, 1 was the longest unread.
    assert made == [0, 1, 2, 3, 1]
    assert len(store.known) == 3


def test_new_layers_start_as_loud_at_any_width() -> None:
    """Sums over a quarter of the channels with weights twice as large have the same spread."""
    torch.manual_seed(0)
    whole, narrow = torch.nn.Conv2d(1024, 256, 1), torch.nn.Conv2d(256, 256, 1)
    spread = [
        float(small(layer, width)(torch.randn(1, layer.in_channels, 30, 30)).detach().std())
        for layer, width in ((whole, 1.0), (narrow, 0.25))
    ]
    assert spread[0] == pytest.approx(0.01 * 1024**0.5, rel=0.02)
    assert spread[1] == pytest.approx(spread[0], rel=0.03)


def test_places_get_the_gradient_of_the_loss(detector_of) -> None:
    """By finite differences through the whole loss, along one direction in the table."""
    detector = detector_of(locations=6, row="a")
    made = recipe_of(detector)
    network = made.module.double()
    image = [made.detector.prepare(made.clips[0].frames[i]).tensor.double() for i in (0, 9, 15)]

    def loss():
        return network.joint(image).square().mean()

    direction = torch.randn(6, 2, generator=torch.Generator().manual_seed(1)).double()
    loss().backward()
    slope = float((network.init_offset.grad * direction).sum())
    assert slope != 0
    with torch.no_grad():
        start, step = network.init_offset.clone(), 1e-6
        ends = []
        for sign in (1, -1):
            network.init_offset.copy_(start + sign * step * direction)
            ends.append(float(loss()))
    assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=1e-4)
