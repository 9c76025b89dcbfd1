"""OTB layouts and quirks, on made-up folders and on the published material."""

import json
from pathlib import Path

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady
from vbench.core.frames import ImageFiles, NoFrames
from vbench.core.suite import read_card
from vbench.suites import otb, otb_places

FOLDER = Path(otb.__file__).parent
CARD = read_card(FOLDER / "otb2015.toml")


def lay(root, folder, numbers, truths, digits=4):
    """Write a sequence folder: empty images by number, ground truth rows by file name."""
    images = root / folder / "img"
    images.mkdir(parents=True)
    for number in numbers:
        (images / f"{number:0{digits}d}.jpg").touch()
    for name, rows in truths.items():
        text = "\n".join(f"{11 + row},21,30,40" for row in range(rows))
        (root / folder / name).write_text(text)


def only(root, **given):
    suite = otb.load(CARD, root, **given)
    assert not suite.problems
    (clip,) = suite.clips
    return clip


def span(clip):
    return clip.frames.paths[0].name, clip.frames.paths[-1].name, len(clip)


@pytest.mark.parametrize(("name", "clips"), [("otb2015", 100), ("otb2013", 51), ("tb50", 50)])
def test_cards_are_complete(name, clips):
    card = read_card(FOLDER / f"{name}.toml")
    sequences = card.rules["sequences"]
    assert len(sequences) == len(set(sequences)) == clips == card.clips
    assert set(sequences) <= set(CARD.rules["sequences"])
    videos = {otb_places._video_and_part(otb_places.key(s))[0] for s in sequences}
    # 100 targets in 98 videos, 51 in 50, 50 in 49: PAMI 2015, section 3.
    assert len(videos) == {100: 98, 51: 50, 50: 49}[clips]


def test_boxes_become_zero_based(tmp_path):
    lay(tmp_path, "Crossing", range(1, 4), {"groundtruth_rect.txt": 3})
    np.testing.assert_array_equal(only(tmp_path).truth[2], [12, 20, 30, 40])


@pytest.mark.parametrize(
    ("folder", "images", "rows", "first", "last"),
    [
        ("David", range(1, 771), 471, "0300.jpg", "0770.jpg"),
        ("David", range(300, 771), 471, "0300.jpg", "0770.jpg"),
        ("David", range(1, 472), 471, "0001.jpg", "0471.jpg"),
        ("Football1", range(1, 82), 74, "0001.jpg", "0074.jpg"),
        ("Freeman3", range(1, 461), 460, "0001.jpg", "0460.jpg"),
        ("Freeman4", range(1, 298), 283, "0001.jpg", "0283.jpg"),
        ("Diving", range(1, 232), 215, "0001.jpg", "0215.jpg"),
        ("BlurCar1", range(1, 989), 742, "0247.jpg", "0988.jpg"),
        ("BlurCar3", range(1, 360), 357, "0003.jpg", "0359.jpg"),
        ("BlurCar4", range(1, 398), 380, "0018.jpg", "0397.jpg"),
        ("Board", range(1, 699), 698, "0001.jpg", "0698.jpg"),
    ],
)
def test_frame_ranges(tmp_path, folder, images, rows, first, last):
    lay(tmp_path, folder, images, {"groundtruth_rect.txt": rows})
    assert span(only(tmp_path)) == (first, last, rows)


def test_names_with_five_digits(tmp_path):
    lay(tmp_path, "Board", range(1, 699), {"groundtruth_rect.txt": 698}, digits=5)
    assert span(only(tmp_path)) == ("00001.jpg", "00698.jpg", 698)


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [
        (354, {}, ("0001.jpg", "0354.jpg", 354)),
        (354, {"tiger1": "349"}, ("0006.jpg", "0354.jpg", 349)),
        (349, {"tiger1": "349"}, ("0006.jpg", "0354.jpg", 349)),
    ],
)
def test_both_variants_of_tiger1(tmp_path, rows, given, expected):
    lay(tmp_path, "Tiger1", range(1, 355), {"groundtruth_rect.txt": rows})
    clip = only(tmp_path, **given)
    assert span(clip) == expected
    assert len(clip.truth) == expected[2]
    # Row 6 of the 354 is the first of the 349.
    assert clip.truth[0, 0] == (15 if rows == 354 and given else 10)


def test_the_short_tiger1_cannot_be_the_long_one(tmp_path):
    lay(tmp_path, "Tiger1", range(1, 355), {"groundtruth_rect.txt": 349})
    with pytest.raises(ClipFailed, match="Tiger1: 349 ground-truth rows, 354 .* say tiger1=349"):
        otb.load(CARD, tmp_path)


