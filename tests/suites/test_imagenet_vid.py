"""The loader of ImageNet VID on small trees in its layouts, whole and damaged."""

import zlib

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import ClipFailed, NotReady
from vbench.suites.imagenet_vid import read_list
from vbench.suites.vid_mat import load_mat
from vbench.suites.vid_tracks import aligned, linked
from vbench.suites.vid_xml import parse_frame_xml

CLIPS = ("ILSVRC2015_val_00000000", "ILSVRC2015_val_00000001")
CAR, DOG = "n02958343", "n02084071"


def xml(objects=((CAR, (10, 20, 50, 60), 0),), size=(100, 80), head=""):
    """One frame's annotation: objects are (class, corners, track)."""
    text = head + "<annotation><folder>x</folder><size><width>{}</width><height>{}</height></size>"
    text = text.format(*size)
    for name, corners, track in objects:
        sides = sorted(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
        box = "".join(f"<{side}>{value}</{side}>" for side, value in sides)
        text += f"<object><trackid>{track}</trackid><name>{name}</name>"
        text += f"<bndbox>{box}</bndbox><occluded>0</occluded><generated>0</generated></object>"
    return text + "</annotation>"


@pytest.fixture
def tree(tmp_path):
    """Two clips of three frames with images and XML files, and the list of videos."""
    for name in CLIPS:
        images = tmp_path / "Data/VID/val" / name
        texts = tmp_path / "Annotations/VID/val" / name
        images.mkdir(parents=True)
        texts.mkdir(parents=True)
        for frame in range(3):
            (images / f"{frame:06d}.JPEG").write_bytes(b"")
            (texts / f"{frame:06d}.xml").write_text(xml())
    lines = [f"val/{name} {1 + 3 * k} 0 3" for k, name in enumerate(CLIPS)]
    sets = tmp_path / "ImageSets"
    sets.mkdir()
    (sets / "VID_val_videos.txt").write_text("\n".join(lines))
    return tmp_path


def opened(path, annotations=None):
    return catalogue.open_suite("imagenet-vid", path, annotations)


def annotation(tree, frame=1, clip=0):
    return tree / "Annotations/VID/val" / CLIPS[clip] / f"{frame:06d}.xml"


def problem(tree):
    """The reason why the first clip is left out; the second one stays."""
    suite = opened(tree)
    assert [clip.name for clip in suite.clips] == [CLIPS[1]]
    return suite.problems[CLIPS[0]]


def test_xml_gives_boxes_classes_tracks_and_size(tree) -> None:
    annotation(tree).write_text(xml([(DOG, (0, 0, 9, 19), 4), (CAR, (10, 20, 50, 60), 0)]))
    suite = opened(tree)
    assert suite.coverage == "2/555"
    clip = suite.clips[0]
    assert (clip.name, len(clip), clip.size) == (CLIPS[0], 3, (100, 80))
    objects = clip.objects
    assert objects.frame.tolist() == [0, 1, 1, 2]
    assert objects.boxes[1].tolist() == [0, 0, 9, 19]
    assert [suite.card.classes[k] for k in objects.labels] == ["car", "dog", "car", "car"]
    assert objects.tracks.tolist() == [0, 4, 0, 0]
    assert not objects.ignore.any()


def test_without_a_list_the_clips_are_those_with_annotations(tree) -> None:
    (tree / "ImageSets/VID_val_videos.txt").unlink()
    assert [clip.name for clip in opened(tree).clips] == list(CLIPS)


def test_a_frame_without_objects_is_a_frame(tree) -> None:
    annotation(tree).write_text(xml([]))
    assert opened(tree).clips[0].objects.frame.tolist() == [0, 2]


def test_annotations_alone_can_be_scored_but_not_run(tree, tmp_path) -> None:
    suite = opened(None, tree / "Annotations")
    assert len(suite.clips) == 2
    with pytest.raises(NotReady, match="images of no clip are here"):
        suite.with_images()


def test_images_and_annotations_may_lie_apart(tree) -> None:
    suite = opened(tree / "Data", tree / "Annotations").with_images()
    assert [len(clip.frames.paths) for clip in suite.clips] == [3, 3]


def test_frames_may_be_numbered_from_one(tree) -> None:
    for folder, suffix in (("Data", "JPEG"), ("Annotations", "xml")):
        here = tree / folder / "VID/val" / CLIPS[0]
        for frame in (2, 1, 0):
            (here / f"{frame:06d}.{suffix}").rename(here / f"{frame + 1:06d}.{suffix}")
    clip = opened(tree).clips[0]
    assert clip.frames.paths[0].name == "000001.JPEG"
    assert clip.objects.frame.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("<annotation><object>", "000001.xml is no XML: no element found"),
        ("", "no element found"),
        (xml(head="<!DOCTYPE a>"), "declares a document type; entities are not read"),
        (
            xml(head='<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]>'),
            "declares a document type; entities are not read",
        ),
        (xml([("n00000000", (1, 1, 9, 9), 0)]), "unknown class 'n00000000'"),
        (xml([(CAR, (110, 1, 120, 9), 0)]), "frame 1: the box 110 1 10 8 lies outside"),
        (xml([(CAR, (-9, 1, -2, 9), 0)]), "frame 1: the box -9 1 7 8 lies outside the 100 x 80"),
        (xml([(CAR, (9, 1, 9, 9), 0)]), "frame 1: the box 9 1 0 8 has no size"),
        (xml([(CAR, ("nan", 1, 9, 9), 0)]), "frame 1: the box nan 1 nan 8 is no box"),
        (xml([(CAR, ("1e300", 1, "2e300", 9), 0)]), "is no box"),
        (xml([(CAR, ("left", 1, 9, 9), 0)]), "000001.xml: could not convert"),
        (xml([(CAR, (1, 1, 9, 9), 0)] * 2), "frame 1 has track 0 twice"),
        (xml().replace("<xmin>10</xmin>", ""), "an object has no xmin"),
        (xml().replace(f"<name>{CAR}</name>", ""), "an object has no name"),
        ("<a>" * 50 + "</a>" * 50, "nested too deep"),
    ],
)
def test_a_bad_annotation_is_a_problem_of_its_clip(tree, content, why) -> None:
    annotation(tree).write_text(content)
    assert why in problem(tree)


