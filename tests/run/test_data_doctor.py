"""The dataset doctor on sound, broken and absent data, and on the command line."""

import json

import cv2
import numpy as np
import pytest

from vbench.cli.app import Exit, invoke
from vbench.core.errors import UnknownName
from vbench.run.data_doctor import check_suite, expected_names


def image(path, size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((size[1], size[0], 3), np.uint8))


def sequence(root, name, rows, frames=3, sizes=None):
    for n in range(frames):
        image(root / name / "img" / f"{n + 1:05d}.jpg", (sizes or {}).get(n, (64, 48)))
    (root / name / "groundtruth_rect.txt").write_text("\n".join(rows) + "\n")


GOOD = ["11,11,8,8"] * 3


def whats(found, clip):
    """Findings on a clip, but for those on how it differs from the published suite's."""
    own = [f for f in found.findings if f.clip == clip and "published" not in f.what]
    return [(f.level, f.what) for f in own]


def test_sound_clips_say_nothing(tmp_path):
    sequence(tmp_path, "Zebra", GOOD)
    found = check_suite("dtb70", tmp_path)
    assert (found.coverage, found.frames, whats(found, "Zebra")) == ("1/70", 3, [])
    assert len(found.missing) == 69
    (clip,) = found.clips
    assert (clip.size, clip.images, clip.rows, clip.absent) == ((64, 48), True, 3, 0)
    assert not found.healthy  # 69 are not here
    assert found.advice[0].startswith("get what is missing from https://github.com/flyers")
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("rows", "level", "what"),
    [
        (["nan,nan,nan,nan", *GOOD[:2]], "problem", "no box in the first frame"),
        (["11,11,0,8", *GOOD[:2]], "problem", "the first box has no size: 0 x 8 px"),
        ([*GOOD[:2], "nan,nan,nan,nan"], "note", "1 of 3 rows without a target"),
        ([*GOOD[:2], "11,11,8,0"], "note", "1 boxes without width or height, first in frame 2"),
        ([GOOD[0], "99,11,8,8", GOOD[0]], "note", "wholly outside the 64 x 48 frame"),
        (GOOD[:2], "problem", "2 rows for 3 images"),
    ],
)
def test_rows_are_examined(rows, level, what, tmp_path):
    sequence(tmp_path, "Good", GOOD)
    sequence(tmp_path, "Odd", rows)
    found = check_suite("dtb70", tmp_path)
    assert any(seen == level and what in text for seen, text in whats(found, "Odd"))
    assert whats(found, "Good") == []


def test_images_are_examined(tmp_path):
    sequence(tmp_path, "Sizes", GOOD, sizes={2: (32, 24)})
    sequence(tmp_path, "Torn", GOOD)
    (tmp_path / "Torn/img/00002.jpg").write_bytes(b"no image")
    sequence(tmp_path, "Deep", GOOD * 3, frames=9)
    (tmp_path / "Deep/img/00002.jpg").write_bytes(b"")
    found = check_suite("dtb70", tmp_path)
    assert whats(found, "Sizes") == [
        ("problem", "frames differ in size: 64 x 48 from frame 0, 32 x 24 from frame 2")
    ]
    assert "1 of 3 frames unreadable: image 00002.jpg cannot be read" in whats(found, "Torn")[0][1]
    assert whats(found, "Deep") == []  # three of nine are looked at
    found = check_suite("dtb70", tmp_path, depth="all")
    assert "1 of 9 frames unreadable" in whats(found, "Deep")[0][1]
    assert "fetch or unpack the broken clips again" in found.advice


def test_what_is_not_here_is_named_with_what_is(tmp_path):
    (tmp_path / "holiday").mkdir()
    found = check_suite("vot2018", tmp_path)
    assert (found.coverage, found.frames, found.healthy) == ("0/60", 0, False)
    assert len(found.missing) == 60
    assert any("holds: holiday" in f.what for f in found.findings)
    assert found.advice[0].startswith("get it from https://www.votchallenge.net/vot2018")
    with pytest.raises(UnknownName, match="did you mean 'vot2018'"):
        check_suite("vot-2018", tmp_path)


def test_complete_suites_are_known_by_name():
    from vbench.run.data_doctor import card_of

    counts = {name: len(expected_names(card_of(name))) for name in ("uav123", "uav123-10fps")}
    assert counts == {"uav123": 123, "uav123-10fps": 123}
    assert len(expected_names(card_of("tcolor128"))) == 129
    listed = ("uav20l", "vot2017", "vot2018", "lasot", "otb2015", "dtb70", "nfs")
    for name in (*listed, "got10k-val", "got10k-test"):
        assert len(set(expected_names(card_of(name)))) == card_of(name).clips
    assert expected_names(card_of("got10k-test"))[179] == "GOT-10k_Test_000180"


def test_what_differs_from_the_published_suite_is_noted(tmp_path):
    sequence(tmp_path, "Zebra", GOOD)
    sequence(tmp_path, "Okapi", GOOD)
    notes = [(f.clip, f.what) for f in check_suite("dtb70", tmp_path).findings]
    assert notes == [
        ("Okapi", "no sequence of the published suite has this name"),
        ("Zebra", "3 frames, the published sequence has 177"),
    ]


def test_published_annotations_are_sound_and_some_frames_empty(real_data, capsys):
    place = ["--annotations", str(real_data / "annotations/vot2018")]
    assert invoke(["data", "check", "vot2018", *place]) == Exit.OK
    out = capsys.readouterr().out
    assert "60/60 clips; 21356 frames; annotations alone" in out
    assert "polygons in 59 clips" in out
    assert "complete and sound" in out
    folder = real_data / "annotations/uav123"
    asked = ["data", "check", "uav123", "--annotations", str(folder), "--json"]
    assert invoke(asked) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"]
    for clip in found["clips"]:
        rows = (folder / "anno" / f"{clip['name']}.txt").read_text().split()
        assert clip["absent"] == sum("NaN" in row for row in rows)


def test_part_of_a_suite_on_the_command_line(real_data, capsys):
    place = ["--data", str(real_data / "sequences/vot2018")]
    assert invoke(["data", "check", "vot2018", *place, "--clips"]) == Exit.PROBLEMS
    out = capsys.readouterr().out
    assert "vot2018: 2/60 clips; 280 frames; images and annotations" in out
    assert "missing: 58: ants1, ants3, bag" in out
    assert "1280 x 720" in out
    assert invoke(["data", "check", "vot2018", "--data", "/no/such"]) == Exit.USAGE
    assert "there is no such folder" in capsys.readouterr().err
