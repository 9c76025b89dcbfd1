"""Every tracker that can be reseated, under every policy, with every propagator.

Of each of these the frames on which the base ran are held against the policy's own rule, and what
the base was told against what was answered.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import cv2
import numpy as np
import pytest

from tests.contract.models import plain_names
from tests.run.remembering import Remembering
from vbench import catalogue
from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.frames import Rendered
from vbench.core.policy import POLICIES
from vbench.core.trace import Kind, Trace
from vbench.cost.stopwatch import FakeClock
from vbench.run.budget import within_budget
from vbench.run.compose import Composed, check, compose, plan
from vbench.run.loop import run_clip

# As narrow as they can be made: what is tested is who is called when, not what they know.
NARROW = {"width": "0.03125", "short_px": "64", "scales": "1"}
LEARNING = {"samples": "0.02", "candidates": "8", "stop": "100"}
WIDER = {name: {"width": "0.0625"} for name in ("siamfc", "siamfc-boosted")}
K, FRAMES, SIDE, STEP, CHANGE = 2, 4, 64, 4, 1
WORN = ("every", "fixed:2", "decay:2:0.9", "online:0.6:2", "budget:1000000ms:2",
        "adaptive:diff:0.1:2", "adaptive:move:0.2:2", "adaptive:drop:0.4:2",
        "oracle:0.5:2", "oracle:0.2", "dort:0.6:2")  # fmt: skip


def slim(kind: str, name: str) -> str:
    """The name with the parameters that make it small."""
    own = catalogue.parameters(kind, name)
    wanted = {**NARROW, **LEARNING, **WIDER.get(name, {})}
    given = ",".join(f"{key}={value}" for key, value in wanted.items() if key in own)
    return f"{name}[{given}]" if given else name


RESEATING = [n for n in plain_names("trackers") if hasattr(catalogue.load("trackers", n), "reseat")]
PROPAGATORS = [slim("propagators", name) for name in plain_names("propagators")]


def rendered(index: int) -> Any:
    """A target on flat ground that moves by a quarter of its width; the ground lights up once."""
    frame = np.full((SIDE, SIDE, 3), 90 + 60 * (index >= CHANGE), np.uint8)
    frame[0, 0, 0] = index
    patch = np.random.default_rng(3).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    frame[24:40, 20 + STEP * index : 36 + STEP * index] = cv2.resize(patch, (16, 16))
    return frame


@pytest.fixture(scope="module")
def walk() -> Clip:
    frames = [rendered(index) for index in range(FRAMES)]
    truth = np.array([[20.0 + STEP * index, 24, 16, 16] for index in range(FRAMES)])
    return Clip("walk", Rendered(FRAMES, frames.__getitem__), truth=truth, known_size=(SIDE, SIDE))


@pytest.fixture(scope="module")
def made() -> Iterator[dict[Any, Remembering]]:
    """Each model is built once and remembers what it answered."""
    models: dict[Any, Remembering] = {}
    build = catalogue.build

    def once(kind, name, given, **context):
        key = (kind, name, *given.items())
        if key not in models:
            models[key] = Remembering(build(kind, name, given, **context))
        return models[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "build", once)
        yield models


def no_weights(part: str, name: str) -> None:
    """Nothing is learnt here."""


def traced(composed: Composed, clip: Clip, timed: bool = False) -> Trace:
    for part in composed.stepper.parts():
        part.begin()
    return run_clip(composed.stepper, composed.policy, clip, FakeClock(0.1).now)


@pytest.mark.parametrize("name", RESEATING)
def test_a_tracker_under_every_policy_with_every_propagator(walk, made, name) -> None:
    seen: dict[str, set[int]] = {policy: set() for policy in WORN}
    for propagator, policy in product(PROPAGATORS, WORN):
        method = f"{slim('trackers', name)}+{propagator}@{policy}"
        planned = plan(method)
        check(planned, no_weights)
        composed = within_budget(compose(planned, no_weights), [walk], traced)
        trace = traced(composed, walk)
        tracker, carrier = composed.stepper.parts()
        kinds = [Kind(kind) for kind in trace.kind]
        assert kinds == due(policy, trace, propagated(carrier), walk), method
        assert np.isfinite(trace.boxes).all(), method
        assert (trace.boxes[:, 2:] > 0).all(), method
        told_right(trace, tracker, carrier)
        seen[policy] |= set(trace.kind.tolist())
    # Otherwise a rule that never believes, or always, would go unnoticed.
    for policy in WORN[3:]:
        keys = {Kind.KEY} if ":diff:" in policy else {Kind.FALLBACK}
        assert {Kind.INTER, *keys} <= seen[policy], policy


def due(policy: str, trace: Trace, carried: dict[int, Any], clip: Clip) -> list[int]:
    """Kind of each frame by the policy's own rule: the base ran on those that are not INTER."""
    name, *values = policy.split(":")
    kinds: list[int] = [Kind.START]
    key = 0
    for t in range(1, FRAMES):
        if is_due(name, values, key, t):
            kind = Kind.KEY
        else:
            believed = is_believed(name, values, carried[t], trace.boxes[key], clip.truth[t])
            kind = Kind.INTER if believed else Kind.FALLBACK
        kinds.append(kind)
        key = key if kind == Kind.INTER else t
    return kinds


