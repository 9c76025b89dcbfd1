"""Pixel counts of regions against a pixel-by-pixel reading of the toolkits' rasterisers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.scanline import counts
from vbench.core.boxes import iou
from vbench.core.errors import VBenchError
from vbench.metrics.raster import overlaps, pixel_counts, rastered
from vbench.metrics.regions import as_polygons

CONVENTIONS = ("region-c", "region-c-legacy", "vot-python")
# Whole, half and odd numbers: rounding ties, corners on scan lines, and neither.
NUMBER = st.one_of(
    st.integers(-6, 30).map(float),
    st.integers(-12, 60).map(lambda v: v / 2),
    st.floats(-6, 30, width=32),
)
POLYGON = st.lists(NUMBER, min_size=8, max_size=8)
BOX = st.lists(NUMBER, min_size=4, max_size=4).map(
    lambda v: [v[0], v[1], v[2], v[1], v[2], v[3], v[0], v[3]]
)
# Strictly convex, with corners on the same row: what the fast path draws.
DIAMOND = st.tuples(
    st.integers(4, 24), st.integers(4, 24), st.integers(1, 12), st.integers(1, 12)
).map(lambda v: [v[0] - v[2], v[1], v[0], v[1] - v[3], v[0] + v[2], v[1], v[0], v[1] + v[3]])
REGION = st.one_of(POLYGON, BOX, DIAMOND)
LIMIT = st.one_of(st.none(), st.tuples(st.integers(1, 25), st.integers(1, 25)))


def ours(first, second, limit, convention):
    limits = None if limit is None else np.array([limit], float)
    truth = rastered(np.array([first], float), bounded=limit is not None, convention=convention)
    found = pixel_counts(truth, np.array([second], float), limits)
    values = tuple(int(column[0]) for column in found)
    return None if values == (-1, -1, -1) else values


@pytest.mark.parametrize("convention", CONVENTIONS)
@settings(max_examples=150, deadline=None)
@given(first=REGION, second=REGION, limit=LIMIT)
def test_counts_are_those_of_the_scan_lines(convention, first, second, limit):
    assert ours(first, second, limit, convention) == counts(first, second, limit, convention)


@settings(max_examples=100, deadline=None)
@given(edge=st.integers(2, 60), rise=st.integers(1, 60), shift=st.integers(0, 300))
def test_crossings_on_whole_columns_follow_the_window(edge, rise, shift):
    """1/49*49 is below 1 in floats: region.c's pixels depend on where the window begins."""
    first = np.array([0, 0, edge, edge, 0, 2 * edge, -edge, edge], float) + shift + 100
    second = as_polygons(np.array([[shift + 99.0 - rise, shift + 101.0, rise + edge, edge]]))[0]
    for limit in (None, (2000, 2000)):
        assert ours(first, second, limit, "region-c") == counts(first, second, limit, "region-c")


def one(a, b, convention):
    truth = rastered(np.array([a], float), bounded=False, convention=convention)
    return overlaps(truth, np.array([b], float))[0]


@pytest.mark.parametrize(
    ("a", "b", "exact", "drawn"),
    [
        ([1, 1, 100, 100], [50, 50, 100, 100], 0.1495, 0.1528),
        ([10, 10, 10, 10], [11, 10, 10, 10], 0.8182, 0.8333),
        ([10, 10, 10, 10], [10.4, 10.4, 10, 10], 0.8546, 1.0),
    ],
)
def test_published_differences_of_exact_and_drawn_overlap(a, b, exact, drawn):
    """Measured with got10k's shapely, pysot's C and the VOT Python toolkit."""
    assert iou(np.array(a, float), np.array(b, float)) == pytest.approx(exact, abs=5e-5)
    assert one(a, b, "region-c") == pytest.approx(drawn, abs=5e-5)
    assert one(a, b, "vot-python") == pytest.approx(exact, abs=5e-5)
    polygons = as_polygons(np.array([a, b], float))
    assert one(polygons[0], polygons[1], "vot-python") == pytest.approx(drawn, abs=5e-5)


def test_touching_edges_share_pixels_only_as_polygons_of_the_python_toolkit():
    a, b = [0, 0, 10, 10], [10, 0, 10, 10]
    polygons = as_polygons(np.array([a, b], float))
    assert one(polygons[0], polygons[1], "vot-python") == pytest.approx(11 / 231)
    assert one(a, b, "vot-python") == 0
    # region.c compares bounding boxes before it draws.
    assert one(a, b, "region-c") == 0


@pytest.mark.parametrize(
    ("side", "bias"), [(10, 0.033), (20, 0.017), (40, 0.008), (80, 0.004), (160, 0.002)]
)
def test_mean_bias_of_drawing_is_the_published_one(side, bias):
    rng = np.random.default_rng(0)
    n = 20_000
    a = np.concatenate([rng.uniform(0, 200, (n, 2)), np.full((n, 2), side)], axis=1)
    b = a.copy()
    b[:, :2] += rng.uniform(-side / 2, side / 2, (n, 2))
    drawn = overlaps(rastered(a, bounded=False), b)
    assert (drawn - iou(a, b)).mean() == pytest.approx(bias, rel=0.35)


def turned_boxes(n, seed=0):
    rng = np.random.default_rng(seed)
    centre, size = rng.uniform(-5, 105, (n, 1, 2)), rng.uniform(2, 40, (n, 1, 2))
    angle = rng.uniform(0, 6.3, (n, 1)) + np.arange(4) * np.pi / 2
    corners = centre + size * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return corners.reshape(n, 8)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_regions_overlap_themselves_wholly_and_drawing_is_symmetric(convention):
    a, b = turned_boxes(500), turned_boxes(500, seed=1)
    limits = np.full((500, 2), 100.0)
    first, second = (rastered(r, convention=convention) for r in (a, b))
    itself = overlaps(first, a, limits)
    # Where a region fills no pixel region.c divides 0 by 0.
    assert (np.isin(itself, [0, 1]) | np.isnan(itself)).all()
    assert np.nanmean(itself) > 0.9
    np.testing.assert_array_equal(overlaps(first, b, limits), overlaps(second, a, limits))


def test_some_frames_and_all_frames_agree():
    a, b = turned_boxes(300), turned_boxes(300, seed=2)
    boxes = np.concatenate([b[:, :2], np.full((300, 2), 20.0)], axis=1)
    truth, limits = rastered(a), np.full((300, 2), 90.0)
    chosen = np.arange(5, 300, 7)
    np.testing.assert_array_equal(
        overlaps(truth, boxes, limits)[chosen],
        overlaps(truth.take(chosen), boxes[chosen], limits[chosen]),
    )


def test_unknown_regions_have_no_overlap_and_wild_ones_no_memory():
    a = np.array([[0, 0, 10, 10], [np.nan] * 4, [0, 0, 10, 10]])
    b = np.array([[np.nan] * 4, [0, 0, 10, 10], [0, 0, 1e9, 1e9]])
    found = overlaps(rastered(a, bounded=False), b)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0])
    with pytest.raises(VBenchError, match="outside the image"):
        rastered(b)
    with pytest.raises(VBenchError, match="2 regions for 3 frames"):
        overlaps(rastered(a), b[:2])
