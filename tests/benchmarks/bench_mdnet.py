"""Seconds a frame of MDNet, RT-MDNet and FDN at their published widths, in one run.

FDN's paper: 7 times as fast as MDNet. Only the first frame is learnt from fewer samples here.

python tests/benchmarks/bench_mdnet.py [frames]
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from vbench import catalogue
from vbench.core.boxes import Box, Image
from vbench.cost.unit_costs import unit_costs

CLIP = "calm"
# Methods by label; MDNet's regression changes nothing on later frames but five more boxes.
METHODS: dict[str, tuple[str, dict[str, str]]] = {
    "mdnet": ("mdnet", {}),
    "rt-mdnet": ("rt-mdnet", {"jitter": "false"}),
    "fdn, fixed updates": ("fdn", {"stop": "none"}),
    "fdn": ("fdn", {}),
}
FEW = {"first_positives": 50, "first_negative_count": 300, "regression_count": 60}


@dataclass(frozen=True)
class Spent:
    """Means over frames: seconds, GMAC, iterations of updates."""

    seconds: float
    gmac: float
    iterations: float


def spent(name: str, given: dict[str, str], frames: list[Image], box: Box) -> Spent:
    """Track `frames` with random weights."""
    tracker: Any = catalogue.build("trackers", name, given, weights=None, device="cpu", seed=0)
    tracker.recipe = replace(tracker.recipe, **FEW)
    prices = unit_costs(tracker)
    tracker.start(frames[0], box)
    seconds, gmac, iterations = [], [], []
    for frame in frames[1:]:
        began = time.perf_counter()
        extras = tracker.track(frame).extras
        seconds.append(time.perf_counter() - began)
        more = sum(price.per_call * extras[key] for key, price in prices.per_extra.items())
        gmac.append((prices.key.per_call + more) / 1e9)
        iterations.append(extras["update_iterations"])
    return Spent(*(float(np.mean(values)) for values in (seconds, gmac, iterations)))


def main() -> None:
    """Print seconds, GMAC and iterations a frame, and ratios to MDNet."""
    torch.set_num_threads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    clip = catalogue.open_suite("synth-sot", None, None).only([CLIP]).clips[0]
    frames, box = [clip.frames[i] for i in range(count + 1)], clip.truth[0]
    found = {}
    for label, (name, given) in METHODS.items():
        found[label] = one = spent(name, given, frames, box)
        faster = found["mdnet"].seconds / one.seconds
        fewer = found["mdnet"].gmac / one.gmac
        print(
            f"{label:20} {one.seconds:7.2f} s  {one.gmac:7.1f} GMAC  {one.iterations:4.1f} "
            f"iterations a frame   {faster:5.1f} x as fast, {fewer:5.1f} x fewer MACs"
        )


if __name__ == "__main__":
    main()
