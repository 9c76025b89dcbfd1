"""Multi-domain pre-training as its papers and releases state it, and the rates of SiamRPN's.

Cui et al., ACML 2018, sec. 3.3, and ZhiyanCui/fdn-release pretraining; Jung et al., ECCV 2018,
eq. 4; STVIR/pysot experiments/siamrpn_alex_dwxcorr_16gpu/config.yaml.
"""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.train.test_recipes import CLIPS, recipe
from vbench.core.boxes import iou
from vbench.trackers.mdnet_network import mdnetwork
from vbench.train import mdnet_recipe, pair_crops
from vbench.train.recipe import recipe_for

NAMES = ["mdnet", "rt-mdnet", "fdn"]


@pytest.mark.parametrize("name", NAMES)
def test_convolutions_learn_slowly_and_connected_layers_ten_times_as_fast(name) -> None:
    """1e-4 and momentum 0.9 and decay 5e-4; MatConvNet's biases twice that, and no decay."""
    fitted = recipe(name)
    optimiser = fitted.optimiser(None)
    found = {}
    for group in optimiser.param_groups:
        assert group["momentum"] == 0.9
        for parameter in group["params"]:
            found[parameter] = group["lr"], group["weight_decay"]
    for key, parameter in fitted.module.named_parameters():
        kind = "conv" if key.startswith("trunk.") else "fc"
        wanted = {"conv": 1e-4, "fc": 1e-3}[kind] * (2 if key.endswith("bias") else 1)
        assert found[parameter][0] == pytest.approx(wanted), key
        assert found[parameter][1] == (0 if key.endswith("bias") else 5e-4), key
    assert len(found) == len(list(fitted.module.parameters()))
    assert {fitted.factor(share) for share in (0.0, 0.5, 1.0)} == {1.0}


@pytest.mark.parametrize("name", NAMES)
def test_a_minibatch_is_eight_frames_of_one_clip_with_four_and_twelve_boxes(name) -> None:
    tracker = recipe(name).tracker
    fitted = recipe_for(name, tracker, CLIPS, None, "cpu")
    seen: list = []
    dimension = tracker.network.features

    def embed(image, boxes, target):
        seen.append((boxes, target))
        return torch.zeros(len(boxes), dimension)

    tracker.embed = embed
    fitted.loss(np.random.default_rng(0))
    assert len(seen) == 8
    places = {tuple(target) for _, target in seen}
    assert len(places) == 8
    assert any(places <= {tuple(box) for box in clip.truth} for clip in CLIPS)
    for boxes, target in seen:
        shared = iou(boxes, target[None])
        assert len(boxes) == 16
        assert (shared[:4] >= 0.7).all() and (shared[4:] < 0.5).all()


@pytest.mark.parametrize(("name", "share"), [("mdnet", 0.0), ("rt-mdnet", 0.1), ("fdn", 0.0)])
def test_rt_mdnets_targets_are_kept_apart_from_other_clips(name, share, monkeypatch) -> None:
    """Jung et al., eqs. 3-5: a tenth of the cross entropy of target scores over all domains."""
    monkeypatch.setattr("vbench.trackers.mdnet_network.KEPT", 1.0)
    fitted = recipe(name)
    network = fitted.tracker.network
    rng = np.random.default_rng(1)
    good, bad = (torch.from_numpy(rng.normal(size=(n, network.features))).float() for n in (4, 12))
    monkeypatch.setattr(fitted, "_features", lambda rng, domain: (good, bad))
    with torch.no_grad():
        for branch in network.branches:
            branch[1].weight.mul_(30)
        for seed in range(3):
            fitted.take_turn(0, seed)
            domain = fitted.domain
            scores = network(torch.cat([good, bad]), domain)
            wanted = cross_entropy(scores, torch.tensor([1] * 4 + [0] * 12))
            both = torch.stack([network(good, d)[:, 1] for d in (domain, 1 - domain)], dim=1)
            wanted = wanted + share * cross_entropy(both, torch.zeros(4, dtype=torch.long))
            assert float(fitted.loss(np.random.default_rng(seed))) == pytest.approx(float(wanted))
    assert mdnet_recipe.MOST_OTHERS == 100


@pytest.mark.parametrize("name", NAMES)
def test_connected_layers_are_drawn_as_published(name) -> None:
    """hyseob/MDNet mdnet_prepare_model.m: N(0, 0.01), bias 0.1 and, of the last layer, 0."""
    layouts = {"mdnet": "patch", "rt-mdnet": "scene", "fdn": "image"}
    network = mdnetwork(layouts[name], "matconvnet", 3, 3, 1.0, None, "cpu", 0)
    for layer, stage in network.connected():
        weight, bias = stage.weight.detach(), stage.bias.detach()
        assert float(weight.std()) == pytest.approx(0.01, rel=0.06), layer
        assert abs(float(weight.mean())) < 1e-3
        assert (bias == (0.0 if layer == "fc6" else 0.1)).all(), layer


@pytest.mark.parametrize("name", ["siamrpn", "siamrpn-paper", "siamrpn-alex-dw", "dasiamrpn-otb"])
def test_siamrpns_rate_rises_to_a_hundredth_and_falls(name) -> None:
    fitted = recipe(name)
    (group,) = fitted.optimiser(None).param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (1e-2, 0.9, 1e-4)
    rates = [group["lr"] * fitted.factor(share) for share in (0.0, 0.1, 1.0)]
    assert rates == pytest.approx([5e-3, 1e-2, 5e-4])
    # Px and share, of the template and of the search.
    assert pair_crops.TEMPLATE_MOVES == (4.0, 0.05)
    assert pair_crops.SEARCH_MOVES == (64.0, 0.18)


def test_every_clip_is_learnt_from_once_a_cycle_in_an_order_of_its_own() -> None:
    """hyeonseobnam/py-MDNet pretrain: one permutation of the sequences each cycle."""
    fitted = recipe("fdn")
    count, orders = len(fitted.footage), []
    for cycle in range(30):
        order = []
        for step in range(cycle * count, (cycle + 1) * count):
            fitted.take_turn(3, step)
            order.append(fitted.domain)
        assert sorted(order) == list(range(count))
        orders.append(tuple(order))
    assert len(set(orders)) > 1
    fitted.take_turn(3, count + 1)
    assert fitted.domain == orders[1][1]
