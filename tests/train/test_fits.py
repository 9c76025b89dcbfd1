"""Small networks, fitted for a few seconds on clips kept for training, follow targets on others."""

from typing import NamedTuple

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import iou
from vbench.core.roles import Weights
from vbench.train.loop import Course, fit, write_state
from vbench.train.recipe import recipe_for

# Clip -> first frame, frames. In the last two the target hides for a while.
EASY = {"pan": (0, 25), "calm": (0, 25), "recede": (0, 25)}
HIDING = {"recede": (0, 40), "edge": (22, 40), "wall": (22, 40)}
CLIPS = {"mdnet": EASY, "rt-mdnet": EASY, "fdn": HIDING}
# How much the mean overlap must be above that of the first box kept for ever.
MARGIN = 0.2
# A network of an eighth of the width is learnt enough at a higher loss than the published 0.01.
STOP = "0.2"
SMALL = {
    "mdnet": {"width": "0.125", "samples": "0.1", "candidates": "64"},
    "rt-mdnet": {"width": "0.125", "samples": "0.1"},
    "fdn": {"width": "0.125", "samples": "0.2", "candidates": "256"},
}
STEPS, RATE = 40, 3e-4


@pytest.fixture(scope="module")
def training():
    """The first clips kept for training."""
    return catalogue.open_suite("synth-sot:train", None, None).clips[:6]


@pytest.fixture(scope="module")
def fitted(training, tmp_path_factory):
    """Weights of a method, fitted once."""
    done = {}

    def of(name):
        if name not in done:
            tracker = catalogue.build("trackers", name, SMALL[name], weights=None, seed=0)
            recipe = recipe_for(name, tracker, training, 2, "cpu")
            fit(recipe, Course(STEPS, rate=RATE))
            path = tmp_path_factory.mktemp("fits") / f"{name}.pt"
            write_state(path, recipe.state())
            done[name] = Weights(name, {path.name: path}, "")
        return done[name]

    return of


class Followed(NamedTuple):
    """Mean overlap with the truth, that of the first box kept, iterations of all updates."""

    overlap: float
    held: float
    iterations: float


def followed(name, weights, stop=None):
    """Follow the clips of a method with its small network."""
    given = SMALL[name] | ({"stop": stop} if stop else {})
    tracker = catalogue.build("trackers", name, given, weights=weights, seed=0)
    found = {}
    for clip in catalogue.open_suite("synth-sot", None, None).only(list(CLIPS[name])).clips:
        first, n = CLIPS[name][clip.name]
        truth = clip.truth[first : first + n]
        tracker.start(clip.frames[first], truth[0])
        answers = [tracker.track(clip.frames[first + index]) for index in range(1, n)]
        boxes = np.array([answer.box for answer in answers])
        overlap, held = iou(boxes, truth[1:]).mean(), iou(truth[1:], truth[:1]).mean()
        iterations = sum(answer.extras["update_iterations"] for answer in answers)
        found[clip.name] = Followed(overlap, held, iterations)
    return found


@pytest.mark.parametrize("name", ["mdnet", "rt-mdnet"])
def test_it_follows_what_holding_still_loses(name, fitted) -> None:
    found = followed(name, fitted(name))
    assert len(found) == 3
    assert all(one.overlap > one.held + MARGIN for one in found.values()), found


def test_updates_that_stop_when_enough_take_half_the_iterations(fitted) -> None:
    """FDN, sec. 3.4: fewer iterations, and the target is followed as well."""
    fixed, stopped = (followed("fdn", fitted("fdn"), stop) for stop in ("none", STOP))
    assert all(one.overlap > one.held + MARGIN for one in stopped.values()), stopped
    spent, saved = (sum(one.iterations for one in run.values()) for run in (fixed, stopped))
    assert saved <= spent / 2
    before, after = (np.mean([one.overlap for one in run.values()]) for run in (fixed, stopped))
    assert after >= before - 0.02
