from dataclasses import replace
from math import exp
from typing import cast

import numpy as np
import pandas as pd
import pytest

from tests.cli.commands import vbench
from vbench import catalogue
from vbench.core.errors import VBenchError
from vbench.core.vot_run import VotRun, run_in
from vbench.metrics.vot import score_vot
from vbench.metrics.vot_frames import VotTruth
from vbench.metrics.vot_profiles import vot_rules
from vbench.report.drawing import PLOTS, Wish, draw
from vbench.report.tables import summary
from vbench.report.vot_plots import expected_overlap
from vbench.store.run_folder import RunFolder


@pytest.fixture(scope="module")
def wish(tmp_path_factory) -> Wish:
    folder = tmp_path_factory.mktemp("vot") / "run"
    from vbench.cli.app import invoke

    arguments = "run --suite synth-sot --methods hold,hold+dummy@fixed:2 --limit 3 --quiet"
    invoke([*arguments.split(), "--protocol", "vot-supervised", "--out", str(folder)])
    run = RunFolder(folder)
    return Wish(run, run.read(), summary(run))


def test_the_ar_plot_puts_failures_on_an_exponential_axis(wish) -> None:
    axes = PLOTS["ar"](wish).axes[0]
    row = wish.summary.set_index("method").loc["hold"]
    frames = sum(cell.truth.frames for cell in wish.cells()["hold"])
    x, y = axes.lines[0].get_data()
    assert row["lost"] > 0
    assert float(x[0]) == pytest.approx(exp(-30 * row["lost"] / frames))
    assert float(y[0]) == pytest.approx(row["accuracy"])
    low, high = axes.get_ylim()
    assert low < y[0] < high


def test_the_eao_plot_draws_the_curve_from_one_down(wish) -> None:
    axes = PLOTS["eao"](wish).axes[0]
    lengths, values = axes.lines[0].get_data()
    longest = max(cell.truth.frames for cell in wish.cells()["hold"])
    assert (lengths[0], lengths[-1], values[0]) == (1, longest, 1.0)
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["hold", "hold+dummy@fixed:2"]


def test_the_interval_of_lengths_is_shaded_and_its_mean_in_the_legend(wish) -> None:
    clips = catalogue.open_suite("synth-sot", None, None).only((), 3).clips
    runs = {cell.clip: [cast(VotRun, run_in(cell.trace))] for cell in wish.cells()["hold"]}
    score = score_vot(VotTruth(clips), runs, vot_rules("vot-pysot"), (10, 30))
    axes = expected_overlap({"hold": score}, "title").axes[0]
    (shade,) = axes.patches
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (10, 30)
    (text,) = axes.get_legend().get_texts()
    assert text.get_text().startswith(f"{np.mean(score.curve[9:30]):.3f} ±")
    assert axes.get_xlim()[1] == min(60, len(score.curve))


def test_files_are_written_and_a_run_without_restarts_is_refused(capsys, wish, tmp_path) -> None:
    path, out = wish.folder.path, tmp_path / "plots"
    assert vbench(capsys, "report", path, "--plot", "ar", "--out", out).code == 0
    assert vbench(capsys, "report", path, "--plot", "eao", "--out", out).code == 0
    kinds = ("png", "svg", "csv")
    assert {p.name for p in out.iterdir()} == {f"{n}.{k}" for n in ("ar", "eao") for k in kinds}
    plain = replace(wish, manifest=replace(wish.manifest, protocol="ope"))
    with pytest.raises(VBenchError, match="--protocol vot-supervised"):
        PLOTS["ar"](plain)


def test_the_title_says_how_much_of_the_suite_it_is(wish) -> None:
    assert PLOTS["ar"](wish).axes[0].get_title("left") == "synth-sot, 3/27 clips"


def test_titles_name_methods_with_fewer_clips(wish) -> None:
    assert wish.title == "synth-sot, 3/27 clips"
    fewer = wish.summary.assign(clips=["3/27", "2/27"])
    assert replace(wish, summary=fewer).title == "synth-sot, 3/27 clips (hold+dummy@fixed:2 2/27)"


def test_the_numbers_of_a_plot_lie_beside_it(wish, tmp_path) -> None:
    table = [path for path in draw(wish, "eao", tmp_path) if path.suffix == ".csv"]
    curve = pd.read_csv(table[0])
    assert list(curve) == ["length", "hold", "hold+dummy@fixed:2"]
    lengths, values = PLOTS["eao"](wish).axes[0].lines[0].get_data()
    np.testing.assert_allclose(curve["hold"].to_numpy()[: len(values)], values)
    np.testing.assert_array_equal(curve["length"].to_numpy()[: len(lengths)], lengths)
    (ar,) = [path for path in draw(wish, "ar", tmp_path) if path.suffix == ".csv"]
    row = pd.read_csv(ar).set_index("method").loc["hold"]
    summed = wish.summary.set_index("method").loc["hold"]
    for name in ("accuracy", "robustness", "failures_per_clip", "lost"):
        assert row[name] == pytest.approx(summed[name])