def test_a_document_type_hidden_by_an_encoding_is_seen() -> None:
    bomb = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>'
    with pytest.raises(ClipFailed, match="document type"):
        parse_frame_xml(bomb.encode("utf-16"), "a.xml")


def test_a_huge_annotation_is_not_read(tree) -> None:
    annotation(tree).write_text(" " * (1 << 20) + xml())
    assert "larger than 1 MiB" in problem(tree)


@pytest.mark.parametrize(("folder", "what"), [("Data", "image"), ("Annotations", "annotation")])
def test_a_listed_frame_that_is_missing_or_there_twice(tree, folder, what) -> None:
    here = tree / folder / "VID/val" / CLIPS[0]
    path = sorted(here.iterdir())[1]
    path.rename(here / f"1{path.suffix}")
    assert len(opened(tree).clips) == 2
    path.write_text((here / f"1{path.suffix}").read_text())
    assert problem(tree).startswith("frame 1 is there 2 times: 000001")
    path.unlink()
    (here / f"1{path.suffix}").unlink()
    assert problem(tree) == f"frame 1 is listed but has no {what}; 1 of 3 have none"


def test_more_frames_than_listed(tree) -> None:
    (tree / "Data/VID/val" / CLIPS[0] / "000003.JPEG").write_bytes(b"")
    assert problem(tree) == "4 files of images for 3 listed frames"


def test_images_without_annotations_are_a_problem(tree) -> None:
    for frame in range(3):
        annotation(tree, frame).unlink()
    assert problem(tree) == "its images are here, but no annotations"


def test_when_nothing_can_be_read_the_first_reason_is_given(tree) -> None:
    for clip in range(2):
        annotation(tree, clip=clip).write_text("<")
    with pytest.raises(ClipFailed, match="none of 2 clips can be read; ILSVRC2015_val_00000000: "):
        opened(tree)


def test_nothing_here_says_where_to_get_it(tmp_path) -> None:
    with pytest.raises(NotReady, match=r"image-net\.org.*--data DIR"):
        opened(tmp_path)


@pytest.mark.parametrize("line", ["val/x", "val/x 1 0 many", "val/x 0 0 5", "val/x 1 0 -5"])
def test_a_bad_list_names_its_line(tmp_path, line) -> None:
    path = tmp_path / "VID_val_videos.txt"
    path.write_text(f"val/a 1 0 3\n{line}\n")
    with pytest.raises(ClipFailed, match=r"VID_val_videos\.txt, line 2"):
        read_list(path)


