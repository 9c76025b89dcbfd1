"""`stored:PATH`: which file is a clip's, what its rows mean, what is refused and why."""

import json

import numpy as np
import pytest

from tests.run.scripted import clip
from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady, VBenchError
from vbench.core.roles import Placed, Recorded
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.stored_files import matching
from vbench.run.replay import unused_files
from vbench.run.stepper import DetectorStepper

FRAME = np.zeros((40, 60, 3), np.uint8)
VID = "0 6 0.9 10 20 30 50\n2 19 0.25 1 2 3 4\n2 6 0.5 0 0 9 9\n"
MOT = "1,-1,11,21,20,30,0.9,-1,-1,-1\n3,4,2,3,2,2,0.25,2,1\n"


def stored(path, **given):
    return catalogue.build("detectors", f"stored:{path}", given)


def answers(model, clip="clip", frames=3):
    model.enter(clip, frames)
    found = []
    for index in range(frames):
        model.at(index)
        boxes, scores, labels = model.detect(FRAME)
        rows = zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
        found.append([(*box, score, label) for box, score, label in rows])
    return found


def written(folder, **texts):
    for name, text in texts.items():
        data = text if isinstance(text, str) else json.dumps(text)
        ending = ".txt" if isinstance(text, str) else ".json"
        (folder / f"{name}{ending}").write_text(data)
    return folder


def test_vid_rows_are_frames_from_0_and_classes_from_1(tmp_path) -> None:
    found = answers(stored(written(tmp_path, clip=VID)))
    assert found == [
        [(10, 20, 20, 30, 0.9, 5)],
        [],
        [(1, 2, 2, 2, 0.25, 18), (0, 0, 9, 9, 0.5, 5)],
    ]


def test_mot_rows_have_frames_corners_and_classes_from_1(tmp_path) -> None:
    written(tmp_path, clip=MOT.replace("-1,-1,-1\n", "-1,-1\n"))
    found = answers(stored(tmp_path))
    assert found == [[(10, 20, 20, 30, 0.9, 0)], [], [(1, 2, 2, 2, 0.25, 1)]]


def test_the_first_frame_may_have_another_number(tmp_path) -> None:
    written(tmp_path, clip="5 6 0.9 10 20 30 50\n")
    assert answers(stored(tmp_path, first="5"))[0] == [(10, 20, 20, 30, 0.9, 5)]


RESULTS = [
    {"image_id": 11, "category_id": 7, "bbox": [1, 2, 3, 4], "score": 0.5},
    {"image_id": 10, "category_id": 3, "bbox": [5, 6, 7, 8], "score": 0.9},
    {"image_id": 20, "category_id": 3, "bbox": [9, 9, 9, 9], "score": 0.1},
]
IMAGES = {
    "videos": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    "images": [
        {"id": 10 * v + f, "video_id": v, "frame_id": f} for v in (1, 2) for f in (1, 0)
    ],
    "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
}  # fmt: skip


def test_coco_results_are_placed_by_a_list_of_images(tmp_path) -> None:
    written(tmp_path, results=RESULTS, images=IMAGES)
    model = stored(tmp_path / "results.json", images=str(tmp_path / "images.json"))
    assert answers(model, "a", 2) == [[(5, 6, 7, 8, 0.9, 0)], [(1, 2, 3, 4, 0.5, 1)]]
    assert answers(model, "b", 2) == [[(9, 9, 9, 9, 0.1, 0)], []]
    with pytest.raises(ClipFailed, match="lists no images of clip c"):
        model.enter("c", 2)


def test_a_coco_file_may_list_its_own_images(tmp_path) -> None:
    written(tmp_path, all=IMAGES | {"annotations": RESULTS})
    assert answers(stored(tmp_path / "all.json"), "b", 2)[0] == [(9, 9, 9, 9, 0.1, 0)]


def test_images_in_folders_are_of_clips_of_the_folders_names(tmp_path) -> None:
    images = [{"id": 10, "file_name": "a/0.jpg"}, {"id": 11, "file_name": "a/1.jpg"}]
    written(tmp_path, all={"images": images, "annotations": RESULTS[:2]})
    assert answers(stored(tmp_path / "all.json"), "a", 2) == [
        [(5, 6, 7, 8, 0.9, 2)],
        [(1, 2, 3, 4, 0.5, 6)],
    ]


def test_a_list_alone_wants_the_number_of_its_first_image(tmp_path) -> None:
    written(tmp_path, clip=RESULTS[:2])
    with pytest.raises(ClipFailed, match="does not say which image is which frame"):
        answers(stored(tmp_path / "clip.json"))
    found = answers(stored(tmp_path / "clip.json", first="10"), frames=2)
    assert [row[0][4] for row in found] == [0.9, 0.5]
    with pytest.raises(ClipFailed, match="of a file that is called like its clip"):
        answers(stored(tmp_path / "clip.json", first="10"), clip="another")


@pytest.mark.parametrize(
    ("clip", "names", "expected"),
    [
        ("a", ["a", "x_a"], "a"),
        ("ILSVRC2015_val_0002", ["rfcn_val_0002", "rfcn_val_0014"], "rfcn_val_0002"),
        ("train_7", ["x_val_7", "y_train_7"], "y_train_7"),
        ("a_b", ["c"], None),
        ("MOT17-02", ["dets.MOT17.02", "dets.MOT17.04"], "dets.MOT17.02"),
        # All words are more than an ending.
        ("val/7", ["x-val-7", "val-7"], "val-7"),
        # Part of a word is no ending.
        ("x_17", ["y_117"], None),
    ],
)  # fmt: skip
def test_a_clip_is_matched_by_its_name_or_its_ending(clip, names, expected) -> None:
    assert matching(clip, names) == expected


