"""Detections in files: what is written, and that `stored:` reads the same again."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.vid_scenes import objects_of, trace_of, truths_of
from vbench import catalogue
from vbench.core.boxes import absent
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import parse_method
from vbench.detectors.stored_files import MAX_JSON_BYTES
from vbench.metrics.vid_frames import VidAnswers
from vbench.metrics.vid_map import score_vid
from vbench.metrics.vid_profiles import VID_PROFILES
from vbench.store import raw_detections
from vbench.store.raw_detections import DETECTIONS, write_detections
from vbench.store.traces import StoredTruth

FRAME = np.zeros((4, 4, 3), np.uint8)
CLASSES = ("bus", "car", "dog")
ROWS = [(0, 2, (10.5, 20, 30, 40), 0.9), (0, 0, (0, 0, 1, 1), 0.1), (2, 1, (-3, 5, 7, 8.25), 0.5)]


def truth_of(name, frames, objects=()):
    return StoredTruth(name, frames, "", absent(0), objects=objects_of(list(objects)))


def written(form, folder, clips, classes=CLASSES, truths=None, method="m"):
    """Write clips {name: (rows, frames)}."""
    traces = {name: trace_of(rows, frames) for name, (rows, frames) in clips.items()}
    truths = truths or {name: truth_of(name, frames) for name, (_, frames) in clips.items()}
    return traces, write_detections(form, folder, method, traces, truths, classes)


def replayed(replay, clip, frames):
    """What the method `replay` answers on every frame of a clip, as rows like those written."""
    part = parse_method(replay).base
    model = catalogue.build("detectors", part.name, dict(part.parameters))
    model.enter(clip, frames)
    rows = []
    for index in range(frames):
        model.at(index)
        found = model.detect(FRAME)
        columns = (found.labels.tolist(), found.boxes.tolist(), found.scores.tolist())
        rows += [
            (index, label, tuple(box), score) for label, box, score in zip(*columns, strict=True)
        ]
    return rows


def test_vid_text_has_frames_from_0_classes_from_1_and_corners(tmp_path) -> None:
    written("vid", tmp_path, {"a": (ROWS, 3)})
    assert (tmp_path / "m/a.txt").read_text() == (
        "0 3 0.9 10.5 20 40.5 60\n0 1 0.1 0 0 1 1\n2 2 0.5 -3 5 4 13.25\n"
    )


def test_mot_text_has_frames_corners_and_classes_from_1(tmp_path) -> None:
    written("mot", tmp_path, {"a": (ROWS, 3)})
    assert (tmp_path / "m/a.txt").read_text() == (
        "1,-1,11.5,21,30,40,0.9,3,-1,-1\n1,-1,1,1,1,1,0.1,1,-1,-1\n3,-1,-2,6,7,8.25,0.5,2,-1,-1\n"
    )


def test_mot_text_of_one_class_does_not_name_it(tmp_path) -> None:
    rows = [(0, 0, (0, 1, 2, 3), 0.5)]
    _, found = written("mot", tmp_path, {"a": (rows, 1)}, classes=("pedestrian",))
    assert (tmp_path / "m/a.txt").read_text() == "1,-1,1,2,2,3,0.5,-1,-1,-1\n"
    assert replayed(found.replay, "a", 1) == rows


def test_coco_is_a_list_of_results_beside_the_images_that_it_numbers(tmp_path) -> None:
    own = [(1, 1, (4, 5, 6, 7), False), (1, 0, (0, 0, 2, 2), True)]
    truths = {"a": truth_of("a", 3), "b/c": truth_of("b/c", 2, own)}
    written("coco", tmp_path, {"a": (ROWS, 3), "b/c": ([(1, 1, (1, 2, 3, 4), 0.25)], 2)},
            truths=truths)  # fmt: skip
    results = json.loads((tmp_path / "m/results.json").read_text())
    assert [one["image_id"] for one in results] == [1, 1, 3, 5]
    assert results[-1] == {
        "image_id": 5, "category_id": 2, "bbox": [1.0, 2.0, 3.0, 4.0], "score": 0.25
    }  # fmt: skip
    listed = json.loads((tmp_path / "m/truth.json").read_text())
    assert [one["name"] for one in listed["categories"]] == list(CLASSES)
    assert [one["name"] for one in listed["videos"]] == ["a", "b/c"]
    assert [(i["id"], i["video_id"], i["frame_id"]) for i in listed["images"]] == [
        (1, 1, 0), (2, 1, 1), (3, 1, 2), (4, 2, 0), (5, 2, 1)
    ]  # fmt: skip
    assert listed["images"][4]["file_name"] == "b-c/000001.jpg"
    assert listed["annotations"] == [
        {"id": 1, "image_id": 5, "category_id": 2, "bbox": [4.0, 5.0, 6.0, 7.0], "area": 42.0,
         "iscrowd": 0},
        {"id": 2, "image_id": 5, "category_id": 1, "bbox": [0.0, 0.0, 2.0, 2.0], "area": 4.0,
         "iscrowd": 1},
    ]  # fmt: skip


def rows_of(boxes, scores):
    """Draws rows (frame, class, box, score) in the order of their frames, few or none a frame."""
    row = st.tuples(st.integers(0, 3), st.integers(0, 2), boxes, scores)
    return st.lists(row, max_size=8).map(lambda rows: sorted(rows, key=lambda one: one[0]))


def floats(low, high):
    return st.floats(low, high, allow_nan=False)


ANY_BOX = st.tuples(*[floats(-1e4, 1e4)] * 2, *[floats(0, 1e4)] * 2)
# Sixteenths of a pixel: adding and taking off is exact.
EXACT_BOX = st.tuples(*[st.integers(-500, 9000)] * 2, *[st.integers(1, 5000)] * 2).map(
    lambda box: tuple(value / 16 for value in box)
)


@pytest.mark.parametrize("form", DETECTIONS)
@settings(max_examples=60, deadline=None)
@given(first=rows_of(ANY_BOX, floats(0, 1)), second=rows_of(ANY_BOX, floats(0, 1)))
def test_boxes_scores_and_labels_come_back(form, first, second) -> None:
    """Scores, labels, frames and their order exactly; boxes to the last digit of a corner."""
    with TemporaryDirectory() as folder:
        clips = {"val_1": (first, 4), "val_2": (second, 4)}
        _, found = written(form, Path(folder), clips)
        most = 0.0
        for name, (rows, frames) in clips.items():
            again = replayed(found.replay, name, frames)
            assert [(r[0], r[1], r[3]) for r in again] == [(r[0], r[1], r[3]) for r in rows]
            old, new = (np.array([r[2] for r in of]).reshape(-1, 4) for of in (rows, again))
            most = max(most, float(np.abs(new - old).max(initial=0)))
    assert most == found.moved_px
    # Half a unit in the last place of 20,000 is 1.8e-12; COCO's boxes are ours.
    assert most < 1e-11
    assert most == 0 or form != "coco"


@pytest.mark.parametrize("form", DETECTIONS)
@settings(max_examples=40, deadline=None)
@given(rows=rows_of(EXACT_BOX, floats(0, 1)), data=st.data())
def test_the_score_is_the_same(form, rows, data) -> None:
    at = st.tuples(st.integers(0, 3), st.integers(0, 2), EXACT_BOX)
    near = [(frame, label, box, False) for frame, label, box, _ in rows[::2]]
    others = [(*one, False) for one in data.draw(st.lists(at, max_size=3))]
    with TemporaryDirectory() as folder:
        traces, found = written(form, Path(folder), {"a": (rows, 4)})
        again = trace_of(replayed(found.replay, "a", 4), 4)
    truths, rules = truths_of(near + others), VID_PROFILES["vid-fgfa"]
    before, after = (
        score_vid(truths, VidAnswers.of([t]), rules, classes=3).ap for t in (traces["a"], again)
    )
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("form", DETECTIONS)
def test_a_clip_without_detections_stays_one(tmp_path, form) -> None:
    _, found = written(form, tmp_path, {"a": ([], 3), "b": (ROWS, 3)})
    assert replayed(found.replay, "a", 3) == []
    assert replayed(found.replay, "b", 3) == ROWS


@pytest.mark.parametrize("form", DETECTIONS)
def test_names_are_made_safe_and_found_again(tmp_path, form) -> None:
    clips = {"../val/1": (ROWS, 3), "x-val/1": ([], 3)}
    _, found = written(form, tmp_path / "out", clips, method="blobs+kalman@fixed:5")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["blobs-kalman-fixed-5"]
    assert replayed(found.replay, "../val/1", 3) == ROWS
    assert replayed(found.replay, "x-val/1", 3) == []


def test_two_clips_never_share_a_file(tmp_path) -> None:
    clips = {"a/1": (ROWS, 3), "a-1": ([], 3)}
    with pytest.raises(VBenchError, match=r"'a/1' and 'a-1' would both be written as a-1\.txt"):
        written("vid", tmp_path, clips)
    _, found = written("coco", tmp_path, clips)
    assert replayed(found.replay, "a/1", 3) == ROWS
    assert replayed(found.replay, "a-1", 3) == []


def test_a_path_that_cannot_stand_in_a_method_is_not_offered(tmp_path) -> None:
    for form in DETECTIONS:
        _, found = written(form, tmp_path / "a b", {"a": (ROWS, 3)})
        assert (found.replay, found.files) == ("", 2 if form == "coco" else 1)


def test_a_list_too_large_to_be_replayed_is_not_offered(tmp_path, monkeypatch) -> None:
    """The reader's limit, which is the writer's as well."""
    assert raw_detections.REPLAYED_BYTES == MAX_JSON_BYTES
    written("coco", tmp_path, {"a": (ROWS, 3)})
    size = (tmp_path / "m/results.json").stat().st_size
    for limit, offered in ((size, True), (size - 1, False)):
        monkeypatch.setattr(raw_detections, "REPLAYED_BYTES", limit)
        _, found = written("coco", tmp_path, {"a": (ROWS, 3)})
        assert bool(found.replay) is offered


def test_without_any_clip_nothing_is_written(tmp_path) -> None:
    for form in DETECTIONS:
        _, found = written(form, tmp_path, {})
        assert (found.files, found.replay) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_said(tmp_path) -> None:
    with pytest.raises(UnknownName, match="format of detections"):
        written("vod", tmp_path, {"a": (ROWS, 3)})
