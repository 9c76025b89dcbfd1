"""Clocks and laps."""

import time

import pytest

from vbench.core.errors import VBenchError
from vbench.cost.stopwatch import FakeClock, Stopwatch, WaitingClock, devices, synchronised


def test_laps_of_one_name_add_up_and_failures_count():
    watch = Stopwatch(FakeClock(2.0, 1.0, 3.0, 1.0, 5.0))
    with watch.lap("key"):
        pass
    with watch.lap("inter"):
        pass
    with pytest.raises(RuntimeError), watch.lap("key"):
        raise RuntimeError
    assert watch.take() == {"key": 2.0 + 5.0, "inter": 3.0}
    assert watch.take() == {}


def test_the_clock_of_an_accelerator_reads_only_after_the_queue_is_empty():
    clock, queue = FakeClock(0.0), [4.0, 2.0]

    def drain():
        while queue:
            clock.sleep(queue.pop())

    waiting = WaitingClock(drain, clock.now)
    assert waiting.now() == 6.0


def test_time_of_the_cpu_clock_moves_forward():
    clock = synchronised("cpu")
    first = clock.now()
    assert clock.now() >= first
    assert devices()[0] == "cpu"


def test_a_device_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(VBenchError, match="'cuda:7' is not here; there are: cpu"):
        synchronised("cuda:7")
    with pytest.raises(VBenchError, match="'abacus' is not here"):
        synchronised("abacus")


@pytest.mark.skipif("cuda:0" not in devices(), reason="no GPU here")
def test_a_gpu_kernel_is_timed_until_it_ends():
    import torch

    a = torch.rand(8192, 8192, device="cuda")
    clock, launch = synchronised("cuda"), time.perf_counter
    for _ in range(2):
        clock.now()
        launched = launch()
        a @ a
        launched = launch() - launched
        before = clock.now()
        for _ in range(10):
            a @ a
        seconds = clock.now() - before
    # 10 products of 8192^3 MACs: no GPU of 2024 does 5e15 a second in float32.
    assert seconds > 10 * 8192**3 / 5e15
    assert seconds > 10 * launched