@pytest.mark.parametrize("folders", [("Jogging",), ("jogging.1", "Jogging_2"), ("JOGGING",)])
def test_two_targets_of_one_video(tmp_path, folders):
    for folder in folders:
        files = {"groundtruth_rect.1.txt": 5, "groundtruth_rect.2.txt": 5}
        lay(tmp_path, folder, range(1, 6), files)
    names = [clip.name for clip in otb.load(CARD, tmp_path).clips]
    assert names == ["Jogging-1", "Jogging-2"]


def test_human4_has_its_second_target_alone(tmp_path):
    lay(tmp_path, "Human4", range(1, 6), {"groundtruth_rect.2.txt": 5})
    assert only(tmp_path).name == "Human4-2"


def test_two_targets_need_two_files(tmp_path):
    lay(tmp_path, "Skating2", range(1, 6), {"groundtruth_rect.1.txt": 5})
    suite = otb.load(CARD, tmp_path)
    assert [clip.name for clip in suite.clips] == ["Skating2-1"]
    why = suite.problems["Skating2-2"]
    assert why == "its images are here, but no ground truth (groundtruth_rect.2.txt)"


def test_part_of_the_suite_says_so(tmp_path):
    for name in ("Crossing", "ClifBar", "MountainBike"):
        lay(tmp_path, f"OTB/{name}/{name}", range(1, 4), {"groundtruth_rect.txt": 3})
    suite = otb.load(CARD, tmp_path)
    assert suite.coverage == "3/100"
    assert [clip.name for clip in suite.clips] == ["ClifBar", "Crossing", "MountainBike"]


@pytest.mark.parametrize(
    ("images", "rows", "why"),
    [
        (range(1, 473), 329, "329 ground-truth rows for 472 images"),
        ([1, 2, 4, 5], 5, "5 ground-truth rows for 4 images"),
        ([], 5, "5 ground-truth rows for 0 images"),
    ],
)
def test_rows_and_images_must_match(tmp_path, images, rows, why):
    lay(tmp_path, "ClifBar", images, {"groundtruth_rect.txt": rows})
    lay(tmp_path, "Crossing", range(1, 4), {"groundtruth_rect.txt": 3})
    suite = otb.load(CARD, tmp_path)
    assert suite.problems == {"ClifBar": why}
    assert suite.coverage == "1/100"


def test_a_sequence_with_a_range_needs_all_of_it(tmp_path):
    lay(tmp_path, "David", range(301, 771), {"groundtruth_rect.txt": 471})
    with pytest.raises(ClipFailed, match="none of 1 .* read; David: 471 .* 470 images"):
        otb.load(CARD, tmp_path)
    (tmp_path / "David" / "groundtruth_rect.txt").write_text("1,2,3,4\n" * 770)
    with pytest.raises(ClipFailed, match=r"770 rows for 471 frames \(images 300 to 770\)"):
        otb.load(CARD, tmp_path)


def test_annotations_alone_in_any_spelling(tmp_path):
    for name in ("basketball", "Human4.2", "jogging-1", "Skating2.1", "CARDARK"):
        path = tmp_path / "anno" / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("1\t2\t3\t4\n" * 6)
    suite = otb.load(CARD, None, tmp_path)
    names = {clip.name for clip in suite.clips}
    assert names == {"Basketball", "Human4-2", "Jogging-1", "Skating2-1", "CarDark"}
    with pytest.raises(NotReady, match="only the annotations.*tracker_benchmark.*--data DIR"):
        suite.clips[0].frames[0]


def test_annotations_elsewhere_win_over_those_beside_the_images(tmp_path):
    lay(tmp_path / "data", "Crossing", range(1, 4), {"groundtruth_rect.txt": 3})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "crossing.txt").write_text("51,61,5,6\n" * 3)
    (clip,) = otb.load(CARD, tmp_path / "data", tmp_path / "notes").clips
    assert isinstance(clip.frames, ImageFiles)
    np.testing.assert_array_equal(clip.truth, [[50, 60, 5, 6]] * 3)


