"""The networks of the SiamRPN family: an AlexNet, and heads whose kernels the template makes.

Li et al., High Performance Visual Tracking with Siamese Region Proposal Network, CVPR 2018, sec. 3;
checkpoints of huanglianghua/siamrpn-pytorch, foolwood/DaSiamRPN and STVIR/pysot load.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from vbench.core.roles import Weights
from vbench.nn.alexnet import WIDTHS, AlexNet, xavier
from vbench.nn.correlation import depthwise, up_channel
from vbench.nn.state import load_into, read_state, seeded

# Kernels of the regression and of the classification branch.
Kernels: TypeAlias = tuple[Tensor, Tensor]


class UpChannelHead(nn.Module):
    """SiamRPN's head: the template's channels are raised to one kernel for each output channel."""

    def __init__(self, width: int, anchors: int) -> None:
        super().__init__()
        self.width, self.anchors = width, anchors
        self.conv_reg_z = nn.Conv2d(width, width * 4 * anchors, 3)
        self.conv_reg_x = nn.Conv2d(width, width, 3)
        self.conv_cls_z = nn.Conv2d(width, width * 2 * anchors, 3)
        self.conv_cls_x = nn.Conv2d(width, width, 3)
        self.adjust_reg = nn.Conv2d(4 * anchors, 4 * anchors, 1)

    def begin(self) -> None:
        """Let an untrained head begin with responses of unit size, sums of 16 c products.

        Both factors are drawn as small as each other; otherwise the losses begin in the tens.
        """
        deviation = (9 * self.width) ** -0.5 * (16 * self.width) ** -0.25
        for layer in (self.conv_reg_z, self.conv_cls_z, self.conv_reg_x, self.conv_cls_x):
            nn.init.normal_(layer.weight, std=deviation)

    def template(self, features: Tensor) -> Kernels:
        """Features (n, c, 6, 6) -> kernels (n, 4k, c, 4, 4) and (n, 2k, c, 4, 4)."""
        return (
            self.conv_reg_z(features).unflatten(1, (4 * self.anchors, self.width)),
            self.conv_cls_z(features).unflatten(1, (2 * self.anchors, self.width)),
        )

    def forward(self, features: Tensor, reg: Tensor, cls: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, c, s, s) -> offsets (n, 4k, s - 5, s - 5), logits (n, 2k, same)."""
        offsets = self.adjust_reg(up_channel(self.conv_reg_x(features), reg))
        return offsets, up_channel(self.conv_cls_x(features), cls)


