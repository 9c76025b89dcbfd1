"""What a method must offer to be fitted, and who offers it.

A recipe holds a tracker or detector of the catalogue, draws batches from clips with ground truth
and turns them into losses. Everything random comes from the generator it is given, so that step i
is the same whenever it is taken.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import Optimizer

from vbench.core.clip import Clip
from vbench.core.errors import UnknownName, VBenchError
from vbench.weights.registry import release


class Recipe(Protocol):
    """One way of fitting one kind of network."""

    @property
    def module(self) -> nn.Module:
        """What is fitted."""
        ...

    def optimiser(self, rate: float | None) -> Optimizer:
        """Make the optimiser; `rate` takes the place of the published learning rate."""
        ...

    def factor(self, share: float) -> float:
        """The learning rate's factor after this share (0 ... 1) of the steps."""
        ...

    def loss(self, rng: Generator) -> Tensor:
        """Draw a batch and return its loss, a scalar with gradients."""
        ...

    def prepare_step(self) -> None:
        """Change the gradients before the optimiser takes its step."""
        ...

    def state(self) -> Mapping[str, Tensor]:
        """The tensors to write, under the names that the method reads."""
        ...


@runtime_checkable
class Cycling(Protocol):
    """A recipe that learns from every clip once before it learns from one again."""

    def take_turn(self, seed: int, step: int) -> None:
        """Choose the clip that this step learns from, by `seed` and `step` alone."""
        ...


# Name in the catalogue of trackers or detectors -> the recipe's class.
RECIPES = {
    "dcfnet": "dcfnet_recipe:DCFNetRecipe",
    "siamfc": "siamfc_recipe:SiamFCRecipe",
    "patchnet": "patchnet_recipe:PatchNetRecipe",
    "siamrpn": "siamrpn_recipe:SiamRPNRecipe",
    "siamrpn-paper": "siamrpn_recipe:SiamRPNRecipe",
    "siamrpn-alex-dw": "siamrpn_recipe:SiamRPNRecipe",
    "dasiamrpn": "siamrpn_recipe:SiamRPNRecipe",
    "dasiamrpn-vot": "siamrpn_recipe:SiamRPNRecipe",
    "dasiamrpn-otb": "siamrpn_recipe:SiamRPNRecipe",
    "nanotrack": "nanotrack_recipe:NanoTrackRecipe",
    "nanotrack-v3": "nanotrack_recipe:NanoTrackRecipe",
    "mdnet": "mdnet_recipe:MDNetRecipe",
    "rt-mdnet": "mdnet_recipe:MDNetRecipe",
    "fdn": "mdnet_recipe:MDNetRecipe",
    "rfcn": "detection_recipe:DetectionRecipe",
    "dff": "detection_recipe:DetectionRecipe",
    "fgfa": "detection_recipe:DetectionRecipe",
    "dt": "dt_recipe:DtRecipe",
    "lsts": "lsts_recipe:LstsRecipe",
    "efficientdet-d0": "efficientdet_recipe:EfficientDetRecipe",
    "efficientdet-d0-tf": "efficientdet_recipe:EfficientDetRecipe",
    "frcnn-hrnet": "frcnn_recipe:FrcnnRecipe",
    "frcnn-x101": "frcnn_recipe:FrcnnRecipe",
    "plugplay-hrnet": "plugplay_recipe:PlugPlayRecipe",
    "plugplay-x101": "plugplay_recipe:PlugPlayRecipe",
}

# Names whose networks are those of others, which are fitted instead.
FITTED_AS = {
    "patchnet-g": ("patchnet",),
    "siamfc-boosted": ("siamfc", "patchnet"),
    "flow": ("dff",),
    "lsts-box": ("lsts",),
    "plugplay": ("plugplay-hrnet",),
}


def check_recipe(name: str) -> None:
    """Raise unless `name` can be fitted.

    Raises:
        VBenchError: its network is another one's; says which to fit, and how it is taken.
        UnknownName: nobody wrote a recipe for it.
    """
    if name in RECIPES:
        return
    if name not in FITTED_AS:
        raise UnknownName("recipe", name, RECIPES, "these can be fitted")
    others = FITTED_AS[name]
    taken = f"--weights {others[0]}=FILE"
    if len(others) > 1:
        names = " and ".join(file.name for file in release(name).files)
        taken = f"--weights {name}=FOLDER, with {names} in it"
    raise VBenchError(
        f"'{name}' has no network of its own to fit; train {' and '.join(others)}, and give what "
        f"that writes as {taken}"
    )


def recipe_for(
    name: str, model: Any, clips: Sequence[Clip], batch: int | None, device: str
) -> Recipe:
    """Make the recipe that fits `model`, called `name` in the catalogue, on `clips`.

    Raises:
        VBenchError: it cannot be fitted; see `check_recipe`.
    """
    check_recipe(name)
    module, _, attribute = RECIPES[name].partition(":")
    made = getattr(importlib.import_module(f"vbench.train.{module}"), attribute)
    recipe: Recipe = made(model, clips, batch, device)
    return recipe
