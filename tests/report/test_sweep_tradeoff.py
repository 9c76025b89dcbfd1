"""A sweep's trade-off: papers' averaging beside what was executed, and its figure."""

import numpy as np
import pandas as pd
import pytest

from tests.cli.commands import vbench
from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.cost.unit_costs import Price, UnitCosts
from vbench.report.sweep_tradeoff import sweep_tradeoff
from vbench.report.sweeps import gmac_by_formula, ms_by_formula
from vbench.store.run_folder import MethodRecord


def trace(kinds, objects, seconds) -> Trace:
    n = len(kinds)
    carried = np.where(np.array(kinds) == Kind.KEY, 0, objects)
    unknown = np.full(n, np.nan)
    return Trace(
        np.array(kinds, np.int8), np.full(n, objects), carried, unknown, np.array(seconds),
        unknown, unknown, np.zeros((n * objects, 4)), np.zeros(n * objects),
        np.zeros(n * objects, np.int64),
    )  # fmt: skip


def record(gmac: float, mmac: float, k: int | None) -> MethodRecord:
    costs = UnitCosts(key=Price(gmac * 1e9), inter=Price(per_object=mmac * 1e6))
    return MethodRecord("m", "", "m", "p", k, {}, costs=costs.to_json())


CYCLE = [Kind.KEY, *[Kind.INTER] * 4]


@pytest.mark.parametrize(
    ("gmac", "objects", "printed"), [(169.0, 7, 34.2), (2.5, 4, 0.73)], ids=["rfcn", "effdet"]
)
def test_the_averages_of_patchnets_table_1(gmac, objects, printed) -> None:
    """Mao et al., PatchNet, Table 1: a keyframe every 5 frames, 7 and 4 objects a frame."""
    found = gmac_by_formula(record(gmac, 57.6, 5), [trace(CYCLE * 2, objects, [0.0] * 10)])
    assert found == pytest.approx(printed, rel=0.003)


def test_a_detector_alone_costs_itself() -> None:
    assert gmac_by_formula(record(169.0, 57.6, 1), [trace([Kind.KEY] * 3, 2, [0.0] * 3)]) == 169
    assert np.isnan(gmac_by_formula(record(169.0, 57.6, None), []))


def test_milliseconds_are_averaged_alike() -> None:
    """227 / 5 + 9.3 ms: EfficientDet-D0 with PatchNet on a Jetson Nano, Table 6 and Figure 12."""
    traces = [trace(CYCLE * 2, 1, [0.227, *[0.0093] * 4] * 2)]
    assert ms_by_formula(record(2.5, 57.6, 5), traces) == pytest.approx(227 / 5 + 9.3)


def rows(**columns) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            {"swept": f"{base}+{cheap}", "keyframe-interval": str(k), "clips": "2/555",
             "method": base if k == 1 else f"{base}+{cheap}@fixed:{k}",
             "map50": 0.8 - 0.01 * k, "gmac_per_frame": 169 / k, "gmac_formula": 170 / k}
            for base in ("nanodet", "fastestdet") for cheap in ("dummy", "kcf") for k in (1, 5, 30)
        ]
    )  # fmt: skip
    return frame.assign(**columns)


def test_a_panel_a_base_and_a_line_a_propagator_with_its_formula() -> None:
    figure = sweep_tradeoff(rows(), "keyframe-interval", "two clips")
    assert [axes.get_title("left") for axes in figure.axes] == ["nanodet", "fastestdet"]
    for axes in figure.axes:
        drawn = [line for line in axes.lines if len(line.get_xdata()) > 1]
        assert sorted(line.get_linestyle() for line in drawn) == ["-", "-", "--", "--"]
        assert not axes.collections
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["every frame", "+dummy", "+kcf", "by the papers' formula"]


def test_lines_that_differ_by_parameters_or_policy_alone_are_told_apart() -> None:
    frame = rows()
    frame.loc[frame["swept"] == "nanodet+kcf", "swept"] = "nanodet+dummy[floor=0.3]"
    frame.loc[frame["swept"] == "nanodet+dummy", "swept"] = "nanodet+dummy@online:0.8:5"
    figure = sweep_tradeoff(frame, "keyframe-interval", "")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[1:-1] == ["+dummy@online:0.8:5", "+dummy[floor=0.3]", "+dummy", "+kcf"]
    first = [line.get_color() for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    assert len(set(first[:2])) == 2


def test_the_base_alone_is_in_the_legend_where_it_is_drawn() -> None:
    frame = rows()
    figure = sweep_tradeoff(frame[frame["keyframe-interval"] != "1"], "keyframe-interval", "")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["+dummy", "+kcf", "by the papers' formula"]


def test_bands_are_drawn_where_there_are_clips_enough() -> None:
    frame = rows(clips="10/555", map50_pm=0.05)
    assert len(sweep_tradeoff(frame, "keyframe-interval", "").axes[0].collections) == 2


def test_a_sweep_without_a_cost_says_so() -> None:
    with pytest.raises(VBenchError, match=r"tables/sweep\.csv"):
        sweep_tradeoff(rows(gmac_per_frame=np.nan), "keyframe-interval", "")


def test_a_sweep_draws_its_figures(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["--methods", "full-template+dummy", "--intervals", "1,3", "--limit", 1]
    said = vbench(capsys, "sweep", "keyframe-interval", *asked, "--out", "r", "--plot", "--json")
    points = said.json["points"]
    # One frame in 3 is a keyframe (of 59, 19), on which the same cost is paid.
    assert points[1]["gmac_per_frame"] == pytest.approx(points[0]["gmac_per_frame"] * 19 / 59)
    assert points[1]["gmac_formula"] == pytest.approx(points[0]["gmac_formula"] / 3)
    made = {path.name for path in (tmp_path / "r/plots").iterdir()}
    assert made == {f"sweep-{c}.{e}" for c in ("gmac_per_frame", "ms_mean") for e in ("png", "svg")}
