"""What measuring costs, as ratios within one run.

A reading of the clock and a lap against a call of nothing; counting a method against running it
once; the statistics of 100,000 frames against sorting them; a device block against that.

    python tests/benchmarks/bench_clock.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Best of five means, in seconds a call."""
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(repeats):
            call()
        best = min(best, (time.perf_counter() - begun) / repeats)
    return best


def clocks() -> None:
    """Clock readings and laps."""
    from vbench.cost.stopwatch import Stopwatch, synchronised

    clock = synchronised("cpu")
    watch = Stopwatch(clock)

    def lap() -> None:
        with watch.lap("frame"):
            pass

    nothing = seconds(lambda: None, 100_000)
    reading, lapped = seconds(clock.now, 100_000), seconds(lap, 50_000)
    print(f"clock.now()            {reading * 1e6:8.3f} us  {reading / nothing:6.1f} x a bare call")
    print(f"stopwatch lap          {lapped * 1e6:8.3f} us  {lapped / nothing:6.1f} x a bare call")


def statistics() -> None:
    """Percentiles of a long run."""
    from vbench.cost.latency import spread

    values = np.random.default_rng(0).gamma(2.0, 0.01, 100_000)
    whole, ordered = seconds(lambda: spread(values), 5), seconds(lambda: np.sort(values), 5)
    print(f"spread of 100k frames  {whole * 1e3:8.3f} ms  {whole / ordered:6.1f} x one sort")


def counting() -> None:
    """Counting a network by its trace against running it."""
    import torch
    from torch import nn

    from vbench.cost.macs import count_module

    torch.set_num_threads(1)
    network = nn.Sequential(nn.Conv2d(3, 96, 11, 2), nn.ReLU(), nn.Conv2d(96, 256, 5)).eval()
    image = torch.rand(1, 3, 127, 127)
    with torch.inference_mode():
        run = seconds(lambda: network(image), 3)
    counted = seconds(lambda: count_module(network, [image]), 2)
    print(f"counting a network     {counted * 1e3:8.3f} ms  {counted / run:6.1f} x running it once")


def describing() -> None:
    """The device block and the load watch."""
    from vbench.cost.device import device_block
    from vbench.cost.load import LoadWatch

    block, watch = seconds(device_block, 20), LoadWatch()
    stop = seconds(watch.stop, 200)
    print(f"device block           {block * 1e3:8.3f} ms")
    print(f"load since a start     {stop * 1e6:8.3f} us")


def main() -> None:
    """Print all ratios."""
    clocks()
    statistics()
    counting()
    describing()


if __name__ == "__main__":
    main()
