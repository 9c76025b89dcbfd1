"""What a method must offer to be fitted, and who offers it.

A recipe holds a tracker or detector of the catalogue, draws batches from clips with ground truth
and turns them into losses. Everything random comes from the generator it is given, so that step i
is the same whenever it is taken.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.random import Generator
from torch import Tensor, nn
from torch.optim import Optimizer

from vbench.core.clip import Clip
from vbench.core.errors import UnknownName


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


# Name in the catalogue of trackers or detectors -> the recipe's class.
RECIPES = {
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
    "frcnn-hrnet": "frcnn_recipe:FrcnnRecipe",
    "frcnn-x101": "frcnn_recipe:FrcnnRecipe",
    "plugplay-hrnet": "plugplay_recipe:PlugPlayRecipe",
    "plugplay-x101": "plugplay_recipe:PlugPlayRecipe",
}


def recipe_for(
    name: str, model: Any, clips: Sequence[Clip], batch: int | None, device: str
) -> Recipe:
    """Make the recipe that fits `model`, called `name` in the catalogue, on `clips`.

    Raises:
        UnknownName: nobody wrote a recipe for it.
    """
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES, "these can be fitted")
    module, _, attribute = RECIPES[name].partition(":")
    made = getattr(importlib.import_module(f"vbench.train.{module}"), attribute)
    recipe: Recipe = made(model, clips, batch, device)
    return recipe
