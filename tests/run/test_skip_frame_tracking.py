"""Networks that follow one target, as bases under every policy, with every propagator."""

from dataclasses import replace

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import inside_share
from vbench.core.clip import Clip
from vbench.core.frames import ChosenFrames
from vbench.core.policy import parse_policy
from vbench.core.trace import Kind
from vbench.cost.stopwatch import FakeClock
from vbench.run.compose import compose, plan
from vbench.run.loop import run_clip

FRAMES = 7
BASES = (
    "siamfc[width=0.0625,scales=1]",
    "siamrpn[width=0.03125]",
    "siamrpn-paper[width=0.0625]",
    "dasiamrpn[width=0.03125]",
    "dasiamrpn-vot[width=0.0625]",
    "dasiamrpn-otb[width=0.0625]",
    "siamrpn-alex-dw[width=0.0625]",
    "mdnet[width=0.0625,samples=0.02,candidates=16]",
    "rt-mdnet[width=0.0625,samples=0.02,candidates=16]",
    "fdn[width=0.0625,samples=0.02,candidates=16,short_px=200]",
    "nanotrack",
)
POLICIES = ("every", "fixed:3", "fixed_middle:3", "online:0.6:3", "decay:3:0.9",
            "adaptive:diff:0.02:3", "adaptive:move:0.1:3", "adaptive:drop:0.4:3", "oracle:0.7:3",
            "dort:0.6:3")  # fmt: skip
PROPAGATORS = ("dummy", "kalman", "lk", "dis", "kcf", "kcf-opencv", "full-template",
               "patch-aggregation", "patchnet", "patchnet-g",
               "siamfc[width=0.0625]")  # fmt: skip


@pytest.fixture(scope="module")
def walk() -> Clip:
    """The first frames of a rendered clip, rendered once."""
    whole = catalogue.open_suite("synth-sot", None, None).only(["pan"]).clips[0]
    rendered = ChosenFrames([whole.frames[t] for t in range(FRAMES)], np.arange(FRAMES))
    return replace(whole, frames=rendered, truth=whole.truth[:FRAMES], frame_tags={})


def ran(method, clip):
    composed = compose(plan(method), lambda part, name: None)
    return run_clip(composed.stepper, composed.policy, clip, FakeClock(0.1).now)


def checked(trace, clip, policy) -> None:
    k = parse_policy(policy).interval_max
    assert np.isfinite(trace.boxes).all()
    assert (inside_share(trace.boxes, clip.size) > 0).all()
    seen = np.flatnonzero(trace.kind != Kind.INTER)
    if policy != "fixed_middle:3":
        assert np.diff([*seen, FRAMES]).max() <= (k or FRAMES)


@pytest.mark.parametrize("base", BASES)
def test_a_base_works_under_every_policy(walk, base) -> None:
    """With another propagator under each, which is another one for the next base."""
    first = BASES.index(base)
    for index, policy in enumerate(POLICIES):
        propagator = PROPAGATORS[(first + index) % len(PROPAGATORS)]
        checked(ran(f"{base}+{propagator}@{policy}", walk), walk, policy)


@pytest.mark.parametrize("propagator", PROPAGATORS)
def test_a_propagator_works_under_every_policy(walk, propagator) -> None:
    for policy in POLICIES:
        checked(ran(f"hold+{propagator}@{policy}", walk), walk, policy)


def test_a_base_goes_on_from_where_the_target_was_carried(walk) -> None:
    carried, left = (ran(f"siamfc[width=0.0625]+{p}@fixed:3", walk) for p in ("lk", "dummy"))
    key = int(carried.key_frames[1])
    assert np.array_equal(carried.boxes[0], left.boxes[0])
    # What was searched differs, and so does what was found.
    assert not np.allclose(carried.boxes[key], left.boxes[key])
