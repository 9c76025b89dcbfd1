import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.moment import Moment
from vbench.core.policy import POLICIES, parse_policy

GREY = np.zeros((48, 64, 3), np.uint8)
BOX = np.array([[10.0, 10, 8, 8]])


def moment(gap=1, belief=(1.0,), frame=GREY, boxes=BOX, truth=BOX) -> Moment:
    return Moment(gap, frame, GREY, BOX, boxes, np.array(belief), truth)


@given(st.integers(1, 50), st.integers(1, 200))
def test_fixed_is_due_after_k_frames(k: int, gap: int) -> None:
    assert parse_policy(f"fixed:{k}").due(moment(gap)) == (gap >= k)


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=6))
def test_online_believes_if_every_object_does(c: float, belief: list[float]) -> None:
    believed = parse_policy(f"online:{c}:5").believes(moment(belief=belief))
    assert believed == all(b >= c for b in belief)


def test_an_unknown_belief_is_believed() -> None:
    assert parse_policy("online:0.8:5").believes(moment(belief=[np.nan]))


@given(st.floats(0, 1), st.integers(0, 30))
def test_decay_shrinks_scores_geometrically(gamma: float, gap: int) -> None:
    scores = parse_policy(f"decay:5:{gamma}").rescored(np.array([1.0, 0.5]), gap)
    assert scores == pytest.approx([gamma**gap, 0.5 * gamma**gap])


def test_adaptive_keys_when_its_cue_passes_the_threshold() -> None:
    bright = np.full_like(GREY, 51)  # 51 / 255 = 0.2
    assert parse_policy("adaptive:diff:0.1:9").due(moment(frame=bright))
    assert not parse_policy("adaptive:diff:0.3:9").due(moment(frame=bright))
    moved = BOX + [4.0, 0, 0, 0]  # half a box width
    assert not parse_policy("adaptive:move:0.4:9").believes(moment(boxes=moved))
    assert parse_policy("adaptive:move:0.6:9").believes(moment(boxes=moved))
    assert not parse_policy("adaptive:drop:0.3:9").believes(moment(belief=[0.6]))
    assert parse_policy("adaptive:drop:0.5:9").believes(moment(belief=[0.6]))


def test_the_oracle_asks_that_every_true_object_is_met() -> None:
    oracle = parse_policy("oracle:0.5")
    shifted = BOX + [4.0, 0, 0, 0]  # IoU with BOX: 32 / 96 = 1 / 3
    assert oracle.believes(moment())
    assert not oracle.believes(moment(boxes=shifted))
    assert oracle.believes(moment(boxes=shifted, truth=np.full((1, 4), np.nan)))
    assert not oracle.believes(moment(boxes=np.zeros((0, 4))))
    assert oracle.believes(moment(boxes=np.concatenate([shifted, BOX])))


@given(st.integers(1, 60), st.integers(1, 15))
def test_the_middle_of_a_segment_comes_first(frames: int, k: int) -> None:
    policy = parse_policy(f"fixed_middle:{k}")
    order = policy.order(frames).tolist()
    assert sorted(order) == list(range(frames))
    # jiangzhengkai/LSTS keys 4 + 10 i for segments of 10, the last one clipped to the clip.
    keys = [min(s + (k - 1) // 2, frames - 1) for s in range(0, frames, k)]
    assert order[::k] == keys
    # Visited in this order, a keyframe is due exactly when k frames have passed.
    assert policy.due(moment(gap=k)) and (k == 1 or not policy.due(moment(gap=k - 1)))


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_says_what_it_is_and_how_it_is_written(name: str) -> None:
    policy = POLICIES[name]
    assert policy.form.split(":")[0] == name
    assert policy.summary
