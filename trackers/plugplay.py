"""The Plug & Play tracker as a propagator: on a detector's own features where it can share them.

Lyu et al., Plug & Play Convolutional Regression Tracker for Video Object Detection, 2020, sec. 4.
Between keyframes only proposals and second stage are saved: every frame needs the backbone. The
paper detects on every frame; to skip is an extension of its tracker.
"""

from __future__ import annotations

import numpy as np
import torch

from vbench.core.boxes import Boxes, Image
from vbench.core.roles import Propagated, Weights, Work, WorkTable
from vbench.nn.box_coder import cut
from vbench.nn.frcnn import SHORT_PX, Backbone, FrcnnFeatures, Look, tracker_head
from vbench.nn.frcnn_work import following, looking
from vbench.nn.plugplay import carried

# The backbone is the tracker's all the same; what else stands in the checkpoint is not read.
CLASSES = 30


class PlugPlayPropagator:
    """Carries boxes from frame to frame; belief is the IoU that the tracker expects.

    Args:
        classes: of the detector whose checkpoint it reads.
        width: factor of all channels.
        short_px: of the short side that the network sees.
    """

    def __init__(
        self,
        classes: int = CLASSES,
        width: float = 1.0,
        short_px: int = SHORT_PX,
        backbone: Backbone = "hrnet",
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        self.features = FrcnnFeatures(backbone, classes, width, short_px, weights, device, seed)
        self.head = tracker_head(self.features, weights, seed)
        self.shared = False

    def share(self, base: object) -> None:
        """Read the maps of `base` if its backbone is this one's, at the same width."""
        theirs = getattr(base, "features", None)
        own = self.features
        if isinstance(theirs, FrcnnFeatures) and (theirs.backbone, theirs.width) == (
            own.backbone,
            own.width,
        ):
            self.features, self.shared = theirs, True

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of this frame, and the maps that the detector just made of it."""
        look = self.features.seen(frame) if self.shared else self.features.look(frame)
        self._remember(look, cut(look.corners_of(boxes), look.size))

    def propagate(self, frame: Image) -> Propagated:
        """Carry the last frame's boxes to this one."""
        look = self.features.look(frame)
        with torch.inference_mode():
            corners, fits = carried(
                self.head, self.track_map, look.track_map, self.corners,
                self.features.track_stride_px, look.size,
            )  # fmt: skip
        self._remember(look, corners)
        belief = np.clip(fits.double().cpu().numpy(), 0.0, 1.0)
        return Propagated(look.boxes_of(corners), belief)

    def work(self) -> WorkTable:
        """The backbone on 600 x 1000 px, unless the keyframe's is shared, and the tracker."""
        backbone = looking(self.features, proposing=False)
        anchor: list[Work] = [] if self.shared else [backbone]
        return {"anchor": anchor, "propagate": [backbone, following(self.features)]}

    def _remember(self, look: Look, corners: torch.Tensor) -> None:
        self.track_map, self.corners = look.track_map, corners
        self.features.forget()
