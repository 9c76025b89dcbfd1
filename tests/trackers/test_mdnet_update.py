import numpy as np
import pytest
import torch

from vbench.trackers.mdnet_network import mdnetwork
from vbench.trackers.mdnet_update import (
    DECAY,
    MATCONVNET,
    MOMENTUM,
    TORCH,
    FineTuning,
    Lesson,
    Memory,
    iteration_macs,
    shuffled,
)

WIDTH = 1 / 32


def network(seed=0):
    return mdnetwork("patch", "py-mdnet", 3, 3, WIDTH, None, "cpu", seed)


def tuning(net, habits=TORCH, stop=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return FineTuning(net, habits, stop, np.random.default_rng(seed), generator)


def samples(net, n, shift, seed):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=(n, net.features)) + shift).float()


def test_decks_are_shuffled_one_after_the_other() -> None:
    found = shuffled(np.random.default_rng(0), 5, 13)
    assert len(found) == 13
    assert sorted(found[:5]) == sorted(found[5:10]) == [0, 1, 2, 3, 4]


def test_windows_keep_the_last_frames() -> None:
    memory = Memory(long=3, short=2)
    for value in range(5):
        memory.add(torch.full((2, 1), float(value)), torch.full((3, 1), 10.0 + value))
    assert memory.positives(recent=False).flatten().tolist() == [2, 2, 3, 3, 4, 4]
    assert memory.positives(recent=True).flatten().tolist() == [3, 3, 4, 4]
    assert memory.negatives().flatten().tolist() == [13, 13, 13, 14, 14, 14]


def test_the_hardest_negatives_have_the_highest_scores() -> None:
    net = network()
    negatives = samples(net, 200, 0.0, 1)
    kept = tuning(net).hardest(negatives)
    with torch.no_grad():
        scores, all_scores = net(kept)[:, 1], net(negatives)[:, 1]
    assert len(kept) == 96
    assert sorted(scores.tolist()) == sorted(all_scores.tolist())[-96:]


def test_it_learns_and_stops_when_the_loss_is_low() -> None:
    net = network()
    good, bad = samples(net, 60, 4.0, 2), samples(net, 300, -4.0, 3)
    first = tuning(net).learn(good, bad, Lesson(0.01, 40))
    assert first.iterations == 40
    assert first.loss < 0.1
    stopping = tuning(net, stop=0.2).learn(good, bad, Lesson(0.01, 40))
    assert stopping.iterations == 1
    assert stopping.loss < 0.2


def test_equal_seeds_learn_the_same() -> None:
    states = []
    for _ in range(2):
        net = network()
        tuning(net, seed=4).learn(samples(net, 9, 1.0, 2), samples(net, 7, 0, 3), Lesson(0.1, 3))
        states.append(
            torch.cat([p.flatten() for _, layer in net.connected() for p in layer.parameters()])
        )
    assert torch.equal(*states)


def test_nothing_is_learnt_from_nothing() -> None:
    net = network()
    done = tuning(net).learn(samples(net, 0, 0, 0), samples(net, 5, 0, 0), Lesson(0.1, 3))
    assert done.iterations == 0
    assert np.isnan(done.loss)


@pytest.mark.parametrize(("habits", "bias_rate"), [(MATCONVNET, 2.0), (TORCH, 1.0)])
def test_steps_are_those_of_the_formula(habits, bias_rate, monkeypatch) -> None:
    """v = 0.9 v - rate (decay w + g), w += v; the last layer learns ten times as fast."""
    monkeypatch.setattr("vbench.trackers.mdnet_network.KEPT", 1.0)
    monkeypatch.setattr("vbench.trackers.mdnet_update.MINED_FROM", 96)
    net, mirror = network(), network()
    mirror.load_state_dict(net.state_dict())
    good, bad, rate = samples(net, 32, 0.5, 2), samples(net, 96, -0.5, 3), 0.01
    tuning(net, habits).learn(good, bad, Lesson(rate, 3))
    layers = list(mirror.connected())
    speed = {p: torch.zeros_like(p) for _, layer in layers for p in layer.parameters()}
    for _ in range(3):
        # 96 negatives are all kept, in any order; the labels are background 0 and target 1.
        scores = mirror(torch.cat([good, bad]))
        labels = torch.tensor([1] * 32 + [0] * 96)
        loss = torch.nn.functional.cross_entropy(scores, labels)
        gradients = torch.autograd.grad(loss, list(speed))
        with torch.no_grad():
            for (p, v), g in zip(speed.items(), gradients, strict=True):
                last = p is layers[-1][1].weight or p is layers[-1][1].bias
                is_bias = p.ndim == 1
                step = rate * (10 if last else 1) * (bias_rate if is_bias else 1)
                decay = 0.0 if is_bias and habits is MATCONVNET else DECAY
                v.mul_(MOMENTUM).sub_(step * (decay * p + g))
                p.add_(v)
    for (_, one), (_, two) in zip(net.connected(), layers, strict=True):
        for p, q in zip(one.parameters(), two.parameters(), strict=True):
            assert p.detach().numpy() == pytest.approx(q.detach().numpy(), rel=1e-3, abs=1e-6)


def test_an_iteration_costs_the_mined_and_the_learnt() -> None:
    with torch.device("meta"):
        from vbench.trackers.mdnet_network import MDNetwork

        net = MDNetwork("patch", "py-mdnet")
    a, b, c = 4608 * 512, 512 * 512, 512 * 2
    # 1,024 scored, 128 learnt: forward, the weights' gradients, the inputs' of fc5 and fc6.
    assert iteration_macs(net) == 1024 * (a + b + c) + 128 * (2 * a + 3 * b + 3 * c)
