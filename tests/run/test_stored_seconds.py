"""Real time from stored seconds: the same on every machine."""

import numpy as np
import pytest

from tests.cli.commands import vbench
from tests.run.scripted import clip
from vbench.core.clip import Clip
from vbench.core.errors import UnknownName
from vbench.core.suite import Card, Suite
from vbench.core.vot_run import runs_in
from vbench.run.bench import Order, run
from vbench.run.compose import plan
from vbench.run.stored_seconds import StoredSeconds
from vbench.store.run_folder import RunFolder


@pytest.fixture
def suite():
    """One clip whose target moves 4 px a frame: an answer that is two frames old is lost."""
    still = clip(40, "a")
    truth = np.tile([4.0, 10, 8, 8], (40, 1))
    truth[:, 0] += np.minimum(np.arange(40), 12)
    return Suite(Card("s", "s", "sot", 1), [Clip("a", still.frames, truth, known_size=still.size)])


def timed(folder, suite, seconds):
    """A run of `hold` whose stored seconds are these."""
    made = run(Order(suite, [plan("hold")]), RunFolder(folder), lambda *_: None)
    record = made.manifest.methods["hold"]
    trace = RunFolder(folder).trace(record, "a")
    assert trace is not None
    trace.seconds[:] = seconds
    RunFolder(folder).save(record, suite.clips[0], trace)
    return StoredSeconds.of_run(folder)


def codes(folder, suite, stored, protocol="vot-realtime", fps=None):
    order = Order(suite, [plan("hold")], protocol=protocol, stored=stored, fps=fps)
    made = run(order, RunFolder(folder), lambda *_: None)
    record = made.manifest.methods["hold"]
    assert record.problems == {}
    trace = RunFolder(folder).trace(record, "a")
    assert trace is not None
    return trace, runs_in(trace)[0]


def test_a_run_in_real_time_takes_the_seconds_of_an_earlier_one(tmp_path, suite):
    fast, slow = (timed(tmp_path / n, suite, s) for n, s in (("f", 0.01), ("s", 0.2)))
    trace, _ = codes(tmp_path / "one", suite, fast)
    assert set(trace.seconds.tolist()) <= {0.01, 0.0}
    seen = {}
    for name, stored in (("fast", fast), ("slow", slow)):
        trace, _ = codes(tmp_path / name, suite, stored)
        seen[name] = int((trace.seconds > 0).sum())
    # 20 frames a second: 10 ms never lose a frame, 200 ms see one frame in four.
    assert seen["fast"] > 2 * seen["slow"]
    again, one = codes(tmp_path / "again", suite, slow)
    _, two = codes(tmp_path / "two", suite, slow)
    assert one.same_as(two)
    assert again.boxes.shape == (40, 4)
    # At 2 frames a second 200 ms are in time.
    leisurely, _ = codes(tmp_path / "leisurely", suite, slow, fps=2.0)
    assert int((leisurely.seconds > 0).sum()) == seen["fast"]


def test_what_was_not_timed_is_named(tmp_path, suite):
    stored = timed(tmp_path / "s", suite, 0.01)
    with pytest.raises(UnknownName, match="no method in .* called 'hod'; did you mean 'hold'"):
        stored.key("hod")
    other = Suite(suite.card, [clip(40, "a")])
    order = Order(other, [plan("hold")], protocol="vot-realtime", stored=stored)
    made = run(order, RunFolder(tmp_path / "r"), lambda *_: None)
    assert "has no times of hold on this clip" in made.manifest.methods["hold"].problems["a"]


def test_the_command_line_simulates_real_time(tmp_path, capsys):
    common = ["--suite", "synth-sot", "--methods", "hold", "--limit", "2", "--quiet"]
    assert vbench(capsys, "run", *common, "--out", tmp_path / "ope").code == 0
    real = ["--protocol", "vot-realtime", "--seconds-of", tmp_path / "ope"]
    assert vbench(capsys, "run", *common, *real, "--out", tmp_path / "real").code == 0
    (row,) = vbench(capsys, "report", tmp_path / "real", "--json").json["results"]
    assert row["robustness"] is not None
    refused = vbench(capsys, "run", *common, *real[2:], "--out", tmp_path / "x").one_line()
    assert "--seconds-of is for --protocol vot-realtime" in refused
