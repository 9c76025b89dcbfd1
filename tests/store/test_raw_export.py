"""Every format is read back: without loss where it has the digits, and said where it has not."""

import numpy as np
import pytest

from vbench.core.errors import UnknownName
from vbench.store.raw_export import FORMATS, write_results
from vbench.store.raw_layout import ClipNames, find_trackers
from vbench.store.raw_quirks import PlacedBoxes, place
from vbench.store.raw_results import read_seconds, read_tracker
from vbench.store.raw_text import BadTable

CLIPS = ["bike1", "car1_1"]


@pytest.fixture
def boxes():
    rng = np.random.default_rng(0)
    # Sixteenths of a pixel: adding and taking off 1 px is exact.
    return {
        clip: np.concatenate([rng.integers(0, 8000, (9, 2)), rng.integers(80, 900, (9, 2))], axis=1)
        / 16
        for clip in CLIPS
    }


def back(path, truths):
    (tracker,) = find_trackers(path, CLIPS)
    read = read_tracker(tracker, ClipNames(CLIPS))
    placed = place(read.boxes, truths)
    found = {}
    for clip, boxes in placed.boxes.items():
        assert isinstance(boxes, PlacedBoxes), boxes
        found[clip] = boxes.boxes
    return tracker, found


@pytest.mark.parametrize("form", FORMATS)
def test_round_trip(tmp_path, boxes, form):
    if form == "otb-mat":
        pytest.importorskip("scipy.io")
    written = write_results(form, tmp_path, "kcf@fixed:5", boxes)
    _, read = back(tmp_path, boxes)
    assert sorted(read) == CLIPS
    most = max(float(np.abs(read[clip] - boxes[clip]).max()) for clip in CLIPS)
    assert most == pytest.approx(written.moved_px)
    if FORMATS[form].number == "":
        assert most == 0
        assert written.lines(form) == []
    else:
        assert 0 < most < 1
        assert "rounds" in written.lines(form)[0]


@pytest.mark.parametrize("form", ["otb", "pysot", "uav", "lasot", "mot", "otb-json"])
def test_frames_without_a_box_come_back(tmp_path, boxes, form):
    gone = {clip: own.copy() for clip, own in boxes.items()}
    for own in gone.values():
        own[4:6] = np.nan
    write_results(form, tmp_path, "m", gone)
    _, read = back(tmp_path, boxes)
    for clip in CLIPS:
        assert np.array_equal(read[clip], gone[clip], equal_nan=True)


def test_pytracking_cannot_say_that_there_is_no_box(tmp_path, boxes):
    boxes["bike1"][3] = np.nan
    written = write_results("pytracking", tmp_path, "m", boxes)
    assert (written.gaps, written.lines("pytracking")[1]) == (
        1,
        "1 frames without a box are written as zeros",
    )


@pytest.mark.parametrize("form", ["got10k", "got10k-submission", "pytracking"])
def test_seconds_are_written_where_the_format_has_them(tmp_path, boxes, form):
    seconds = {"bike1": np.full(9, 0.125), "car1_1": np.full(9, np.nan)}
    write_results(form, tmp_path, "m", boxes, seconds)
    tracker, _ = back(tmp_path, boxes)
    assert list(tracker.times) == ["bike1"]
    read = read_seconds(tracker.times["bike1"])
    assert not isinstance(read, BadTable)
    assert np.array_equal(read, seconds["bike1"])


def test_names_cannot_lead_out_of_the_folder(tmp_path, boxes):
    write_results("otb", tmp_path / "out", "../../evil", {"../bike1": boxes["bike1"]})
    assert all((tmp_path / "out") in p.parents for p in tmp_path.rglob("*.txt"))


def test_unknown_format_names_the_nearest(tmp_path, boxes):
    with pytest.raises(UnknownName, match="did you mean"):
        write_results("got10", tmp_path, "m", boxes)
