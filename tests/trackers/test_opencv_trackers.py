"""OpenCV's trackers: the same boxes as cv2's own, put back into the frame as promised."""

from typing import Any

import cv2
import numpy as np
import pytest

from vbench.core.errors import ClipFailed, NotReady
from vbench.core.roles import Reseatable, Seated
from vbench.trackers import opencv
from vbench.trackers.opencv import KINDS, OpenCvPropagator, OpenCvTracker, kcf_macs, mosse_macs

BOX = np.array([120.0, 90.0, 40.0, 32.0])
SCENE = cv2.resize(
    np.random.default_rng(8).integers(0, 256, (60, 80, 3), dtype=np.uint8), (320, 240)
)
NAMES = sorted(KINDS)


def moved(dx, dy):
    return np.roll(SCENE, (dy, dx), axis=(0, 1))


def bgr(frame):
    return np.ascontiguousarray(frame[..., ::-1])


def followed(tracker, steps, box=BOX):
    tracker.start(SCENE, box)
    return [tracker.track(moved(*step)) for step in steps]


STEPS = [(2, 1), (4, 2), (6, 3), (8, 4)]


@pytest.mark.parametrize("name", ["csrt", "mosse", "medianflow", "kcf"])
def test_boxes_are_those_of_cv2(name):
    opencv: Any = cv2
    theirs = {
        "csrt": lambda: opencv.TrackerCSRT_create(),
        "kcf": lambda: opencv.TrackerKCF_create(),
        "mosse": lambda: opencv.legacy.TrackerMOSSE_create(),
        "medianflow": lambda: opencv.legacy.TrackerMedianFlow_create(),
    }[name]()
    theirs.init(bgr(SCENE), (120, 90, 40, 32))
    if name == "kcf":
        theirs.update(bgr(SCENE))
    last = BOX
    for step, found in zip(STEPS, followed(OpenCvTracker(name), STEPS), strict=True):
        ok, rect = theirs.update(bgr(moved(*step)))
        last = np.array(rect, dtype=np.float64) if ok else last
        np.testing.assert_allclose(found.box, last, atol=1e-9)
        assert found.score == float(ok)
        assert found.extras == {"found": float(ok)}


@pytest.mark.parametrize("name", ["csrt", "medianflow", "kcf", "mil"])
def test_a_moving_target_is_followed(name):
    for step, found in zip(STEPS, followed(OpenCvTracker(name), STEPS), strict=True):
        np.testing.assert_allclose(found.box[:2], BOX[:2] + np.array(step), atol=4)


@pytest.mark.parametrize("name", ["csrt", "kcf", "medianflow"])
def test_the_fraction_that_rounding_takes_is_put_back(name):
    given = BOX + [0.3, -0.4, 0.25, 0.0]
    tracker = OpenCvTracker(name)
    tracker.start(SCENE, given)
    # Nothing moves: the answer is the target as it was given, not a rounded one.
    tolerance = 0.05 if name == "medianflow" else 1e-9
    if name == "csrt":
        tolerance = 1.1  # its own scale search and rounding
    np.testing.assert_allclose(tracker.track(SCENE).box, given, atol=tolerance)


def test_a_lost_target_is_answered_by_the_last_box_and_score_0():
    tracker = OpenCvTracker("kcf")
    first, second = followed(tracker, [(2, 1), (4, 2)])
    flat = np.full_like(SCENE, 128)
    lost = tracker.track(flat)
    np.testing.assert_array_equal(lost.box, second.box)
    assert (first.score, second.score, lost.score) == (1, 1, 0)


@pytest.mark.parametrize("name", ["csrt", "kcf", "medianflow", "mil"])
def test_reseat_moves_the_search(name):
    told, lost = OpenCvTracker(name), OpenCvTracker(name)
    far = (90, 60)
    for tracker in (told, lost):
        followed(tracker, STEPS[:1])
    own = told.reseat(BOX + [*far, 0, 0])
    around = BOX + [*far, 0, 0] if own is None else own
    np.testing.assert_allclose(around[:2] + around[2:] / 2, [230, 166], atol=0.51)
    step = far[0] + 2, far[1] + 1
    np.testing.assert_allclose(told.track(moved(*step)).box[:2], BOX[:2] + np.array(step), atol=3)
    assert np.abs(lost.track(moved(*step)).box[:2] - BOX[:2] - step).max() > 30