def test_attributes_from_every_kind_of_list(tmp_path):
    lay(tmp_path, "Crossing", range(1, 4), {"groundtruth_rect.txt": 3})
    flags = tmp_path / "anno" / "att" / "crossing.txt"
    flags.parent.mkdir(parents=True)
    flags.write_text("1,1,0,0,0,0,0,0,0,0,1\n")
    assert only(tmp_path).tags == ("IV", "OPR", "LR")
    (tmp_path / "attributes.json").write_text(json.dumps({"OV": ["CROSSING"], "SV": ["Crossing"]}))
    assert only(tmp_path).tags == ("SV", "OV")
    (tmp_path / "tb_100.txt").write_text("Biker\tSV\nCrossing\tIV ,SV,\n")
    assert only(tmp_path).tags == ("IV", "SV")
    (tmp_path / "Crossing" / "attrs.txt").write_text("BC, DEF")
    # The root's lists are met first.
    assert only(tmp_path).tags == ("IV", "SV")
    (tmp_path / "tb_100.txt").unlink()
    (tmp_path / "attributes.json").unlink()
    assert only(tmp_path).tags == ("DEF", "BC")


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_broken_attribute_lists_are_named(tmp_path, text):
    lay(tmp_path, "Crossing", range(1, 4), {"groundtruth_rect.txt": 3})
    (tmp_path / "attributes.json").write_text(text)
    with pytest.raises(Exception, match=r"^attributes\.json is no JSON") as caught:
        otb.load(CARD, tmp_path)
    assert "\n" not in str(caught.value)


def test_nothing_here_says_where_to_get_it(tmp_path):
    for data in (None, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(NotReady) as caught:
            otb.load(CARD, data)
        message = str(caught.value)
        assert CARD.url in message
        assert CARD.layout in message
        assert "--data DIR" in message
        assert "\n" not in message


def test_six_real_targets(real_data):
    suite = catalogue.open_suite("otb2015", real_data / "sequences" / "otb", None)
    lengths = {clip.name: len(clip) for clip in suite.clips}
    assert lengths == {
        "Couple": 140, "Crossing": 120, "DragonBaby": 113, "Football1": 74,
        "Jogging-1": 307, "Jogging-2": 307,
    }  # fmt: skip
    assert suite.coverage == "6/100"
    assert not suite.problems
    crossing = suite.clips[1]
    np.testing.assert_array_equal(crossing.truth[0], [204, 150, 17, 50])
    assert crossing.size == (360, 240)
    assert crossing.tags == ("SV", "DEF", "FM", "OPR", "BC")


@pytest.mark.parametrize(
    ("name", "frames"),
    # Published totals: 59,040 frames of OTB-100, 29,491 of OTB-2013.
    [("otb2015", 59040), ("otb2013", 29491)],
)
def test_published_annotations_are_complete(real_data, name, frames):
    suite = catalogue.open_suite(name, None, real_data / "annotations" / "otb100")
    assert not suite.problems
    assert suite.coverage == f"{suite.card.clips}/{suite.card.clips}"
    assert sum(map(len, suite.clips)) == frames
    assert all(isinstance(clip.frames, NoFrames) for clip in suite.clips)
    assert all(clip.tags for clip in suite.clips)
    absent = {c.name: int(np.isnan(c.truth[:, 0]).sum()) for c in suite.clips}
    expected = {"Board": 1, "Twinnings": 1} if name == "otb2015" else {}
    assert {k: v for k, v in absent.items() if v} == expected


def test_two_published_attribute_lists_agree(real_data, tmp_path):
    """The authors' tb_100.txt and the attributes.json of others are read to the same tags."""
    folder = real_data / "annotations" / "otb100"
    from_list = catalogue.open_suite("otb2015", None, folder)
    lists = json.loads((folder / "attributes.json").read_text())
    for tag in ("FM", "LR", "MB", "OV"):
        ours = {otb_places.key(clip.name) for clip in from_list.clips if tag in clip.tags}
        assert ours == {otb_places.key(name) for name in lists[tag]}
    (tmp_path / "attributes.json").write_text(json.dumps(lists))
    from_json = otb_places.search([tmp_path], CARD.rules["sequences"]).tags
    pairs = [
        set(clip.tags) ^ set(from_json.get(otb_places.key(clip.name), ()))
        for clip in from_list.clips
    ]
    # The json lacks 13 entries that the list writes with a stray blank or comma.
    assert sum(map(len, pairs)) == 13


def test_ranges_that_tre_must_not_start_in_are_read(real_data):
    """initOmit/tiger1.txt has 203 frames in 15 ranges, the first (1 to 5) not in the 349 frames."""
    folder = real_data / "annotations" / "otb100"
    for frames, omitted in (("354", 203), ("349", 198)):
        suite = catalogue.open_suite("otb2015", None, folder, {"tiger1": frames})
        tiger = next(clip for clip in suite.clips if clip.name == "Tiger1")
        flags = tiger.frame_tags["init_omit"]
        assert (len(flags), flags.sum()) == (int(frames), omitted)
    with_ranges = [clip.name for clip in suite.clips if clip.frame_tags]
    files = {otb_places.key(path.stem) for path in (folder / "initOmit").glob("*.txt")}
    assert {otb_places.key(name) for name in with_ranges} == files
