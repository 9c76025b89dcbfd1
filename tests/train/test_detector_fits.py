"""Every detector that can be fitted: it learns a batch by heart, and an interrupted fit goes on."""

import numpy as np
import pytest

from tests.train.test_efficientdet_recipe import clip
from vbench import catalogue
from vbench.nn.rpn import ProposalRule
from vbench.nn.two_stage import ProposalCounts
from vbench.train.loop import Course, fit
from vbench.train.recipe import RECIPES, recipe_for

RFCN = {"width": "0.0625", "short_px": "64", "anchor_px": "16", "classes": "2"}
FRCNN = {"width": "0.0625", "short_px": "64", "classes": "2"}
# Parameters, steps, rate. Rates are above the published ones, which are for published starts.
FITS = {
    "rfcn": (RFCN, 5, 0.02),
    "dff": (RFCN, 5, 0.02),
    "fgfa": (RFCN, 5, 0.02),
    "dt": (RFCN, 5, 1e-4),
    "lsts": (RFCN, 5, 0.02),
    "efficientdet-d0": ({"width": "0.25", "side_px": "128", "classes": "2"}, 5, 3e-3),
    "frcnn-hrnet": (FRCNN, 5, 1e-3),
    "frcnn-x101": (FRCNN, 5, 1e-3),
    "plugplay-hrnet": (FRCNN, 5, 1e-2),
    "plugplay-x101": (FRCNN, 5, 1e-2),
}


class ByHeart:
    """A recipe that draws the same batch at every step."""

    def __init__(self, name):
        given, _, _ = FITS[name]
        model = catalogue.build("detectors", name, given, weights=None, device="cpu", seed=1)
        self.recipe = recipe_for(
            name, model, [clip(20)], 2 if name == "efficientdet-d0" else 1, "cpu"
        )
        # Small numbers of proposals: these are tests of seconds.
        few = {"rule": ProposalRule(200, 40, 0.7), "counts": ProposalCounts(200, 30, 30)}
        vars(self.recipe).update(few)

    def __getattr__(self, name):
        return getattr(self.recipe, name)

    def loss(self, rng):
        return self.recipe.loss(np.random.default_rng(4))


def state_of(name, steps, rate, checkpoint=None, ends_after=None, resume=False):
    """Losses and bytes of all tensors after a fit, which somebody may interrupt."""
    recipe = ByHeart(name)

    def step(index, loss):
        if index + 1 == ends_after:
            raise KeyboardInterrupt

    course = Course(steps, rate=rate, every=2, about=name)
    try:
        losses = fit(recipe, course, checkpoint, resume, step)
    except KeyboardInterrupt:
        return None
    return losses, {key: value.numpy().tobytes() for key, value in recipe.state().items()}


def test_every_detector_with_a_network_of_ours_is_here() -> None:
    ours = {name for name in RECIPES if name in catalogue.table("detectors")}
    assert set(FITS) == ours


@pytest.mark.parametrize("name", FITS)
def test_the_loss_of_a_batch_falls_and_an_interrupted_fit_ends_alike(name, tmp_path) -> None:
    _, steps, rate = FITS[name]
    path = tmp_path / "x.partial"
    losses, whole = state_of(name, steps, rate)
    assert min(losses[-2:]) < 0.9 * losses[0], losses
    assert state_of(name, steps, rate, path, ends_after=4) is None
    again, continued = state_of(name, steps, rate, path, resume=True)
    assert again == losses
    assert continued == whole
