"""Multi-domain pre-training of MDNet, RT-MDNet and FDN: every clip is a domain with its last layer.

Nam and Han, CVPR 2016, sec. 3.2; hyseob/MDNet pretraining, hyeonseobnam/py-MDNet
pretrain/data_prov.py; Jung et al., ECCV 2018, eq. 4 (the instance embedding loss).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from vbench.core.clip import Clip
from vbench.nn.box_samples import Sampler, fitting
from vbench.nn.state import seeded
from vbench.train.losses import domain_loss, embedding_loss
from vbench.train.samplers import Footage, some_frames

RATE, MOMENTUM, DECAY, CLIP = 1e-4, 0.9, 5e-4, 10.0
# Connected layers learn faster, their biases faster still and without decay.
CONNECTED, CONNECTED_BIAS, CONVOLVED_BIAS = 10.0, 20.0, 2.0
FRAMES, POSITIVES, NEGATIVES = 8, 4, 12
POSITIVE, NEGATIVE = (0.7, 1.0), (0.0, 0.5)
EMBEDDING_SHARE, MOST_OTHERS = 0.1, 100
# Keeps the random numbers of the order apart from those of the steps.
ORDER = 1


class MDNetRecipe:
    """One step is one clip: 8 frames, 4 positives and 12 negatives each, its own last layer.

    Every cycle takes each clip once, in an order of its own. `batch` is the number of frames.
    """

    def __init__(self, tracker: Any, clips: Sequence[Clip], batch: int | None, device: str) -> None:
        self.tracker, self.frames = tracker, batch or FRAMES
        self.module: nn.Module = tracker.network
        self.footage, self.domain = Footage(clips), 0
        with seeded(tracker.seed):
            tracker.network.set_domains(len(self.footage))
        for parameter in self.module.parameters():
            parameter.requires_grad_(True)
        self.embedding = "rtmdnet" in type(tracker).__name__.lower()
        self.positives = Sampler("gaussian", 0.1, 1.2, 1.1, inside=True)
        self.negatives = Sampler("uniform", 1.0, 1.2, 1.1, inside=True)

    def optimiser(self, rate: float | None) -> Optimizer:
        """Descent with momentum, at rates that differ by layer."""
        groups: list[dict[str, Any]] = []
        for name, parameter in self.module.named_parameters():
            connected, bias = not name.startswith("trunk."), name.endswith("bias")
            speed = (CONNECTED_BIAS if bias else CONNECTED) if connected else 1.0
            if bias and not connected:
                speed = CONVOLVED_BIAS
            decay = 0.0 if bias else DECAY
            lr = (rate or RATE) * speed
            groups.append({"params": [parameter], "lr": lr, "weight_decay": decay})
        return SGD(groups, lr=rate or RATE, momentum=MOMENTUM)

    def take_turn(self, seed: int, step: int) -> None:
        """The clip of this step."""
        cycle, place = divmod(step, len(self.footage))
        order = np.random.default_rng((seed, cycle, ORDER)).permutation(len(self.footage))
        self.domain = int(order[place])

    def factor(self, share: float) -> float:
        """The rate stays."""
        return 1.0

    def loss(self, rng: Generator) -> Tensor:
        """Loss of one minibatch of one clip."""
        domain = self.domain
        dropping = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        good, bad = self._features(rng, domain)
        network = self.tracker.network
        loss = domain_loss(
            network.scores(good, domain, dropping), network.scores(bad, domain, dropping)
        )
        if not self.embedding or len(self.footage) == 1:
            return loss
        others = rng.permutation([d for d in range(len(self.footage)) if d != domain])
        scores = [network.scores(good, int(d))[:, 1] for d in (domain, *others[:MOST_OTHERS])]
        return loss + EMBEDDING_SHARE * embedding_loss(torch.stack(scores, dim=1), 0)

    def prepare_step(self) -> None:
        """Bound the gradients' norm."""
        nn.utils.clip_grad_norm_(self.module.parameters(), CLIP)

    def state(self) -> Mapping[str, Tensor]:
        """All but the last layers, which belong to the clips."""
        shared: Mapping[str, Tensor] = self.tracker.network.shared_state()
        return shared

    def _features(self, rng: Generator, domain: int) -> tuple[Tensor, Tensor]:
        clip, good, bad = self.footage.clips[domain], [], []
        for index in some_frames(rng, self.footage.frames[domain], self.frames):
            target, frame = clip.truth[index], self.footage.frame(domain, index)
            near = fitting(rng, self.positives, target, POSITIVES, clip.size, POSITIVE)
            far = fitting(rng, self.negatives, target, NEGATIVES, clip.size, NEGATIVE)
            found = self.tracker.embed(frame, np.concatenate([near, far]), target)
            good.append(found[:POSITIVES])
            bad.append(found[POSITIVES:])
        return torch.cat(good), torch.cat(bad)
