"""LSTS's sampling: whole displacements in one gather against samples interpolated one by one.

Run: python tests/benchmarks/bench_sampling.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from vbench.nn.local_correlation import square
from vbench.nn.sampling import aligned

SHAPE = (38, 63)


def by_grid_sample(features: Tensor, source: Tensor, target: Tensor, offsets: Tensor) -> Tensor:
    """One location after the other, with torch's sampler: what holds least memory."""
    height, width = SHAPE
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], dim=-1) + offsets[:, None, None]
    grids = (2 * place + 1) / torch.tensor([width, height]) - 1
    products = [
        (grid_sample(source, grid[None], align_corners=False) * target).sum(dim=1) for grid in grids
    ]
    weights = torch.stack(products, dim=1).softmax(dim=1)
    total = torch.zeros_like(features)
    for i, grid in enumerate(grids):
        total += grid_sample(features, grid[None], align_corners=False) * weights[:, i : i + 1]
    return total


def best_seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest of some calls."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    """Print ratios of time for 40 gaussian and 81 uniform locations on 1024 channels."""
    torch.manual_seed(0)
    f, e, g = (torch.randn(1, channels, *SHAPE) for channels in (1024, 256, 256))
    for name, offsets in (("gaussian 40", torch.randn(40, 2)), ("uniform 81", square(4).float())):
        with torch.inference_mode():
            slow = best_seconds(partial(by_grid_sample, f, e, g, offsets))
            fast = best_seconds(partial(aligned, f, e, g, offsets))
        print(f"{name}: {1e3 * fast:.0f} ms, grid_sample {slow / fast:.1f} times as long")


if __name__ == "__main__":
    main()
