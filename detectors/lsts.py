"""LSTS: keyframes in full, low layers between them, features carried by learned sampling.

Jiang et al., Learning Where to Focus for Efficient Video Object Detection, ECCV 2020;
jiangzhengkai/LSTS (lsts_rfcn/symbols/lsts_network_gaussian.py, core/tester.py), whose parameters
load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vbench.core.boxes import Image
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, Weights, Work, WorkTable
from vbench.nn.alignment import (
    AlignName,
    FeatureAlign,
    FlowAlign,
    NormName,
    Quality,
    Transform,
    initial_offsets,
)
from vbench.nn.rfcn import ANCHOR_PX, CLASSES, SHORT_PX, Prepared, RfcnHeads, RfcnTrunk

from .rfcn import FrameDetector, check, single_frame

LOCATIONS = 40
MixName = Literal["none", "half", "quality"]


@dataclass(frozen=True)
class Row:
    """A row of table 2: how keyframes update the memory, how others mix it with their own features.

    none leaves one of the two out, half is their mean. `transformed` says whether a frame between
    keyframes is compared and mixed by raised features or by its low ones. The table's parameter
    counts have the raising layers in rows a to c, which therefore compare by raised features.
    """

    keys: MixName
    others: MixName
    transformed: bool


ROWS = {
    "a": Row("none", "none", True),
    "b": Row("half", "none", True),
    "c": Row("quality", "none", True),
    "d": Row("quality", "half", False),
    "e": Row("quality", "half", True),
    "f": Row("quality", "quality", False),
    "g": Row("quality", "quality", True),
}
RowName = Literal["a", "b", "c", "d", "e", "f", "g"]


class LowFeatures(nn.Module):
    """The layers that every frame runs."""

    def __init__(self, trunk: RfcnTrunk) -> None:
        super().__init__()
        self.resnet = trunk.resnet

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, 3, h, w) -> low features (n, c, h / 16, w / 16)."""
        return self.resnet.low(images)


class LstsNetwork(nn.Module):
    """Trunk, heads, two alignments and two mixers; every row of table 2 is a way through it."""

    def __init__(
        self,
        classes: int,
        width: float,
        align: AlignName,
        locations: int,
        learned: bool,
        row: Row,
        norm: NormName,
        deformable: bool,
        anchor_px: float = ANCHOR_PX,
    ) -> None:
        super().__init__()
        self.align, self.row, self.norm = align, row, norm
        self.trunk = RfcnTrunk(width, "1x1", deformable)
        channels = self.trunk.channels
        self.heads = RfcnHeads(channels, classes, anchor_px)
        self.flow_align = FlowAlign(channels, width) if align == "flow" else None
        self.key2key: FeatureAlign | None = None
        self.key2cur: FeatureAlign | None = None
        if align not in ("flow", "copy"):
            self.key2key = FeatureAlign(channels, width, align, "key2key")
            self.key2cur = FeatureAlign(channels, width, align, "key2cur")
        if self.samples:
            start = initial_offsets(align, locations)
            self.init_offset = nn.Parameter(start, requires_grad=learned)
        self.key_quality = Quality(channels, width, "key2key")
        self.cur_quality = Quality(channels, width, "key2cur")
        self.low2high = Transform(channels, width)

    @property
    def samples(self) -> bool:
        """Whether it aligns at a table of locations."""
        return self.align in ("gaussian", "uniform", "matchtrans")

    def joint(self, images: Sequence[Tensor]) -> Tensor:
        """Features for a fit: of an old keyframe, a new one and a frame, each (n, 3, h, w).

        The same image twice bypasses what would join the two.
        """
        old, new, image = images
        memory = None if old is new else self.trunk(old)
        low = None if new is image else self.trunk.resnet.low(image)
        return self.joined(memory, self.trunk(new), low, images)

    def joined(
        self, memory: Tensor | None, task: Tensor, low: Tensor | None, images: Sequence[Tensor]
    ) -> Tensor:
        """Features for a fit from those of an old keyframe, of a new one, and low ones of a frame.

        None stands for a frame that is the next one again. `images` are read where the flow is.
        """
        old, new, image = images
        if memory is not None:
            task = self.update(task, memory, (old, new))
        if low is None:
            return task
        return self.between(self.raised(low), task, (new, image))

    def raised(self, low: Tensor) -> Tensor:
        """Return what a frame between keyframes is compared and mixed by, from its low features."""
        found: Tensor = self.low2high(low) if self.row.transformed else low
        return found

    def update(self, features: Tensor, memory: Tensor, images: tuple[Tensor, Tensor]) -> Tensor:
        """Return a keyframe's features for its task: its own, mixed with the aligned memory.

        `images` are that of the memory and this one.
        """
        if self.row.keys == "none":
            return features
        carried = self._carried(self.key2key, memory, features, images)
        return _mixed(self.row.keys, self.key_quality, features, carried)

    def between(self, own: Tensor, task: Tensor, images: tuple[Tensor, Tensor]) -> Tensor:
        """Return another frame's features for its task: the keyframe's aligned, mixed with its own.

        `own` is what `raised` returns; `images` are the keyframe's and this one.
        """
        carried = self._carried(self.key2cur, task, own, images)
        return _mixed(self.row.others, self.cur_quality, own, carried)

    def _carried(
        self,
        align: FeatureAlign | None,
        features: Tensor,
        target: Tensor,
        images: tuple[Tensor, Tensor],
    ) -> Tensor:
        if align is not None:
            offsets = self.init_offset if self.samples else features
            moved: Tensor = align(features, target, offsets, self.norm)
            return moved
        return features if self.flow_align is None else self.flow_align(features, *images)


