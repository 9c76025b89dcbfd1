"""What the parts of a two-stage detector and its tracker execute, stated by shapes alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from vbench.core.roles import Work
from vbench.nn.frcnn import FrcnnFeatures, two_stage
from vbench.nn.plugplay import KERNEL, TARGET, PlugPlayHead
from vbench.nn.two_stage import BINS

# Work is stated for frames of this shape, (w, h), as that of R-FCN: the network sees 608 x 1024 px.
EXAMPLE = (1000, 600)


def looking(features: FrcnnFeatures, proposing: bool = True) -> Work:
    """Backbone, neck and proposals (or without these) of one frame, on shapes alone."""
    size = features.images(np.zeros((EXAMPLE[1], EXAMPLE[0], 3), np.uint8))[0].shape
    with torch.device("meta"):
        network = two_stage(features.backbone, features.network.classes, features.width).eval()
        images = torch.zeros(size)
    if proposing:
        return Work("backbone and RPN", network, (images,), uncounted=("resizing", "suppression"))
    trunk = nn.Sequential(network.backbone, network.neck)
    return Work("backbone", trunk, (images,), uncounted=("resizing",))


def judging(features: FrcnnFeatures, boxes: int = 1) -> Work:
    """The second stage on so many boxes of a frame."""
    with torch.device("meta"):
        head = two_stage(features.backbone, features.network.classes, features.width).bbox_head
        cuts = torch.zeros(boxes, features.network.channels, BINS, BINS)
    return Work("R-CNN", head, (cuts,), uncounted=("RoIAlign",))


def following(features: FrcnnFeatures, per_object: bool = True) -> Work:
    """The tracker on one object, for each of a call or once, by its shapes alone."""
    with torch.device("meta"):
        channels = features.track_channels
        head = PlugPlayHead(channels, features.width).eval()
        inputs = torch.zeros(1, channels, KERNEL, KERNEL), torch.zeros(1, channels, TARGET, TARGET)
    return Work("tracker", head, inputs, per_object=per_object, uncounted=("RoIAlign",))
