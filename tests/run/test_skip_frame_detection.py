"""A detector with each propagator that needs no weights, under every policy, on rendered video."""

from dataclasses import replace

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import inside_share
from vbench.core.clip import Clip
from vbench.core.errors import NotReady
from vbench.core.frames import ChosenFrames
from vbench.core.policy import parse_policy
from vbench.core.trace import Kind
from vbench.cost.stopwatch import FakeClock
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_map import score_vid
from vbench.metrics.vid_profiles import VID_PROFILES
from vbench.run.compose import compose, plan
from vbench.run.loop import run_clip

FRAMES = 24
POLICIES = ("every", "fixed:6", "online:0.6:6", "decay:6:0.9", "adaptive:diff:0.02:6",
            "adaptive:move:0.1:6", "adaptive:drop:0.4:6", "oracle:0.7:6", "dort:0.6:6")  # fmt: skip


@pytest.fixture(scope="module")
def scene() -> Clip:
    """The first frames of a rendered clip, rendered once."""
    whole = catalogue.open_suite("synth-vid", None, None).only(["rush"]).clips[0]
    rendered = [whole.frames[t] for t in range(FRAMES)]
    assert whole.objects is not None
    early = whole.objects.frame < FRAMES
    names = ("frame", "boxes", "labels", "tracks", "ignore")
    cut = {name: getattr(whole.objects, name)[early] for name in names}
    objects = replace(whole.objects, **cut)
    return replace(whole, frames=ChosenFrames(rendered, np.arange(FRAMES)), objects=objects)


def no_weights(part, name):
    raise NotReady(f"{part} wants {name}")


def ran(method, scene):
    composed = compose(plan(method), no_weights)
    return run_clip(composed.stepper, composed.policy, scene, FakeClock(0.1).now)


def map50(trace, scene) -> float:
    truths = VidTruths.of([scene.objects], [len(scene)])
    rules = VID_PROFILES["vid-coco"]
    return score_vid(truths, VidAnswers.of([trace]), rules, 5, ranges=False).columns["map50"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_keys_no_later_than_it_says(scene, policy) -> None:
    trace = ran(f"blobs+lk@{policy}", scene)
    k = parse_policy(policy).interval_max
    assert np.diff([*trace.key_frames, FRAMES]).max() <= k
    assert (inside_share(trace.boxes, scene.size) > 0.99).all()
    carried = trace.kind == Kind.INTER
    assert carried.any() == (policy != "every")
    assert np.isfinite(trace.scores).all()


@pytest.mark.parametrize("propagator", ["dummy", "kalman", "lk", "dis", "kcf", "full-template"])
def test_objects_are_carried_on_all_frames_between(scene, propagator) -> None:
    trace = ran(f"blobs+{propagator}@fixed:6", scene)
    assert trace.key_frames.tolist() == [0, 6, 12, 18]
    keyed = trace.objects[np.repeat(trace.key_frames, 6)]
    assert (trace.objects <= keyed).all()
    assert np.isin(trace.labels, np.arange(5)).all()


def test_carried_scores_decay(scene) -> None:
    plain, decayed = (ran(f"blobs+dummy@{p}", scene) for p in ("fixed:6", "decay:6:0.5"))
    gap = np.repeat(np.arange(FRAMES) % 6, plain.objects)
    assert decayed.scores == pytest.approx(plain.scores * 0.5**gap)


def test_following_pixels_beats_standing_still(scene) -> None:
    still = map50(ran("blobs+dummy@fixed:12", scene), scene)
    for propagator in ("lk", "dis"):
        assert map50(ran(f"blobs+{propagator}@fixed:12", scene), scene) > still


def test_tracks_are_linked_along_what_was_carried(scene) -> None:
    plain = ran("blobs+lk@fixed:3", scene)
    linked = ran("blobs+lk+seq-track-nms@fixed:3", scene)
    assert linked.key_frames.tolist() == plain.key_frames.tolist()
    assert len(linked.boxes) <= len(plain.boxes)
    assert set(map(tuple, linked.boxes)) <= set(map(tuple, plain.boxes))
