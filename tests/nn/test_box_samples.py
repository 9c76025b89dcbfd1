import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbench.core.boxes import centres, iou
from vbench.nn.box_samples import Sampler, fitting, limited

TARGET = np.array([100.0, 80, 60, 40])
SIZE = (640, 480)
MEAN_SIDE = 50.0


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", ["gaussian", "uniform"])
def test_shifts_and_scales_stay_in_their_bounds_and_reach_them(kind) -> None:
    boxes = Sampler(kind, 0.6, 1.05).draw(rng(), TARGET, 4000, SIZE)
    way = np.abs(centres(boxes) - centres(TARGET)).max(axis=0)
    # Half a standard normal is cut off at 1 in 4.6 % of draws, so both bounds are met.
    assert way == pytest.approx([0.6 * MEAN_SIDE] * 2, rel=5e-3)
    scale = boxes[:, 2] / TARGET[2]
    assert scale.max() == pytest.approx(1.05, abs=1e-3)
    assert scale.min() == pytest.approx(1 / 1.05, abs=1e-3)
    assert boxes[:, 2] / boxes[:, 3] == pytest.approx(1.5)


def test_gaussian_shifts_have_half_the_spread_of_a_standard_normal() -> None:
    boxes = Sampler("gaussian", 1.0).draw(rng(), TARGET, 20000, SIZE)
    way = (centres(boxes) - centres(TARGET)) / MEAN_SIDE
    # min(1, |x| / 2): the variance of a normal clipped at two deviations is 0.920 of its own.
    assert way.std(axis=0) == pytest.approx([0.5 * 0.9202**0.5] * 2, rel=0.02)
    assert np.abs(way.mean(axis=0)).max() < 0.02


def test_gaussian_scales_have_half_the_spread_of_a_standard_normal() -> None:
    boxes = Sampler("gaussian", 0.0, 1.3).draw(rng(), TARGET, 20000, SIZE)
    power = np.log(boxes[:, 2] / TARGET[2]) / np.log(1.3)
    assert power.std() == pytest.approx(0.5 * 0.9202**0.5, rel=0.02)


def test_loose_sides_are_stretched_on_their_own() -> None:
    """py-MDNet modules/sample_generator.py: aspect to a power of its own for either side."""
    boxes = Sampler("uniform", 0.0, 1.0, 1.1, loose=True).draw(rng(), TARGET, 4000, SIZE)
    power = np.log(boxes[:, 2:] / TARGET[2:]) / np.log(1.1)
    assert np.abs(power).max(axis=0) == pytest.approx([1, 1], abs=1e-2)
    assert power.std(axis=0) == pytest.approx([3**-0.5] * 2, rel=0.03)
    assert abs(np.corrcoef(power.T)[0, 1]) < 0.05


def test_growing_boxes_move_by_either_side_and_never_shrink() -> None:
    """hyseob/MDNet tracking/gen_samples.m, uniform_aspect."""
    boxes = Sampler("growing", 0.3, 1.5).draw(rng(), TARGET, 4000, SIZE)
    way = np.abs(centres(boxes) - centres(TARGET)).max(axis=0)
    assert way == pytest.approx(0.3 * TARGET[2:], rel=1e-2)
    power = np.log(boxes[:, 2] / TARGET[2]) / np.log(1.5)
    assert power.min() == pytest.approx(0, abs=1e-2)
    assert power.max() == pytest.approx(1, abs=1e-2)
    assert power.mean() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("least_px", [5.0, 10.0])
def test_sides_have_a_least_and_a_largest(least_px) -> None:
    sampler = Sampler("uniform", 1.0, 100.0, least_px=least_px)
    boxes = sampler.draw(rng(), TARGET, 2000, (120, 90))
    assert boxes[:, 2:].min(axis=0) == pytest.approx([least_px] * 2)
    assert boxes[:, 2:].max(axis=0) == pytest.approx([120 - least_px, 90 - least_px])


def test_aspects_vary_both_ways_at_equal_area() -> None:
    boxes = Sampler("uniform", 0.3, 1.0, 1.1).draw(rng(), TARGET, 2000, SIZE)
    assert boxes[:, 2:].prod(axis=1) == pytest.approx(TARGET[2] * TARGET[3])
    ratio = boxes[:, 2] / boxes[:, 3] / 1.5
    assert ratio.max() == pytest.approx(1.21, rel=1e-2)
    assert ratio.min() == pytest.approx(1 / 1.21, rel=1e-2)


