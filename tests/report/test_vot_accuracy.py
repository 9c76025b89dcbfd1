"""Runs under the VOT protocols in the report: multi-start, unsupervised, and flagged frames."""

import numpy as np
import pytest

from tests.run.scripted import Walker, clip
from vbench.core.clip import Clip
from vbench.core.policy import Every
from vbench.core.suite import Card, Suite
from vbench.core.trace import Kind, Trace
from vbench.core.vot_run import COLUMN
from vbench.cost.stopwatch import FakeClock
from vbench.metrics.suite_score import Scorer
from vbench.report.accuracy import accuracy_of, plus_minus_of
from vbench.report.tables import summary
from vbench.run.bench import Order, run
from vbench.run.compose import plan
from vbench.run.protocols import under_protocol
from vbench.run.restarted import run_restarted
from vbench.run.stepper import TrackerStepper
from vbench.store.run_folder import RunFolder
from vbench.store.traces import StoredTruth

HIT, MISS = [10.0, 10, 8, 8], [40.0, 10, 8, 8]


def stored(name: str, boxes, **tags) -> StoredTruth:
    truth = np.array(boxes, dtype=np.float64)
    return StoredTruth(name, len(truth), "", truth, size=(64, 48), frame_tags=tags)


def traced(boxes, **extras) -> Trace:
    n = len(boxes)
    kind = np.full(n, Kind.KEY, dtype=np.int8)
    kind[0] = Kind.START
    ones, nan = np.ones(n, dtype=np.int64), np.full(n, np.nan)
    rows = np.array(boxes, dtype=np.float64)
    return Trace(kind, ones, 0 * ones, nan, nan, nan, nan, rows, nan, -ones, extras)


def test_a_method_that_never_loses_reaches_everything_from_every_start(tmp_path) -> None:
    suite = Suite(Card("vot2018", "v", "sot", 1, profile="vot-pysot"), [clip(101, "a")])
    cut, ran_as = under_protocol(suite, "vot-multistart")
    assert [c.name for c in cut.clips] == ["a/00000000", "a/00000050", "a/00000100"]
    assert cut.coverage == "3/3"
    run(Order(cut, [plan("hold")], protocol=ran_as), RunFolder(tmp_path), lambda *_: None)
    (row,) = summary(RunFolder(tmp_path)).to_dict(orient="records")
    assert row["tracked"] == 1
    # The start itself counts as 0 (vot/analysis/multistart.py): 101 + 51 + 101 frames, 3 starts.
    assert row["accuracy"] == pytest.approx(250 / 253)


def test_the_interval_of_a_run_is_that_of_its_suites_card(tmp_path) -> None:
    """The expected overlap of multi-start is averaged between the card's lengths, by its year."""
    found = {}
    for interval in ([], [5, 20]):
        card = Card("mine", "v", "sot", 1, rules={"eao_interval": interval})
        cut, ran_as = under_protocol(Suite(card, [clip(101, "a")]), "vot-multistart")
        folder = RunFolder(tmp_path / f"run{len(interval)}")
        run(Order(cut, [plan("hold")], protocol=ran_as), folder, lambda *_: None)
        (row,) = summary(folder).to_dict(orient="records")
        found[len(interval)] = row["eao"]
    # The start counts as 0 behind a perfect answer: all lengths up to 101 are known, none above.
    assert found[2] == pytest.approx(1)
    assert found[0] == 0  # 115 to 755 of VOT2020, longer than the clip


def test_lost_is_ten_frames_in_a_row_below_a_tenth() -> None:
    truths = [stored("a/00000000", [HIT] * 40), stored("a/00000039", [HIT] * 40)]
    lost = traced([HIT] * 20 + [MISS] * 20)
    found_again = traced([HIT] * 20 + [MISS] * 9 + [HIT] * 11)
    found = accuracy_of(
        "vot2018", "sot", "vot-pysot", truths, [lost, found_again], "vot-multistart"
    )
    assert found["tracked"] == pytest.approx((20 + 40) / 80)
    assert found["accuracy"] == pytest.approx((19 + 30) / (20 + 40))


