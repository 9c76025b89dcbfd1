"""`vbench report --plot speed-accuracy`."""

import json
from typing import Any

import pandas as pd
import pytest

from tests.cli.commands import vbench
from vbench.core.errors import VBenchError
from vbench.cost.device_profile import shipped_profiles
from vbench.report.speed_accuracy import PRINTED, PROJECTED, speed_accuracy, speed_table
from vbench.store.run_folder import Manifest, MethodRecord

NANO = shipped_profiles()["jetson-nano"]
METHODS = ["siamfc", "siamfc+patchnet@online:0.8:5"]


def made(suite: str, task: str, methods: list[str], y: str) -> tuple[Manifest, pd.DataFrame]:
    manifest = Manifest(suite, task, "d", 100, machine={"name": "Desk"})
    for name in methods:
        manifest.methods[name] = MethodRecord(name, "k", devices=["Desk (0123)"])
    summary = pd.DataFrame({"method": methods, "clips": "5/100", y: 0.5, "fps": 20.0})
    return manifest, summary


def projected(profile) -> pd.DataFrame:
    return pd.DataFrame({"method": METHODS, "projected_fps": [8.0, float("nan")]})


def test_a_device_s_printed_times_stand_beside_the_paper_s_accuracies() -> None:
    # Mao et al., PatchNet: Tables 2 (OTB2015) and 6 (Jetson Nano), joined by interval.
    manifest, summary = made("otb2015", "sot", METHODS, "success_auc")
    found = speed_table(summary, manifest, projected, [NANO], published=True)
    own = found[found["kind"] == PRINTED]
    assert dict(zip(own["method"], zip(own["fps"], own["success_auc"], strict=True), strict=True)) \
        == {
        "SiamFC, T = 1": (1000 / 114, 0.575),
        "SiamFC with PatchNet, T = 3.6": (1000 / 52, 0.562),
        "SiamRPN-2x, T = 1": (1000 / 232, 0.630),
        "SiamRPN-2x with PatchNet, T = 4.2": (1000 / 65, 0.620),
    }  # fmt: skip
    assert set(own["device"]) == {"NVIDIA Jetson Nano"}
    assert all("Table 2" in text and "Table 6" in text for text in own["source"])


def test_detectors_are_joined_too_and_other_devices_have_panels_of_their_own() -> None:
    manifest, summary = made("imagenet-vid", "vid", ["rfcn"], "map50")
    found = speed_table(summary, manifest, projected, [NANO], published=True)
    rfcn = found[(found["device"] == "NVIDIA Jetson Nano") & found["method"].str.startswith("R-F")]
    assert dict(zip(rfcn["method"], rfcn["fps"], strict=True)) == {
        "R-FCN ResNet-101": 1000 / 1094,
        "R-FCN with PatchNet": 1000 / 254,
    }
    # Jiang et al., LSTS, Table 1: 77.2 mAP at 23.0 FPS on a Titan X.
    titan = found[(found["device"] == "Titan X") & (found["method"] == "LSTS")]
    assert (titan["fps"] == 23.0).all() and (titan["map50"] == 0.772).all() and len(titan)
    assert "Titan X Pascal" in set(found["device"])


def test_what_a_profile_did_not_time_is_left_out_of_its_panel() -> None:
    manifest, summary = made("otb2015", "sot", METHODS, "success_auc")
    found = speed_table(summary, manifest, projected, [NANO])
    panels = found.groupby("device")["method"].apply(list).to_dict()
    assert panels == {"Desk": METHODS, "NVIDIA Jetson Nano": ["siamfc"]}
    assert set(found.loc[found["device"] == "NVIDIA Jetson Nano", "kind"]) == {PROJECTED}


def test_an_untimed_run_on_an_unknown_device_says_what_to_do() -> None:
    manifest, summary = made("otb2015", "sot", METHODS, "success_auc")
    nothing = projected(NANO)[:0]
    with pytest.raises(VBenchError, match="without --no-timing, or name a --device-profile"):
        speed_table(summary.drop(columns="fps"), manifest, lambda _: nothing, [NANO])


def test_published_marks_are_hollow_and_each_device_has_its_panel() -> None:
    manifest, summary = made("otb2015", "sot", METHODS, "success_auc")
    found = speed_table(summary, manifest, projected, [NANO], published=True)
    figure = speed_accuracy(found, "t")
    assert [axes.get_title(loc="left").splitlines()[0] for axes in figure.axes] == [
        "Desk",
        "NVIDIA Jetson Nano",
    ]
    diamonds = [line for line in figure.axes[1].lines if line.get_marker() == "D"]
    assert len(diamonds) == 4
    assert all(line.get_markerfacecolor() == "none" for line in diamonds)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["measured", "projected from times of parts", "published, all clips"]


def test_speed_is_frames_or_milliseconds() -> None:
    manifest, summary = made("otb2015", "sot", METHODS[:1], "success_auc")
    found = speed_table(summary, manifest, lambda _: projected(NANO)[:0], [])
    line = speed_accuracy(found, "t", "ms_mean").axes[0].lines[1]
    assert float(line.get_xdata()[0]) == 50.0  # 20 frames a second
    with pytest.raises(VBenchError, match="fps or ms_mean"):
        speed_accuracy(found, "t", "gmac_per_frame")


def test_the_command_draws_given_profiles(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    part = {"model": "hold", "call": "track", "ms_by_objects": {"1": 20.0}}
    board: dict[str, Any] = {"schema": 1, "source": "measured", "device": {}, "components": [part]}
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps({**board, "name": name}))
    asked = ["--suite", "synth-sot", "--limit", 2, "--methods", "hold", "--out", "r", "--quiet"]
    assert vbench(capsys, "run", *asked).code == 0
    given = ["--device-profile", "a.json", "--device-profile", "b.json"]
    done = vbench(capsys, "report", "r", "--plot", "speed-accuracy", *given)
    assert done.code == 0
    table = pd.read_csv("r/plots/speed-accuracy.csv").set_index("device")
    assert table.loc[["a", "b"], "fps"].tolist() == [50.0, 50.0]
    assert (tmp_path / "r/plots/speed-accuracy.svg").stat().st_size > 5000
    assert "projected onto a" in done.out and "projected onto b" in done.out


def test_many_points_get_a_larger_panel() -> None:
    """Nine long names have no room where two have it."""
    sizes = []
    for count in (2, 9):
        manifest, summary = made("uav123", "sot", [f"m{i}" for i in range(count)], "success_auc")
        figure = speed_accuracy(speed_table(summary, manifest, projected, []), "t")
        sizes.append(figure.get_size_inches().prod())
    assert sizes[1] > 2 * sizes[0]
