"""A method that failed on a clip has means over other clips: shown as such, never ranked."""

import numpy as np
import pytest

from tests.report.test_html import data_of, made_run
from vbench.report.coverage import comparable, coverage_notes, lacking
from vbench.report.html import _brief, html
from vbench.report.tables import per_clip, results_json, summary
from vbench.report.terminal import as_text, marks, only_columns, sorted_by
from vbench.report.tradeoff import tradeoff

WHOLE = ["kcf+dummy@online:0.00:5", "kcf+dummy@online:0.01:5"]
SHORT = "kcf+dummy@online:0.02:5"


@pytest.fixture
def folder(tmp_path):
    return made_run(tmp_path / "run", 3, 4, 30)


def failing(folder, clips: dict[str, list[str]]):
    manifest = folder.read()
    for method, names in clips.items():
        manifest.methods[method].problems = dict.fromkeys(names, "frame 3: not a number")
    folder.write(manifest)
    return folder


def lucky(folder) -> tuple[str, list[str]]:
    """The method with the best clip of all, and its other clips: without them it looks best."""
    scores = per_clip(folder).pivot_table("success_auc", "clip", "method")
    method = str(scores.max().idxmax())
    return method, [str(clip) for clip in scores.index if clip != scores[method].idxmax()]


def test_a_mean_over_other_clips_is_shown_and_has_no_rank(folder) -> None:
    method, failed = lucky(folder)
    found = summary(failing(folder, {method: failed}))
    table = sorted_by(found, "success_auc")
    assert found["success_auc"].max() == table["success_auc"].iloc[-1]
    assert table["method"].iloc[-1] == method
    assert table["clips"].tolist() == ["4/4", "4/4", "1/4"]
    assert table["status"].tolist() == ["ok", "ok", "partial"]
    assert table["lacks"].tolist() == ["", "", ", ".join(failed)]
    ranks = {row: rank for (row, column), rank in marks(table).items() if column == "success_auc"}
    assert ranks == {0: 1, 1: 2}
    assert {row for row, _ in marks(only_columns(table, "success_auc"))} == {0, 1}


def test_a_note_names_the_clips_and_why(folder) -> None:
    failing(folder, {SHORT: ["clip001", "clip003"]})
    (note,) = coverage_notes(summary(folder), folder.read())
    assert note.startswith(f"{SHORT} lacks clip001, clip003 (frame 3: not a number): its means")
    assert "2/4 clips" in note
    assert lacking(summary(folder)) == f"{SHORT} 2/4"


def test_a_run_over_some_clips_is_compared_on_those(folder) -> None:
    manifest = folder.read()
    manifest.suite_clips = 100
    folder.write(manifest)
    # A clip that fails for everybody is one fewer for everybody.
    found = summary(failing(folder, {m: ["clip002"] for m in (*WHOLE, SHORT)}))
    assert found["clips"].tolist() == ["3/100"] * 3
    assert "lacks" not in found
    assert comparable(found).all()
    assert [*coverage_notes(found, folder.read())] == []
    assert {rank for _, rank in marks(found).items()} == {1, 2}


def test_failures_on_different_clips_compare_with_nobody(folder) -> None:
    found = summary(failing(folder, {WHOLE[0]: ["clip000"], SHORT: ["clip001"]}))
    assert found["clips"].tolist() == ["3/4", "4/4", "3/4"]
    assert comparable(found).tolist() == [False, True, False]


def test_the_front_and_the_sentences_leave_it_out(folder) -> None:
    method, failed = lucky(folder)
    found = summary(failing(folder, {method: failed}))
    figure = tradeoff(found, "title", "ms_mean", "success_auc")
    (axes,) = figure.axes
    assert f"faint, of fewer clips and not on the front: {method} 1/4" in axes.get_title(loc="left")
    best = found.loc[comparable(found), "success_auc"].max()
    front = axes.get_lines()[0]
    assert np.max(front.get_ydata()) == pytest.approx(best)
    opaque = [line.get_alpha() for line in axes.get_lines()[1:4]]
    assert sorted(opaque) == [0.35, 1.0, 1.0]
    brief = " ".join(_brief(found, "ms_mean", "success_auc"))
    assert "1 of 3 methods lack clips and are left out here." in brief
    assert f"Most accurate: {method}" not in brief


def test_files_say_it_as_well(folder) -> None:
    failing(folder, {SHORT: ["clip001"]})
    found = summary(folder)
    rows = results_json(folder, found)["results"]
    assert [row["lacks"] for row in rows] == ["", "", "clip001"]
    assert [row["lacks"] for row in data_of(html(folder))["rows"]] == ["", "", "clip001"]
    assert "clip001" in as_text(found, "csv")
    assert "clip001" not in as_text(found, "md")
    assert "3/4 | partial" in as_text(found, "md")
