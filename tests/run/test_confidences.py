"""How sure a tracker was goes out with its boxes, and comes in again as it was."""

import numpy as np
import pytest

from tests.run.scripted import clip
from vbench.core.suite import Card, Suite
from vbench.core.trace import Kind, Trace
from vbench.run.bench import Order, run
from vbench.run.confidences import column_of
from vbench.run.import_files import export_run, import_path
from vbench.store.raw_export import FORMATS, VOT
from vbench.store.raw_layout import RawFile
from vbench.store.run_folder import MethodRecord, RunFolder

N = 9
CLIPS = ("a", "b")
SAYS = [form for form in FORMATS if FORMATS[form].sure]


def sure(seed: int):
    """Numbers of all magnitudes, and two frames without one."""
    rng = np.random.default_rng(seed)
    scores = rng.random(N) * 10.0 ** rng.integers(-12, 3, N)
    scores[[0, 4]] = np.nan
    return scores


def suite_of(name: str = "s") -> Suite:
    return Suite(Card(name, name, "sot", 1), [clip(N, name) for name in CLIPS])


@pytest.fixture
def stored(tmp_path):
    """A run of one method whose boxes are whole pixels, so that every format holds them."""
    suite, folder = suite_of(), RunFolder(tmp_path / "run")
    run(Order(suite=suite, plans=()), folder, lambda *_: None)
    manifest = folder.read()
    record = manifest.methods["m"] = MethodRecord("m", "k" * 64)
    for index, one in enumerate(suite.clips):
        folder.save(record, one, traced(sure(index)))
    folder.write(manifest)
    return folder.path


def traced(scores) -> Trace:
    kind = np.full(N, Kind.KEY, np.int8)
    kind[0] = Kind.START
    one, unknown = np.ones(N, np.int64), np.full(N, np.nan)
    boxes = np.column_stack([10.0 + np.arange(N), np.full((N, 3), 8.0)])
    return Trace(kind, one, one, unknown, unknown, unknown, unknown, boxes, scores, -one)


@pytest.mark.parametrize("form", [*SAYS, VOT])
def test_they_come_in_as_they_went_out(form, stored, tmp_path) -> None:
    written = export_run(stored, form, tmp_path / "out")["m"]
    assert written.files == 2 * len(CLIPS)
    assert written.lines(form if form != VOT else "otb") == []
    import_path(tmp_path / "out", suite_of(), tmp_path / "again")
    again = RunFolder(tmp_path / "again")
    (record,) = again.read().methods.values()
    for index, name in enumerate(CLIPS):
        trace = again.trace(record, name)
        assert trace is not None
        np.testing.assert_array_equal(trace.scores, sure(index))


def test_formats_without_a_place_for_them_say_so(stored, tmp_path) -> None:
    assert set(FORMATS) - set(SAYS) == {"mot", "got10k-submission"}
    for form in ("mot", "got10k-submission"):
        written = export_run(stored, form, tmp_path / form)["m"]
        assert written.files == 2
        assert written.lines(form)[-1] == (
            f"{form} has no place for confidences: those of 2 clips are lost"
        )


def test_a_tracker_that_never_says_gets_no_file(tmp_path) -> None:
    from vbench.run.compose import plan

    folder = RunFolder(tmp_path / "run")
    run(Order(suite=suite_of(), plans=[plan("hold")]), folder, lambda *_: None)
    export_run(folder.path, "otb", tmp_path / "out")
    assert not [*(tmp_path / "out").rglob("*confidence*")]


@pytest.mark.parametrize(
    ("text", "first"),
    [("\n0.5\n0.25\n", np.nan), ("\r\n0.5\r\n0.25\r\n", np.nan), ("1\n0.5\n0.25\n", 1.0)],
)
def test_the_first_line_may_be_empty_as_the_vot_toolkits_leave_it(text, first, tmp_path) -> None:
    path = tmp_path / "a_001_confidence.value"
    path.write_bytes(text.encode())
    found = column_of(RawFile(str(path), (), path.name), 3)
    np.testing.assert_array_equal(found, [first, 0.5, 0.25])


def test_a_file_that_is_cut_short_says_nothing(tmp_path) -> None:
    path = tmp_path / "a_confidence.value"
    path.write_text("0.5\n0.25\n")
    assert np.isnan(column_of(RawFile(str(path), (), path.name), 3)).all()