def test_whole_takes_places_of_a_grid_once_each() -> None:
    """py-MDNet modules/sample_generator.py: 2 sqrt(n) a side, to the frame's last pixel."""
    middle = centres(Sampler("whole").draw(rng(), TARGET, 400, SIZE))
    steps = (middle - TARGET[2:] / 2) / ((np.array(SIZE) - TARGET[2:] / 2 - 1) / 39)
    assert steps == pytest.approx(np.rint(steps), abs=1e-9)
    assert len({tuple(step) for step in np.rint(steps)}) == 400
    assert steps.min(axis=0) == pytest.approx([0, 0])
    assert steps.max(axis=0) == pytest.approx([39, 39])
    assert steps.mean(axis=0) == pytest.approx([19.5, 19.5], rel=0.1)


def test_strided_takes_every_place_and_size_once() -> None:
    """hyseob/MDNet tracking/gen_samples.m, whole: strides of a fifth, sizes 1.05^-5 ... 1.05^5."""
    sampler, size = Sampler("strided", 1.0, 1.05**5), (200, 120)
    # From 30 to 170 by 12, from 20 to 100 by 8.
    places = 12 * 11
    boxes = sampler.draw(rng(), TARGET, places * 11 + 5, size)
    found = {(*np.round(centres(box), 6), round(float(box[2]), 6)) for box in boxes[: places * 11]}
    assert len(found) == places * 11
    across, down, widths = (sorted(set(column)) for column in zip(*found, strict=True))
    assert across == pytest.approx(np.arange(30, 170, 12))
    assert down == pytest.approx(np.arange(20, 101, 8))
    assert widths == pytest.approx(60 * 1.05 ** np.arange(-5.0, 6))


@pytest.mark.parametrize("kind", ["whole", "strided"])
def test_a_pixel_in_a_large_frame_has_places_all_over_it(kind) -> None:
    boxes = Sampler(kind, 1.0, 1.05**5).draw(rng(), np.array([5.0, 5, 1, 1]), 500, (3840, 2160))
    assert boxes.shape == (500, 4)
    assert centres(boxes).mean(axis=0) == pytest.approx([1920, 1080], rel=0.1)


@settings(deadline=None, max_examples=60)
@given(
    box=st.tuples(
        st.floats(-300, 900), st.floats(-300, 900), st.floats(0.1, 900), st.floats(0.1, 900)
    ),
    size=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    inside=st.booleans(),
)
def test_any_box_is_limited_to_the_frame(box, size, inside) -> None:
    found = limited(np.array([box]), size, inside)[0]
    middle = centres(found)
    assert (found[2:] > 0).all()
    assert (middle >= 0).all()
    assert (middle <= np.array(size)).all()
    for side, length in zip(found[2:], size, strict=True):
        assert side <= max(length - 10, min(length, 10)) + 1e-9
        assert side >= min(10, length) - 1e-9
    if inside:
        assert (found[:2] >= -1e-6).all()
        assert (found[:2] + found[2:] <= np.array(size) + 1e-6).all()


def test_fitting_boxes_overlap_as_asked() -> None:
    good = fitting(rng(), Sampler("gaussian", 0.1, 1.3), TARGET, 300, SIZE, (0.7, 1.0))
    bad = fitting(rng(), Sampler("uniform", 2.0, 1.3), TARGET, 300, SIZE, (0.0, 0.3))
    assert good.shape == bad.shape == (300, 4)
    assert (iou(good, TARGET[None]) >= 0.7).all()
    assert (iou(bad, TARGET[None]) <= 0.3).all()


def test_areas_are_kept_where_asked() -> None:
    sampler = Sampler("uniform", 0.3, 1.6, 1.1)
    boxes = fitting(rng(), sampler, TARGET, 100, SIZE, (0.6, 1.0), (1.0, 2.0))
    ratio = boxes[:, 2:].prod(axis=1) / TARGET[2:].prod()
    assert ((ratio >= 1) & (ratio <= 2)).all()


def test_where_nothing_fits_the_nearest_are_taken() -> None:
    pixel = np.array([50.0, 50, 1, 1])
    boxes = fitting(rng(), Sampler("gaussian", 5.0), pixel, 20, SIZE, (0.7, 1.0))
    # Sides are at least 10 px, so no box overlaps a pixel by more than 1 %.
    assert boxes.shape == (20, 4)
    drawn = Sampler("gaussian", 5.0).draw(rng(1), pixel, 2000, SIZE)
    assert iou(boxes, pixel[None]).mean() > iou(drawn, pixel[None]).mean()


def test_whole_pixels_and_equal_seeds() -> None:
    sampler = Sampler("gaussian", 0.6, 1.05, whole_px=True)
    boxes = sampler.draw(rng(3), TARGET, 50, SIZE)
    assert (boxes == np.rint(boxes)).all()
    assert boxes.tobytes() == sampler.draw(rng(3), TARGET, 50, SIZE).tobytes()