def is_due(name: str, values: list[str], key: int, t: int) -> bool:
    """Whether a keyframe is due on frame t, before anything was carried there."""
    if name == "every" or (values[:1] == ["diff"] and key < CHANGE <= t):
        return True
    return t - key >= K and (name, len(values)) != ("oracle", 1)


def is_believed(name: str, values: list[str], carried: Any, then: Any, truth: Any) -> bool:
    """Whether one carried box is good enough; `then` is where it was on the keyframe."""
    (box,), (belief,) = carried
    if name in ("online", "dort", "budget"):
        # More milliseconds than there can be buy the highest threshold.
        return not belief < (1.0 if name == "budget" else float(values[0]))
    if name == "oracle":
        return overlap(box, truth) >= float(values[0])
    if values[:1] == ["move"]:
        return (np.abs(middle(box) - middle(then)) / then[2:]).max() <= float(values[1])
    return values[:1] != ["drop"] or not 1 - belief > float(values[1])


def middle(box):
    return box[:2] + box[2:] / 2


def overlap(a, b) -> float:
    sides = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    inner = float(np.prod(np.maximum(sides, 0)))
    return inner / (float(a[2] * a[3] + b[2] * b[3]) - inner)


def told_right(trace: Trace, tracker: Remembering, carrier: Remembering) -> None:
    """The base sees keyframes alone, and is told of what was carried on all others."""
    told, expected = [], []
    for name, content, _ in tracker.asked:
        told.append((name, content if name == "track" else content.tolist()))
    for t, (kind, box) in enumerate(zip(trace.kind, trace.boxes, strict=True)):
        if kind == Kind.INTER:
            expected.append(("reseat", box.tolist()))
        else:
            expected.append(("track", t) if t else ("start", box.tolist()))
    assert told == expected
    # The cheap half starts anew on keyframes, from what the base answered.
    anchors = [content[0].tolist() for name, content, _ in carrier.asked if name == "anchor"]
    assert anchors == trace.boxes[trace.key_frames].tolist()
    if hasattr(carrier, "seat"):
        seats = [answer for name, _, answer in tracker.asked if name == "reseat"]
        seated = [content[0].tolist() for name, content, _ in carrier.asked if name == "seat"]
        assert seated == [seat.tolist() for seat in seats if seat is not None]


def propagated(carrier: Remembering) -> dict[int, Any]:
    """Frame -> what the cheap half answered there."""
    return {t: answer for name, t, answer in carrier.asked if name == "propagate"}


def test_a_tracker_cannot_look_ahead() -> None:
    for name, propagator in product(RESEATING, PROPAGATORS):
        with pytest.raises(VBenchError, match="looks ahead; .* take fixed:k"):
            check(plan(f"{name}+{propagator}@fixed_middle:3"), no_weights)


def test_no_policy_is_left_out() -> None:
    assert {policy.partition(":")[0] for policy in WORN} | {"fixed_middle"} == set(POLICIES)
