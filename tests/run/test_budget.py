"""`budget:most[:k]`: the threshold that a run finds, and that it keeps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.run.scripted import Carrier, Walker, clip
from vbench.core.errors import BadMethod, VBenchError
from vbench.core.frames import ChosenFrames
from vbench.core.method import parse_method
from vbench.core.policy import Budget, Online, Spend, parse_policy
from vbench.core.roles import Weights
from vbench.core.suite import Card, Suite
from vbench.cost.stopwatch import FakeClock
from vbench.run.bench import Order, run
from vbench.run.budget import as_found, highest, within_budget
from vbench.run.compose import Composed, plan
from vbench.run.loop import run_clip
from vbench.run.request import Request
from vbench.run.stepper import TrackerStepper
from vbench.store.run_folder import RunFolder

# A keyframe costs 300 + 5 MACs, a carried frame 11, one that is not believed both.
BELIEFS = [0.9, 0.8, 0.3, 0.9, 0.6, 0.9, 0.4, 0.7, 0.9]


def composed(most: float | str, k: int) -> Composed:
    method = parse_method(f"walker+carrier@budget:{most}:{k}")
    assert method.policy is not None
    return Composed(method, "sot", method.policy, TrackerStepper(Walker(), Carrier(BELIEFS)))


def trace_of(method: Composed, one, /, timed=False):
    return run_clip(method.stepper, method.policy, one, FakeClock().now)


class Clock:
    """Time that models pass by themselves."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


