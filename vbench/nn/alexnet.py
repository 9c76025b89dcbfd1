"""The AlexNet of Siamese trackers: five convolutions without padding, total stride 8."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

WIDTHS = (96, 256, 384, 384, 256)
KERNELS = (11, 5, 3, 3, 3)
STRIDES = (2, 1, 1, 1, 1)


class AlexNet(nn.Module):
    """Images (n, 3, s, s) -> features (n, widths[-1], f, f); 127 -> 6, 255 -> 22, 271 -> 24.

    Variants: SiamFC has the groups (1, 2, 1, 2, 2) and no norm after the last convolution
    (siamfc-pytorch backbones.py:13-67); SiamRPN's paper drops the groups of conv2 and conv4; the
    released SiamRPN networks drop all and norm the last one too (DaSiamRPN net.py:17-33).
    Pooling stands before the ReLU, which changes nothing but the time.
    """

    def __init__(
        self,
        widths: Sequence[int] = WIDTHS,
        groups: Sequence[int] = (1, 2, 1, 2, 2),
        last_norm: bool = False,
        bias: bool = True,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        sources = (3, *widths[:-1])
        for index in range(5):
            layers: list[nn.Module] = [
                nn.Conv2d(
                    sources[index],
                    widths[index],
                    KERNELS[index],
                    STRIDES[index],
                    groups=groups[index],
                    bias=bias,
                )
            ]
            if index < 4 or last_norm:
                layers.append(nn.BatchNorm2d(widths[index], eps=eps))
            if index < 2:
                layers.append(nn.MaxPool2d(3, 2))
            if index < 4:
                layers.append(nn.ReLU(inplace=True))
            self.add_module(f"conv{index + 1}", nn.Sequential(*layers))

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of `images` (n, 3, s, s)."""
        features = images
        for stage in self.children():
            features = stage(features)
        return features


def xavier(network: nn.Module) -> None:
    """Draw every convolution's weights by Glorot's uniform rule, with zero bias."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
