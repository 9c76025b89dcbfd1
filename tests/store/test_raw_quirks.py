"""What is odd in raw results is named, and mended only on request."""

import numpy as np
import pytest

from vbench.core.boxes import to_corners
from vbench.store.raw_quirks import CORNERS, PlacedBoxes, place
from vbench.store.raw_text import BadTable

ONE = np.array([1.0, 1.0, 0.0, 0.0])


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.uniform(30, 200, (20, 2)), rng.uniform(10, 60, (20, 2))], axis=1)


def placed(result, truth, **options):
    return place({"a": result}, {"a": truth}, **options)


def boxes_of(found):
    assert isinstance(found, PlacedBoxes)
    return found


@pytest.mark.parametrize("origin", [0.0, 1.0])
def test_first_rows_tell_where_pixels_count_from(truth, origin):
    result = truth + origin * ONE
    result[1:] += 7
    found = placed(result, truth, usual_origin_px=1 - origin)
    assert found.origin_px == origin
    assert boxes_of(found.boxes["a"]).boxes[0] == pytest.approx(truth[0])
    assert not found.notes


def test_the_suite_decides_where_first_rows_do_not_tell(truth):
    found = placed(truth + 40, truth, usual_origin_px=1.0)
    assert found.origin_px == 1.0


@pytest.mark.parametrize("origin", [0.0, 1.0])
def test_first_row_of_corners(truth, origin):
    result = truth + ONE
    result[0] = to_corners(truth[0] + origin * ONE)
    found = placed(result.copy(), truth)
    assert found.notes["a"] == [CORNERS]
    assert boxes_of(found.boxes["a"]).boxes[0, 2] > truth[0, 2]
    mended = placed(result.copy(), truth, repair=True)
    assert boxes_of(mended.boxes["a"]).boxes[0] == pytest.approx(truth[0])
    assert "repaired" in mended.notes["a"][0]


def test_result_that_begins_late_is_placed_there(truth):
    found = placed(truth[5:] + ONE, truth)
    assert boxes_of(found.boxes["a"]).first == 5
    assert found.notes["a"] == ["begins with frame 6 and has the 15 rows from there"]


def test_result_that_is_cut_short_begins_with_the_clip(truth):
    found = placed(truth[:15] + ONE, truth)
    assert boxes_of(found.boxes["a"]).first == 0
    assert len(boxes_of(found.boxes["a"]).boxes) == 15


def test_result_that_begins_early_loses_those_rows(truth):
    found = placed(truth + ONE, truth[5:])
    assert boxes_of(found.boxes["a"]).boxes == pytest.approx(truth[5:])
    assert "begins 5 frames before" in found.notes["a"][0]


@pytest.mark.parametrize(
    ("row", "what"),
    [([np.nan] * 4, "2 rows with NaN"), ([9, 9, 0, 5], "2 rows with w or h = 0")],
)
def test_rows_without_a_box_are_noted_and_repeated_on_request(truth, row, what):
    result = truth + ONE
    result[7:9] = row
    found = placed(result.copy(), truth)
    assert found.notes["a"] == [what]
    mended = placed(result.copy(), truth, repair=True)
    assert boxes_of(mended.boxes["a"]).boxes[7:9] == pytest.approx(truth[[6, 6]])
    assert mended.notes["a"] == [f"{what}: the previous box was repeated"]


@pytest.mark.parametrize(
    ("row", "what"),
    [([np.inf, 0, 5, 5], "infinite numbers"), ([9, 9, -4, 5], "a negative size")],
)
def test_rows_that_no_tracker_means_fail_the_clip(truth, row, what):
    result = truth + ONE
    result[7] = row
    found = placed(result.copy(), truth).boxes["a"]
    assert found == f"1 rows with {what} (--repair repeats the previous box there)"
    assert isinstance(placed(result.copy(), truth, repair=True).boxes["a"], PlacedBoxes)


def test_bad_tables_keep_their_reason_and_spoil_nothing(truth):
    results = {"a": truth + ONE, "b": BadTable("the file is empty"), "stranger": truth}
    found = place(results, {"a": truth, "b": truth})
    assert isinstance(found.boxes["a"], PlacedBoxes)
    assert found.boxes["b"] == "the file is empty"
    assert "stranger" not in found.boxes
