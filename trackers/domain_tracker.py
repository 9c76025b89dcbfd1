"""Tracking by a network that learns one target on the way: the loop of MDNet, RT-MDNet and FDN.

Nam and Han, Learning Multi-Domain Convolutional Neural Networks for Visual Tracking, CVPR 2016;
hyseob/MDNet tracking/mdnet_run.m and hyeonseobnam/py-MDNet tracking/run_tracker.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Generator, Tensor

from vbench.core.boxes import Box, Boxes, Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Estimate, Work
from vbench.nn.box_samples import Sampler, fitting
from vbench.nn.state import seeded

from .box_regression import BoxRegression
from .mdnet_network import TARGET, MDNetwork
from .mdnet_update import FineTuning, Habits, Lesson, Memory, Progress, iteration_macs

# The answer is the mean of this many best candidates.
BEST = 5
# IoU with the target of positives, of negatives at first, and of those of later frames.
POSITIVE, NEGATIVE, FAR_NEGATIVE = (0.7, 1.0), (0.0, 0.5), (0.0, 0.3)
REGRESSION_OVERLAP, REGRESSION_AREA = (0.6, 1.0), (1.0, 2.0)
LONG_INTERVAL = 10


@dataclass(frozen=True)
class Recipe:
    """What sets an implementation apart.

    Samplers of candidates, positives, negatives of the first frame and of later ones; the shift of
    candidates grows by `grows` on each failure, up to `widest`. `long` and `short` are the windows;
    `keeps_first` puts samples of the first lesson into them instead of drawing others. Frames are
    counted from `counted_from` where every tenth is learnt from.
    """

    candidates: Sampler
    positives: Sampler
    first_negatives: tuple[Sampler, ...]
    negatives: Sampler
    regression: Sampler
    first: Lesson
    later: Lesson
    habits: Habits
    grows: float
    widest: float
    long: int = 100
    short: int = 20
    whitened: bool = False
    keeps_first: bool = False
    counted_from: int = 0
    first_positives: int = 500
    first_negative_count: int = 5000
    regression_count: int = 1000
    later_positives: int = 50
    later_negatives: int = 200


class DomainTracker(ABC):
    """Tracking by scores of candidates; where features come from is the heirs' business.

    They give `look(frame)`, which prepares a frame, and `features(boxes)`, (n, 9 c) in it.
    """

    network: MDNetwork

    def __init__(
        self,
        recipe: Recipe,
        candidates: int,
        samples: float,
        regression: bool,
        stop: float | None,
        device: str,
        seed: int,
    ) -> None:
        if candidates < BEST:
            raise VBenchError(f"candidates={candidates}: at least {BEST} are needed")
        if not 0 < samples <= 10:
            raise VBenchError(f"samples={samples}: give a factor above 0 and up to 10")
        self.recipe, self.stop = recipe, stop
        self.candidates, self.samples = candidates, samples
        self.regression = BoxRegression(recipe.whitened) if regression else None
        self.device, self.seed = device, seed
        self.drawn = {k: v.clone() for k, v in self.network.state_dict().items() if "fc" in k}

    @abstractmethod
    def look(self, frame: Image) -> None:
        """Prepare `frame` for `features`."""

    @abstractmethod
    def features(self, boxes: Boxes) -> Tensor:
        """Features (n, 9 c) of `boxes` (n, 4) in the frame that was looked at."""

    def first_features(self, boxes: Boxes) -> Tensor:
        """Features to learn the target from at first."""
        return self.features(boxes)

    def embed(self, frame: Image, boxes: Boxes, target: Box) -> Tensor:
        """Features of `boxes` (n, 4) where the target is at `target` (4,), to train the trunk."""
        self.box, self.size = target, (frame.shape[1], frame.shape[0])
        self.look(frame)
        return self.features(boxes)

    def spent(self) -> dict[str, float]:
        """What this frame cost beyond `work()["track"]`, by the name of the work."""
        return {}

    def start(self, frame: Image, box: Box) -> None:
        """Learn the target inside `box` (4,): classifier, then box regression."""
        recipe, self.size = self.recipe, (frame.shape[1], frame.shape[0])
        self.rng, generator = np.random.default_rng(self.seed), Generator()
        generator.manual_seed(self.seed)
        self._forget()
        self.box, self.shift, self.tracked = box.copy(), recipe.candidates.shift, 0
        tuning = FineTuning(self.network, recipe.habits, self.stop, self.rng, generator)
        self.tuning, self.memory = tuning, Memory(recipe.long, recipe.short)
        with torch.no_grad():
            self.look(frame)
            boxes = self._draw(recipe.positives, recipe.first_positives, POSITIVE)
            positives = self.first_features(boxes)
            share = recipe.first_negative_count // len(recipe.first_negatives)
            drawn = [self._draw(s, share, NEGATIVE) for s in recipe.first_negatives]
            negatives = self.first_features(np.concatenate(drawn))
        tuning.learn(positives, negatives, recipe.first)
        with torch.no_grad():
            if recipe.keeps_first:
                kept = self._some(recipe.later_positives), self._some(recipe.later_negatives)
                self.memory.add(positives[: kept[0]].clone(), negatives[: kept[1]].clone())
            else:
                others = self._draw(recipe.negatives, recipe.later_negatives, NEGATIVE)
                self.memory.add(positives, self.features(others))
            self._fit_regression(box)

    def track(self, frame: Image) -> Estimate:
        """Score candidates around the last place; learn where it went well, or had to be told.

        The score is the mean of the best candidates', before the softmax: below 0 the target counts
        as lost, and the network learns anew from the last frames.
        """
        self.size, self.tracked = (frame.shape[1], frame.shape[0]), self.tracked + 1
        sampler = replace(self.recipe.candidates, shift=self.shift)
        with torch.no_grad():
            self.look(frame)
            self.seen = self.box
            boxes = sampler.draw(self.rng, self.box, self.candidates, self.size)
            features = self.features(boxes)
            scores, best = self.network(features)[:, TARGET].topk(BEST)
            score, chosen = float(scores.mean()), best.cpu().numpy()
            self.box = boxes[chosen].mean(axis=0)
            if sampler.whole_px:
                self.box = np.rint(self.box)
            answer = self.box.copy()
            if score > 0:
                if self.regression is not None:
                    found = features[best].cpu().numpy()
                    answer = self.regression.refine(found, boxes[chosen], self.size).mean(axis=0)
                    if sampler.whole_px:
                        answer = np.rint(answer)
                self._remember()
        if score > 0:
            self.shift = self.recipe.candidates.shift
        else:
            self.shift = min(self.recipe.widest, self.shift * self.recipe.grows)
        done = self._update(score)
        learnt = {"update_iterations": float(done.iterations), "update_loss": done.loss}
        return Estimate(answer, score, learnt | self.spent())

    def reseat(self, box: Box) -> None:
        """Search around `box`, in its size, next; what was learnt stays."""
        self.box = box.copy()

    def start_work(self) -> list[Work]:
        """The first lesson and the box regression, without features."""
        recipe = self.recipe
        each = iteration_macs(self.network)
        works = [Work("first lesson", macs=recipe.first.iterations * each)]
        if self.regression is not None:
            n, d = self._some(recipe.regression_count), self.network.features
            works.append(Work("box regression", macs=float(n * n * d + n**3 // 3 + 4 * n * d)))
        return works

    def score_work(self) -> Work:
        """The connected layers on every candidate."""
        features = torch.zeros(1, self.network.features, device=self.device)
        return Work("scores", self.network, (features,), times=self.candidates)

    def iteration_work(self) -> Work:
        """One iteration of learning."""
        return Work("iteration", macs=iteration_macs(self.network))

    def _some(self, count: int) -> int:
        """A published number of samples, times the share of them that is drawn."""
        return max(1, round(count * self.samples))

    def _draw(
        self,
        sampler: Sampler,
        count: int,
        overlap: tuple[float, float],
        area: tuple[float, float] | None = None,
    ) -> Boxes:
        """Boxes around the target that overlap it so much."""
        n = self._some(count)
        return fitting(self.rng, sampler, self.box, n, self.size, overlap, area)

    def _forget(self) -> None:
        """Take back what was learnt of earlier targets, and draw a new last layer."""
        self.network.load_state_dict(self.drawn, strict=False)
        with seeded(self.seed):
            self.network.set_domains(1)

    def _fit_regression(self, box: Box) -> None:
        if self.regression is None:
            return
        area = None if self.regression.whitened else REGRESSION_AREA
        count = self.recipe.regression_count
        boxes = self._draw(self.recipe.regression, count, REGRESSION_OVERLAP, area)
        self.regression.fit(self.features(boxes).cpu().numpy(), boxes, np.maximum(box, 1e-3))

    def _remember(self) -> None:
        """Keep samples around the answer."""
        recipe = self.recipe
        good = self._draw(recipe.positives, recipe.later_positives, POSITIVE)
        bad = self._draw(recipe.negatives, recipe.later_negatives, FAR_NEGATIVE)
        found = self.features(np.concatenate([good, bad]))
        self.memory.add(found[: len(good)], found[len(good) :])

    def _update(self, score: float) -> Progress:
        """Learn from the short window on failure, from the long one every tenth frame."""
        lost = score <= 0
        if not lost and (self.tracked + self.recipe.counted_from) % LONG_INTERVAL:
            return Progress()
        positives, negatives = self.memory.positives(recent=lost), self.memory.negatives()
        return self.tuning.learn(positives, negatives, self.recipe.later)


def check_network(name: str, convs: int, fcs: int, width: float) -> None:
    """Refuse networks that nobody described.

    Raises:
        VBenchError: says which parameter, and what it may be.
    """
    if convs not in (3, 5):
        raise VBenchError(f"{name}[convs={convs}]: give 3 or 5")
    if fcs not in (2, 3):
        raise VBenchError(f"{name}[fcs={fcs}]: give 2 or 3")
    if not 0 < width <= 4:
        raise VBenchError(f"{name}[width={width}]: give a factor above 0 and up to 4")
