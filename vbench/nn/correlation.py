"""Cross-correlation of search features, each with its own template, as one grouped convolution.

Filters that are learnt from one template wrap around; so does the response that they should give.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import conv2d

from vbench.core.boxes import Floats


def dense(search: Tensor, templates: Tensor) -> Tensor:
    """Sum over channels: search (n, c, h, w), templates (n or 1, c, kh, kw) -> (n, 1, h', w').

    SiamFC, eq. 1. One template serves a whole batch.
    """
    return up_channel(search, templates[:, None])


def depthwise(search: Tensor, templates: Tensor) -> Tensor:
    """Channel by channel: search (n, c, h, w), templates (n, c, kh, kw) -> (n, c, h', w').

    SiamRPN++, sec. 3.3.
    """
    n, c = search.shape[:2]
    kernels = templates.expand(n, -1, -1, -1).reshape(n * c, 1, *templates.shape[-2:])
    maps = conv2d(search.reshape(1, n * c, *search.shape[-2:]), kernels, groups=n * c)
    return maps.reshape(n, c, *maps.shape[-2:])


def up_channel(search: Tensor, templates: Tensor) -> Tensor:
    """Several kernels: search (n, c, h, w), templates (n or 1, k, c, kh, kw) -> (n, k, h', w').

    SiamRPN, sec. 3.2: the template branch has raised the channels to k * c.
    """
    if len(templates) == 1:
        return conv2d(search, templates[0])
    n, k = templates.shape[:2]
    maps = conv2d(search.reshape(1, -1, *search.shape[-2:]), templates.flatten(0, 1), groups=n)
    return maps.reshape(n, k, *maps.shape[-2:])


def wrapped_gaussian(side: int, sigma: float) -> Floats:
    """A Gaussian (side, side) around the origin, 1 there, that wraps at the ends."""
    distance = np.minimum(np.arange(side), side - np.arange(side)) ** 2
    label: Floats = np.exp(-0.5 / sigma**2 * (distance[:, None] + distance[None, :]))
    return label
