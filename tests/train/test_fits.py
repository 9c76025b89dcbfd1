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
# How much the mean overlap must be above that of the first box kept for ever.
MARGIN = 0.2
ANSWERED = {
    "mdnet": {"width": "0.125", "samples": "0.1", "candidates": "64"},
    "rt-mdnet": {"width": "0.125", "samples": "0.1"},
    "fdn": {"width": "0.125", "samples": "0.2", "candidates": "128"},
    "siamfc": {"width": "0.0625"},
    "siamrpn-alex-dw": {"width": "0.125"},
}


class Plan(NamedTuple):
    """Steps, learning rate throughout, pairs or frames a step, clips to learn from."""

    steps: int
    rate: float
    batch: int
    clips: int


PLANS = {
    "mdnet": Plan(40, 3e-4, 2, 6),
    "rt-mdnet": Plan(40, 3e-4, 2, 6),
    "fdn": Plan(40, 3e-4, 2, 6),
    "siamfc": Plan(60, 1e-2, 4, 27),
    "siamrpn-alex-dw": Plan(150, 3e-2, 8, 54),
}
# Read on clips of HIDING of the training split; on those of its seeds 50 to 53 it leaves a third of
# the iterations, and changes the mean overlap of three clips by +0.013, with a spread of 0.026.
STOP = "0.15"
# Twice that spread: three clips tell no more. 54 clips and a better fit do, in docs/fits.md.
LOST = 0.05


@pytest.fixture(scope="module")
def training():
    """The clips kept for training."""
    return catalogue.open_suite("synth-sot:train", None, None, {"seeds": "2"}).clips


@pytest.fixture(scope="module")
def fitted(training, tmp_path_factory):
    """Weights of a method, fitted once."""
    done = {}

    def of(name):
        if name not in done:
            tracker = catalogue.build("trackers", name, ANSWERED[name], weights=None, seed=0)
            plan = PLANS[name]
            recipe = recipe_for(name, tracker, training[: plan.clips], plan.batch, "cpu")
            fit(recipe, Course(plan.steps, rate=plan.rate, constant=True))
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


def followed(name, weights, ranges, **more):
    """Follow clips with a small network."""
    tracker = catalogue.build("trackers", name, ANSWERED[name] | more, weights=weights, seed=0)
    found = {}
    for clip in catalogue.open_suite("synth-sot", None, None).only(list(ranges)).clips:
        first, n = ranges[clip.name]
        truth = clip.truth[first : first + n]
        tracker.start(clip.frames[first], truth[0])
        answers = [tracker.track(clip.frames[first + index]) for index in range(1, n)]
        boxes = np.array([answer.box for answer in answers])
        overlap, held = iou(boxes, truth[1:]).mean(), iou(truth[1:], truth[:1]).mean()
        iterations = sum(answer.extras.get("update_iterations", 0) for answer in answers)
        found[clip.name] = Followed(overlap, held, iterations)
    return found


@pytest.mark.parametrize("name", ["mdnet", "rt-mdnet", "siamfc"])
def test_it_follows_what_holding_still_loses(name, fitted) -> None:
    found = followed(name, fitted(name), EASY)
    assert len(found) == 3
    assert all(one.overlap > one.held + MARGIN for one in found.values()), found


def test_siamrpn_follows_more_of_all_clips_than_holding_still(fitted) -> None:
    clips = [clip.name for clip in catalogue.open_suite("synth-sot", None, None).clips]
    found = followed("siamrpn-alex-dw", fitted("siamrpn-alex-dw"), dict.fromkeys(clips, (0, 25)))
    gains = np.array([one.overlap - one.held for one in found.values()])
    assert gains.mean() > MARGIN / 2, found
    assert (gains > MARGIN).sum() >= 3, found


def test_updates_that_stop_when_enough_take_half_the_iterations(fitted) -> None:
    """FDN, sec. 3.4: half the iterations, and the target is still followed."""
    fixed, stopped = (followed("fdn", fitted("fdn"), HIDING, stop=s) for s in ("none", STOP))
    assert all(one.overlap > one.held + MARGIN for one in stopped.values()), stopped
    spent, saved = (sum(one.iterations for one in run.values()) for run in (fixed, stopped))
    assert saved <= spent / 2
    before, after = (np.mean([one.overlap for one in run.values()]) for run in (fixed, stopped))
    assert after >= before - LOST
