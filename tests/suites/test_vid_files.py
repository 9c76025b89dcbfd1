"""`vid:PATH` in each of its layouts, whole and damaged."""

import json

import cv2
import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady, VBenchError


def opened(path, **given):
    data = given.pop("data", None)
    return catalogue.open_suite(f"vid:{path}", data, None, given)


def images(folder, count, start=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(start, start + count):
        cv2.imwrite(str(folder / f"{number:04d}.png"), np.zeros((40, 60, 3), np.uint8))


def rows(clip):
    o = clip.objects
    return list(zip(o.frame.tolist(), o.labels.tolist(), o.boxes.tolist(), strict=True))


@pytest.fixture
def coco():
    """Two videos of two frames each; the second has one object, a crowd."""
    return {
        "videos": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
        "images": [
            {"id": 10 * v + f, "video_id": v, "frame_id": f, "file_name": f"{n}/{f:04d}.png",
             "width": 60, "height": 40}
            for v, n in ((1, "a"), (2, "b")) for f in (1, 0)
        ],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 11, "category_id": 7, "bbox": [1, 2, 3, 4], "instance_id": 5},
            {"id": 2, "image_id": 10, "category_id": 3, "bbox": [5, 6, 7, 8], "instance_id": 6},
            {"id": 3, "image_id": 20, "category_id": 3, "bbox": [5, 6, 7, 8], "iscrowd": 1},
        ],
    }  # fmt: skip


def written(tmp_path, data):
    path = tmp_path / "vid.json"
    path.write_text(json.dumps(data))
    return path


def test_coco_vid(tmp_path, coco) -> None:
    images(tmp_path / "a", 2)
    suite = opened(written(tmp_path, coco))
    assert suite.card.classes == ("cat", "dog")
    assert suite.card.profile == "vid-coco"
    first, second = suite.clips
    assert rows(first) == [(0, 0, [5, 6, 7, 8]), (1, 1, [1, 2, 3, 4])]
    assert first.objects.tracks.tolist() == [6, 5]
    assert first.frames[1].shape == (40, 60, 3)
    assert second.objects.ignore.tolist() == [True]
    assert second.size == (60, 40)
    assert [clip.name for clip in suite.with_images().clips] == ["a"]


def test_a_coco_file_without_videos_has_a_clip_a_folder(tmp_path, coco) -> None:
    del coco["videos"]
    for image in coco["images"]:
        del image["video_id"], image["frame_id"]
    suite = opened(written(tmp_path, coco))
    assert [clip.name for clip in suite.clips] == ["a", "b"]
    assert rows(suite.clips[0])[0] == (0, 0, [5, 6, 7, 8])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["images"][1].update(frame_id=1), "frame 1 is there twice"),
        (lambda d: d["annotations"][0].update(category_id=8), "frame 1: unknown class 8"),
        (
            lambda d: d["annotations"][0].update(bbox=[70, 2, 3, 4]),
            "frame 1: the box 70 2 3 4 lies",
        ),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3]), "damaged"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, float("nan"), 4]), "is no box"),
        (lambda d: d["images"][0].update(file_name="/etc/a.png"), "leads out of the folder"),
        (lambda d: d["images"][0].update(file_name="../a.png"), "leads out of the folder"),
        (lambda d: d["images"][0].update(file_name="a/9.png"), "image a/9.png is listed but"),
    ],
)
def test_what_is_wrong_in_coco_vid_is_a_problem_of_its_clip(tmp_path, coco, change, why) -> None:
    images(tmp_path / "a", 2)
    change(coco)
    suite = opened(written(tmp_path, coco))
    assert [clip.name for clip in suite.clips] == ["b"]
    assert why in suite.problems["a"]


