"""Learning while tracking: windows of samples, hard negatives, iterations that stop when enough.

hyseob/MDNet tracking/mdnet_finetune_hnm.m; FDN, sec. 3.4, and ZhiyanCui/fdn-release; py-MDNet
tracking/run_tracker.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator as Rng
from torch import Generator, Tensor

from .mdnet_network import TARGET, MDNetwork, binary_loss

POSITIVES, NEGATIVES, MINED_FROM = 32, 96, 1024
MOMENTUM, DECAY = 0.9, 5e-4
# The last layer, drawn anew for every target, learns faster.
LAST_RATE = 10.0
NAN = float("nan")


class Lesson(NamedTuple):
    """Learning rate and most iterations of one fine-tuning."""

    rate: float
    iterations: int

    def faster(self, factor: float) -> Lesson:
        """The lesson at `factor` times its learning rate."""
        return self._replace(rate=self.rate * factor)


class Progress(NamedTuple):
    """Iterations that a fine-tuning took, and the loss of the last one's batch (NaN: none)."""

    iterations: int = 0
    loss: float = NAN


@dataclass(frozen=True)
class Habits:
    """How one implementation goes down the gradient.

    `bias_rate` multiplies the biases' learning rate; `bias_decay` is whether they decay; `clip` is
    the largest norm of all gradients together; `fresh` starts every fine-tuning without momentum,
    otherwise those of one learning rate share it (py-MDNet: one optimiser for the first frame, one
    for all others).
    """

    bias_rate: float = 1.0
    bias_decay: bool = True
    clip: float | None = None
    fresh: bool = True


MATCONVNET = Habits(bias_rate=2.0, bias_decay=False)
TORCH = Habits(clip=10.0, fresh=False)


class Memory:
    """Features of positives of the last `long` frames and negatives of the last `short`.

    Each entry is one frame's (n, d).
    """

    def __init__(self, long: int, short: int) -> None:
        self.short = short
        self._positives: deque[Tensor] = deque(maxlen=long)
        self._negatives: deque[Tensor] = deque(maxlen=short)
        self._joined: dict[str, Tensor] = {}

    def add(self, positives: Tensor, negatives: Tensor) -> None:
        """Take in the samples of one frame."""
        self._positives.append(positives)
        self._negatives.append(negatives)
        self._joined.clear()

    def positives(self, recent: bool) -> Tensor:
        """Positives of the long window, or of the `recent` short one."""
        key = "short" if recent else "long"
        if key not in self._joined:
            frames = list(self._positives)
            self._joined[key] = torch.cat(frames[-self.short :] if recent else frames)
        return self._joined[key]

    def negatives(self) -> Tensor:
        """Negatives of the short window."""
        if "negative" not in self._joined:
            self._joined["negative"] = torch.cat(list(self._negatives))
        return self._joined["negative"]


class FineTuning:
    """Teaches the connected layers of a network one target.

    Each iteration scores 1,024 negatives, keeps the 96 that look most like the target, and takes
    one step on them and 32 positives. With `stop` it ends once the mean loss of a batch is below.
    """

    def __init__(
        self, network: MDNetwork, habits: Habits, stop: float | None, rng: Rng, generator: Generator
    ) -> None:
        self.network, self.habits, self.stop = network, habits, stop
        self.rng, self.generator = rng, generator
        self._optimisers: dict[float, torch.optim.SGD] = {}
        for _, layer in network.connected():
            layer.requires_grad_(True)

    def learn(self, positives: Tensor, negatives: Tensor, lesson: Lesson) -> Progress:
        """Learn from features (n, d) and (m, d); says how far it went."""
        done = Progress()
        if not len(positives) or not len(negatives):
            return done
        optimiser = self._steps(lesson.rate)
        for index, (good, bad) in enumerate(self._batches(len(positives), len(negatives), lesson)):
            mined = self.hardest(negatives[bad])
            loss = binary_loss(
                self.network.scores(positives[good], generator=self.generator),
                self.network.scores(mined, generator=self.generator),
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if self.habits.clip is not None:
                parameters = [p for group in optimiser.param_groups for p in group["params"]]
                torch.nn.utils.clip_grad_norm_(parameters, self.habits.clip)
            optimiser.step()
            done = Progress(index + 1, float(loss.detach()))
            if self.stop is not None and done.loss < self.stop:
                break
        return done

    def hardest(self, negatives: Tensor, kept: int = NEGATIVES) -> Tensor:
        """Of the features of negatives (n, d) the `kept` with the highest scores."""
        if len(negatives) <= kept:
            return negatives
        with torch.no_grad():
            scores = self.network(negatives)[:, TARGET]
        return negatives[scores.topk(kept).indices]

    def _batches(
        self, positives: int, negatives: int, lesson: Lesson
    ) -> Iterator[tuple[Tensor, Tensor]]:
        good, bad = (
            torch.from_numpy(shuffled(self.rng, total, lesson.iterations * each))
            for total, each in ((positives, POSITIVES), (negatives, MINED_FROM))
        )
        return zip(torch.split(good, POSITIVES), torch.split(bad, MINED_FROM), strict=True)

    def _steps(self, rate: float) -> torch.optim.SGD:
        """The optimiser of this learning rate; its momentum is kept where the habits keep it."""
        if rate not in self._optimisers or self.habits.fresh:
            groups = []
            for name, layer in self.network.connected():
                step = rate * (LAST_RATE if name == "fc6" else 1.0)
                groups.append({"params": [layer.weight], "lr": step})
                bias = {"params": [layer.bias], "lr": step * self.habits.bias_rate}
                groups.append(bias if self.habits.bias_decay else bias | {"weight_decay": 0.0})
            self._optimisers[rate] = torch.optim.SGD(
                groups, lr=rate, momentum=MOMENTUM, weight_decay=DECAY
            )
        return self._optimisers[rate]


def shuffled(rng: Rng, n: int, total: int) -> np.ndarray:
    """`total` indices below `n`: one shuffled deck after the other."""
    decks = [rng.permutation(n) for _ in range(-(-total // n))]
    return np.concatenate(decks)[:total]


def iteration_macs(network: MDNetwork) -> float:
    """MACs of one iteration: scores of the negatives to mine from, and one step."""
    forward, both_ways = network.macs()
    return MINED_FROM * forward + (POSITIVES + NEGATIVES) * both_ways
