"""SiamRPN and its relatives: anchors scored and refined by kernels that the template made.

Li et al., High Performance Visual Tracking with Siamese Region Proposal Network, CVPR 2018; Zhu et
al., Distractor-aware Siamese Networks, ECCV 2018; Li et al., SiamRPN++, CVPR 2019. Constants,
crops and rounding of huanglianghua/siamrpn-pytorch (siamrpn.py), foolwood/DaSiamRPN
(code/run_SiamRPN.py) and STVIR/pysot (pysot/tracker/siamrpn_tracker.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vbench.core.boxes import Box, Boxes, Floats, Image, Ints, from_centres, to_corners
from vbench.core.errors import VBenchError
from vbench.core.roles import Estimate, Weights, Work, WorkTable
from vbench.nn.crop import context_sides, mean_colour, square_crops, windows_around
from vbench.nn.nms import nms

from .proposals import Taste, choose, cosine_window, grid, settle
from .siamrpn_heads import on_meta, siamrpn_network

EXEMPLAR_PX, STRIDE_PX = 127, 8
# A target below this share of the frame is searched in a larger area (DaSiamRPN).
SMALL_SHARE, SMALL_INSTANCE_PX = 0.004, 287
ANCHOR_SCALE = 8
# SiamRPN, sec. 5.6.2.
RATIOS = {
    "A3": (0.5, 1, 2),
    "A5": (0.33, 0.5, 1, 2, 3),
    "A7": (0.25, 0.33, 0.5, 1, 2, 3, 4),
}
# How many of the best proposals are compared for rivals, and their overlap (not published).
TOP, NMS_IOU = 64, 0.5
FARTHEST_LOG = 10.0


@dataclass(frozen=True)
class Recipe:
    """What sets a variant apart.

    `edge` is how the reference turns its centre into a box: "pixel" for x = cx - (w - 1) / 2,
    "line" for x = cx - w / 2; first for boxes that it takes, then for boxes that it gives.
    """

    taste: Taste
    width: float = 1
    groups: tuple[int, ...] = (1, 1, 1, 1, 1)
    head: Literal["up", "depthwise"] = "up"
    instance_px: int = 271
    adaptive: bool = False
    bgr: bool = True
    rounding: Literal["even", "up"] = "up"
    takes: Literal["pixel", "line"] = "line"
    gives: Literal["pixel", "line"] = "line"
    centre: int = 0


RECIPES = {
    "siamrpn": Recipe(
        Taste(0.055, 0.42, 0.295),
        width=2,
        adaptive=True,
        bgr=False,
        rounding="even",
        takes="pixel",
        gives="pixel",
    ),
    # No code was published: pysot's constants and conventions.
    "siamrpn-paper": Recipe(
        Taste(0.16, 0.40, 0.30), groups=(1, 1, 1, 1, 2), instance_px=255, takes="pixel", centre=7
    ),
    "dasiamrpn": Recipe(Taste(0.055, 0.42, 0.295), width=2, adaptive=True),
    "dasiamrpn-vot": Recipe(Taste(0.04, 0.44, 0.45)),
    "dasiamrpn-otb": Recipe(Taste(0.22, 0.40, 0.30)),
    "siamrpn-alex-dw": Recipe(
        Taste(0.16, 0.40, 0.30), head="depthwise", instance_px=287, takes="pixel"
    ),
}


class SiamRPN:
    """The tracker, in any variant. The score is the softmax score of the chosen proposal.

    Args:
        variant: which published tracker.
        anchors: set of aspect ratios; published weights are for A5.
        centre: side of the square of response cells whose anchors are kept, 0 for all (sec. 4.3);
            None for the variant's own, which is 7 for the paper's and all for the others.
        compat: as siamrpn-pytorch runs: a larger search area chosen for a small target stays for
            all sequences after it, and sizes follow the score after the window, not before it.
        width: of all layers, relative to the published network.
        rivals: record in the extra `proposals` how many of the best proposals remain after
            non-maximum suppression: 1 where nothing else looks like the target.
    """

    def __init__(
        self,
        variant: Literal[
            "siamrpn",
            "siamrpn-paper",
            "dasiamrpn",
            "dasiamrpn-vot",
            "dasiamrpn-otb",
            "siamrpn-alex-dw",
        ] = "siamrpn",
        anchors: Literal["A3", "A5", "A7"] = "A5",
        centre: int | None = None,
        compat: bool = False,
        rivals: bool = False,
        width: float = 1.0,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.recipe, self.ratios = RECIPES[variant], RATIOS[anchors]
        self.cells = self.recipe.centre if centre is None else centre
        if self.cells < 0:
            raise VBenchError(f"{variant}[centre={centre}]: give 0 for all cells, or their number")
        if not 0 < width <= 4:
            raise VBenchError(f"{variant}[width={width}]: give a factor above 0 and up to 4")
        made = on_meta(
            self.recipe.width * width, self.recipe.groups, self.recipe.head, len(self.ratios)
        )
        self.network = siamrpn_network(made, weights, device, seed)
        self.compat, self.rivals, self.device = compat, rivals, device
        self.instance_px = self.recipe.instance_px
        self.places = anchor_places(self.instance_px, self.ratios, self.cells)

    def start(self, frame: Image, box: Box) -> None:
        """Make the kernels from `box` (4,)."""
        self.size = np.maximum(box[2:], 1e-3)
        self.centre = box[:2] + _middle(self.size, self.recipe.takes)
        self.fill = mean_colour(frame, "nearest" if self.recipe.rounding == "even" else "down")
        self._fit_instance(frame)
        crop = self._crop(frame, float(context_sides(self.size)), EXEMPLAR_PX)
        with torch.inference_mode():
            self.kernels = self.network.template(crop)

    def track(self, frame: Image) -> Estimate:
        """Search around the last place."""
        side = float(context_sides(self.size))
        scale = EXEMPLAR_PX / side
        crop = self._crop(frame, side * self.instance_px / EXEMPLAR_PX, self.instance_px)
        with torch.inference_mode():
            offsets, logits = self.network(crop, *self.kernels)
        boxes, scores = decode(offsets, logits, self.places)
        taste = self.recipe.taste
        chosen = choose(boxes[:, 2:], scores, self.places.window, self.size * scale, taste)
        trust = chosen.final_score if self.compat else chosen.penalty * chosen.score
        found, rate = boxes[chosen.place] / scale, trust * taste.rate
        self.centre, self.size = settle(
            self.centre + found[:2],
            self.size * (1 - rate) + found[2:] * rate,
            (frame.shape[1], frame.shape[0]),
        )
        corner = self.centre - _middle(self.size, self.recipe.gives)
        extras = self._spent()
        if self.rivals:
            extras["proposals"] = float(len(rivals(boxes, chosen.final_scores)))
        return Estimate(np.concatenate([corner, self.size]), chosen.score, extras)

    def reseat(self, box: Box) -> None:
        """Search around `box` with its size next; the kernels stay."""
        self.size = np.maximum(box[2:], 1e-3)
        self.centre = box[:2] + _middle(self.size, self.recipe.gives)

    def work(self) -> WorkTable:
        """The template branch once, the search branch on each frame; what a wider search adds."""
        exemplar, instance, wider = (
            torch.zeros(1, 3, side, side, device=self.device)
            for side in (EXEMPLAR_PX, self.recipe.instance_px, SMALL_INSTANCE_PX)
        )
        with torch.no_grad():
            kernels = self.network.template(exemplar)
        search = Work("search", self.network, (instance, *kernels), uncounted=("crops",))
        table = {
            "start": [Work("template", self.network.template, (exemplar,))],
            "track": [search],
        }
        if self.recipe.adaptive:
            instead = Work("wider search", self.network, (wider, *kernels))
            table["wider_searches"] = [instead, replace(search, times=-1.0)]
        return table

    def _spent(self) -> dict[str, float]:
        """What this frame cost beyond `work()["track"]`, by the name of the work."""
        if not self.recipe.adaptive:
            return {}
        return {"wider_searches": float(self.instance_px != self.recipe.instance_px)}

    def _fit_instance(self, frame: Image) -> None:
        """Choose the search area; with `compat` a larger one is never left again."""
        if not self.recipe.adaptive:
            return
        wanted = self.instance_px if self.compat else self.recipe.instance_px
        if np.prod(self.size) / (frame.shape[0] * frame.shape[1]) < SMALL_SHARE:
            wanted = SMALL_INSTANCE_PX
        if wanted != self.instance_px:
            self.instance_px = wanted
            self.places = anchor_places(wanted, self.ratios, self.cells)

    def _crop(self, frame: Image, side: float, size: int) -> Tensor:
        windows = windows_around(self.centre, side, self.recipe.rounding)
        crop = square_crops(frame, windows, size, self.fill, self.device)
        return crop.flip(1) if self.recipe.bgr else crop


@dataclass(frozen=True)
class AnchorPlaces:
    """Anchors that are looked at: flat index (m,), box cx cy w h (m, 4), cosine window (m,).

    Pixels of the search crop, from its centre; anchor by anchor, then row by row.
    """

    index: Ints
    boxes: Boxes
    window: Floats


def anchor_sizes(ratios: tuple[float, ...]) -> Floats:
    """Sizes (k, 2) of anchors of one area and `ratios` h / w, whole pixels before scaling."""
    area = STRIDE_PX**2
    widths = [int((area / ratio) ** 0.5) for ratio in ratios]
    heights = [int(width * ratio) for width, ratio in zip(widths, ratios, strict=True)]
    return np.array([widths, heights], dtype=np.float64).T * ANCHOR_SCALE


def anchor_places(instance_px: int, ratios: tuple[float, ...], centre: int) -> AnchorPlaces:
    """Anchors of a search crop; `centre` keeps those of the middle square of so many cells."""
    side = (instance_px - EXEMPLAR_PX) // STRIDE_PX + 1
    cells, k = grid(side, STRIDE_PX), len(ratios)
    boxes = np.concatenate(
        [np.tile(cells, (k, 1)), anchor_sizes(ratios).repeat(side * side, axis=0)], axis=1
    )
    window = cosine_window(side, k)
    first = (side - centre) // 2 if 0 < centre < side else 0
    kept = np.zeros((k, side, side), dtype=bool)
    kept[:, first : first + (centre or side), first : first + (centre or side)] = True
    index = np.flatnonzero(kept)
    return AnchorPlaces(index, boxes[index], window[index])


def decode(offsets: Tensor, logits: Tensor, places: AnchorPlaces) -> tuple[Boxes, Floats]:
    """Proposals cx cy w h (m, 4) and scores (m,) of one crop: SiamRPN, eq. 12."""
    d = offsets[0].double().reshape(4, -1).cpu().numpy()[:, places.index]
    anchors = places.boxes
    centres = d[:2].T * anchors[:, 2:] + anchors[:, :2]
    sizes = np.exp(np.clip(d[2:].T, -FARTHEST_LOG, FARTHEST_LOG)) * anchors[:, 2:]
    scores = logits[0].double().reshape(2, -1).softmax(dim=0)[1].cpu().numpy()[places.index]
    return np.concatenate([centres, sizes], axis=1), scores


def rivals(boxes: Boxes, final_scores: Floats) -> Ints:
    """Proposals that remain of the best after non-maximum suppression, best first (sec. 4.3).

    boxes are cx cy w h (m, 4), ranked by penalised and windowed scores (m,). The first one is the
    answer, since nothing suppresses the best.
    """
    best = np.argsort(-final_scores, kind="stable")[:TOP]
    corners = to_corners(from_centres(boxes[best, :2], boxes[best, 2:]))
    return best[nms(corners, final_scores[best], NMS_IOU, one_px=0.0)]


def _middle(size: Floats, edge: Literal["pixel", "line"]) -> Floats:
    return (size - 1) / 2 if edge == "pixel" else size / 2