def _mixed(how: MixName, quality: Quality, own: Tensor, carried: Tensor) -> Tensor:
    if how == "none":
        return carried
    if how == "half":
        return (own + carried) / 2
    found: Tensor = quality(own, carried)
    return found


class Lsts(FrameDetector):
    """The video detector.

    `align` is how features are carried (`copy`: not at all), `learned` whether a fit moves the
    locations, `row` a row of the paper's table 2, `memory_rate` how much of the memory a keyframe
    replaces, `dcn` deformable layers in stage 5. Between keyframes the memory is read only.

    `key_position` is where a fit puts the keyframe: before its frames, or in their middle, as the
    released configuration does; run that one @fixed_middle:10, which gives the keyframe first.
    `untrained` takes weights of R-FCN alone, to fit on them what joins frames.
    """

    frames_a_sample = 3

    def __init__(
        self,
        align: Literal[
            "gaussian", "uniform", "flow", "matchtrans", "nonlocal", "copy"
        ] = "gaussian",
        learned: bool = True,
        row: Literal["a", "b", "c", "d", "e", "f", "g"] = "g",
        key_position: Literal["first", "middle"] = "first",
        dcn: bool = False,
        norm: Literal["softmax", "sum"] = "softmax",
        locations: int = LOCATIONS,
        memory_rate: float = 1.0,
        classes: int = CLASSES,
        short_px: int = SHORT_PX,
        floor: float = 1e-4,
        anchor_px: float = ANCHOR_PX,
        width: float = 1.0,
        untrained: bool = False,
        weights: Weights | None = None,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        check(classes, width, short_px, anchor_px)
        if not 1 <= locations <= 4096 or not 0 <= memory_rate <= 1:
            raise VBenchError(
                f"lsts[locations={locations},memory_rate={memory_rate}]: give 1 to 4096 locations "
                "and a rate in [0, 1]"
            )
        # MatchTrans is the 9 x 9 window that nothing moves.
        moves = learned and align != "matchtrans"
        super().__init__(
            lambda: LstsNetwork(
                classes, width, align, locations, moves, ROWS[row], norm, dcn, anchor_px
            ),
            weights,
            device,
            seed,
            single_frame if untrained else None,
        )
        self.untrained = untrained
        self.short_px, self.floor, self.memory_rate = short_px, floor, memory_rate
        self.key_position = key_position
        self.start((0, 0))

    def start(self, size: tuple[int, int]) -> None:
        """Begin a clip; the memory of the last one is dropped."""
        self.memory: Tensor | None = None
        self.task: Tensor | None = None
        self.key_image: Tensor | None = None

    def key(self, frame: Image) -> Detections:
        """Run all layers, update the memory, answer."""
        image = self.prepare(frame)
        with torch.inference_mode():
            features = self.network.trunk(image.tensor)
            self._remember(features, image)
            return self.read(self._task(), image, frame)

    def inter(self, frame: Image) -> Detections:
        """Run the low layers, carry the keyframe's features here, answer."""
        image = self.prepare(frame)
        with torch.inference_mode():
            low = self.network.trunk.resnet.low(image.tensor)
            if self.task is None or self.task.shape != low.shape or self.key_image is None:
                return self.key(frame)
            own = self.network.raised(low)
            found = self.network.between(own, self.task, (self.key_image, image.tensor))
            return self.read(found, image, frame)

    def _remember(self, features: Tensor, image: Prepared) -> None:
        if self.memory is None or self.key_image is None or self.memory.shape != features.shape:
            self.task = self.memory = features
        else:
            images = (self.key_image, image.tensor)
            self.task = self.network.update(features, self.memory, images)
            rate = self.memory_rate
            # A rate of 1 keeps one tensor instead of two.
            self.memory = self.task if rate == 1 else torch.lerp(features, self.task, rate)
        self.key_image = image.tensor

    def _task(self) -> Tensor:
        assert self.task is not None  # noqa: S101  (a keyframe has just set it)
        return self.task

    def work(self) -> WorkTable:
        """Keyframes: all layers, alignment of the memory. Others: low layers, alignment."""
        network, features = self.network, self.features()
        key = [Work("features", network.trunk, (self.image(),))]
        inter = [Work("low features", LowFeatures(network.trunk).eval(), (self.image(),))]
        if network.row.transformed:
            inter.append(Work("transform", network.low2high, (features,)))
        if network.row.keys != "none":
            key += self._carrying(network.key2key)
        inter += self._carrying(network.key2cur)
        for works, how, mixer in (
            (key, network.row.keys, network.key_quality),
            (inter, network.row.others, network.cur_quality),
        ):
            if how == "quality":
                works.append(Work("quality", mixer, (features, features)))
            works.append(self.heads_work())
        return {"key": key, "inter": inter}

    def _carrying(self, align: FeatureAlign | None) -> list[Work]:
        network, features = self.network, self.features()
        if align is not None:
            offsets = network.init_offset if network.samples else features
            shape = (features.shape[2], features.shape[3])
            macs = align.macs(offsets, shape)
            return [Work("alignment", align, (features, features, offsets), macs=macs)]
        if network.flow_align is None:
            return []
        return [Work("alignment", network.flow_align, (features, self.image(), self.image()))]
