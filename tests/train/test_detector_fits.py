"""Every detector that can be fitted: it learns a batch by heart, and an interrupted fit goes on."""

from dataclasses import replace

import numpy as np
import pytest

from tests.train.test_efficientdet_recipe import clip
from vbench import catalogue
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.nn.rpn import ProposalRule
from vbench.nn.two_stage import ProposalCounts
from vbench.train.loop import Course, fit, write_state
from vbench.train.recipe import FITTED_AS, RECIPES, check_recipe, recipe_for
from vbench.weights.find import WeightsFinder

RFCN = {"width": "0.0625", "short_px": "64", "anchor_px": "16", "classes": "2"}
EFFICIENTDET = {"width": "0.25", "side_px": "128", "classes": "2"}
FRCNN = {"width": "0.0625", "short_px": "64", "classes": "2"}
# Parameters, steps, rate. Rates are above the published ones, which are for published starts.
FITS = {
    "rfcn": (RFCN, 5, 0.02),
    "dff": (RFCN, 5, 0.02),
    "fgfa": (RFCN, 5, 0.02),
    "dt": (RFCN, 5, 1e-4),
    "lsts": (RFCN, 5, 0.02),
    "efficientdet-d0": (EFFICIENTDET, 5, 3e-3),
    "efficientdet-d0-tf": (EFFICIENTDET, 5, 3e-3),
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
        batch = 2 if name.startswith("efficientdet") else 1
        self.recipe = recipe_for(name, model, [clip(20)], batch, "cpu")
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


KINDS = ("trackers", "detectors", "propagators")
# Networks without a recipe: they come as ONNX files, or nobody fits them here.
UNFITTED = {"nanodet", "fastestdet"}


def test_every_name_with_weights_can_be_fitted_or_says_which_to_fit() -> None:
    named = {n for kind in KINDS for n, e in catalogue.table(kind).items() if e.weights}
    assert named == set(RECIPES) | set(FITTED_AS) | UNFITTED
    for name, others in FITTED_AS.items():
        with pytest.raises(VBenchError) as caught:
            check_recipe(name)
        said = str(caught.value)
        assert "\n" not in said and f"train {' and '.join(others)}, " in said
        assert set(others) <= set(RECIPES)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("patchnet-g", {}),
        ("flow", {"width": "0.0625", "short_px": "64"}),
        ("lsts-box", {"width": "0.0625", "short_px": "64"}),
        ("plugplay", FRCNN),
        ("plugplay-x101", FRCNN),
    ],
)
def test_what_another_one_wrote_is_taken(name, given, tmp_path) -> None:
    (other,) = FITTED_AS.get(name, (name,))
    kind = "trackers" if other in catalogue.table("trackers") else "detectors"
    small = dict(FITS[other][0]) if other in FITS else {}
    model = catalogue.build(kind, other, small, weights=None, device="cpu", seed=1)
    clips = [clip(20)] if kind == "detectors" else [one_target(clip(20))]
    path = tmp_path / "own.pt"
    write_state(path, recipe_for(other, model, clips, 1, "cpu").state())
    weights = Weights(other, {path.name: path}, "")
    taken = catalogue.build("propagators", name, given, weights=weights, device="cpu", seed=2)
    image = clip(1).frames[0]
    taken.anchor(image, np.array([[4.0, 20, 24, 24]]))
    assert np.isfinite(taken.propagate(image).boxes).all()


def test_two_fits_make_one_method(tmp_path) -> None:
    for name, file in (("siamfc", "siamfc_alexnet_e50.pth"), ("patchnet", "patchnet.pth")):
        model = catalogue.build("trackers", name, {}, weights=None, device="cpu", seed=1)
        recipe = recipe_for(name, model, [one_target(clip(20))], 1, "cpu")
        write_state(tmp_path / file, recipe.state())
    finder = WeightsFinder.from_options([f"siamfc-boosted={tmp_path}"])
    weights = finder.weights_for("siamfc-boosted")
    assert weights is not None and len(weights.files) == 2
    catalogue.build("trackers", "siamfc-boosted", {}, weights=weights, device="cpu", seed=2)


def one_target(many: Clip) -> Clip:
    assert many.objects is not None
    first = many.objects.tracks == 7
    return replace(many, truth=many.objects.boxes[first], objects=None)
