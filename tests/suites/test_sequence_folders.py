"""Suites of one folder a sequence, on tiny trees laid out as their authors do."""

from pathlib import Path

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady, UnknownName, VBenchError
from vbench.core.frames import ImageFiles, NoFrames
from vbench.run.data_doctor import card_of

BOXES = "1,2,3,4\n2,2,3,4\n3,2,3,4\n"


def lay(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            for n in range(1, content + 1):
                (path.parent / (path.name % n)).write_bytes(b"")
        else:
            path.write_text(content)
    return root


def image_names(clip):
    assert isinstance(clip.frames, ImageFiles)
    return [path.name for path in clip.frames.paths]


LAYOUTS = {
    "dtb70": {"Animal1/groundtruth_rect.txt": BOXES, "Animal1/img/%05d.jpg": 3},
    "tcolor128": {
        "Ball_ce1/Ball_ce1_gt.txt": BOXES,
        "Ball_ce1/ball_ce1_frames.txt": "2,4\n",
        "Ball_ce1/img/%04d.jpg": 6,
    },
    "lasot": {
        "airplane/airplane-1/groundtruth.txt": BOXES,
        "airplane/airplane-1/full_occlusion.txt": "0,1,0",
        "airplane/airplane-1/out_of_view.txt": "0,0,0",
        "airplane/airplane-1/img/%08d.jpg": 3,
        "airplane/airplane-2/groundtruth.txt": BOXES,  # a training sequence
    },
    "got10k-val": {
        "val/list.txt": "GOT-10k_Val_000001\n",
        "val/GOT-10k_Val_000001/groundtruth.txt": BOXES,
        "val/GOT-10k_Val_000001/absence.label": "0\n0\n1\n",
        "val/GOT-10k_Val_000001/%08d.jpg": 3,
    },
    "got10k-test": {
        "test/GOT-10k_Test_000001/groundtruth.txt": "1,2,3,4\n",
        "test/GOT-10k_Test_000001/%08d.jpg": 5,
    },
}
NAMES = {
    "dtb70": "Animal1",
    "tcolor128": "Ball_ce1",
    "lasot": "airplane-1",
    "got10k-val": "GOT-10k_Val_000001",
    "got10k-test": "GOT-10k_Test_000001",
}


@pytest.mark.parametrize("suite", LAYOUTS)
def test_each_layout_is_read(suite, tmp_path):
    found = catalogue.open_suite(suite, lay(tmp_path, LAYOUTS[suite]), None)
    assert [clip.name for clip in found.clips] == [NAMES[suite]]
    assert not found.problems
    assert found.coverage == f"1/{found.card.clips}"
    zero = 0 if found.card.rules["first_pixel"] == 0 else 1
    np.testing.assert_array_equal(found.clips[0].truth[0], [1 - zero, 2 - zero, 3, 4])


@pytest.mark.parametrize("suite", LAYOUTS)
def test_annotations_alone_can_be_scored_but_not_run(suite, tmp_path):
    files = {k: v for k, v in LAYOUTS[suite].items() if not isinstance(v, int)}
    found = catalogue.open_suite(suite, None, lay(tmp_path, files))
    clip = found.clips[0]
    assert isinstance(clip.frames, NoFrames)
    with pytest.raises(NotReady, match="only the annotations"):
        clip.frames[0]


def test_what_each_suite_knows_of_frames(tmp_path):
    opened = {
        suite: catalogue.open_suite(suite, lay(tmp_path / suite, files), None).clips[0]
        for suite, files in LAYOUTS.items()
    }
    assert opened["lasot"].frame_tags["full_occlusion"].tolist() == [False, True, False]
    assert opened["lasot"].tags == ("full_occlusion",)
    assert opened["got10k-val"].frame_tags["absence"].tolist() == [False, False, True]
    assert opened["got10k-val"].fps == 10
    assert image_names(opened["tcolor128"]) == ["0002.jpg", "0003.jpg", "0004.jpg"]


def test_a_truth_of_one_box_starts_a_clip_that_nothing_can_score(tmp_path):
    found = catalogue.open_suite("got10k-test", lay(tmp_path, LAYOUTS["got10k-test"]), None)
    assert found.card.metrics == ()
    assert (len(found.clips[0]), len(found.clips[0].truth)) == (5, 1)


def test_got10k_leaves_out_the_frames_of_no_cover(tmp_path):
    """As its toolkit (got10k/experiments/got10k.py:122-149), which does not read absence."""
    folder = "val/GOT-10k_Val_000001"
    about = "[METAINFO]\nurl: x\nresolution: (1920, 1080)\nanno_fps: 10Hz\n"
    files = LAYOUTS["got10k-val"] | {
        f"{folder}/cover.label": "8\n0\n3\n",
        f"{folder}/meta_info.ini": about,
    }
    (clip,) = catalogue.open_suite("got10k-val", None, lay(tmp_path, files)).clips
    assert clip.frame_tags["hidden"].tolist() == [False, True, False]
    assert clip.frame_tags["absence"].tolist() == [False, False, True]
    assert clip.size == (1920, 1080)
    (tmp_path / folder / "cover.label").unlink()
    (clip,) = catalogue.open_suite("got10k-val", None, tmp_path).clips
    assert clip.frame_tags["hidden"].tolist() == [False, False, True]


def test_attributes_of_lasot_and_dtb70_are_those_of_their_toolkits(tmp_path):
    # annos/att/airplane-1.txt of HengLan/LaSOT_Evaluation_Toolkit.
    files = {
        "annos/airplane-1.txt": BOXES,
        "annos/att/airplane-1.txt": "0,1,0,0,0,1,0,0,1,0,0,0,1,0\n",
        "annos/absent/airplane-1.txt": "0\n0\n1\n",
    }
    (clip,) = catalogue.open_suite("lasot", None, lay(tmp_path / "lasot", files)).clips
    assert clip.tags == ("POC", "ROT", "SV", "LR", "absent")
    assert clip.frame_tags["absent"].tolist() == [False, False, True]
    # experiments/anno/att/Animal2.txt of flyers/drone-tracking.
    anno = {"Animal2.txt": BOXES, "att/Animal2.txt": "1,1,0,0,0,0,0,0,0,1,0\n", "list.txt": "x"}
    for name in ("anno", "experiments"):
        inner = {f"anno/{path}": text for path, text in anno.items() if path != "list.txt"}
        root = lay(tmp_path / name, anno if name == "anno" else inner)
        (clip,) = catalogue.open_suite("dtb70", None, root).clips
        assert (clip.name, clip.tags) == ("Animal2", ("SV", "ARV", "SOA"))


ROW = '0 {x} 12 {right} 52 {n} {lost} 0 1 "ball"\n'


def nfs_rows(n, lost=()):
    rows = [ROW.format(x=11 + i, right=31 + i, n=i, lost=int(i in lost)) for i in range(n)]
    return "".join(rows)


@pytest.mark.parametrize("images", [10, 11])
def test_need_for_speed_at_thirty_keeps_every_eighth_row(images, tmp_path):
    """81 rows thinned are 11; one image fewer is tolerated as by got10k."""
    files = {"ball/30/ball.txt": nfs_rows(81, lost=[8]), "ball/30/ball/%05d.jpg": images}
    clip = catalogue.open_suite("nfs", lay(tmp_path, files), None).clips[0]
    assert len(clip) == len(clip.truth) == images
    np.testing.assert_array_equal(clip.truth[0], [10, 11, 20, 40])
    assert np.isnan(clip.truth[1]).all()
    assert np.flatnonzero(clip.frame_tags["absent"]).tolist() == [1]
    np.testing.assert_array_equal(clip.truth[2], [26, 11, 20, 40])


def test_need_for_speed_at_its_own_rate(tmp_path):
    files = {"ball/240/ball.txt": nfs_rows(4), "ball/240/ball/%05d.jpg": 4}
    root = lay(tmp_path, files)
    clip = catalogue.open_suite("nfs", root, None, {"fps": "240"}).clips[0]
    assert (len(clip), clip.fps) == (4, 240)
    with pytest.raises(NotReady, match="nfs: no data"):
        catalogue.open_suite("nfs", root, None)
    with pytest.raises(UnknownName, match="no frame rate of nfs called '60'"):
        catalogue.open_suite("nfs", root, None, {"fps": "60"})
    with pytest.raises(VBenchError, match="lasot has one frame rate"):
        catalogue.open_suite("lasot", root, None, {"fps": "60"})


def test_need_for_speed_as_pytracking_lays_it_out(tmp_path):
    files = {"anno/nfs_ball.txt": "11\t12\t20\t40\n" * 3, "sequences/ball/%05d.jpg": 3}
    clip = catalogue.open_suite("nfs", lay(tmp_path, files), None).clips[0]
    assert (clip.name, len(clip)) == ("ball", 3)
    np.testing.assert_array_equal(clip.truth[2], [10, 11, 20, 40])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"groundtruth_rect.txt": BOXES, "img/%05d.jpg": 2}, "3 rows for 2 images"),
        ({"groundtruth_rect.txt": "1,2,3\n", "img/%05d.jpg": 1}, "row 1: 3 numbers, not 4"),
        ({"groundtruth_rect.txt": "1,2,3,4\n1,2 3 4\n"}, "row 2: 2 numbers, not 4"),
        ({"groundtruth_rect.txt": "1,2,3,4\n1,2,x,4\n"}, "row 2: 'x' is not a number"),
        ({"groundtruth_rect.txt": ""}, "is empty"),
    ],
)
def test_broken_sequences_are_named_and_the_others_kept(files, why, tmp_path):
    good = {f"Good/{name}": content for name, content in LAYOUTS_OF_ONE.items()}
    bad = {f"Bad/{name}": content for name, content in files.items()}
    found = catalogue.open_suite("dtb70", lay(tmp_path, good | bad), None)
    assert [clip.name for clip in found.clips] == ["Good"]
    assert why in found.problems["Bad"]


