"""Boxes moved by the mean of FlowNet-S's flow inside them, from the keyframe to this frame.

The flow is that of Deep Feature Flow (Zhu et al., CVPR 2017), whose parameters load: the network on
halved images of 600 px, read once for all objects of a frame. It looks at the keyframe itself, as
Deep Feature Flow does, so errors do not add up from frame to frame. Boxes keep their size.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from vbench.core.boxes import Boxes, Floats, Image, is_present
from vbench.core.errors import VBenchError
from vbench.core.roles import Propagated, Weights, Work, WorkTable
from vbench.nn.box_means import means_inside
from vbench.nn.flownet import FlowNetS
from vbench.nn.mxnet_params import load_shared
from vbench.nn.resnet import STRIDE_PX
from vbench.nn.rfcn import SHORT_PX, image_size, prepared
from vbench.nn.state import seeded

from .dis import GRID, likeness, values_at
from .inner_points import inner_places

PLACES = inner_places(GRID)


class Flow:
    """The propagator; belief is how grey values in the box correlate with the keyframe's.

    Args:
        width: factor of all channels.
        short_px: of the short side, before it is halved.
    """

    def __init__(
        self,
        width: float = 1.0,
        short_px: int = SHORT_PX,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if not 0 < width <= 4 or not 32 <= short_px <= 4096:
            raise VBenchError(
                f"flow[width={width},short_px={short_px}]: give a width in (0, 4] and a short side "
                "of 32 to 4096 px"
            )
        with seeded(seed):
            network = FlowNetS(width)
        load_shared(network, weights)
        self.network = network.eval().to(device)
        self.short_px, self.device = short_px, device

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of this frame, to which all flow leads back until the next."""
        self.boxes = np.array(boxes, dtype=np.float64)
        self.key = prepared(frame, self.short_px, self.device)
        self.values = self._values(frame, self.boxes)

    def propagate(self, frame: Image) -> Propagated:
        """Move every box by the flow inside it; belief is NaN for absent ones."""
        image = prepared(frame, self.short_px, self.device)
        if image.tensor.shape != self.key.tensor.shape:
            raise VBenchError("flow: frames of a clip differ in size; resize them")
        present = is_present(self.boxes)
        moved, belief = self.boxes.copy(), np.full(len(self.boxes), np.nan)
        if present.any():
            with torch.inference_mode():
                cells = self.network(self.key.tensor, image.tensor)[0][0]
            maps = cells.double().cpu().numpy()
            moved[present] = shifted(self.boxes[present], maps, STRIDE_PX / image.scale)
            now = self._values(frame, moved[present])
            belief[present] = likeness(self.values[present], now)
        return Propagated(moved, belief)

    def work(self) -> WorkTable:
        """The flow of an image of 600 x 1000 px, once a frame, however many objects.

        Deep Feature Flow's scale map for features is not computed.
        """
        image = torch.zeros(1, 3, *image_size(self.short_px), device=self.device)
        left_out = ("resizing", "likeness")
        return {
            "anchor": [Work("nothing", macs=0.0, uncounted=("resizing",))],
            "propagate": [Work("flow", self.network, (image, image), uncounted=left_out)],
        }

    def _values(self, frame: Image, boxes: Boxes) -> Floats:
        """Grey values (n, p) of a frame at places of boxes; absent ones have any."""
        if not len(boxes):
            return np.zeros((0, len(PLACES)))
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
        known = np.nan_to_num(boxes)
        return values_at(grey, known[:, None, :2] + PLACES * known[:, None, 2:])


def shifted(boxes: Boxes, motion: Floats, cell_px: float) -> Boxes:
    """Boxes (n, 4), none NaN, moved by the mean motion (2, h, w) x y inside them, in cells."""
    found = boxes.copy()
    found[:, :2] += means_inside(motion, boxes / cell_px) * cell_px
    return found
