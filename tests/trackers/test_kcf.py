"""KCF: its kernel and peak by definition, and what a tracker and a propagator promise."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.core.errors import ClipFailed
from vbench.core.roles import Propagator, Reseatable, Seated, Tracker, Worker
from vbench.trackers.kcf import Kcf, KcfPropagator, Seen, _peak

BOX = np.array([120.0, 90.0, 40.0, 32.0])
SCENE = cv2.GaussianBlur(
    np.random.default_rng(1).integers(0, 256, (240, 320, 3)).astype(np.uint8), (0, 0), 2.5
)


def moved(dx, dy, scene=SCENE):
    return np.roll(scene, (dy, dx), axis=(0, 1))


def shift(dx, dy, box=BOX):
    return box + [dx, dy, 0, 0]


def test_roles():
    assert isinstance(Kcf(), Tracker)
    assert isinstance(Kcf(), Reseatable)
    assert isinstance(Kcf(), Worker)
    assert isinstance(KcfPropagator(), Propagator)
    assert isinstance(KcfPropagator(), Seated)


@settings(max_examples=15, deadline=None)
@given(dx=st.integers(-5, 5), dy=st.integers(-4, 4))
def test_answers_a_shift_of_whole_cells_exactly(dx, dy):
    tracker = Kcf()
    tracker.start(SCENE, BOX)
    np.testing.assert_array_equal(tracker.track(moved(4 * dx, 4 * dy)).box, shift(4 * dx, 4 * dy))


@settings(max_examples=10, deadline=None)
@given(dx=st.integers(-12, 12), dy=st.integers(-10, 10))
@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
def test_grey_values_answer_every_shift_to_a_pixel(kernel, dx, dy):
    tracker = Kcf("gray", kernel)
    tracker.start(SCENE, BOX)
    found = tracker.track(moved(dx, dy)).box
    # The taper stays where it is, which draws the peak of far shifts towards the centre.
    np.testing.assert_allclose(found, shift(dx, dy), atol=1)


def test_a_large_target_is_tracked_at_half_resolution():
    box, tracker = np.array([80.0, 60.0, 120.0, 90.0]), Kcf()
    tracker.start(SCENE, box)
    first = tracker.track(SCENE).box
    assert np.abs(first - box).max() <= 1  # the floor of the centre, halved
    np.testing.assert_array_equal(tracker.track(moved(16, -8)).box, first + [16, -8, 0, 0])


def test_the_score_on_the_learnt_frame_is_the_peak_of_the_label():
    tracker = Kcf()
    tracker.start(SCENE, BOX)
    # response = label - lambda F^-1(label^ / (k^ + lambda)): a little under the label's peak of 1.
    assert 0.9 < tracker.track(SCENE).score < 1.0


def explicit_kernel(x, z, kernel, sigma):
    """Kernel of `x` with each cyclic shift of `z`, one shift after another."""
    found = np.zeros(x.shape[1:])
    for dy, dx in np.ndindex(*found.shape):
        other = np.roll(z, (dy, dx), axis=(1, 2))
        if kernel == "linear":
            found[dy, dx] = (x * other).sum() / x.size
        else:
            found[dy, dx] = np.exp(-((x - other) ** 2).sum() / sigma**2 / x.size)
    return found


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("width", [25, 22])
def test_the_kernel_is_that_of_all_shifts(kernel, width):
    tracker = Kcf("hog", kernel)
    tracker.start(SCENE, np.array([50.0, 50.0, width * 1.6, 18.0]))
    rows, columns = tracker._cells
    x, z = np.random.default_rng(0).random((2, 31, rows, columns)).astype(np.float32)
    transform, seen = tracker._transform, []
    for planes in (x, z):
        spectra = transform(planes[:, 1:-1, 1:-1])
        power = transform.power(spectra)
        seen.append(Seen(spectra, power, transform.energy(power)))
    found = transform.back(tracker._correlate(*seen))
    taper = np.outer(np.hanning(rows), np.hanning(columns))
    expected = explicit_kernel(x * taper, z * taper, kernel, 0.5)
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    own = transform.back(tracker._correlate(seen[0], seen[0]))
    expected = explicit_kernel(x * taper, x * taper, kernel, 0.5)
    np.testing.assert_allclose(own, expected, rtol=2e-5)


@pytest.mark.parametrize(
    ("at", "sides", "step"),
    [
        ((0, 0), (5, 6), (0, 0)),
        ((1, 2), (5, 6), (1, 2)),
        ((4, 5), (5, 6), (-1, -1)),
        # tracker.m wraps where the 1-based index is more than half the side.
        ((2, 3), (5, 6), (-3, -3)),
        ((1, 2), (4, 5), (1, -3)),
    ],
)
def test_the_peak_s_shift_wraps_as_in_matlab(at, sides, step):
    response = np.zeros(sides)
    response[at] = 0.7
    found, highest = _peak(response)
    assert tuple(found) == step
    assert highest == 0.7


def test_a_tie_goes_to_the_first_in_column_order_and_to_staying():
    response = np.zeros((4, 5))
    response[0, 1] = response[1, 0] = 1
    assert tuple(_peak(response)[0]) == (1, 0)
    assert tuple(_peak(np.ones((4, 5)))[0]) == (0, 0)


def test_reseat_moves_the_search_and_nothing_else():
    far, there = moved(100, 64), shift(100, 64)
    lost, told = Kcf(), Kcf()
    for tracker in (lost, told):
        tracker.start(SCENE, BOX)
    model = told._model.spectra.copy()
    assert told.reseat(there) is None
    np.testing.assert_array_equal(told._model.spectra, model)
    np.testing.assert_array_equal(told.track(far).box, there)
    assert np.abs(lost.track(far).box - there).max() > 40


def test_reseat_keeps_the_size_and_says_so():
    tracker = Kcf()
    tracker.start(SCENE, BOX)
    own = tracker.reseat(np.array([100.0, 80.0, 60.0, 20.0]))
    np.testing.assert_array_equal(own, [110, 74, 40, 32])


@pytest.mark.parametrize("size", [(41.0, 33.0), (141.0, 93.0)])
def test_reseat_to_the_own_answer_changes_nothing(size):
    box, plain, reseated = np.array([61.0, 50.0, *size]), Kcf(), Kcf()
    plain.start(SCENE, box)
    reseated.start(SCENE, box)
    for step in range(1, 5):
        frame = moved(5 * step, -3 * step)
        expected, found = plain.track(frame), reseated.track(frame)
        np.testing.assert_array_equal(found.box, expected.box)
        assert found.score == expected.score
        assert reseated.reseat(found.box) is None


@pytest.mark.parametrize("features", ["hog", "gray"])
@pytest.mark.parametrize(
    "box",
    [
        [150.0, 100.0, 1.0, 1.0],
        [-20.0, -10.0, 40.0, 32.0],
        [300.0, 220.0, 60.0, 70.0],
        [-500.0, 900.0, 30.0, 30.0],
        [10.0, 0.0, 300.0, 2.0],
        [0.0, 0.0, 320.0, 240.0],
        [100.3, 80.7, 33.4, 0.5],
    ],
)
def test_odd_boxes_are_tracked_without_a_fuss(features, box):
    tracker = Kcf(features)
    tracker.start(SCENE, np.array(box))
    for step in range(3):
        found = tracker.track(moved(2 * step, step))
        assert np.isfinite(found.box).all()
        assert np.isfinite(found.score)
        np.testing.assert_array_equal(found.box[2:], box[2:])


@pytest.mark.parametrize("box", [[10, 10, 0, 5], [10, 10, 5, -1], [np.nan, 1, 2, 3]])
def test_a_box_without_area_fails_the_clip(box):
    with pytest.raises(ClipFailed, match="without area"):
        Kcf().start(SCENE, np.array(box, dtype=np.float64))


@pytest.mark.parametrize("features", ["hog", "gray"])
def test_on_constant_frames_the_target_stays(features):
    flat, tracker = np.full_like(SCENE, 90), Kcf(features)
    tracker.start(flat, BOX)
    for _ in range(4):
        np.testing.assert_array_equal(tracker.track(flat).box, BOX)


def test_frames_are_left_as_they_are_and_answers_repeat():
    frame = moved(8, 4)
    kept, answers = frame.copy(), []
    frame.flags.writeable = False
    for _ in range(2):
        tracker = Kcf()
        tracker.start(SCENE, BOX)
        answers.append([tracker.track(frame) for _ in range(3)])
    np.testing.assert_array_equal(frame, kept)
    for one, other in zip(*answers, strict=True):
        assert one.box.tobytes() == other.box.tobytes()
        assert one.score == other.score


def test_start_forgets_the_target_before():
    fresh, used = Kcf(), Kcf()
    used.start(moved(50, 50), np.array([10.0, 10.0, 90.0, 70.0]))
    used.track(SCENE)
    for tracker in (fresh, used):
        tracker.start(SCENE, BOX)
    assert fresh.track(moved(4, 4)).score == used.track(moved(4, 4)).score


def test_work_charges_the_second_patch_by_the_extra_it_names():
    tracker = Kcf()
    tracker.start(SCENE, BOX)
    work = tracker.work()
    assert set(work) == {"start", "track", *tracker.track(SCENE).extras}
    assert tracker.track(SCENE).extras["moved"] == 0
    assert tracker.track(moved(8, 0)).extras["moved"] == 1


def test_work_of_a_window_counted_by_hand():
    tracker = Kcf("hog", "linear")
    tracker.start(SCENE, np.array([100.0, 100.0, 16.0, 16.0]))  # 40 x 40 px, 10 x 10 cells
    pixels, cells, inner, frequencies = 1600, 100, 64, 50
    hog = 6 * pixels + 9 * cells + (27 * 4 + 8) * inner
    # 4 of 8 rows and columns mirror the others, 6 frequencies along both sides.
    transform = 31 * (2 * 6 * 4 * 8 + 4 * 6 * 4 * 6)
    patch = 3 * pixels + hog + transform + 31 * 2 * frequencies
    work = tracker.work()
    assert work["start"][0].macs == work["moved"][0].macs == patch
    detect = 32 * 4 * frequencies + cells * np.log2(cells)
    learn = 2 * (2 * 31 + 1) * frequencies
    assert work["track"][0].macs == pytest.approx(patch + detect + learn)


@pytest.mark.parametrize("features", ["hog", "gray"])
def test_a_gaussian_kernel_goes_to_the_plane_of_shifts_and_back_twice(features):
    box = np.array([100.0, 100.0, 16.0, 16.0])
    linear, gaussian = Kcf(features, "linear"), Kcf(features, "gaussian")
    for tracker in (linear, gaussian):
        tracker.start(SCENE, box)
    cells = 100 if features == "hog" else 1600
    more = gaussian.work()["track"][0].macs - linear.work()["track"][0].macs
    assert more == pytest.approx(4 * cells * np.log2(cells))


def test_the_propagator_tracks_every_object_for_itself():
    boxes = np.array([BOX, [np.nan] * 4, [200.0, 40.0, 30.0, 50.0]])
    carrier = KcfPropagator()
    carrier.anchor(SCENE, boxes)
    answers = [carrier.propagate(moved(4 * step, 0)) for step in (1, 2)]
    for row in (0, 2):
        alone = Kcf()
        alone.start(SCENE, boxes[row])
        for step, answer in zip((1, 2), answers, strict=True):
            found = alone.track(moved(4 * step, 0))
            np.testing.assert_array_equal(answer.boxes[row], found.box)
            assert answer.belief[row] == np.clip(found.score, 0, 1)
    assert np.isnan(answers[0].boxes[1]).all()
    assert answers[0].belief[1] == 0


def test_the_propagator_of_nothing_answers_nothing():
    carrier = KcfPropagator()
    carrier.anchor(SCENE, np.zeros((0, 4)))
    boxes, belief = carrier.propagate(SCENE)
    assert boxes.shape == (0, 4)
    assert belief.shape == (0,)


def test_the_propagator_searches_where_it_is_seated():
    carrier = KcfPropagator()
    carrier.anchor(SCENE, BOX[None])
    carrier.seat(shift(100, 64)[None])
    np.testing.assert_array_equal(carrier.propagate(moved(100, 64)).boxes[0], shift(100, 64))


def test_the_propagator_charges_every_object():
    carrier = KcfPropagator()
    carrier.anchor(SCENE, BOX[None])
    assert all(part.per_object for parts in carrier.work().values() for part in parts)


SIDES = st.floats(0.5, 160)
OBJECTS = st.lists(
    st.builds(
        lambda *box: list(box), st.floats(-80, 330), st.floats(-80, 250), SIDES, SIDES
    ) | st.sampled_from([[150.0, 100, 1, 1], [np.nan] * 4, [10.0, 20, 0, 5]]),
    max_size=4,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(early=OBJECTS, late=OBJECTS, data=st.data())
def test_objects_of_several_keyframes_go_where_each_goes_alone(early, late, data):
    early, late = (np.array(boxes, dtype=np.float64).reshape(-1, 4) for boxes in (early, late))
    number = len(early) + len(late)
    kept = data.draw(st.lists(st.booleans(), min_size=number, max_size=number))
    frames = [moved(3 * step, -2 * step) for step in range(4)]

    def alone(box, begin):
        carrier = KcfPropagator()
        carrier.anchor(frames[begin], box[None])
        return [carrier.propagate(frame) for frame in frames[begin + 1 :]]

    together = KcfPropagator()
    together.anchor(frames[0], early)
    found = [together.propagate(frames[1])]
    together.join(frames[1], late)
    found.append(together.propagate(frames[2]))
    together.keep(np.array(kept, dtype=bool))
    found.append(together.propagate(frames[3]))
    own = [alone(box, 0) for box in early] + [[None, *alone(box, 1)] for box in late]
    rows = [range(len(early)), range(len(own)), np.flatnonzero(kept)]
    for step, (answer, objects) in enumerate(zip(found, rows, strict=True)):
        assert len(answer.boxes) == len(answer.belief) == len(objects)
        for row, index in enumerate(objects):
            assert answer.boxes[row].tobytes() == own[index][step].boxes[0].tobytes()
            assert answer.belief[row] == own[index][step].belief[0]