LAYOUTS_OF_ONE = {"groundtruth_rect.txt": BOXES, "img/%05d.jpg": 3}


def test_images_without_a_truth_are_named(tmp_path):
    lay(tmp_path, LAYOUTS["lasot"] | {"airplane/airplane-9/img/%08d.jpg": 2})
    found = catalogue.open_suite("lasot", tmp_path, None)
    assert found.problems == {"airplane-9": "its images are here, but no ground truth"}


def test_need_for_speed_is_thinned_without_images_as_well(tmp_path):
    """bee has 45 frames at 30 a second (pytracking nfsdataset.py), its file the rows at 240."""
    root = lay(tmp_path, {"bee/30/bee.txt": nfs_rows(360), "ball/30/ball.txt": nfs_rows(24)})
    clips = {clip.name: clip for clip in catalogue.open_suite("nfs", None, root).clips}
    assert len(clips["bee"]) == len(clips["bee"].truth) == 45
    np.testing.assert_array_equal(clips["bee"].truth[1], [18, 11, 20, 40])
    assert len(clips["ball"]) == 24  # of no published length


def test_folders_may_be_named_from_here(tmp_path, monkeypatch):
    """A relative --data finds images beside the truth as an absolute one does."""
    monkeypatch.chdir(tmp_path)
    lay(tmp_path / "nfs", {"bee/30/bee.txt": nfs_rows(24), "bee/30/bee/%05d.jpg": 3})
    for place in (Path("nfs"), tmp_path / "nfs"):
        (clip,) = catalogue.open_suite("nfs", place, None).clips
        assert image_names(clip) == ["00001.jpg", "00002.jpg", "00003.jpg"]


