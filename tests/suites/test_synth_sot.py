"""The embedded single-object suite: deterministic, exact, tagged with what it really has."""

from pathlib import Path

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import inside_share
from vbench.core.errors import VBenchError
from vbench.core.suite import read_card
from vbench.suites import synth_sot
from vbench.suites.attributes import ORDER, measured

CARD = read_card(Path(synth_sot.__file__).with_name("synth-sot.toml"))


@pytest.fixture(scope="module")
def suite():
    return synth_sot.load(CARD)


def test_size_of_the_suite(suite):
    assert len(suite.clips) >= 24
    assert suite.coverage == f"{CARD.clips}/{CARD.clips}"
    assert all(60 <= len(clip) <= 120 for clip in suite.clips)
    assert all(clip.size >= (320, 240) for clip in suite.clips)
    assert {tag for clip in suite.clips for tag in clip.tags} == set(ORDER)
    assert len({clip.name for clip in suite.clips}) == len(suite.clips)


def test_frames_are_what_the_clip_says(suite):
    for clip in suite.clips:
        image = clip.frames[len(clip) // 2]
        assert image.dtype == np.uint8
        assert image.shape == (clip.size[1], clip.size[0], 3)
        assert image.std() > 10


def test_the_same_seed_gives_the_same_bytes(suite):
    again = synth_sot.load(CARD)
    assert again.digest == suite.digest
    for one, two in zip(suite.clips, again.clips, strict=True):
        np.testing.assert_array_equal(one.frames[37], two.frames[37])


def test_frames_do_not_depend_on_the_order_they_are_asked_for(suite):
    clip = suite.clips[-1]
    late = clip.frames[50].copy()
    clip.frames[3]
    np.testing.assert_array_equal(clip.frames[50], late)


@pytest.mark.parametrize("argument", ["", "train"])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_every_clip_starts_with_the_whole_target_in_sight(seed, argument):
    for clip in synth_sot.load(CARD, argument=argument, seed=seed).clips:
        assert inside_share(clip.truth[:1], clip.size)[0] > 0.999, clip.name
        assert not clip.frame_tags["OCC"][0], clip.name
        assert not clip.frame_tags["IV"][0], clip.name


def test_numeric_tags_follow_from_the_truth(suite):
    for clip in suite.clips:
        for tag, frames in measured(clip.truth, clip.size).items():
            assert (tag in clip.tags) == clip.frame_tags[tag].any()
            if tag != "OV":
                np.testing.assert_array_equal(clip.frame_tags[tag], frames)
        gone = np.isnan(clip.truth[:, 0])
        assert clip.frame_tags["OV"][gone].all()


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("approach", "SV"), ("spin", "IPR"), ("turn", "OPR"), ("pole", "OCC"), ("wall", "OCC"),
        ("twin", "BC"), ("camouflage", "BC"), ("dusk", "IV"), ("flicker", "IV"), ("shade", "IV"),
        ("streak", "MB"), ("handheld", "MB"), ("dash", "FM"), ("jelly", "DEF"), ("edge", "OV"),
        ("vanish", "OV"), ("speck", "LR"), ("chase", "OCC"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", [0, 5])
def test_a_recipe_makes_the_difficulty_it_is_named_for(name, tag, seed):
    assert tag in synth_sot.clip_of(name, seed, "test").tags


def test_calm_has_no_attribute(suite):
    assert suite.clips[0].tags == ()


def test_vanish_leaves_and_returns(suite):
    clip = next(c for c in suite.clips if c.name == "vanish")
    gone = np.isnan(clip.truth).any(axis=1)
    assert 5 <= gone.sum() <= 40
    assert not gone[0]
    assert not gone[-1]


def test_train_is_another_draw_under_another_name(suite):
    train = catalogue.build("suites", "synth-sot:train", card=CARD)
    assert train.name == "synth-sot:train"
    assert len(train.clips) == len(suite.clips)
    assert not {c.name for c in train.clips} & {c.name for c in suite.clips}
    for one, two in zip(suite.clips, train.clips, strict=True):
        assert not np.allclose(np.nan_to_num(one.truth), np.nan_to_num(two.truth))


def test_bad_splits_and_seeds_are_named():
    with pytest.raises(VBenchError, match="no split of synth-sot called 'training'.*'train'"):
        synth_sot.load(CARD, argument="training")
    with pytest.raises(VBenchError, match="seed -1 is negative"):
        synth_sot.load(CARD, seed=-1)


def test_more_seeds_are_more_clips_under_other_names() -> None:
    one, more = (catalogue.open_suite("synth-sot:train", None, None, {"seeds": n}) for n in "12")
    assert len(more.clips) == 2 * len(one.clips)
    assert len({clip.name for clip in more.clips}) == len(more.clips)
    # The second half are the clips of the next seed.
    other = synth_sot.load(CARD, "train", 1).clips[0]
    assert more.clips[len(one.clips)].name == f"{other.name}-1"
    assert np.array_equal(more.clips[len(one.clips)].truth, other.truth, equal_nan=True)
    with pytest.raises(VBenchError, match=r"seeds=0\]: give 1 to"):
        catalogue.open_suite("synth-sot:train", None, None, {"seeds": "0"})