@pytest.mark.parametrize("name", ["csrt", "kcf", "medianflow", "mil"])
def test_reseat_to_the_own_answer_changes_nothing(name):
    plain, reseated = OpenCvTracker(name), OpenCvTracker(name)
    plain.start(SCENE, BOX)
    reseated.start(SCENE, BOX)
    for step in STEPS:
        found = reseated.track(moved(*step))
        np.testing.assert_array_equal(found.box, plain.track(moved(*step)).box)
        assert reseated.reseat(found.box) is None


def test_roles():
    assert all(isinstance(OpenCvTracker(name), Reseatable) for name in NAMES)
    assert isinstance(OpenCvPropagator("kcf"), Seated)


def test_reseat_shifts_the_view_by_whole_pixels_and_repeats_the_border():
    tracker = OpenCvTracker("kcf")
    tracker.start(SCENE, BOX)
    tracker.reseat(BOX + [100.4, -30.2, 0, 0])
    rows, columns = np.clip(np.arange(240) - 30, 0, 239), np.clip(np.arange(320) + 100, 0, 319)
    np.testing.assert_array_equal(tracker._search._view(SCENE), SCENE[np.ix_(rows, columns)])


class Drift:
    """Stands in for OpenCV: moves its rectangle by (3, 2) px a frame."""

    def init(self, view, rect):
        self.rect = np.array(rect, dtype=np.float64)
        assert self.rect[2:].min() >= 1

    def update(self, view):
        self.rect = self.rect + [3, 2, 0, 0]
        return True, tuple(self.rect)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "box",
    [
        [-10.4, 50, 36.3, 28],
        [300, 220.5, 60, 70],
        [100.2, 100, 1, 0.5],
        [0, 0, 320, 240],
        [-900, -900, 2000, 2000],
    ],
)
def test_what_is_done_to_the_first_box_is_undone_for_every_answer(name, box):
    tracker, box = OpenCvTracker(name), np.array(box, dtype=np.float64)
    tracker._search._create = Drift
    tracker.start(SCENE, box)
    late = KINDS[name].learns_late
    moves = np.array([3.0, 2, 0, 0])
    for step in (1, 2):
        found = tracker.track(SCENE)
        np.testing.assert_allclose(found.box, box + (step + late) * moves, atol=1e-9)
    tracker.reseat(found.box + [50, -7, 0, 0])
    np.testing.assert_allclose(tracker.track(SCENE).box, found.box + [53, -5, 0, 0], atol=1e-9)


@pytest.mark.parametrize("rect", [(0, 0, 0, 0), (np.nan, 1, 2, 3), (1, 2, 3, np.inf)])
def test_a_rectangle_without_area_counts_as_lost(rect, monkeypatch):
    tracker = OpenCvTracker("medianflow")
    tracker._search._create = Drift
    tracker.start(SCENE, BOX)
    monkeypatch.setattr(Drift, "update", lambda self, view: (True, rect))
    found = tracker.track(SCENE)
    np.testing.assert_array_equal(found.box, BOX)
    assert found.score == 0


def test_an_error_inside_opencv_counts_as_lost(monkeypatch):
    tracker = OpenCvTracker("csrt")
    tracker._search._create = Drift
    tracker.start(SCENE, BOX)

    def refuse(self, view):
        raise cv2.error("roi out of the image")

    monkeypatch.setattr(Drift, "update", refuse)
    found = tracker.track(SCENE)
    np.testing.assert_array_equal(found.box, BOX)
    assert found.score == 0


@pytest.mark.parametrize("name", ["mil", "csrt"])
def test_a_grown_box_is_answered_at_the_size_it_was_given(name):
    found = followed(OpenCvTracker(name), STEPS[:1], np.array([150.0, 100.0, 2.0, 1.0]))[0]
    np.testing.assert_allclose(found.box[2] / found.box[3], 2, rtol=0.01)
    assert found.box[3] <= 1.5


def test_mil_sees_a_rim_around_a_target_that_fills_the_frame():
    tracker = OpenCvTracker("mil")
    tracker.start(SCENE, np.array([0.0, 0.0, 320.0, 240.0]))
    view = tracker._search._view(SCENE)
    assert view.shape == (240 + 64, 320 + 64, 3)
    np.testing.assert_array_equal(view[32:-32, 32:-32], SCENE)