def test_commas_tabs_and_spaces_give_the_same_boxes(tmp_path):
    rows = ["1,2,3,4\n2,2,3,4\n", "1\t2\t3\t4\n2\t2\t3\t4\n", "1 2 3 4\n2,2,3,4\n"]
    lay(tmp_path, {f"S{i}/groundtruth_rect.txt": text for i, text in enumerate(rows)})
    clips = catalogue.open_suite("dtb70", None, tmp_path).clips
    assert {clip.truth.tobytes() for clip in clips} == {clips[0].truth.tobytes()}


def test_nothing_and_nothing_but_broken_things_say_what_to_do(tmp_path):
    with pytest.raises(NotReady, match=r"dtb70: no data.*flyers/drone-tracking.*--data DIR"):
        catalogue.open_suite("dtb70", tmp_path, None)
    with pytest.raises(NotReady, match="which is no folder"):
        catalogue.open_suite("dtb70", tmp_path / "no", None)
    lay(tmp_path, {"Bad/groundtruth_rect.txt": ""})
    with pytest.raises(ClipFailed, match="none of 1 sequences can be read; Bad"):
        catalogue.open_suite("dtb70", tmp_path, None)
    lay(tmp_path / "l", {"airplane/airplane-1/groundtruth.txt": BOXES,
                         "airplane/airplane-1/full_occlusion.txt": "0,1"})  # fmt: skip
    with pytest.raises(ClipFailed, match="2 flags for 3 frames"):
        catalogue.open_suite("lasot", tmp_path / "l", None)


@pytest.mark.parametrize(("suite", "clips"), [("lasot", 280), ("tcolor128", 129)])
def test_cards_list_as_many_names_as_the_suite_has(suite, clips):
    names = card_of(suite).rules["sequences"]
    assert len(names) == len(set(names)) == card_of(suite).clips == clips


def test_four_of_each_class_of_lasot_are_for_testing():
    card = card_of("lasot")
    assert len({name.rpartition("-")[0] for name in card.rules["sequences"]}) == 70