def test_several_endings_are_ambiguous() -> None:
    with pytest.raises(ClipFailed, match="2 files may be its own: a_val_1, b_val_1"):
        matching("c_val_1", ["b_val_1", "a_val_1"])


def test_a_file_is_of_one_clip_alone(tmp_path) -> None:
    model = stored(written(tmp_path, det_7=VID))
    model.enter("val_7", 3)
    model.enter("val_7", 3)
    with pytest.raises(ClipFailed, match="det_7.txt was taken for clip val_7"):
        model.enter("train_7", 3)


def test_one_file_alone_must_be_called_like_the_clip(tmp_path) -> None:
    written(tmp_path, det_7=VID)
    assert answers(stored(tmp_path / "det_7.txt"), "clip_7")[1] == []
    with pytest.raises(ClipFailed, match="is called like clip clip_8"):
        answers(stored(tmp_path / "det_7.txt"), "clip_8")


def test_two_files_of_one_name_are_ambiguous(tmp_path) -> None:
    written(tmp_path, clip=VID)
    written(tmp_path, clip=RESULTS)
    with pytest.raises(VBenchError, match=r"clip\.(txt|json) and clip\.(txt|json) may be"):
        stored(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 6 nan 1 2 3 4", "row 1 has a score that is no number"),
        ("0 6 0.5 1 2 3 4\n0 6 0.5 1 inf 3 4", "row 2 has a box that is no number"),
        ("0 6 0.5 9 2 3 4", "row 1 has a box that ends before it begins"),
        ("0 0 0.5 1 2 3 4", "row 1 has a class below 1"),
        ("0 6 0.5 1 2 3", "row 1 has 6 numbers, not frame class score xmin ymin xmax ymax"),
        ("\n0 6 x 1 2 3 4", "row 2: 'x' is no number"),
        ("0.5 6 0.5 1 2 3 4", "a frame or class is no whole number"),
        ("3 6 0.5 1 2 3 4", "4 frames from the first, the clip has 3 frames"),
        ("-1 6 0.5 1 2 3 4", "the clip has 3 frames"),
        ("1,2,3,4", "not frame,id,left,top,width,height,score"),
        ("\0", "is not a text file"),
    ],
)
def test_a_bad_row_fails_the_clip_with_the_reason(tmp_path, text, why) -> None:
    with pytest.raises(ClipFailed, match=why):
        answers(stored(written(tmp_path, clip=text)))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([{"image_id": 1}], "damaged"),
        ([{"image_id": 0, "category_id": 1, "bbox": [1, 2], "score": 1}], "damaged"),
        ({"images": 3}, "list of images is damaged"),
        (5, "no list of results"),
    ],
)
def test_a_bad_json_file_fails_the_clip_with_the_reason(tmp_path, data, why) -> None:
    written(tmp_path, clip=data)
    with pytest.raises(ClipFailed, match=why):
        answers(stored(tmp_path / "clip.json", first="0"))


def test_an_empty_file_is_a_clip_without_detections(tmp_path) -> None:
    assert answers(stored(written(tmp_path, clip=""))) == [[], [], []]


def test_its_cost_is_what_is_stated(tmp_path) -> None:
    path = written(tmp_path, clip=VID)
    told, untold = stored(path, gmac="169", ms="98.6"), stored(path)
    assert isinstance(told, Placed) and isinstance(told, Recorded)
    assert unit_costs(told).key.per_call == 169e9
    assert told.stated_seconds == pytest.approx(0.0986)
    assert unit_costs(untold).key.uncounted == ("stored detections",)
    assert np.isnan(untold.stated_seconds)


def test_its_digest_is_that_of_its_files(tmp_path) -> None:
    first = stored(written(tmp_path, clip=VID)).digest()
    assert stored(tmp_path).digest() == first
    assert stored(written(tmp_path, clip=VID + "1 6 0.5 0 0 9 9\n")).digest() != first


def test_what_is_not_there_is_said(tmp_path) -> None:
    for path, why in ((tmp_path / "absent", "no such file"), (tmp_path, "no .txt")):
        with pytest.raises(NotReady, match=why):
            stored(path)
    written(tmp_path, clip=VID)
    with pytest.raises(NotReady, match="images="):
        stored(tmp_path, images=str(tmp_path / "none.json"))
    with pytest.raises(VBenchError, match=r"stored\[ms=-1\]"):
        stored(tmp_path, ms="-1")


def test_files_of_no_clip_are_named(tmp_path) -> None:
    written(tmp_path, clip=VID, val_00000007=VID)
    found = stored(tmp_path)
    assert found.strangers(["clip"]) == ["val_00000007.txt"]
    assert found.strangers(["clip", "ILSVRC2015_val_00000007"]) == []
    assert stored(tmp_path / "clip.txt").strangers(["other"]) == []
    stepper = DetectorStepper(found)
    (line,) = unused_files(stepper, [clip(3, "a"), clip(3, "clip")])
    assert line == "1 of its files are of no clip of this run: val_00000007.txt"
