"""A method on a suite: coverage beside every number, and no mean that hides missing clips."""

from dataclasses import replace

import numpy as np
import pytest

from vbench.core.clip import Clip
from vbench.core.errors import VBenchError
from vbench.core.frames import NoFrames
from vbench.core.suite import Card, Suite
from vbench.metrics.explain import explain
from vbench.metrics.profiles import PROFILES
from vbench.metrics.suite_score import Placed, Scorer, differences, score


def clip(name, n=10, tags=()):
    truth = np.tile([50.0, 60.0, 20.0, 10.0], (n, 1)) + np.arange(n)[:, None] * [1, 0, 0, 0]
    return Clip(name, NoFrames(n), truth, tags=tags)


@pytest.fixture
def suite():
    clips = [clip("a", 10, ("IV",)), clip("b", 20, ("IV", "OCC")), clip("c", 30)]
    return Suite(Card("mine", "mine", "sot", 3), clips)


def perfect(suite):
    return {c.name: c.truth for c in suite.clips}


def test_complete_suite(suite):
    scores = score(suite, perfect(suite), name="me")
    assert (scores.status, scores.coverage, scores.problems) == ("ok", "3/3", ())
    assert scores.metrics["success_auc"] == pytest.approx(20 / 21)
    assert scores.intervals["success_auc"].half == pytest.approx(0, abs=1e-12)
    found = scores.as_json()
    assert set(found) == {
        "name", "clips", "status", "metrics", "plus_minus", "problems", "notes"
    }  # fmt: skip


def test_missing_clip_takes_the_means_away_unless_allowed(suite):
    results = perfect(suite)
    del results["b"]
    scores = score(suite, results)
    assert (scores.status, scores.coverage, scores.metrics) == ("partial", "2/3", {})
    assert [(p.clip, p.what) for p in scores.problems] == [("b", "no result")]
    allowed = score(suite, results, allow_partial=True)
    assert allowed.metrics["ao"] == pytest.approx(1)
    assert allowed.coverage == "2/3"


def test_part_of_a_suite_is_never_the_suite(suite):
    part = suite.only(["a", "c"])
    scores = score(part, perfect(part))
    assert (scores.coverage, scores.metrics) == ("2/3", {})


def test_nothing_scored_is_failed_even_when_partial_is_allowed(suite):
    scores = score(suite, {"a": "the file is empty"}, allow_partial=True)
    assert (scores.status, scores.coverage, scores.metrics) == ("failed", "0/3", {})
    assert scores.problems[0].what == "the file is empty"
    assert scores.by_attribute() == {}
    assert scores.intervals == {}


def test_lengths_that_the_profile_refuses_are_named(suite):
    results = perfect(suite) | {"a": suite.clips[0].truth[:7]}
    scores = score(suite, results)
    assert scores.problems[0].what == "7 rows for 10 frames, which profile vbench refuses"
    assert score(suite, results, "got10k").status == "ok"


def test_placed_boxes_are_compared_from_their_first_frame(suite):
    truth = suite.clips[0].truth
    scores = score(suite, perfect(suite) | {"a": Placed(truth[4:], 4)})
    assert scores.metrics["ao"] == pytest.approx(1)


def test_clips_that_the_suite_could_not_load_are_problems(suite):
    broken = Suite(suite.card, suite.clips[:2], {"c": "c.txt is empty"})
    scores = score(broken, perfect(broken))
    assert scores.coverage == "2/3"
    assert [(p.clip, p.what) for p in scores.problems] == [("c", "c.txt is empty")]


def test_clips_without_ground_truth_cannot_be_scored(suite):
    hidden = Suite(suite.card, [*suite.clips[:2], Clip("c", NoFrames(5))])
    scores = score(hidden, perfect(hidden))
    assert scores.problems[0].what == "the suite has no ground truth for it"


