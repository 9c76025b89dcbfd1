import pandas as pd
import pytest

from tests.cli.commands import vbench
from vbench.core.errors import VBenchError
from vbench.report.published_points import published_points
from vbench.report.tradeoff import tradeoff


def test_the_points_of_otb2015_are_those_of_patchnets_table_2() -> None:
    found = published_points("otb2015", "gmac_per_frame", "success_auc")
    assert [(p.base, p.cost, p.accuracy) for p in found] == [
        ("siamfc", 2.7, 0.575),
        ("siamfc", 1.1, 0.573),
        ("siamfc", 0.8, 0.562),
        ("siamrpn", 4.1, 0.630),
        ("siamrpn", 1.6, 0.629),
        ("siamrpn", 1.1, 0.620),
    ]
    assert {p.source.rpartition(", ")[2] for p in found} == {"Table 2"}


def test_what_nobody_printed_is_refused_in_one_line() -> None:
    with pytest.raises(VBenchError, match="no table prints both gmac_per_frame and ao on lasot"):
        published_points("lasot", "gmac_per_frame", "ao")


def test_printed_points_are_hollow_labelled_and_in_their_bases_colour() -> None:
    rows = {"method": ["siamfc", "kcf"], "success_auc": [0.5, 0.3], "gmac_per_frame": [8.2, 0.01]}
    figure = tradeoff(pd.DataFrame(rows), "run", published="otb2015")
    axes = figure.axes[0]
    hollow = [m for m in axes.lines if m.get_markerfacecolor() == "none" and len(m.get_xdata())]
    at = {(float(m.get_xdata()[0]), float(m.get_ydata()[0])): m for m in hollow}
    assert len(at) == 6
    own = next(m for m in axes.lines if len(m.get_xdata()) and m.get_xdata()[0] == 8.2)
    assert at[2.7, 0.575].get_markeredgecolor() == own.get_markerfacecolor()
    assert at[4.1, 0.630].get_markeredgecolor() == "0.45"
    assert "SiamRPN-2x, T = 1" in {t.get_text() for t in axes.texts}
    assert "Mao et al." in axes.get_title("left")


def test_without_the_option_nothing_is_added() -> None:
    rows = {"method": ["siamfc"], "success_auc": [0.5], "gmac_per_frame": [8.2]}
    axes = tradeoff(pd.DataFrame(rows), "run").axes[0]
    assert not [m for m in axes.lines if m.get_markerfacecolor() == "none"]


def test_the_option_wants_the_tradeoff(capsys) -> None:
    ran = vbench(capsys, "report", "--published")
    assert "--plot tradeoff" in ran.one_line()
