"""The embedded video detection suite: exact boxes, identities, births, deaths, occlusion."""

from pathlib import Path

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import iou
from vbench.core.errors import VBenchError
from vbench.core.suite import read_card
from vbench.suites import synth_sot, synth_vid
from vbench.suites.synth_motion import camera, motion
from vbench.suites.synth_scene import Actor, Light, Scene, Sprite
from vbench.suites.synth_shape import plate
from vbench.suites.synth_texture import Texture

CARD = read_card(Path(synth_vid.__file__).with_name("synth-vid.toml"))
SIZE = (200, 160)
BLACK, WHITE = (
    Texture((0,), np.full((1, 1, 3), value, np.uint8), (4, 9), 1, rough=0.0) for value in (0, 255)
)


@pytest.fixture(scope="module")
def suite():
    return catalogue.open_suite("synth-vid", None, None)


def scene_of(*actors, n=1):
    view = camera(SIZE, np.tile(np.array(SIZE) / 2, (n, 1)))
    light = Light(np.ones(n), np.zeros(n), np.zeros((n, 2)))
    return Scene(SIZE, SIZE, BLACK, view, actors, light, noise=0)


def square(x, y, label, n=1, **pose):
    path = np.tile([float(x), float(y)], (n, 1))
    return Actor(Sprite(plate((40.0, 40.0)), WHITE), motion(n, path, **pose), label)


def test_size_of_the_suite(suite):
    assert suite.task == "vid"
    assert suite.coverage == "12/12"
    assert len(CARD.classes) == len(synth_vid.CLASSES) == 5
    for clip in suite.clips:
        assert 60 <= len(clip) <= 100
        assert clip.frames[0].shape == (240, 320, 3)
        assert len(clip.truth) == 0
    labels = np.concatenate([clip.objects.labels for clip in suite.clips])
    assert np.bincount(labels, minlength=5).min() > 200


def test_ground_truth_is_well_formed(suite):
    for clip in suite.clips:
        found = clip.objects
        keys = found.frame * 1000 + found.tracks
        assert (np.diff(keys) > 0).all()  # ordered, and no object twice in a frame
        assert set(np.unique(found.frame)) == set(range(len(clip)))
        x, y, width, height = found.boxes.T
        assert (found.boxes[:, :2] >= 0).all()
        assert (width > 0).all()
        assert (height > 0).all()
        assert (x + width <= 320).all()
        assert (y + height <= 240).all()
        for track in np.unique(found.tracks):
            assert len(set(found.labels[found.tracks == track])) == 1


def test_objects_are_born_die_and_hide(suite):
    born = died = 0
    for clip in suite.clips:
        for track in np.unique(clip.objects.tracks):
            frames = clip.objects.frame[clip.objects.tracks == track]
            born += frames[0] > 0
            died += frames[-1] < len(clip) - 1
    assert born >= 10
    assert died >= 10
    ignored = np.concatenate([clip.objects.ignore for clip in suite.clips])
    assert 0.01 < ignored.mean() < 0.15


def test_motion_is_slow_in_some_clips_and_fast_in_others(suite):
    """Motion IoU of neighbouring frames spans the slow and the fast of the VID protocol."""
    overlap = {}
    for clip in suite.clips:
        found = clip.objects
        keys = list(zip(found.tracks.tolist(), found.frame.tolist(), strict=True))
        box = dict(zip(keys, found.boxes, strict=True))
        pairs = [iou(box[t, f], box[t, f + 10]) for t, f in keys if (t, f + 10) in box]
        overlap[clip.name] = float(np.mean(pairs))
    assert overlap["still"] > 0.8
    assert overlap["rush"] < 0.4


def test_an_object_has_a_row_while_any_of_it_is_visible():
    n = 4
    target = square(100, 80, 2, n)
    # A lid over nothing, a half, more than three quarters, and all of the target.
    lid = Actor(
        Sprite(plate((60.0, 60.0)), BLACK),
        motion(n, np.array([[20.0, 20], [130, 80], [118, 80], [100, 80]])),
        label=-1,
    )
    found = synth_vid.objects_of(scene_of(target, lid, n=n))
    assert found.frame.tolist() == [0, 1, 2]
    assert found.ignore.tolist() == [False, False, True]
    np.testing.assert_allclose(found.boxes, [[80, 60, 40, 40]] * 3)
    assert found.labels.tolist() == [2, 2, 2]


def test_boxes_are_cut_at_the_border_and_absent_objects_have_no_row():
    there = np.array([True, False, True])
    found = synth_vid.objects_of(
        scene_of(square(195, 80, 0, 3, present=there), square(300, 80, 1, 3), n=3)
    )
    assert found.frame.tolist() == [0, 2]
    np.testing.assert_allclose(found.boxes, [[175, 60, 25, 40]] * 2)
    assert found.tracks.tolist() == [0, 0]


def test_the_same_seed_gives_the_same_bytes(suite):
    again = synth_vid.load(CARD)
    assert again.digest == suite.digest
    for one, two in zip(suite.clips, again.clips, strict=True):
        np.testing.assert_array_equal(one.frames[31], two.frames[31])
    assert synth_vid.load(CARD, seed=1).digest != suite.digest


def test_train_is_another_draw_under_another_name(suite):
    train = catalogue.open_suite("synth-vid:train", None, None)
    assert train.name == "synth-vid:train"
    assert not {c.name for c in train.clips} & {c.name for c in suite.clips}
    assert not np.array_equal(train.clips[0].frames[0], suite.clips[0].frames[0])


def test_no_draw_is_shared_with_the_single_object_suite():
    seeds = {synth_vid.scene_of(t, (0, 0, 1000 + i)).seed for i, t in enumerate(THEMES)}
    assert not seeds & {(0, 0, index) for index in range(len(synth_sot.RECIPES))}


THEMES = list(synth_vid.THEMES.values())


def test_bad_splits_are_named():
    with pytest.raises(VBenchError, match="no split of synth-vid called 'val'"):
        synth_vid.load(CARD, argument="val")


@pytest.mark.parametrize("argument", ["", "train"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_frame_has_an_object(seed, argument):
    for clip in synth_vid.load(CARD, argument, seed).clips:
        assert np.bincount(clip.objects.frame, minlength=len(clip)).min() >= 1