class SlowWalker(Walker):
    """29 or 31 ms a frame."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def track(self, frame):
        self.clock.seconds += 0.029 if frame[0, 0, 0] % 2 else 0.031
        return super().track(frame)


class SlowCarrier(Carrier):
    """1 ms a frame."""

    def __init__(self, beliefs, clock: Clock) -> None:
        super().__init__(beliefs)
        self.clock = clock

    def propagate(self, frame):
        self.clock.seconds += 0.001
        return super().propagate(frame)


def spent_ms(policy) -> float:
    """Milliseconds a frame after the start under the scripted beliefs, counted by hand."""
    return spent(policy, 30.0, 1.0)


@pytest.mark.parametrize("ms", [6, 10, 15, 29, 100])
def test_a_budget_of_time_goes_by_the_mean_of_each_half(ms) -> None:
    clock = Clock()
    asked: list[str] = []

    def slow_trace_of(method: Composed, one, /, timed=False):
        if timed:
            asked.append(str(method.policy))
        return run_clip(method.stepper, method.policy, one, clock.now)

    stepper = TrackerStepper(SlowWalker(clock), SlowCarrier(BELIEFS, clock))
    method = replace(composed(f"{ms}ms", 100), stepper=stepper)
    found = within_budget(method, [clip(len(BELIEFS))], slow_trace_of)
    assert isinstance(found.policy, Online)
    assert asked == ["online:1:100"]
    assert spent_ms(found.policy) <= ms
    higher = Online(min(found.policy.c + 1e-3, 1.0), 100)
    assert found.policy.c == 1 or spent_ms(higher) > ms


def test_a_budget_of_time_wants_a_clock(tmp_path: Path) -> None:
    suite = Request.read(suite="synth-sot", out=tmp_path).open_suite()
    order = Order(suite.only(["calm"]), [plan("hold+dummy@budget:5ms")], timing=False)
    failed = run(order, RunFolder(tmp_path), no_weights).failed
    assert [why.partition(": ")[2] for why in failed.values()] == [
        "a budget in ms wants a run with timing"
    ]


def test_seconds_that_nobody_knows_are_no_budget() -> None:
    def untimed(method: Composed, one, /, timed=False):
        trace = trace_of(method, one)
        return replace(trace, seconds=trace.seconds * np.nan)

    with pytest.raises(VBenchError, match="nobody knows its seconds"):
        within_budget(composed("5ms", 2), [clip(len(BELIEFS))], untimed)


def spent(policy, key: float = 305.0, inter: float = 11.0) -> float:
    """MACs a frame after the start under the scripted beliefs, counted by hand."""
    total, gap = 0.0, 0
    for belief in BELIEFS[1:]:
        gap += 1
        if gap == policy.k:
            total, gap = total + key, 0
        elif belief < policy.c:
            total, gap = total + key + inter, 0
        else:
            total += inter
    return total / (len(BELIEFS) - 1)


@pytest.mark.parametrize("macs", [60, 100, 150, 300, 1000])
def test_the_highest_threshold_within_the_budget_is_found(macs) -> None:
    found = within_budget(composed(macs / 1e9, 100), [clip(len(BELIEFS))], trace_of)
    assert isinstance(found.policy, Online)
    assert spent(found.policy) <= macs
    higher = Online(min(found.policy.c + 1e-3, 1.0), 100)
    assert found.policy.c == 1 or spent(higher) > macs
    assert str(found.method) == f"walker+carrier@{found.policy}"


def test_a_budget_that_k_alone_exceeds_is_refused() -> None:
    with pytest.raises(VBenchError, match="a keyframe every 2 frames alone costs"):
        within_budget(composed(50e-9, 2), [clip(len(BELIEFS))], trace_of)


def test_a_budget_wants_known_costs() -> None:
    class Silent(Walker):
        work: Any = None

    carrier = Carrier(BELIEFS)
    method = replace(composed(50e-9, 2), stepper=TrackerStepper(Silent(), carrier))
    with pytest.raises(VBenchError, match="nobody knows silent"):
        within_budget(method, [clip(len(BELIEFS))], trace_of)


@given(st.integers(1, 500), st.integers(0, 500))
def test_the_highest_that_fits(most, last) -> None:
    assert highest(most, lambda number: number <= last) == min(most, last)


def test_it_is_written_with_or_without_k() -> None:
    assert parse_policy("budget:0.5") == Budget(Spend(0.5))
    assert parse_policy("budget:0.5:7") == Budget(Spend(0.5), 7)
    assert parse_policy("budget:12ms:7") == Budget(Spend(12, "ms"), 7)
    for text in ("budget:0.5:7", "budget:12", "budget:12.5ms:7", "budget:0.0001ms"):
        assert str(parse_policy(text)) == text
    assert (Budget(Spend(0.5)).interval_max, Budget(Spend(0.5), 7).interval_max) == (10, 7)
    with pytest.raises(BadMethod, match="ms = '-1' must be a number from 0"):
        parse_policy("budget:-1ms")
    with pytest.raises(
        BadMethod, match="GMAC, or with ms behind it, = '-1' must be a number from 0"
    ):
        parse_policy("budget:-1")


def no_weights(part: str, name: str) -> Weights | None:
    raise AssertionError(f"{part} wants {name}")


def test_a_run_finds_it_once_and_keeps_it(tmp_path: Path) -> None:
    whole = Request.read(suite="synth-sot", out=tmp_path).open_suite().clips[0]
    short = replace(whole, frames=ChosenFrames(whole.frames, np.arange(25)), truth=whole.truth[:25])
    suite = Suite(Card("short", "Short", "sot", 1), [short])
    order = Order(suite, [plan("kcf+kcf@budget:0.02:10")], timing=False)
    folder = RunFolder(tmp_path)
    name = "kcf+kcf@budget:0.02:10"
    first = run(order, folder, no_weights).manifest.methods[name]
    policy = parse_policy(first.policy)
    assert isinstance(policy, Online) and policy.k == 10
    assert first.interval_max == 10
    trace = folder.trace(first, suite.clips[0].name)
    again = run(order, folder, no_weights)
    assert (again.ran, again.kept) == (0, 1)
    assert again.manifest.methods[name].policy == first.policy
    # By hand: what the threshold stands for gives the very same boxes.
    direct = run(
        Order(suite, [plan(f"kcf+kcf@{policy}")], timing=False),
        RunFolder(tmp_path / "x"),
        no_weights,
    )
    same = RunFolder(tmp_path / "x").trace(
        direct.manifest.methods[f"kcf+kcf@{policy}"], suite.clips[0].name
    )
    assert trace is not None and same is not None
    assert np.array_equal(trace.boxes, same.boxes)


def test_what_an_earlier_run_found_is_taken_over() -> None:
    method = composed(0.5, 7)
    assert as_found(method, "online:0.4:7").policy == Online(0.4, 7)
    assert as_found(method, "budget:0.5:7") is method
