"""Boxes moved to where LSTS's sampled places say that the keyframe's cells went.

Jiang et al., Learning Where to Focus for Efficient Video Object Detection, ECCV 2020, secs. 3.2 and
3.3, whose parameters load: low features of both frames, raised as between keyframes, embedded, and
compared at the learned places. LSTS carries features so; here the mean place of the cells inside a
box carries the box, which keeps its size. Nothing above the low layers runs.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from vbench.core.boxes import Boxes, Image, is_present
from vbench.core.errors import VBenchError
from vbench.core.roles import Propagated, Weights, Work, WorkTable
from vbench.nn.alignment import FeatureAlign, Transform, initial_offsets
from vbench.nn.box_means import means_inside
from vbench.nn.mxnet_params import load_shared
from vbench.nn.resnet import STRIDE_PX, ResNet101
from vbench.nn.rfcn import SHORT_PX, LastLow, Prepared, image_size, prepared
from vbench.nn.sampling import went, went_macs
from vbench.nn.state import seeded

from .flow import shifted

LOCATIONS = 40


class LstsBoxNetwork(nn.Module):
    """The low layers, what raises their features, and the embeddings of a keyframe and a frame."""

    def __init__(
        self, width: float, align: Literal["gaussian", "uniform"], locations: int, transformed: bool
    ) -> None:
        super().__init__()
        self.resnet = ResNet101(width, low_only=True)
        channels = self.resnet.low_channels
        self.low2high = Transform(channels, width) if transformed else None
        self.key2cur = FeatureAlign(channels, width, align, "key2cur")
        self.init_offset = nn.Parameter(initial_offsets(align, locations))

    @property
    def embeddings(self) -> tuple[nn.Module, nn.Module]:
        """The layer for keyframes and the one for frames between them."""
        key, between = (self.key2cur.get_submodule(name) for name in self.key2cur.names)
        return key, between

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) -> features to embed (n, c, h / 16, w / 16)."""
        return self.raised(self.resnet.low(images))

    def raised(self, low: Tensor) -> Tensor:
        """Return features to embed from low ones, (n, c, h / 16, w / 16)."""
        found: Tensor = low if self.low2high is None else self.low2high(low)
        return found


class LstsBox:
    """The propagator; belief is the mean cosine of embedded features inside the box, at least 0.

    Args:
        align: start of the places where there are no weights: normal, or 9 x 9 cells.
        locations: how many normal places.
        transformed: whether frames are compared by raised features, as in rows e and g of the
            paper's table 2, or by their low ones (rows d and f), which costs less.
        shared: read keyframes' low features from an R-FCN with the very same low layers: one on
            which the places were fitted.
        width: factor of all channels.
        short_px: of the short side that the network sees.
    """

    def __init__(
        self,
        align: Literal["gaussian", "uniform"] = "gaussian",
        locations: int = LOCATIONS,
        transformed: bool = True,
        shared: bool = False,
        width: float = 1.0,
        short_px: int = SHORT_PX,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if not 0 < width <= 4 or not 32 <= short_px <= 4096 or not 1 <= locations <= 4096:
            raise VBenchError(
                f"lsts-box[locations={locations},width={width},short_px={short_px}]: give 1 to "
                "4096 locations, a width in (0, 4] and a short side of 32 to 4096 px"
            )
        with seeded(seed):
            network = LstsBoxNetwork(width, align, locations, transformed)
        load_shared(network, weights)
        self.network = network.eval().to(device)
        self.short_px, self.device = short_px, device
        self.wants_base = shared
        self.theirs: LastLow | None = None

    def share(self, base: object) -> None:
        """Read the low features of `base` on keyframes, if `shared` asks for that.

        Raises:
            VBenchError: the base is no R-FCN with these low layers.
        """
        if not self.wants_base:
            return
        theirs = getattr(base, "last_low", None)
        if not isinstance(theirs, LastLow) or not self._alike(theirs):
            raise VBenchError(
                "lsts-box[shared=1] reads the low layers of the R-FCN on which it was fitted, at "
                "the same short_px; this base has none such: leave shared out"
            )
        theirs.wanted = True
        self.theirs, self.network.resnet = theirs, theirs.resnet

    def anchor(self, frame: Image, boxes: Boxes) -> None:
        """Take `boxes` (n, 4) of this frame, and its embedded features."""
        self.boxes = np.array(boxes, dtype=np.float64)
        low = None if self.theirs is None else self.theirs.take(frame)
        if low is None:
            self.key = self._embedded(prepared(frame, self.short_px, self.device), 0)
        else:
            with torch.inference_mode():
                self.key = self.network.embeddings[0](self.network.raised(low))

    def propagate(self, frame: Image) -> Propagated:
        """Move every box to where its cells went; belief is NaN for absent ones."""
        image = prepared(frame, self.short_px, self.device)
        now = self._embedded(image, 1)
        if now.shape != self.key.shape:
            raise VBenchError("lsts-box: frames of a clip differ in size; resize them")
        present = is_present(self.boxes)
        moved, belief = self.boxes.copy(), np.full(len(self.boxes), np.nan)
        if present.any():
            with torch.inference_mode():
                motion, likeness = went(self.key, now, self.network.init_offset)
            cells, cell_px = motion[0].double().cpu().numpy(), STRIDE_PX / image.scale
            boxes, alike = self.boxes[present], likeness.double().cpu().numpy()
            moved[present] = shifted(boxes, cells, cell_px)
            belief[present] = np.clip(means_inside(alike, boxes / cell_px)[:, 0], 0, 1)
        return Propagated(moved, belief)

    def work(self) -> WorkTable:
        """What images of 600 x 1000 px cost, once a frame, however many objects."""
        height, width = image_size(self.short_px)
        shape = -(-height // STRIDE_PX), -(-width // STRIDE_PX)
        network = self.network
        image = torch.zeros(1, 3, height, width, device=self.device)
        features = torch.zeros(1, network.key2cur.channels, *shape, device=self.device)
        seen = Work("low features, raised", network, (image,), uncounted=("resizing",))
        key, between = (Work("embedding", layer, (features,)) for layer in network.embeddings)
        macs = went_macs(network.init_offset, shape, network.key2cur.embedded)
        raising: list[Work] = []
        if network.low2high is not None:
            raising.append(Work("raising", network.low2high, (features,)))
        return {
            "anchor": [seen, key] if self.theirs is None else [*raising, key],
            "propagate": [seen, between, Work("places", macs=macs)],
        }

    def _alike(self, theirs: LastLow) -> bool:
        own, other = self.network.resnet.state_dict(), theirs.resnet.state_dict()
        ways = (theirs.resnet.stride_in, theirs.short_px)
        return ways == (self.network.resnet.stride_in, self.short_px) and all(
            name in other and _equal(own[name], other[name]) for name in own
        )

    def _embedded(self, image: Prepared, side: int) -> Tensor:
        """Features (1, c, h, w) of an image as those of a keyframe (0) or of another (1)."""
        with torch.inference_mode():
            found: Tensor = self.network.embeddings[side](self.network(image.tensor))
        return found


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)
