import numpy as np
import pytest

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.frames import Rendered
from vbench.train import samplers
from vbench.train.samplers import (
    Footage,
    following_pair,
    near_pair,
    pair,
    siamfc_usable,
    some_frames,
)

SIZE = (200, 100)


def clip(truth, name="c"):
    decoded = []

    def render(index):
        decoded.append(index)
        return np.full((SIZE[1], SIZE[0], 3), index, np.uint8)

    made = Clip(name, Rendered(len(truth), render), np.array(truth, float), known_size=SIZE)
    return made, decoded


GOOD = [50.0, 30, 40, 40]


def test_only_frames_with_a_box_inside_are_used() -> None:
    absent, outside = [np.nan] * 4, [300.0, 10, 20, 20]
    made, _ = clip([GOOD, absent, GOOD, outside, GOOD])
    assert Footage([made]).frames[0].tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("box", "usable"),
    [
        (GOOD, True),
        ([0.0, 0, 19, 40], False),  # a side below 20 px
        ([0.0, 0, 199, 99], False),  # more than half of the frame
        ([0.0, 0, 100, 20], False),  # five times as wide as high
        ([0.0, 0, 30, 30], True),
    ],
)
def test_siamfcs_filter(box, usable) -> None:
    assert siamfc_usable(np.array([box]), SIZE).tolist() == [usable]


def test_a_share_below_one_percent_is_not_used() -> None:
    assert not siamfc_usable(np.array([[0.0, 0, 20, 20]]), (640, 480))[0]


def test_where_the_filter_leaves_nothing_all_boxes_are_used() -> None:
    made, _ = clip([[10.0, 10, 10, 10]] * 3)
    assert Footage([made], siamfc_usable).frames[0].tolist() == [0, 1, 2]


def test_nothing_to_learn_from_is_said() -> None:
    made, _ = clip([GOOD])
    with pytest.raises(VBenchError, match="no clip of this suite has two frames"):
        Footage([made])


def test_frames_are_decoded_once_while_they_fit(monkeypatch) -> None:
    made, decoded = clip([GOOD] * 4)
    footage = Footage([made])
    for index in (0, 1, 0, 1):
        assert footage.frame(0, index)[0, 0, 0] == index
    assert decoded == [0, 1]
    monkeypatch.setattr(samplers, "MOST_BYTES", 2 * SIZE[0] * SIZE[1] * 3)
    footage.frame(0, 2)
    footage.frame(0, 1)
    footage.frame(0, 0)
    assert decoded == [0, 1, 2, 0]


def test_near_pairs_stay_near_and_go_both_ways() -> None:
    rng, frames = np.random.default_rng(0), np.arange(100, 400, 2)
    ways = [b - a for a, b in (near_pair(rng, frames, 10) for _ in range(3000))]
    assert min(ways) == -20
    assert max(ways) == 20
    assert abs(np.mean(ways)) < 1


def test_following_pairs_go_around_the_end() -> None:
    rng, frames = np.random.default_rng(0), np.array([5, 6, 7, 8])
    found = {following_pair(rng, frames, 3) for _ in range(500)}
    assert found == {(a, 5 + (a - 5 + d) % 4) for a in frames.tolist() for d in range(3)}


def test_a_pair_has_the_right_frames_and_boxes() -> None:
    made, _ = clip([GOOD, [1.0, 2, 30, 40], GOOD])
    found = pair(Footage([made]), 0, (2, 1))
    assert found.template[0, 0, 0] == 2
    assert found.search[0, 0, 0] == 1
    assert found.search_box.tolist() == [1.0, 2, 30, 40]


def test_frames_are_drawn_without_repeats_while_there_are_enough() -> None:
    rng = np.random.default_rng(0)
    assert sorted(some_frames(rng, np.arange(8), 8)) == list(range(8))
    assert len(some_frames(rng, np.arange(3), 8)) == 8
