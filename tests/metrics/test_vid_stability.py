"""Delay, trembling and decay between keyframes, on scenes whose answer is known."""

import numpy as np
import pytest

from tests.metrics.vid_scenes import objects_of, trace_of
from vbench.core.trace import Kind
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_profiles import VID_PROFILES
from vbench.metrics.vid_stability import (
    average_delay,
    distances,
    jitter,
    map_by_distance,
    score_thresholds,
)

BOX = (10, 10, 20, 20)
RULES = VID_PROFILES["vid-coco"]


def standing(frames, first=0, track=1, box=BOX, label=0) -> tuple[list, list]:
    rows = [(f, label, box, False) for f in range(first, frames)]
    return rows, [track] * len(rows)


def laid(rows, tracks, frames):
    return VidTruths.of([objects_of(rows, tracks)], [frames])


def seen(rows, frames):
    return VidAnswers.of([trace_of(sorted(rows, key=lambda r: r[0]), frames)])


def test_delay_counts_from_the_first_frame_of_the_object() -> None:
    truths = laid(*standing(20, first=4), 20)
    answers = seen([(f, 0, BOX, 0.9) for f in range(9, 20)], 20)
    assert average_delay(truths, answers) == pytest.approx(5.0)


def test_an_object_never_seen_is_late_by_its_life_but_no_more_than_thirty() -> None:
    none = seen([], 100)
    assert average_delay(laid(*standing(11), 100), none) == pytest.approx(10.0)
    assert average_delay(laid(*standing(100), 100), none) == pytest.approx(30.0)


def test_delay_depends_on_how_many_false_positives_are_borne() -> None:
    # Ten objects; the sure sight comes at frame 6, an unsure one at frame 2, and between their
    # scores lie three false positives: .3 an object, more than .1 and .2, less than .4 and more.
    truths = laid(*standing(10), 10)
    wrong = [(0, 0, (500, 500, 9, 9), 0.5 + n / 100) for n in range(3)]
    answers = seen([(6, 0, BOX, 0.9), (2, 0, BOX, 0.1), *wrong], 10)
    assert score_thresholds(truths, answers).tolist() == [0.51, 0.5] + [-np.inf] * 4
    expected = 1 / np.mean([1 / 7, 1 / 7, 1 / 3, 1 / 3, 1 / 3, 1 / 3]) - 1
    assert average_delay(truths, answers) == pytest.approx(expected)


def test_a_detection_of_another_class_is_no_sight() -> None:
    truths = laid(*standing(5), 5)
    assert average_delay(truths, seen([(0, 1, BOX, 1.0)], 5)) == pytest.approx(4.0)


def test_without_tracks_there_is_no_delay_and_no_jitter() -> None:
    rows, _ = standing(3)
    truths = laid(rows, [-1] * 3, 3)
    assert np.isnan(average_delay(truths, seen([], 3)))
    assert np.isnan(jitter(truths, seen([(0, 0, BOX, 1.0)], 3), RULES))


def test_boxes_that_err_alike_do_not_tremble() -> None:
    truths = laid(*standing(4), 4)
    alike = seen([(f, 0, (12, 11, 20, 24), 0.9) for f in range(4)], 4)
    assert jitter(truths, alike, RULES) == pytest.approx(0.0)


def test_jitter_is_the_spread_of_the_errors() -> None:
    truths = laid(*standing(4), 4)
    # The centre errs by 2 px of 20 to either side: a spread of .1; size and shape do not.
    shaken = seen([(f, 0, (10 + 2 * (-1) ** f, 10, 20, 20), 0.9) for f in range(4)], 4)
    assert jitter(truths, shaken, RULES) == pytest.approx(0.1)
    # Width 16 or 25 about the same centre: root of the area ratio, and shape, .8 or 1.25.
    widths = [16, 25, 16, 25]
    grown = seen([(f, 0, (20 - w / 2, 10, w, 20), 0.9) for f, w in enumerate(widths)], 4)
    roots, shapes = np.std([0.8**0.5, 1.25**0.5]), np.std([0.8, 1.25])
    assert jitter(truths, grown, RULES) == pytest.approx(roots + shapes)


def test_distance_is_counted_from_keys_and_fallbacks_in_each_clip() -> None:
    kinds = [Kind.KEY, Kind.INTER, Kind.INTER, Kind.FALLBACK, Kind.INTER, Kind.KEY]
    trace = trace_of([], 6, kinds)
    assert distances([trace, trace]).tolist() == [0, 1, 2, 0, 1, 0] * 2


def test_map_by_distance_splits_the_frames() -> None:
    rows, tracks = standing(4)
    kinds = [Kind.KEY, Kind.INTER] * 2
    found = [(0, 0, BOX, 0.9), (2, 0, BOX, 0.9), (3, 0, BOX, 0.9)]
    trace = trace_of(found, 4, kinds)
    truths, answers = laid(rows, tracks, 4), VidAnswers.of([trace])
    split = map_by_distance(truths, answers, distances([trace]), VID_PROFILES["vid-fgfa"])
    assert split == {0: pytest.approx(1.0), 1: pytest.approx(0.5)}