def test_annotations_of_unknown_images_are_told(tmp_path, coco) -> None:
    coco["annotations"][0]["image_id"] = 99
    suite = opened(written(tmp_path, coco))
    assert suite.problems == {"annotations": "1 are of images that the file does not list"}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": [{}]}', "[" * 100_000])
def test_a_json_that_is_none_of_ours(tmp_path, text) -> None:
    path = tmp_path / "vid.json"
    path.write_text(text)
    with pytest.raises(VBenchError, match=r"vid\.json is no (JSON|COCO-VID file)"):
        opened(path)


def mot(folder, lines, frames=3, info=True):
    images(folder / "img1", frames, start=1)
    (folder / "gt").mkdir(parents=True)
    (folder / "gt/gt.txt").write_text("\n".join(lines))
    if info:
        text = (
            "[Sequence]\nname=x\nimDir=img1\nframeRate=25\nseqLength=3\nimWidth=60\nimHeight=40\n"
        )
        (folder / "seqinfo.ini").write_text(text)


GOOD = ["1,4,11,6,20,10,1,1,1.0", "3,4,12,6,20,10,1,3,.5", "3,9,1,1,5,5,0,8,1"]


def test_a_mot_sequence(tmp_path) -> None:
    mot(tmp_path / "MOT17-02", GOOD)
    suite = opened(tmp_path / "MOT17-02")
    clip = suite.clips[0]
    assert (clip.name, clip.fps, clip.size, len(clip)) == ("MOT17-02", 25.0, (60, 40), 3)
    assert rows(clip) == [
        (0, 0, [10, 5, 20, 10]),
        (2, 2, [11, 5, 20, 10]),
        (2, 7, [0, 0, 5, 5]),
    ]
    assert clip.objects.tracks.tolist() == [4, 4, 9]
    assert clip.objects.ignore.tolist() == [False, False, True]
    assert suite.card.classes[2] == "car"


def test_a_folder_of_sequences_keeps_the_good_ones(tmp_path) -> None:
    mot(tmp_path / "a", GOOD)
    mot(tmp_path / "b", ["1,4,11,6,20,nan,1,1,1.0"])
    mot(tmp_path / "c", ["9,4,11,6,20,10,1,1,1.0"])
    mot(tmp_path / "d", GOOD, frames=2)
    mot(tmp_path / "e", GOOD)
    (tmp_path / "e/seqinfo.ini").write_text("seqLength")
    suite = opened(tmp_path)
    assert [clip.name for clip in suite.clips] == ["a"]
    assert suite.coverage == "1/5"
    assert suite.problems == {
        "b": "gt.txt has a row that is no box",
        "c": "gt.txt has frame 9, there are 3",
        "d": "gt.txt has frame 3, there are 2",
        "e": "seqinfo.ini cannot be read",
    }


def test_a_table_of_boxes(tmp_path) -> None:
    images(tmp_path / "yard", 3, start=5)
    lines = ["frame,class,x,y,w,h,track,ignore", "5,dog,1,2,3,4,0,0", "7,cat,5,6,7,8,1,1", "#"]
    (tmp_path / "yard/boxes.csv").write_text("\n".join(lines))
    suite = opened(tmp_path)
    clip = suite.clips[0]
    assert suite.card.classes == ("cat", "dog")
    assert rows(clip) == [(0, 1, [1, 2, 3, 4]), (2, 0, [5, 6, 7, 8])]
    assert clip.objects.ignore.tolist() == [False, True]
    assert opened(tmp_path, classes="dog/cat").clips[0].objects.labels.tolist() == [0, 1]


def test_classes_may_be_numbers(tmp_path) -> None:
    images(tmp_path, 1)
    (tmp_path / "boxes.txt").write_text("0 2 1 1 5 5\n")
    suite = opened(tmp_path)
    assert suite.card.classes == ("0", "1", "2")
    assert suite.clips[0].objects.labels.tolist() == [2]
    assert suite.clips[0].objects.tracks.tolist() == [-1]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 dog 1 2 3", "line 1: expected frame class x y w h"),
        ("0 dog 1 2 3 four", "line 1: expected"),
        ("9 dog 1 2 3 4", "line 1: frame 9 has no image"),
        ("0 dog 1 2 0 4", "frame 0: the box 1 2 0 4 has no size"),
    ],
)
def test_a_bad_row_of_a_table_is_named(tmp_path, line, why) -> None:
    images(tmp_path, 1)
    (tmp_path / "boxes.txt").write_text(line)
    with pytest.raises(ClipFailed, match=why):
        opened(tmp_path)


def test_xml_beside_each_image(tmp_path) -> None:
    images(tmp_path / "yard", 2)
    box = "<xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>22</ymax>"
    text = f"<annotation><object><name>dog</name><bndbox>{box}</bndbox></object></annotation>"
    (tmp_path / "yard/0001.xml").write_text(text)
    assert rows(opened(tmp_path / "yard").clips[0]) == [(1, 0, [1, 2, 10, 20])]


def test_images_without_boxes_say_what_to_write(tmp_path) -> None:
    images(tmp_path / "yard", 1)
    with pytest.raises(ClipFailed, match=r"yard: no boxes; write boxes\.csv with rows frame class"):
        opened(tmp_path)


def test_nothing_there(tmp_path) -> None:
    with pytest.raises(NotReady, match="nowhere': there is no such file or folder"):
        opened(tmp_path / "nowhere")
    with pytest.raises(NotReady, match="holds no clips; lay them out as"):
        opened(tmp_path)


@pytest.mark.parametrize("head", ["frame,klass,x,y,w,h", "frame,x,y,w,h,class", "frame,class,x"])
def test_columns_in_another_order_are_no_boxes(tmp_path, head) -> None:
    images(tmp_path / "yard", 1, start=1)
    (tmp_path / "yard/boxes.csv").write_text(f"{head}\n1,dog,1,2,3,4\n")
    with pytest.raises(ClipFailed, match=r"boxes\.csv has the columns .*, not frame class x y w h"):
        opened(tmp_path)
    (tmp_path / "yard/boxes.csv").write_text("frame,class,x,y,w,h,track\n1,dog,1,2,3,4,0\n")
    assert rows(opened(tmp_path).clips[0]) == [(0, 0, [1, 2, 3, 4])]