def test_attributes_are_means_over_the_clips_that_have_them(suite):
    results = perfect(suite)
    results["b"] = results["b"] + [1000, 0, 0, 0]
    rows = score(suite, results).by_attribute()
    assert {tag: clips for tag, (clips, _) in rows.items()} == {"IV": "2/3", "OCC": "1/3"}
    assert rows["IV"][1]["ao"] == pytest.approx(0.5)
    assert rows["OCC"][1]["ao"] == 0


def test_interval_of_a_mean_over_frames_has_that_mean(suite):
    got10k = Suite(Card("got10k-val", "mine", "sot", 3), suite.clips)
    results = perfect(suite)
    results["c"] = results["c"] + [1000, 0, 0, 0]
    scores = Scorer(got10k, "got10k").score(results)
    assert scores.metrics["ao"] == pytest.approx((9 + 19) / (9 + 19 + 29))
    for name, interval in scores.intervals.items():
        assert interval.mean == pytest.approx(scores.metrics[name])


def test_explained_changes_add_up_to_each_difference(suite):
    rng = np.random.default_rng(0)
    results = {c.name: c.truth + rng.normal(0, 3, c.truth.shape) for c in suite.clips}
    suite.clips[1].truth[4:8] = np.nan
    results["a"][3] = np.nan
    rows = explain(suite, results)
    assert [row.profile for row in rows] == list(PROFILES)
    base = rows[0]
    assert base.causes == ()
    for row in rows:
        for metric in ("success_auc", "precision_20px"):
            changes = sum(cause.changes[metric] for cause in row.causes)
            assert row.means[metric] - base.means[metric] == pytest.approx(changes)


def test_explained_frames_are_those_that_a_rule_touches(suite):
    results = perfect(suite)
    suite.clips[1].truth[4:8] = np.nan
    results["a"] = results["a"].copy()
    results["a"][0] += 3
    uav = Suite(Card("uav123", "mine", "sot", 3), suite.clips)
    rows = {row.profile: row for row in explain(uav, results)}
    causes = {cause.rule: cause for cause in rows["got10k"].causes}
    assert causes["first_frame"].frames == 1
    assert causes["invalid_success"].frames == 4


def test_got10k_leaves_out_frames_flagged_absent(suite):
    flagged = replace(suite.clips[0], frame_tags={"hidden": np.arange(10) >= 6})
    got10k = Suite(Card("got10k-val", "mine", "sot", 1), [flagged])
    results = {"a": flagged.truth + [[1000, 0, 0, 0]] * (np.arange(10)[:, None] >= 6)}
    assert score(got10k, results, "got10k").metrics["ao"] == pytest.approx(1)
    assert score(got10k, results, "vbench").metrics["ao"] == pytest.approx(0.6)


def test_pytracking_counts_hidden_frames_of_lasot_as_misses(suite):
    """Fully occluded or out of view: a miss in all plots (extract_results.py:76-92)."""
    flags = {"full_occlusion": np.arange(10) == 4, "out_of_view": np.arange(10) >= 8}
    lasot = Suite(Card("lasot", "mine", "sot", 1), [replace(suite.clips[0], frame_tags=flags)])
    found = score(lasot, {"a": suite.clips[0].truth}, "pytracking").metrics
    assert found["success_auc"] == pytest.approx(0.7 * 20 / 21)
    assert (found["precision_20px"], found["norm_precision"]) == (0.7, 0.7)


def test_differences_are_paired_by_clip(suite):
    results = perfect(suite)
    worse = {name: boxes + [0, 1, 0, 0] for name, boxes in results.items() if name != "b"}
    found = differences(score(suite, results), score(suite, worse))
    assert found["ao"].clips == 2
    assert found["ao"].interval.mean == pytest.approx(1 - 9 / 11)
    assert found["ao"].interval.half == pytest.approx(0, abs=1e-12)
    assert found["ao"].clear
    with pytest.raises(VBenchError, match="no clip in common"):
        differences(score(suite, results), score(suite, {}))
