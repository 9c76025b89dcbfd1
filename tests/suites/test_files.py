"""Your own images and videos: what is found, and what is said of what is broken."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.suite import read_card
from vbench.suites import files

CARD = read_card(Path(files.__file__).with_name("files.toml"))
ROWS = ["10,20,30,40", "11,20,30,40", "0,0,0,0", "12,21,30,40"]


def images(folder, n=4, pattern="{:04d}.png"):
    folder.mkdir(parents=True)
    for index in range(n):
        image = np.full((24, 32, 3), 10 * index, np.uint8)
        cv2.imwrite(str(folder / pattern.format(index + 1)), image)
    return folder


def boxes(path, rows=ROWS):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")


def load(path, **given):
    return files.load(CARD, str(path), **given)


@pytest.mark.parametrize("inner", ["", "img", "color", "frames"])
@pytest.mark.parametrize(
    "place",
    [
        "ball/groundtruth.txt",
        "ball/groundtruth_rect.txt",
        "ball/ball.txt",
        "ball.txt",
        "ball/gt.csv",
    ],
)
def test_a_folder_of_images(tmp_path, inner, place):
    images(tmp_path / "ball" / inner)
    boxes(tmp_path / place)
    suite = load(tmp_path / "ball")
    (clip,) = suite.clips
    assert (clip.name, len(clip), clip.size) == ("ball", 4, (32, 24))
    np.testing.assert_array_equal(clip.truth[3], [12, 21, 30, 40])
    assert np.isnan(clip.truth[2]).all()
    assert clip.frames[2][0, 0].tolist() == [20, 20, 20]
    assert suite.coverage == "1/1"
    assert suite.name == f"files:{tmp_path / 'ball'}"


def test_images_are_ordered_by_number_not_by_letter(tmp_path):
    images(tmp_path / "ball", n=12, pattern="frame{}.png")
    boxes(tmp_path / "ball.txt", ["1,2,3,4"] * 12)
    names = [path.name for path in load(tmp_path / "ball").clips[0].frames.paths]
    assert names == [f"frame{index}.png" for index in range(1, 13)]


def test_a_video(tmp_path):
    writer = cv2.VideoWriter(
        str(tmp_path / "ball.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48)
    )
    for index in range(4):
        writer.write(np.full((48, 64, 3), 40 * index, np.uint8))
    writer.release()
    boxes(tmp_path / "ball.txt")
    (clip,) = load(tmp_path / "ball.avi").clips
    assert (clip.name, len(clip), clip.size, clip.fps) == ("ball", 4, (64, 48), 25.0)
    assert [round(clip.frames[i].mean() / 40) for i in (3, 0, 2)] == [3, 0, 2]


def test_a_folder_of_clips_goes_on_past_broken_ones(tmp_path):
    for name in ("b", "a", "short", "bare", "wrong"):
        images(tmp_path / name)
    for name in ("b", "a"):
        boxes(tmp_path / name / "groundtruth.txt")
    boxes(tmp_path / "short" / "groundtruth.txt", ROWS[:3])
    boxes(tmp_path / "wrong" / "groundtruth.txt", ["1,2,3,4", "1,2,-3,4", *ROWS[2:]])
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    boxes(tmp_path / "broken.txt")
    (tmp_path / "notes").mkdir()
    suite = load(tmp_path)
    assert [clip.name for clip in suite.clips] == ["a", "b"]
    assert suite.problems == {
        "bare": "no box file; write groundtruth.txt, one x y w h row a frame",
        "broken": "broken.mp4 cannot be decoded as a video",
        "short": "groundtruth.txt has 3 rows for 4 frames",
        "wrong": "groundtruth.txt: frame 1 has a box of negative size",
    }
    assert suite.coverage == "2/6"


def test_parameters_reach_the_box_file_through_the_catalogue(tmp_path):
    images(tmp_path / "ball")
    boxes(tmp_path / "ball" / "groundtruth.txt", ["x1\ty1\tx2\ty2"] + ["11\t21\t41\t61"] * 4)
    given = {"one_based": "true", "format": "xyxy"}
    (clip,) = catalogue.open_suite(f"files:{tmp_path / 'ball'}", None, None, given).clips
    np.testing.assert_array_equal(clip.truth, [[10, 20, 30, 40]] * 4)


def test_annotations_elsewhere_win(tmp_path):
    images(tmp_path / "data" / "ball")
    boxes(tmp_path / "data" / "ball" / "groundtruth.txt")
    boxes(tmp_path / "notes" / "ball.txt", ["5 6 7 8"] * 4)
    (clip,) = load(tmp_path / "data", annotations=tmp_path / "notes").clips
    np.testing.assert_array_equal(clip.truth, [[5, 6, 7, 8]] * 4)


def test_a_video_and_a_folder_of_one_name_are_two_clips(tmp_path):
    images(tmp_path / "a")
    boxes(tmp_path / "a" / "groundtruth.txt")
    (tmp_path / "a.mp4").write_bytes(b"no video")
    suite = load(tmp_path)
    assert [clip.name for clip in suite.clips] == ["a"]
    assert list(suite.problems) == ["a.mp4"]


def test_nothing_there_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("1")
    for name, why in (
        ("empty", "holds no images"),
        ("none", "is no folder"),
        ("note.txt", "is no"),
    ):
        with pytest.raises(NotReady, match=why) as caught:
            load(tmp_path / name)
        assert "groundtruth.txt" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_single_broken_clip_is_an_error(tmp_path):
    images(tmp_path / "ball")
    boxes(tmp_path / "ball" / "groundtruth.txt", ["1,2,3,4", "1,2,x,4"])
    with pytest.raises(ClipFailed, match=r"ball: groundtruth\.txt row 2: 'x' is not a number"):
        load(tmp_path / "ball")


def test_an_otb_sequence_is_the_same_as_files(real_data):
    folder = real_data / "sequences" / "otb"
    (clip,) = load(folder / "Crossing", one_based=True).clips
    otb = catalogue.open_suite("otb2015", folder, None).only(["Crossing"]).clips[0]
    np.testing.assert_array_equal(clip.truth, otb.truth)
    np.testing.assert_array_equal(clip.frames[119], otb.frames[119])
