"""Key layouts of published EfficientDet weights, turned into those of our network.

Ours are those of rwightman/efficientdet-pytorch (784 tensors; its files without redundant biases
have 748). zylo117/Yet-Another-EfficientDet-Pytorch (efficientdet/model.py) names the same 784.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# zylo: nodes in the order of ours, and their fusion weights.
NODE_NAMES = ("6_up", "5_up", "4_up", "3_up", "4_down", "5_down", "6_down", "7_down")
WEIGHT_NAMES = ("6_w1", "5_w1", "4_w1", "3_w1", "4_w2", "5_w2", "6_w2", "7_w2")
# zylo: convolutions that bring the backbone's maps to the pyramid's width.
LATERALS = {
    "p5_to_p6": "resample.3.conv",
    "p5_down_channel": "cell.0.fnode.1.combine.resample.2.conv",
    "p4_down_channel": "cell.0.fnode.2.combine.resample.1.conv",
    "p3_down_channel": "cell.0.fnode.3.combine.resample.0.conv",
    "p4_down_channel_2": "cell.0.fnode.4.combine.resample.1.conv",
    "p5_down_channel_2": "cell.0.fnode.5.combine.resample.2.conv",
}
HEADS = {"regressor": "box_net", "classifier": "class_net"}
# Blocks a stage of EfficientNet-B0: zylo counts them through.
BLOCKS = (1, 2, 2, 3, 3, 4, 1)
EXPANDED = {
    "_expand_conv.conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv.conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce.conv": "se.conv_reduce",
    "_se_expand.conv": "se.conv_expand",
    "_project_conv.conv": "conv_pwl",
    "_bn2": "bn3",
}
# The first block does not expand.
UNEXPANDED = EXPANDED | {"_bn1": "bn1", "_project_conv.conv": "conv_pw", "_bn2": "bn2"}

# 1x1 convolutions that a norm follows: their biases do nothing that its own cannot.
BEFORE_NORM = re.compile(r"(fpn\..+(\.conv\.conv|\.conv_pw)|\w+_net\.conv_rep\..+_pw)\.weight")


def native(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under our names, missing biases as zeros; unknown names stay."""
    renamed = {_renamed(key): value for key, value in state.items()}
    return renamed | {
        bias: torch.zeros(len(renamed[weight]))
        for weight, bias in _redundant_biases(renamed)
        if bias not in renamed
    }


def _renamed(key: str) -> str:
    for translate in (_backbone, _pyramid, _head):
        found = translate(key)
        if found is not None:
            return found
    return key


def _backbone(key: str) -> str | None:
    head, found, tail = key.partition("backbone_net.model.")
    if head or not found:
        return None
    if tail.startswith("_conv_stem.conv."):
        return tail.replace("_conv_stem.conv", "backbone.conv_stem")
    if tail.startswith("_bn0."):
        return tail.replace("_bn0", "backbone.bn1")
    match = re.fullmatch(r"_blocks\.(\d+)\.(.+)\.(\w+)", tail)
    if match is None:
        return None
    number, part, leaf = int(match[1]), match[2], match[3]
    parts = EXPANDED if number else UNEXPANDED
    if number >= sum(BLOCKS) or part not in parts:
        return None
    stage = 0
    while number >= BLOCKS[stage]:
        number -= BLOCKS[stage]
        stage += 1
    return f"backbone.blocks.{stage}.{number}.{parts[part]}.{leaf}"


def _pyramid(key: str) -> str | None:
    match = re.fullmatch(r"bifpn\.(\d+)\.(.+)", key)
    if match is None:
        return None
    cell, rest = match[1], match[2]
    weight = rest.removeprefix("p")
    if weight in WEIGHT_NAMES:
        return f"fpn.cell.{cell}.fnode.{WEIGHT_NAMES.index(weight)}.combine.edge_weights"
    name, _, tail = rest.partition(".")
    if name in LATERALS:
        return f"fpn.{LATERALS[name]}." + re.sub("^1", "bn", re.sub("^0.conv", "conv", tail))
    node = name.removeprefix("conv")
    if node not in NODE_NAMES:
        return None
    return f"fpn.cell.{cell}.fnode.{NODE_NAMES.index(node)}.after_combine.conv.{_separable(tail)}"


def _head(key: str) -> str | None:
    name, _, tail = key.partition(".")
    if name not in HEADS:
        return None
    ours = HEADS[name]
    if tail.startswith("header."):
        return f"{ours}.predict.{_separable(tail.removeprefix('header.'))}"
    conv = re.fullmatch(r"conv_list\.(\d+)\.(.+)", tail)
    if conv is not None:
        return f"{ours}.conv_rep.{conv[1]}.{_separable(conv[2])}"
    # zylo counts levels first, then layers.
    bn = re.fullmatch(r"bn_list\.(\d+)\.(\d+)\.(\w+)", tail)
    return None if bn is None else f"{ours}.bn_rep.{bn[2]}.{bn[1]}.bn.{bn[3]}"


def _separable(tail: str) -> str:
    return tail.replace("depthwise_conv.conv", "conv_dw").replace("pointwise_conv.conv", "conv_pw")


def _redundant_biases(state: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Weights that a norm follows, and their biases."""
    found = [key for key in state if BEFORE_NORM.fullmatch(key)]
    return [(key, key.removesuffix("weight") + "bias") for key in found]