class DepthwiseBranch(nn.Module):
    """One branch of SiamRPN++'s head: correlated channel by channel, then mixed."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.conv_kernel = _convolved(width, 3)
        self.conv_search = _convolved(width, 3)
        self.head = nn.Sequential(*_convolved(width, 1), nn.Conv2d(width, channels, 1))

    def forward(self, features: Tensor, kernels: Tensor) -> Tensor:
        """Features (n, c, s, s), kernels (n, c, 4, 4) -> (n, channels, s - 5, s - 5)."""
        found: Tensor = self.head(depthwise(self.conv_search(features), kernels))
        return found


class DepthwiseHead(nn.Module):
    """SiamRPN++'s head on one layer (pysot/models/head/rpn.py, DepthwiseRPN)."""

    def __init__(self, width: int, anchors: int) -> None:
        super().__init__()
        self.cls = DepthwiseBranch(width, 2 * anchors)
        self.loc = DepthwiseBranch(width, 4 * anchors)

    def begin(self) -> None:
        """Nothing to do: norms keep the responses small."""

    def template(self, features: Tensor) -> Kernels:
        """Features (n, c, 6, 6) -> kernels (n, c, 4, 4) of both branches."""
        return self.loc.conv_kernel(features), self.cls.conv_kernel(features)

    def forward(self, features: Tensor, reg: Tensor, cls: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, c, s, s) -> offsets (n, 4k, s - 5, s - 5), logits (n, 2k, same)."""
        return self.loc(features, reg), self.cls(features, cls)


class SiamRPNNetwork(nn.Module):
    """Backbone and head; offsets and logits have the anchors innermost, as published.

    Args:
        width: of all layers, 1 is AlexNet's.
        groups: of the five convolutions.
        head: "up" for SiamRPN's, "depthwise" for SiamRPN++'s.
        anchors: at each place.
    """

    def __init__(
        self,
        width: float = 1,
        groups: Sequence[int] = (1, 1, 1, 1, 1),
        head: Literal["up", "depthwise"] = "up",
        anchors: int = 5,
    ) -> None:
        super().__init__()
        # Even numbers, for convolutions in two groups.
        widths = [max(2, round(w * width / 2) * 2) for w in WIDTHS]
        self.feature = AlexNet(widths, groups, last_norm=True)
        made = UpChannelHead if head == "up" else DepthwiseHead
        self.head: UpChannelHead | DepthwiseHead = made(widths[-1], anchors)

    def template(self, crops: Tensor) -> Kernels:
        """Exemplars (n, 3, 127, 127) -> kernels, computed once: one-shot detection, sec. 4.2."""
        return self.head.template(self.feature(crops))

    def forward(self, crops: Tensor, reg: Tensor, cls: Tensor) -> tuple[Tensor, Tensor]:
        """Search crops (n, 3, s, s) -> offsets (n, 4k, r, r), logits (n, 2k, r, r).

        r = (s - 127) / 8 + 1. Channel c * k + a is coordinate or class c of anchor a; offsets are
        dx dy dw dh, class 1 is the target.
        """
        found: tuple[Tensor, Tensor] = self.head(self.feature(crops), reg, cls)
        return found


def siamrpn_network(
    make: SiamRPNNetwork, weights: Weights | None, device: str, seed: int
) -> SiamRPNNetwork:
    """Fill a network that was made on the meta device, from a file or from `seed`; eval mode.

    Raises:
        VBenchError: the file is of another network; names what is missing.
    """
    network: SiamRPNNetwork = make.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    if weights is None:
        with seeded(seed):
            xavier(network)
            network.head.begin()
    else:
        path = next(iter(weights.files.values()))
        load_into(network, read_state(path), path.name, native_key)
    return network.eval().to(device)


# Places of convolutions and norms in the flat sequence of the published backbones.
_STAGES = {
    place: f"conv{stage}.{layer}"
    for stage, places in enumerate(((0, 1), (4, 5), (8, 9), (11, 12), (14, 15)), start=1)
    for layer, place in enumerate(places)
}
_HEADS = {
    "conv_r1": "conv_reg_z",
    "conv_r2": "conv_reg_x",
    "conv_cls1": "conv_cls_z",
    "conv_cls2": "conv_cls_x",
    "regress_adjust": "adjust_reg",
    "template_loc_conv": "conv_reg_z",
    "search_loc_conv": "conv_reg_x",
    "template_cls_conv": "conv_cls_z",
    "search_cls_conv": "conv_cls_x",
    "loc_adjust": "adjust_reg",
}
_FLAT = re.compile(r"(?:featureExtract|feature|backbone\.features)\.(\d+)\.(\w+)")
_LAYERED = re.compile(r"backbone\.layer(\d)\.([01])\.(\w+)")
_HEAD = re.compile(r"(?:rpn_head\.)?(\w+)\.(.+)")


def native_key(key: str) -> str:
    """Our name of a tensor of any of the four published layouts; ours stay as they are.

    siamrpn-pytorch `feature.N`, DaSiamRPN `featureExtract.N`, pysot `backbone.features.N` and
    `backbone.layerN`, with their heads.
    """
    if found := _FLAT.fullmatch(key):
        stage = _STAGES.get(int(found[1]))
        return f"feature.{stage}.{found[2]}" if stage else key
    if found := _LAYERED.fullmatch(key):
        return f"feature.conv{found[1]}.{found[2]}.{found[3]}"
    if found := _HEAD.fullmatch(key):
        part = _HEADS.get(found[1], found[1])
        known = found[1] in _HEADS or part in _HEADS.values() or key.startswith("rpn_head.")
        return f"head.{part}.{found[2]}" if known else key
    return key


def on_meta(
    width: float, groups: Sequence[int], head: Literal["up", "depthwise"], anchors: int
) -> SiamRPNNetwork:
    """Make a network without memory for its weights."""
    with torch.device("meta"):
        return SiamRPNNetwork(width, groups, head, anchors)


def _convolved(width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, kernel, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )
