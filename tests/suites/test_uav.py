"""The UAV123 family on tiny trees and on the published annotations."""

import json

import numpy as np
import pytest

from tests.suites.test_sequence_folders import image_names, lay
from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.suite import read_card
from vbench.suites import uav


def rows(n, first=1):
    return "".join(f"{first + i},20,30,40\n" for i in range(n))


def card(name):
    from pathlib import Path

    return read_card(Path(uav.__file__).with_name(f"{name}.toml"))


def test_targets_of_one_video_take_their_own_frames(tmp_path):
    """bird1_2 is frames 775 to 1477 of bird1."""
    assert uav.frame_ranges(card("uav123"))["bird1_2"] == (775, 1477)
    files = {
        "anno/UAV123/bird1_2.txt": rows(703),
        "anno/UAV123/att/bird1_2.txt": "1,1,1,1,1,1,1,0,0,0,0,0\n",
    }
    for n in range(770, 1480):
        lay(tmp_path, {f"data_seq/UAV123/bird1/{n:06d}.jpg": ""})
    suite = catalogue.open_suite("uav123", lay(tmp_path, files), None)
    (clip,) = suite.clips
    assert (clip.name, len(clip), suite.coverage) == ("bird1_2", 703, "1/123")
    names = image_names(clip)
    assert (names[0], names[-1]) == ("000775.jpg", "001477.jpg")
    assert clip.tags == ("SV", "ARC", "LR", "FM", "FOC", "POC", "OV")
    np.testing.assert_array_equal(clip.truth[0], [0, 19, 30, 40])


def test_names_lead_to_videos():
    assert [uav.video_of(n) for n in ("bird1_2", "car1_s", "uav8", "person14_3")] == [
        "bird1",
        "car1_s",
        "uav8",
        "person14",
    ]


def test_ten_frames_a_second_are_every_third_row_of_either_file(tmp_path):
    """wakeboard7: 199 frames, 67 of them at 10 a second."""
    thin = {"wakeboard7.txt": rows(67), "wakeboard7/%06d.jpg": 67}
    full = {
        "anno/UAV123/wakeboard7.txt": rows(199),
        "data_seq/UAV123_10fps/wakeboard7/%06d.jpg": 67,
    }
    clips = [
        catalogue.open_suite("uav123-10fps", lay(tmp_path / name, files), None).clips[0]
        for name, files in (("thin", thin), ("full", full))
    ]
    assert [len(clip) for clip in clips] == [67, 67]
    assert clips[0].truth[:3, 0].tolist() == [0, 1, 2]
    assert clips[1].truth[:3, 0].tolist() == [0, 3, 6]
    assert clips[0].fps == 10


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"anno/UAV123/uav2.txt": rows(100)}, "100 rows for 133 frames"),
        (
            {"anno/UAV123/uav2.txt": rows(133), "data_seq/UAV123/uav2/%06d.jpg": 130},
            "3 of 133 images missing in uav2, first 000131.jpg",
        ),
        ({"data_seq/UAV123/uav2/%06d.jpg": 133}, "no ground truth (uav2.txt)"),
        ({"anno/UAV123/uav2.txt": "1,2,3,4\n1,2;3;4\n"}, "row 2"),
    ],
)
def test_what_is_wrong_with_a_target_is_named(files, why, tmp_path):
    with pytest.raises(ClipFailed, match="none of 1 targets can be read; uav2: ") as caught:
        catalogue.open_suite("uav123", lay(tmp_path, files), None)
    assert why in str(caught.value)


def test_nothing_here_says_where_to_get_it(tmp_path):
    with pytest.raises(NotReady, match=r"uav20l: no data in .*kaust.*anno/UAV20L"):
        catalogue.open_suite("uav20l", tmp_path, None)


@pytest.mark.parametrize(
    ("suite", "clips", "frames"),
    [("uav123", 123, 112_578), ("uav20l", 20, 58_670), ("uav123-10fps", 123, 37_607)],
)
def test_the_published_annotations_are_complete(suite, clips, frames, real_data):
    """Frames of UAV123 and UAV20L as in their paper; 10fps by the ranges of pysot-toolkit."""
    found = catalogue.open_suite(suite, None, real_data / "annotations/uav123")
    assert (len(found.clips), found.problems) == (clips, {})
    assert sum(len(clip) for clip in found.clips) == frames


def test_rows_of_nan_are_absent(real_data):
    found = catalogue.open_suite("uav123", None, real_data / "annotations/uav123")
    bird = next(clip for clip in found.clips if clip.name == "bird1_3")
    gone = np.isnan(bird.truth).all(axis=1)
    assert 0 < gone.sum() < len(bird)


def test_ranges_at_ten_frames_a_second_are_the_published_ones(real_data):
    text = (real_data / "annotations/uav123/uav123_10fps_ranges.json").read_text()
    published = {
        name: (entry["start_frame"], entry["end_frame"])
        for name, entry in json.loads(text)["UAV123_10fps"].items()
    }
    assert uav.frame_ranges(card("uav123-10fps")) == published


def test_a_genuine_sequence_is_read(real_data):
    found = catalogue.open_suite("uav123-10fps", real_data / "sequences/uav123_10fps", None)
    assert [(clip.name, len(clip), clip.size) for clip in found.clips] == [
        ("wakeboard7", 67, (1280, 720))
    ]
    assert found.clips[0].truth[0].tolist() == [622, 298, 11, 38]
