import numpy as np
import pytest
import torch

from vbench.trackers.mdnet_network import mdnetwork
from vbench.trackers.mdnet_update import (
    MATCONVNET,
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


@pytest.fixture
def plain(monkeypatch) -> None:
    """Nothing is dropped, and as many negatives are scored as are kept."""
    monkeypatch.setattr("vbench.trackers.mdnet_network.KEPT", 1.0)
    monkeypatch.setattr("vbench.trackers.mdnet_update.MINED_FROM", 96)


class Mirror:
    """Steps by the formula: v = 0.9 v - rate (0.0005 w + g), w += v; fc6 learns 10 times as fast.

    MatConvNet's biases learn twice as fast and do not decay; torch's gradients are bounded by 10.
    """

    def __init__(self, net, matconvnet) -> None:
        self.net, self.matconvnet = network(), matconvnet
        self.net.load_state_dict(net.state_dict())
        self.layers = [layer for _, layer in self.net.connected()]
        self.weights = [p for layer in self.layers for p in layer.parameters()]
        self.rest()

    def rest(self) -> None:
        self.speeds = [torch.zeros_like(p) for p in self.weights]

    def learn(self, good, bad, rate, iterations) -> float:
        """Return the largest norm of all gradients that was met."""
        largest = 0.0
        for _ in range(iterations):
            # 96 negatives are all kept, in any order; the labels are background 0 and target 1.
            scores = self.net(torch.cat([good, bad]))
            labels = torch.tensor([1] * 32 + [0] * 96)
            loss = torch.nn.functional.cross_entropy(scores, labels)
            gradients = torch.autograd.grad(loss, self.weights)
            norm = float(torch.cat([g.flatten() for g in gradients]).norm())
            bound = 1.0 if self.matconvnet else min(1.0, 10.0 / norm)
            largest = max(largest, norm)
            with torch.no_grad():
                for p, v, g in zip(self.weights, self.speeds, gradients, strict=True):
                    is_bias = p.ndim == 1
                    step = rate * (10 if p is self.layers[-1].weight else 1)
                    step *= 10 if p is self.layers[-1].bias else 1
                    step *= 2 if is_bias and self.matconvnet else 1
                    decay = 0.0 if is_bias and self.matconvnet else 5e-4
                    v.mul_(0.9).sub_(step * (decay * p + bound * g))
                    p.add_(v)
        return largest

    def equals(self, net) -> None:
        for (_, one), two in zip(net.connected(), self.layers, strict=True):
            for p, q in zip(one.parameters(), two.parameters(), strict=True):
                assert p.detach().numpy() == pytest.approx(q.detach().numpy(), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("habits", [MATCONVNET, TORCH])
def test_steps_are_those_of_the_formula(habits, plain) -> None:
    net = network()
    mirror = Mirror(net, habits is MATCONVNET)
    good, bad, rate = samples(net, 32, 0.5, 2), samples(net, 96, -0.5, 3), 0.01
    tuning(net, habits).learn(good, bad, Lesson(rate, 3))
    assert mirror.learn(good, bad, rate, 3) < 10
    mirror.equals(net)


@pytest.mark.parametrize("habits", [MATCONVNET, TORCH])
def test_torchs_gradients_are_bounded(habits, plain) -> None:
    """py-MDNet tracking/options.yaml: grad_clip 10."""
    net = network()
    mirror = Mirror(net, habits is MATCONVNET)
    good, bad, rate = samples(net, 32, -900, 2), samples(net, 96, 900, 3), 1e-6
    tuning(net, habits).learn(good, bad, Lesson(rate, 2))
    assert mirror.learn(good, bad, rate, 2) > 20
    mirror.equals(net)


@pytest.mark.parametrize("habits", [MATCONVNET, TORCH])
def test_updates_share_their_momentum_where_they_share_an_optimiser(habits, plain) -> None:
    """py-MDNet run_tracker.py has one optimiser for the first frame and one for all updates.

    MatConvNet's mdnet_finetune_hnm.m starts each fine-tuning without momentum.
    """
    net = network()
    mirror = Mirror(net, habits is MATCONVNET)
    good, bad = samples(net, 32, 0.5, 2), samples(net, 96, -0.5, 3)
    taught = tuning(net, habits)
    for number, (rate, iterations) in enumerate([(0.01, 3), (0.02, 2), (0.02, 2)]):
        taught.learn(good, bad, Lesson(rate, iterations))
        if number < 2 or habits is MATCONVNET:
            mirror.rest()
        mirror.learn(good, bad, rate, iterations)
    mirror.equals(net)


def test_a_batch_is_32_positives_and_the_96_hardest_of_1024_negatives(monkeypatch) -> None:
    """hyseob/MDNet mdnet_finetune_hnm.m; py-MDNet batch_pos, batch_neg, batch_neg_cand."""
    net, seen = network(), []
    real = net.scores

    def scores(features, domain=0, generator=None):
        if generator is not None:
            seen.append(features)
        return real(features, domain, generator)

    monkeypatch.setattr(net, "scores", scores)
    good, bad = samples(net, 50, 1.0, 2), samples(net, 1500, 0.0, 3)
    taught = tuning(net)
    mined: list[int] = []
    hardest = taught.hardest

    def counted(negatives):
        mined.append(len(negatives))
        return hardest(negatives)

    monkeypatch.setattr(taught, "hardest", counted)
    taught.learn(good, bad, Lesson(1e-3, 4))
    assert [len(features) for features in seen] == [32, 96] * 4
    assert mined == [1024] * 4


def test_an_iteration_costs_the_mined_and_the_learnt() -> None:
    with torch.device("meta"):
        from vbench.trackers.mdnet_network import MDNetwork

        net = MDNetwork("patch", "py-mdnet")
    a, b, c = 4608 * 512, 512 * 512, 512 * 2
    # 1,024 scored, 128 learnt: forward, the weights' gradients, the inputs' of fc5 and fc6.
    assert iteration_macs(net) == 1024 * (a + b + c) + 128 * (2 * a + 3 * b + 3 * c)
