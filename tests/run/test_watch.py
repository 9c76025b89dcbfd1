"""Marks on times: other programs, energy, repeats that differ."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.cli.commands import vbench
from vbench.catalogue import open_suite
from vbench.core.trace import POST_SECONDS
from vbench.cost.device import device_label
from vbench.cost.energy import EnergyWatch
from vbench.cost.load import Load, LoadWatch
from vbench.report.timing_notes import joules_per_frame, timing_notes
from vbench.run import bench, repeats, watch
from vbench.run.bench import Order
from vbench.run.compose import compose, plan
from vbench.run.repeats import median_ms
from vbench.run.watch import MethodWatch
from vbench.store.run_folder import Manifest, MethodRecord, RunFolder


class Meter:
    name, scope = "rails", "module"
    total = 0.0

    def joules(self):
        return self.total


@pytest.fixture
def quiet(monkeypatch):
    def load(cores):
        monkeypatch.setattr(LoadWatch, "stop", lambda self: Load(1.0, cores, 2, 5.0))

    monkeypatch.setattr(watch, "idle_meter", lambda device: None)
    return load


def manifest(record):
    return Manifest("s", "sot", "d", 1, methods={record.method: record})


def test_a_busy_machine_marks_the_times_and_the_worst_session_stays(quiet):
    record = MethodRecord("kcf", "k")
    for cores in (0.05, 0.8, 0.1):
        quiet(cores)
        with MethodWatch(record, "cpu") as seen:
            seen.frames += 10
    assert record.foreign_cores == 0.8
    assert timing_notes(manifest(record)) == [
        "times of kcf: other programs used 0.8 cores meanwhile"
    ]


def test_nothing_is_said_where_nothing_ran_or_nothing_is_known(quiet):
    record = MethodRecord("kcf", "k")
    quiet(0.9)
    with MethodWatch(record, "cpu"):
        pass
    with MethodWatch(record, None) as untimed:
        untimed.frames += 5
    quiet(float("nan"))
    with MethodWatch(record, "cpu") as seen:
        seen.frames += 5
    assert record.foreign_cores is None
    assert timing_notes(manifest(record)) == []
    assert np.isnan(joules_per_frame(record))


def test_energy_of_all_sessions_is_a_frame_beyond_idling(quiet, monkeypatch):
    quiet(0.0)
    meter, seconds = Meter(), iter([0.0, 2.0, 10.0, 13.0])
    monkeypatch.setattr(watch, "idle_meter", lambda device: (meter, 5.0))
    monkeypatch.setattr(
        watch,
        "EnergyWatch",
        lambda m, idle_watts: EnergyWatch(m, lambda: next(seconds), idle_watts),
    )
    record = MethodRecord("kcf", "k")
    for joules, frames in ((40.0, 10), (30.0, 5)):
        with MethodWatch(record, "cpu") as seen:
            meter.total += joules
            seen.frames += frames
    assert record.energy["joules"] == 70
    assert record.energy["net_joules"] == pytest.approx((40 - 5 * 2) + (30 - 5 * 3))
    assert joules_per_frame(record) == pytest.approx(45 / 15)
    assert json.loads(json.dumps(record.energy))["meter"] == "rails"


@pytest.mark.parametrize(
    ("medians", "note"),
    [
        ([10.0, 10.3], None),
        ([10.0, 11.0, 10.5], "medians of 3 repeats differ by 10%"),
        ([9.0], None),
    ],
)
def test_repeats_that_differ_are_said_to(medians, note):
    record = MethodRecord("kcf", "k", repeats_ms=medians)
    assert timing_notes(manifest(record)) == ([f"times of kcf: {note}"] if note else [])


def test_times_of_different_devices_are_not_for_comparing():
    first = MethodRecord("kcf", "k", devices=["A (1)"])
    both = MethodRecord("hold", "h", devices=["A (1)", "B (2)"])
    notes = timing_notes(Manifest("s", "sot", "d", 1, methods={"kcf": first, "hold": both}))
    assert notes == [
        "times of hold: taken on different devices: A (1), B (2)",
        "times were taken on 2 devices; compare only within one of them",
    ]
    assert timing_notes(manifest(first)) == []


def test_without_frames_there_is_no_median():
    assert np.isnan(median_ms([]))


def test_of_repeats_the_middle_one_is_stored(tmp_path, monkeypatch):
    """A stored run of 9 ms a frame, and repeats of 2, 3 and 4 ms."""
    suite = open_suite("synth-sot", None, None).only([], 1)
    order = Order(suite, [plan("hold")])
    folder = RunFolder(tmp_path / "run")
    cost = iter([9e-3, 2e-3, 3e-3, 4e-3])
    real = bench.timed_clip

    def as_slow_as_said(composed, clip, order, *more):
        trace, each = real(composed, clip, order, *more), next(cost)
        seconds = np.full(len(trace), each)
        return replace(trace, seconds=seconds, extras={POST_SECONDS: seconds / 2})

    monkeypatch.setattr(bench, "timed_clip", as_slow_as_said)
    monkeypatch.setattr(repeats, "timed_clip", as_slow_as_said)
    bench.run(order, folder, lambda *_: None)
    record, clip = folder.read().methods["hold"], suite.clips[0]
    before = folder.trace(record, clip.name)
    manifest = folder.read()
    manifest.methods["hold"].devices.append("another device (0)")
    folder.write(manifest)
    repeats.time_again(order, folder, lambda *_: None, 3)
    record = folder.read().methods["hold"]
    after = folder.trace(record, clip.name)
    assert before is not None and after is not None
    assert record.repeats_ms == pytest.approx([2, 3, 4])
    assert record.devices == [device_label(manifest.machine)]
    assert np.array_equal(after.seconds, np.full(len(after), 3e-3))
    assert np.array_equal(after.post_seconds, after.seconds / 2)
    assert np.array_equal(after.boxes, before.boxes)


def test_methods_are_timed_again_in_turns(alone_run, capsys):
    said = json.loads((alone_run / "manifest.json").read_text())
    for record in said["methods"].values():
        assert record["devices"] == [device_label(said["machine"])]
        assert len(record["repeats_ms"]) == 3
        assert all(ms > 0 for ms in record["repeats_ms"])
    assert said["methods"]["hold"]["repeats_ms"][0] < said["methods"]["kcf"]["repeats_ms"][0]


@pytest.mark.parametrize("asked", [["--repeats", 0], ["--repeats", 2, "--no-timing"]])
def test_repeats_that_time_nothing_are_refused(asked, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ran = vbench(capsys, "run", "--methods", "hold", "--limit", 1, *asked)
    assert (ran.code, list(tmp_path.iterdir())) == (2, [])
    assert f"--repeats {asked[1]}" in ran.one_line()


@pytest.fixture
def alone_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["--suite", "synth-sot", "--limit", 1, "--methods", "kcf,hold", "--out", "r"]
    assert vbench(capsys, "run", *asked, "--repeats", 3, "--quiet").code == 0
    return tmp_path / "r"


def test_a_method_that_fails_when_timed_again_keeps_what_it_has(tmp_path, monkeypatch):
    """`hold` fails in its second repeat on the second clip; `kcf` goes on, as do other clips."""
    suite = open_suite("synth-sot", None, None).only([], 3)
    order = Order(suite, [plan("hold"), plan("kcf")])
    folder = RunFolder(tmp_path / "run")
    bench.run(order, folder, lambda *_: None)
    manifest = folder.read()
    manifest.methods["hold"].devices = ["another device (0)"]
    folder.write(manifest)
    first, failing, last = suite.clips
    before = folder.trace(manifest.methods["hold"], failing.name)
    real, calls = bench.timed_clip, []

    def fails_once(composed, clip, order, *more):
        calls.append((composed.name, clip.name))
        if calls[-1] == ("hold", failing.name) and calls.count(calls[-1]) == 2:
            raise RuntimeError("out of memory")
        trace = real(composed, clip, order, *more)
        return replace(trace, seconds=np.full(len(trace), 5e-3))

    monkeypatch.setattr(repeats, "timed_clip", fails_once)
    said = repeats.time_again(order, folder, lambda *_: None, 3)
    why = "RuntimeError: out of memory"
    assert said == {("hold", failing.name): why}
    manifest = folder.read()
    hold, kcf = manifest.methods["hold"], manifest.methods["kcf"]
    assert (hold.untimed, kcf.untimed) == ({failing.name: why}, {})
    # Its answers and first times stay; it is not a failed clip, and what is left of it is timed.
    assert (hold.problems, kcf.problems) == ({}, {})
    after = folder.trace(hold, failing.name)
    assert before is not None and after is not None
    assert np.array_equal(after.seconds, before.seconds)
    for clip in (first, last):
        trace = folder.trace(hold, clip.name)
        assert trace is not None and (trace.seconds == 5e-3).all()
    assert hold.repeats_ms == pytest.approx([5, 5, 5])
    assert calls.count(("hold", failing.name)) == 2
    assert calls.count(("kcf", failing.name)) == 3
    assert len(hold.devices) == 2 and len(kcf.devices) == 1
    assert any(f"first run alone on {failing.name}" in note for note in timing_notes(manifest))
    # Timed once more and without a failure, it is as the others are.
    assert repeats.time_again(order, folder, lambda *_: None, 2) == {}
    assert folder.read().methods["hold"].untimed == {}


def test_a_method_that_cannot_be_made_again_is_not_timed_again(tmp_path, monkeypatch):
    suite = open_suite("synth-sot", None, None).only([], 1)
    order = Order(suite, [plan("hold"), plan("kcf")])
    folder = RunFolder(tmp_path / "run")
    bench.run(order, folder, lambda *_: None)
    real = compose

    def too_large(found, *more, **context):
        if str(found.method) == "kcf":
            raise MemoryError("cannot allocate")
        return real(found, *more, **context)

    monkeypatch.setattr(repeats, "compose", too_large)
    said = repeats.time_again(order, folder, lambda *_: None, 2)
    assert said == {("kcf", suite.clips[0].name): "MemoryError: cannot allocate"}
    records = folder.read().methods
    assert len(records["hold"].repeats_ms) == 2
    assert records["kcf"].repeats_ms == []


def test_many_disturbed_methods_are_one_line() -> None:
    cores = {"a": 0.6, "b": 1.9, "c": 1.0, "d": 0.7, "e": 0.0}
    records = {name: MethodRecord(name, name) for name in cores}
    for name, record in records.items():
        record.foreign_cores = cores[name]
    assert timing_notes(Manifest("s", "sot", "d", 1, methods=records)) == [
        "times of 4 of 5 methods: other programs used 0.6 to 1.9 cores meanwhile"
    ]
    del records["a"]
    assert len(timing_notes(Manifest("s", "sot", "d", 1, methods=records))) == 3
