"""Intervals of mAP over clips: each draw is what scoring its clips anew gives."""

import numpy as np
import pytest

from tests.metrics.vid_scenes import objects_of, trace_of
from vbench.metrics.bootstrap import drawn_clips
from vbench.metrics.vid_bootstrap import map_difference, map_interval
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_map import mean, score_vid
from vbench.metrics.vid_profiles import VID_PROFILES

FRAMES = 3


def clips(count, seed):
    """Random clips of three frames: objects, and detections of which half are near one."""
    rng = np.random.default_rng(seed)
    truths, traces = [], []
    for _ in range(count):
        rows = [
            (int(rng.integers(FRAMES)), int(rng.integers(2)), (*rng.integers(0, 50, 2), 30, 30))
            for _ in range(rng.integers(1, 5))
        ]
        found = [
            (frame, label, (x + int(rng.integers(0, 18)), y, w, h), float(rng.random()))
            for frame, label, (x, y, w, h) in rows * 2
        ]
        truths.append(objects_of([(*row, False) for row in rows]))
        traces.append(trace_of(sorted(found, key=lambda row: row[0]), FRAMES))
    return truths, traces


def laid(truths, traces, chosen) -> tuple[VidTruths, VidAnswers]:
    lengths = [FRAMES] * len(chosen)
    return VidTruths.of([truths[k] for k in chosen], lengths), VidAnswers.of(
        [traces[k] for k in chosen]
    )


@pytest.mark.parametrize("profile", ["vid-fgfa", "vid-coco", "voc07"])
def test_the_interval_is_that_of_scoring_drawn_clips(profile) -> None:
    truths, traces = clips(6, seed=3)
    rules, draws = VID_PROFILES[profile], 40
    means = []
    for counts in drawn_clips(6, seed=5, draws=draws).astype(int):
        chosen = np.repeat(np.arange(6), counts)
        means.append(mean(score_vid(*laid(truths, traces, chosen), rules).ap))
    found = map_interval(*laid(truths, traces, range(6)), rules, seed=5, draws=draws)
    lo, hi = np.quantile(means, [0.025, 0.975])
    assert [found.lo, found.hi] == pytest.approx([lo, hi])
    assert found.mean == mean(score_vid(*laid(truths, traces, range(6)), rules).ap)
    assert lo < hi


def test_clips_that_are_alike_leave_no_doubt() -> None:
    truths, traces = clips(1, seed=1)
    found = map_interval(*laid(truths, traces, [0] * 5), VID_PROFILES["vid-fgfa"])
    assert found.half == pytest.approx(0.0, abs=1e-12)


def test_one_clip_has_no_interval() -> None:
    truths, traces = clips(1, seed=1)
    found = map_interval(*laid(truths, traces, [0]), VID_PROFILES["vid-fgfa"])
    assert np.isnan(found.half)


def test_a_difference_is_that_of_scoring_the_same_drawn_clips_twice() -> None:
    truths, traces = clips(6, seed=3)
    _, others = clips(6, seed=8)
    rules, draws = VID_PROFILES["vid-fgfa"], 40
    gaps = []
    for counts in drawn_clips(6, seed=5, draws=draws).astype(int):
        chosen = np.repeat(np.arange(6), counts)
        ours, theirs = (
            mean(score_vid(*laid(truths, found, chosen), rules).ap) for found in (traces, others)
        )
        gaps.append(ours - theirs)
    both = [laid(truths, found, range(6)) for found in (traces, others)]
    found = map_difference(both[0][0], both[0][1], both[1][1], rules, seed=5, draws=draws)
    assert [found.interval.lo, found.interval.hi] == pytest.approx(
        np.quantile(gaps, [0.025, 0.975]).tolist()
    )
    assert found.p == pytest.approx(
        min(1, 2 * min(np.mean(np.array(gaps) <= 0), np.mean(np.array(gaps) >= 0)))
    )
    assert found.clips == 6
    same = map_difference(both[0][0], both[0][1], both[0][1], rules, seed=5, draws=draws)
    assert (same.interval.mean, same.interval.half, same.p) == (0.0, 0.0, 1.0)
