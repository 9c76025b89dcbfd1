"""FlowNet-S on halved images, and features carried along its flow.

Fischer et al., FlowNet, ICCV 2015; the pruned network, its scales and names of
msracver/Deep-Feature-Flow (dff_rfcn/symbols/resnet_v1_101_flownet_rfcn.py, get_flownet).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, grid_sample, leaky_relu

from vbench.nn.resnet import scaled

# Name, filters, kernel, stride of the contracting half.
CONVOLUTIONS = (
    ("flow_conv1", 64, 7, 2),
    ("conv2", 128, 5, 2),
    ("conv3", 256, 5, 2),
    ("conv3_1", 256, 3, 1),
    ("conv4", 512, 3, 2),
    ("conv4_1", 512, 3, 1),
    ("conv5", 512, 3, 2),
    ("conv5_1", 512, 3, 1),
    ("conv6", 1024, 3, 2),
    ("conv6_1", 1024, 3, 1),
)
# Name of the flow's predictor, of the upsampled flow, of the upsampled features, their filters,
# and the convolution whose output they join.
EXPANSIONS = (
    ("Convolution1", "upsample_flow6to5", "deconv5", 512, "conv5_1"),
    ("Convolution2", "upsample_flow5to4", "deconv4", 256, "conv4_1"),
    ("Convolution3", "upsample_flow4to3", "deconv3", 128, "conv3_1"),
    ("Convolution4", "upsample_flow3to2", "deconv2", 64, "conv2"),
)
SLOPE = 0.1
# The last prediction is in units of which 2.5 are a cell of features.
FLOW_CELLS = 2.5
COLOURS = 255.0


class FlowNetS(nn.Module):
    """Two images to the flow between them in cells of stride 16, and a scale for features.

    `scale_channels` are the channels of DFF's scale map; 0 leaves it out (FGFA).
    """

    def __init__(self, width: float = 1.0, scale_channels: int = 0) -> None:
        super().__init__()
        source, widths = 6, {}
        for name, filters, kernel, stride in CONVOLUTIONS:
            filters = scaled(filters, width)
            self.add_module(name, nn.Conv2d(source, filters, kernel, stride, kernel // 2))
            source = widths[name] = filters
        for predictor, flow, features, filters, joined in EXPANSIONS:
            filters = scaled(filters, width)
            self.add_module(predictor, nn.Conv2d(source, 2, 3, 1, 1))
            self.add_module(features, nn.ConvTranspose2d(source, filters, 4, 2))
            self.add_module(flow, nn.ConvTranspose2d(2, 2, 4, 2))
            source = widths[joined] + filters + 2
        self.Convolution5 = nn.Conv2d(source, 2, 3, 1, 1)
        self.Convolution5_scale: nn.Conv2d | None = None
        for layer in self.children():
            assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)  # noqa: S101
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if scale_channels:
            # Untrained, it changes nothing: the published start.
            self.Convolution5_scale = nn.Conv2d(source, scale_channels, 1)
            nn.init.zeros_(self.Convolution5_scale.weight)
            assert self.Convolution5_scale.bias is not None  # noqa: S101
            nn.init.ones_(self.Convolution5_scale.bias)
            self.Convolution5_scale.bias.requires_grad_(False)

    def forward(self, current: Tensor, reference: Tensor) -> tuple[Tensor, Tensor | None]:
        """Images (n, 3, h, w) without their means -> flow (n, 2, h / 16, w / 16) x y, scale.

        A cell p of the current image is at p + flow(p) in the reference.
        """
        both = torch.cat([current, reference], dim=1) / COLOURS
        features = avg_pool2d(both, 2, ceil_mode=True)
        seen: dict[str, Tensor] = {}
        for name, *_ in CONVOLUTIONS:
            features = leaky_relu(getattr(self, name)(features), SLOPE)
            seen[name] = features
        for predictor, flow, upsampler, _, joined in EXPANSIONS:
            there = seen[joined]
            rough = _cropped(getattr(self, flow)(getattr(self, predictor)(features)), there)
            finer = _cropped(getattr(self, upsampler)(features), there)
            features = torch.cat([there, leaky_relu(finer, SLOPE), rough], dim=1)
        features = avg_pool2d(features, 2, ceil_mode=True)
        scale = self.Convolution5_scale
        return (
            self.Convolution5(features) * FLOW_CELLS,
            None if scale is None else scale(features),
        )


def _cropped(features: Tensor, like: Tensor) -> Tensor:
    """Cut an upsampled map to the size of `like`, without its first row and column."""
    height, width = like.shape[-2:]
    return features[..., 1 : height + 1, 1 : width + 1]


def warped(features: Tensor, flow: Tensor) -> Tensor:
    """Features (n, c, h, w) read bilinearly at each cell + flow (n, 2, h, w) x y; zero outside."""
    height, width = features.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)
    grid = torch.stack(
        [
            (2 * (flow[:, 0] + x) + 1) / width - 1,
            (2 * (flow[:, 1] + y[:, None]) + 1) / height - 1,
        ],
        dim=-1,
    )
    return grid_sample(features, grid, align_corners=False)


class FlowWarp(nn.Module):
    """Carries features from the image they are of to another: flow, warp, DFF's scale."""

    def __init__(self, width: float, channels: int) -> None:
        super().__init__()
        self.flownet = FlowNetS(width, channels)

    def forward(self, features: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Features (n, c, h, w) of image `source` as those of image `target`, (n, 3, h', w')."""
        flow, scale = self.flownet(target, source)
        moved = warped(features, flow)
        return moved if scale is None else moved * scale