def test_without_restarts_the_average_overlap_is_what_counts() -> None:
    trace = run_restarted(
        TrackerStepper(Still()), Every(), clip(10), FakeClock().now, "vot-unsupervised"
    )
    truth = stored("clip", [HIT] * 10)
    found = accuracy_of("vot2018", "sot", "vot-pysot", [truth], [trace], "vot-unsupervised")
    # MATLAB and pysot count the start as 0: nine perfect frames of ten.
    assert found == {"ao": pytest.approx(0.9)}


class Still(Walker):
    """Answers its start box for ever."""

    def track(self, frame):
        return super().track(frame)._replace(box=np.array(HIT))


def test_restarts_have_intervals_over_clips(tmp_path) -> None:
    suite = Suite(Card("vot2018", "v", "sot", 2), [clip(30, "a"), clip(30, "b")])
    order = Order(suite, [plan("hold")], protocol="vot-supervised")
    run(order, RunFolder(tmp_path), lambda *_: None)
    (row,) = summary(RunFolder(tmp_path)).to_dict(orient="records")
    assert (row["lost"], row["lost_pm"]) == (0, 0)


def test_one_pass_over_a_vot_suite_is_scored_as_one_pass() -> None:
    trace = traced([HIT] * 10)
    assert COLUMN not in trace.extras
    found = accuracy_of("vot2018", "sot", "vot-pysot", [stored("a", [HIT] * 10)], [trace], "ope")
    assert found["success_auc"] == pytest.approx(20 / 21)


def test_frames_flagged_absent_are_left_out_as_got10k_does() -> None:
    absence = np.arange(10) >= 6
    boxes = [HIT] * 6 + [MISS] * 4
    truth = stored("a", [HIT] * 10, hidden=absence)
    found = accuracy_of("got10k-val", "sot", "got10k", [truth], [traced(boxes)])
    assert found["ao"] == pytest.approx(1)
    whole = Clip("a", clip(10).frames, truth.truth, known_size=(64, 48),
                 frame_tags={"hidden": absence})  # fmt: skip
    suite = Suite(Card("got10k-val", "g", "sot", 1, profile="got10k"), [whole])
    scored = Scorer(suite).score({"a": np.array(boxes)})
    assert scored.metrics["ao"] == pytest.approx(found["ao"])


def test_a_truth_of_the_first_frame_alone_is_not_scored(tmp_path) -> None:
    short = clip(10, "GOT-10k_Test_000001")
    short = Clip(short.name, short.frames, short.truth[:1], known_size=(64, 48))
    suite = Suite(Card("got10k-test", "g", "sot", 180, profile="got10k"), [short])
    outcome = run(Order(suite, [plan("hold")]), RunFolder(tmp_path), lambda *_: None)
    assert not outcome.failed
    (row,) = summary(RunFolder(tmp_path)).to_dict(orient="records")
    assert row["clips"] == "1/180"
    assert not {"success_auc", "ao"} & set(row)


def test_shifted_starts_of_a_clip_are_drawn_together() -> None:
    """Twelve equal pieces of each clip say no more than the clip itself."""
    hit, miss = traced([HIT] * 10), traced([HIT, *[MISS] * 9])
    truths = [stored("a", [HIT] * 10), stored("b", [HIT] * 10)]
    whole = plus_minus_of("s", "sot", "vbench", truths, [hit, miss], "ope")
    pieces = [stored(f"{clip}/sre-{n}", [HIT] * 10) for clip in "ab" for n in range(12)]
    cut = plus_minus_of("s", "sot", "vbench", pieces, [hit] * 12 + [miss] * 12, "sre")
    assert whole["success_auc"] > 0.3
    assert cut == pytest.approx(whole)
    assert plus_minus_of("s", "sot", "vbench", pieces[:12], [hit] * 12, "sre") == {}
