"""The VOT challenges from folders and from one JSON file, whole and broken."""

import json

import numpy as np
import pytest

from tests.suites.test_sequence_folders import lay
from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.frames import ImageFiles, NoFrames

POLYGON = "10,10,30,10,30,50,10,50"
ROWS = f"{POLYGON}\n" * 3
FOLDERS = {
    "list.txt": "bag\n",
    "bag/groundtruth.txt": ROWS,
    "bag/color/%08d.jpg": 3,
    "bag/occlusion.tag": "0\n1\n",
    "bag/size_change.tag": "",
    "bag/practical.value": "0.5\n",
    "bag/sequence": "channels.color=color/%08d.jpg\nfps=30\nwidth=100\nheight=80\nname=bag\n",
    "out/groundtruth.txt": ROWS,  # not in the list
}


def entry(rows=3, **changed):
    base = {
        "video_dir": "bag",
        "gt_rect": [[10, 10, 30, 10, 30, 50, 10, 50]] * rows,
        "img_names": [f"bag/color/{n:08d}.jpg" for n in range(1, rows + 1)],
        "occlusion": [0, 1, 0],
        "camera_motion": [],
        "width": 100,
        "height": 80,
    }
    return base | changed


def test_folders_of_the_toolkits_are_read(tmp_path):
    suite = catalogue.open_suite("vot2018", lay(tmp_path, FOLDERS), None)
    (clip,) = suite.clips
    assert (clip.name, len(clip), clip.size, clip.fps) == ("bag", 3, (100, 80), 30)
    assert clip.regions is not None
    assert clip.regions.shape == (3, 8)
    np.testing.assert_array_equal(clip.truth[0], [10, 10, 20, 40])
    # The challenges' files may end early.
    assert clip.frame_tags["occlusion"].tolist() == [False, True, False]
    assert clip.frame_values["practical"].tolist() == [0.5, 0, 0]
    assert clip.tags == ("occlusion",)


def test_one_json_file_gives_the_same_clip(tmp_path):
    lay(tmp_path, {"VOT2018.json": json.dumps({"bag": entry()}), "bag/color/%08d.jpg": 3})
    (clip,) = catalogue.open_suite("vot2018", tmp_path, None).clips
    (other,) = catalogue.open_suite("vot2018", lay(tmp_path / "f", FOLDERS), None).clips
    assert isinstance(clip.frames, ImageFiles)
    assert clip.digest() == other.digest()
    # 2017 has the same sequences.
    assert catalogue.open_suite("vot2017", tmp_path, None).clips[0].digest() == clip.digest()


def test_annotations_and_images_may_lie_apart(tmp_path):
    apart = {"bag": entry(), "ball1": entry(video_dir="ball1", img_names=["a", "b", "c"])}
    notes = lay(tmp_path / "notes", {"VOT2018.json": json.dumps(apart)})
    data = lay(tmp_path / "data", {"bag/color/%08d.jpg": 3})
    frames = [clip.frames for clip in catalogue.open_suite("vot2018", data, notes).clips]
    assert [type(f) for f in frames] == [ImageFiles, NoFrames]


def test_boxes_stay_boxes_and_mixtures_become_polygons(tmp_path):
    both = [[10, 10, 20, 40], [10, 10, 30, 10, 30, 50, 10, 50], [10, 10, 20, 40]]
    entries = {
        "boxes": entry(gt_rect=[[10, 10, 20, 40]] * 3),
        "mixed": entry(gt_rect=both),
        "gaps": entry(gt_rect=[[10, 10, 20, 40], [float("nan")] * 4, [1, 1, 2, 2]]),
    }
    lay(tmp_path, {"VOT2016.json": json.dumps(entries)})
    clips = {clip.name: clip for clip in catalogue.open_suite("vot2016", None, tmp_path).clips}
    assert clips["boxes"].regions is None
    np.testing.assert_array_equal(clips["boxes"].truth[0], [10, 10, 20, 40])
    mixed = clips["mixed"].regions
    assert mixed is not None
    np.testing.assert_array_equal(mixed[0], mixed[1])
    assert np.isnan(clips["gaps"].truth).any(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"gt_rect": []}, "the ground truth is empty"),
        ({"gt_rect": [[1, 2, 3]]}, "row 1: neither a box nor a polygon"),
        ({"gt_rect": [[1, 2, "x", 4]]}, "row 1 is no row of numbers"),
        ({"gt_rect": [[1, 2, 1e9, 4]]}, "row 1: no region of an image"),
        ({"gt_rect": "no"}, "no 'gt_rect' list"),
        ({"img_names": ["a.jpg"]}, "3 ground-truth rows for 1 image names"),
    ],
)
def test_broken_entries_are_named(changed, why, tmp_path):
    lay(tmp_path, {"VOT2018.json": json.dumps({"bag": entry(), "bad": entry(**changed)})})
    suite = catalogue.open_suite("vot2018", None, tmp_path)
    assert [clip.name for clip in suite.clips] == ["bag"]
    assert why in suite.problems["bad"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"bag/color/%08d.jpg": 4}, "3 ground-truth rows for 4 images"),
        ({"bag/groundtruth.txt": "1,2,3,4\n1,2 3 4\n"}, "row 2"),
        ({"bag/groundtruth.txt": "1,2,3,4\n1,2,3,4,5,6,7,8\n"}, "row 2: 8 numbers, not 4"),
        ({"bag/groundtruth.txt": ""}, "is empty"),
        ({"bag/occlusion.tag": "x\n"}, "is not a number"),
    ],
)
def test_broken_folders_are_named(files, why, tmp_path):
    with pytest.raises(ClipFailed, match="none of 1 sequences can be read; bag: ") as caught:
        catalogue.open_suite("vot2018", lay(tmp_path, FOLDERS | files), None)
    assert why in str(caught.value)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_a_json_file_that_is_none_is_refused(text, tmp_path):
    lay(tmp_path, {"VOT2018.json": text})
    with pytest.raises(ClipFailed, match=r"VOT2018.json"):
        catalogue.open_suite("vot2018", None, tmp_path)


def test_nothing_here_says_where_to_get_it(tmp_path):
    with pytest.raises(NotReady, match=r"vot2019: no data.*votchallenge.net/vot2019"):
        catalogue.open_suite("vot2019", tmp_path, None)


def test_missing_images_are_counted(tmp_path):
    lay(tmp_path, {"VOT2018.json": json.dumps({"bag": entry(5)}), "bag/color/%08d.jpg": 3})
    with pytest.raises(ClipFailed, match="2 of 5 images missing, first 00000004.jpg"):
        catalogue.open_suite("vot2018", tmp_path, None)


def test_genuine_folders_are_read(real_data):
    suite = catalogue.open_suite("vot2018", real_data / "sequences/vot2018", None)
    found = {clip.name: (len(clip), clip.size, clip.fps) for clip in suite.clips}
    assert found == {"ball1": (105, (1280, 720), 30), "book": (175, (640, 480), 30)}
    whole = catalogue.open_suite("vot2018", None, real_data / "annotations/vot2018")
    for clip in suite.clips:
        other = next(c for c in whole.clips if c.name == clip.name)
        assert clip.regions is not None
        assert other.regions is not None
        np.testing.assert_allclose(clip.regions, other.regions, atol=0.01)
        assert clip.frame_values["practical"].min() > 0