@pytest.mark.parametrize("box", [[10, 10, 0, 5], [np.nan, 1, 2, 3], [900, 10, 20, 20]])
@pytest.mark.parametrize("name", NAMES)
def test_a_box_with_nothing_of_the_frame_fails_the_clip(name, box):
    with pytest.raises(ClipFailed, match=f"{name} cannot start on"):
        OpenCvTracker(name).start(SCENE, np.array(box, dtype=np.float64))


def test_opencv_s_refusal_to_start_is_one_line():
    with pytest.raises(ClipFailed, match="csrt cannot start on") as caught:
        OpenCvTracker("csrt").start(SCENE, np.array([20.0, 100.0, 300.0, 1.0]))
    assert "\n" not in str(caught.value)


def test_the_seed_alone_decides_what_mil_draws():
    def boxes(seed):
        cv2.setRNGSeed(np.random.default_rng().integers(1000).item())
        return [found.box.tobytes() for found in followed(OpenCvTracker("mil", seed), STEPS)]

    assert boxes(1) == boxes(1)
    assert len({tuple(boxes(seed)) for seed in range(4)}) > 1


def test_an_opencv_without_contrib_is_named(monkeypatch):
    monkeypatch.setattr(opencv.cv2, "legacy", None)
    with pytest.raises(NotReady, match="opencv-contrib-python-headless"):
        OpenCvTracker("mosse")
    with pytest.raises(NotReady, match="opencv-contrib-python-headless"):
        OpenCvPropagator("medianflow")


def test_the_propagator_tracks_every_object_for_itself():
    boxes = np.array([BOX, [np.nan] * 4, [200.0, 40.0, 30.5, 50.0], [900.0, 9, 9, 9]])
    carrier = OpenCvPropagator("kcf")
    carrier.anchor(SCENE, boxes)
    for dx in (1, 2):
        found, belief = carrier.propagate(moved(dx, 0))
        np.testing.assert_allclose(found[[0, 2]], boxes[[0, 2]] + [dx, 0, 0, 0], atol=1e-9)
        assert belief.tolist() == [1, 0, 1, 0]
        assert np.isnan(found[1]).all()
        np.testing.assert_array_equal(found[3], boxes[3])
    lost, belief = carrier.propagate(np.full_like(SCENE, 128))
    np.testing.assert_array_equal(lost, found)
    assert not belief.any()


def test_the_propagator_searches_where_it_is_seated():
    carrier = OpenCvPropagator("kcf")
    carrier.anchor(SCENE, BOX[None])
    carrier.seat((BOX + [90, 60, 0, 0])[None])
    found, belief = carrier.propagate(moved(91, 62))
    np.testing.assert_array_equal(found[0], BOX + [91, 62, 0, 0])
    assert belief[0] == 1


def test_work_is_given_where_it_can_be_and_named_where_not():
    for name in NAMES:
        tracker = OpenCvTracker(name)
        tracker.start(SCENE, BOX)
        table = tracker.work()
        counted = name in ("kcf", "mosse")
        assert set(table) == ({"start", "track", "found"} if counted else {"start", "track"})
        for (part,) in table.values():
            assert part.uncounted
            assert (part.macs is not None) == counted


def test_work_of_kcf_and_mosse_by_hand():
    # A target of 16 x 16: KCF's window is 32 x 32 = 1024 px, log2 = 10.
    _, detect, learn = kcf_macs((16, 16), (100, 100))
    assert detect == 1024 * (9 * 10 + 3 + 11 + 40 + 20 + 6)
    assert learn == 1024 * (8 * 10 + 3 + 11 + 100 + 20 + 20 + 6 + 30)
    # Above 80 x 80 px both sides and the whole frame are halved.
    large, small = kcf_macs((128, 128), (640, 480)), kcf_macs((64, 64), (640, 480))
    assert large[1] - small[1] == 4 * 3 * 320 * 240
    # MOSSE grows 17 to the next size that OpenCV transforms well, 18.
    assert mosse_macs((17, 17), (100, 100)) == mosse_macs((18, 18), (100, 100))
