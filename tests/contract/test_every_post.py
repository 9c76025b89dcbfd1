import numpy as np
import pytest

from tests.contract.models import plain_names
from vbench import catalogue
from vbench.core.roles import Detections, Post, TrackPost

NAMES = plain_names("posts")


@pytest.fixture(scope="module", params=NAMES)
def post(request):
    return catalogue.build("posts", request.param)


def clip(frames: int = 6, objects: int = 12):
    rng = np.random.default_rng(2)
    start = rng.uniform(0, 200, (objects, 2))
    return [
        Detections(
            np.concatenate([start + 2 * t + rng.normal(0, 3, start.shape), start * 0 + 40], axis=1),
            rng.uniform(0, 1, objects),
            np.arange(objects) % 3,
        )
        for t in range(frames)
    ]


def empty(frames: int = 4):
    return [Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))] * frames


def applied(post, found):
    if isinstance(post, TrackPost):
        return post.apply_tracked(found, [d.boxes + [2, 2, 0, 0] for d in found[:-1]])
    return post.apply(found)


def same(a, b) -> bool:
    pairs = [(x, y) for one, two in zip(a, b, strict=True) for x, y in zip(one, two, strict=True)]
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def test_it_is_a_post_processing(post) -> None:
    assert isinstance(post, Post)


def test_a_frame_stays_a_frame_and_keeps_boxes_of_its_own(post) -> None:
    given = clip()
    for before, after in zip(given, applied(post, given), strict=True):
        assert len(after.boxes) == len(after.scores) == len(after.labels)
        assert {(*b, k) for b, k in zip(map(tuple, after.boxes), after.labels, strict=True)} <= {
            (*b, k) for b, k in zip(map(tuple, before.boxes), before.labels, strict=True)
        }
        assert ((after.scores >= 0) & (after.scores <= 1)).all()


def test_something_is_left_of_every_clip_that_had_something(post) -> None:
    assert sum(len(found.boxes) for found in applied(post, clip())) > 0


def test_answers_repeat_byte_for_byte_and_leave_the_input_alone(post) -> None:
    given = clip()
    first = applied(post, given)
    applied(post, clip(2, 5))
    assert same(first, applied(post, given))
    assert same(given, clip())


def test_frames_without_detections_stay_empty(post) -> None:
    assert same(applied(post, empty()), empty())
    mixed = [*clip(2), *empty(1), *clip(2)]
    assert len(applied(post, mixed)[2].boxes) == 0


def test_a_clip_of_one_frame_and_of_none_is_survived(post) -> None:
    assert len(applied(post, clip(1))) == 1
    assert post.apply([]) == []


def test_boxes_without_a_size_are_survived(post) -> None:
    flat = [d._replace(boxes=d.boxes * [1, 1, 0, 0]) for d in clip()]
    one_pixel = [d._replace(boxes=np.round(d.boxes) * [1, 1, 0, 0] + [0, 0, 1, 1]) for d in clip()]
    for given in (flat, one_pixel):
        assert all(np.isfinite(found.scores).all() for found in applied(post, given))


@pytest.mark.parametrize("name", NAMES)
def test_its_entry_tells_what_it_is(name) -> None:
    entry = catalogue.table("posts")[name]
    assert 10 < len(entry.summary) < 120
    assert "\n" not in entry.summary
