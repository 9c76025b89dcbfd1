"""`vbench cost`."""

import pytest

from tests.cli.commands import vbench

SEARCH, CORRELATION = 2_719_701_792, 17 * 17 * 256 * 36  # one crop of SiamFC, by its layer table


def test_what_runs_is_three_scales(alone, capsys):
    said = vbench(capsys, "cost", "siamfc", "--json").json
    track = next(call for call in said["calls"] if call["call"] == "siamfc.track")
    assert track["by_op"]["conv"] == 3 * (SEARCH + CORRELATION)
    assert said["key"] == track["per_call"]
    assert (said["convention"], said["unit"]) == ("executed", "mac")


@pytest.mark.parametrize(
    ("convention", "key"),
    [
        ("paper", SEARCH + CORRELATION),
        ("torch", 2 * 3 * (SEARCH + CORRELATION)),
    ],
)
def test_other_conventions_count_otherwise(alone, capsys, convention, key):
    said = vbench(capsys, "cost", "siamfc", "--convention", convention, "--json").json
    assert said["key"] == pytest.approx(key, rel=1e-12)


def test_a_frame_between_keyframes_costs_the_cheap_half(alone, capsys):
    said = vbench(capsys, "cost", "siamfc[scales=1]+dummy@fixed:4", "--json").json
    assert said["inter"] == 0
    assert said["per_frame"] == pytest.approx(said["key"] / 4)
    shown = vbench(capsys, "cost", "siamfc[scales=1]+dummy@fixed:4", "--by-op", "--by-module")
    assert "batch_norm" in shown.out
    assert "at interval 4" in shown.out


def test_published_figures_stand_beside_what_reproduces_them(alone, capsys):
    figures = vbench(capsys, "cost", "--published", "--json").json["figures"]
    siamfc = next(figure for figure in figures if figure["what"] == "SiamFC")
    assert (siamfc["printed"], siamfc["computed"], siamfc["reproduced"]) == (2.7e9, SEARCH, True)
    shown = vbench(capsys, "cost", "--published").out
    assert "misprint" not in shown
    assert "SiamRPN-2x" in shown


def test_what_is_wrong_is_one_line(alone, capsys):
    assert (
        "did you mean 'thop'" in vbench(capsys, "cost", "siamfc", "--convention", "top").one_line()
    )
    assert "name a method" in vbench(capsys, "cost").one_line()
    assert "siamfc" in vbench(capsys, "cost", "siamfcc").one_line()