def devkit(tree, boxes, labels, numbers=None, motion=None):
    """Write the devkit's .mat files in place of the XML ones: corners and labels a frame."""
    scipy_io = pytest.importorskip("scipy.io")
    for clip in range(2):
        for frame in range(3):
            annotation(tree, frame, clip).unlink()

    def cells(values, shape):
        packed = np.empty((1, len(values)), object)
        for k, value in enumerate(values):
            packed[0, k] = np.array(value, np.uint16).reshape(shape)
        return packed

    numbers = np.arange(1, len(boxes) + 1) if numbers is None else np.array(numbers)
    columns = {
        "gt_img_ids": numbers[:, None],
        "gt_obj_labels": cells(labels, (1, -1)),
        "gt_obj_bboxes": cells([np.reshape(b, (-1, 4)).T for b in boxes], (4, -1)),
    }
    scipy_io.savemat(tree / "ILSVRC2015_vid_validation_ground_truth_whole.mat", columns)
    if motion is not None:
        packed = np.empty((len(motion), 1), object)
        for k, value in enumerate(motion):
            packed[k, 0] = np.array(value, float).reshape(1, -1)
        scipy_io.savemat(tree / "imagenet_vid_groundtruth_motion_iou.mat", {"motion_iou": packed})


A, B = (10, 10, 30, 30), (50, 10, 80, 30)


def test_the_devkit_gives_boxes_classes_and_linked_tracks(tree) -> None:
    boxes, labels = [[A, B], [B], [A, B], [], [A], [A]], [[7, 7], [7], [7, 7], [], [9], [9]]
    devkit(tree, boxes, labels, motion=[[0.1, 0.2], [0.3], [0.4, 0.5], [], [0.6], [0.7]])
    first, second = opened(tree).clips
    assert first.objects.frame.tolist() == [0, 0, 1, 2, 2]
    assert first.objects.boxes[0].tolist() == [10, 10, 20, 20]
    assert first.objects.labels.tolist() == [6] * 5
    # The second object is alone in frame 1; the first one comes back in frame 2.
    assert first.objects.tracks.tolist() == [0, 1, 1, 0, 1]
    assert first.objects.motion.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert second.objects.frame.tolist() == [1, 2]
    assert second.objects.motion.tolist() == [0.6, 0.7]


def test_a_devkit_of_some_frames_is_said_to_be_one(tree) -> None:
    devkit(tree, [[A]] * 4, [[7]] * 4, numbers=[1, 4, 5, 6])
    assert "the ground truth has 1 of 3 frames" in problem(tree)


@pytest.mark.parametrize(
    ("boxes", "labels", "numbers", "why"),
    [
        ([[A]] * 6, [[7], [7, 7]] + [[7]] * 4, None, "more labels than boxes"),
        ([[A]] * 6, [[7]] * 6, [1, 2, 3, 4, 5, 5], "has a frame twice"),
        ([[A]] * 7, [[7]] * 7, None, "numbers frames up to 7, the list of videos has 6"),
        ([[A]] * 6, [[7]] * 5, None, "do not have one length"),
    ],
)
def test_a_devkit_that_does_not_fit_is_refused(tree, boxes, labels, numbers, why) -> None:
    devkit(tree, boxes, labels, numbers)
    with pytest.raises(ClipFailed, match=why):
        opened(tree)


def test_a_devkit_without_the_list_of_videos(tree) -> None:
    devkit(tree, [[A]] * 6, [[7]] * 6)
    (tree / "ImageSets/VID_val_videos.txt").unlink()
    with pytest.raises(NotReady, match=r"without VID_val_videos\.txt"):
        opened(tree)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not a matlab file", "no MATLAB 5 file"),
        (b"MATLAB 5.0" + bytes(114) + b"\0\1IM" + bytes(range(64)), "is damaged|has no variable"),
    ],
)
def test_a_mat_that_is_none(tmp_path, content, why) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(ClipFailed, match=why):
        load_mat(path, ["gt_img_ids"])


def test_a_mat_that_unpacks_too_far_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("vbench.suites.vid_mat.MOST_UNPACKED", 4 << 20)
    packed = zlib.compress(bytes(6 << 20), 1)
    head = b"MATLAB 5.0" + bytes(116) + b"IM"
    size = len(packed).to_bytes(4, "little")
    path = tmp_path / "a.mat"
    path.write_bytes(head + (15).to_bytes(4, "little") + size + packed)
    with pytest.raises(ClipFailed, match="too large for a ground truth"):
        load_mat(path, ["gt_img_ids"])


def test_pairing_in_order_takes_the_best_sum() -> None:
    gains = np.array([[0.0, 0.9, 0.1], [0.8, 0.0, 0.7]])
    assert aligned(gains) == [1, 2]
    assert aligned(np.array([[0.5], [0.6]])) == [-1, 0]
    assert aligned(np.zeros((2, 0))) == [-1, -1]


def test_tracks_are_linked_within_a_class_only() -> None:
    boxes = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9]], float)
    assert linked(np.array([0, 1, 2]), np.array([3, 4, 3]), boxes).tolist() == [0, 1, 0]
    assert linked(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4))).tolist() == []
