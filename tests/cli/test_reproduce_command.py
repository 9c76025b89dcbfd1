import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import vbench
from vbench.core.errors import VBenchError
from vbench.report import reproduction

# `hold` answers the first box for ever, so nothing here depends on weights.
FAKE = """
[paper]
name = "fake"
citation = "Nobody et al., A paper for this test"
drawings = "no drawings"

[errata]
wrong = "a contradiction"

[[exhibits]]
id = "t1"
where = "Table 1"
what = "trackers on rendered clips"
suite = "synth-sot"
class = "A"
errata = ["wrong"]
rows = [
  { what = "hold", method = "hold", published = { success_auc = "0.500", interval = "1", fps = "7" } },
  { what = "with dummy", method = "hold+dummy@fixed:4", published = { success_auc = "0.500", interval = "4.0" } },
  { what = "cited", class = "E", published = { success_auc = "0.900" } },
  { what = "not trained", class = "C", published = { success_auc = "0.700" } },
]
"""  # noqa: E501

LIKES = """
likes = [
  { what = "other alone", method = "kcf", beside = "hold" },
  { what = "other, skipped", method = "kcf+dummy@fixed:4", beside = "with dummy" },
]
"""


@pytest.fixture
def fake(monkeypatch, alone):
    paper = reproduction.read_paper(FAKE)
    monkeypatch.setattr(reproduction, "papers", lambda: (paper,))


def test_the_list_says_what_each_table_needs_and_its_status(capsys, alone) -> None:
    ran = vbench(capsys, "reproduce", "list", "--json")
    found = {one["id"]: one for one in ran.json["exhibits"]}
    assert found["patchnet.t2"]["status"] == (
        "formula; needs weights siamfc, patchnet, siamrpn; "
        "like rows: needs weights nanotrack-v1, patchnet, dcfnet, needs data otb2015"
    )
    assert found["patchnet.f10"]["status"].startswith("formula")
    assert found["patchnet.t5"]["status"].startswith("formula; ")
    assert found["pnp.t5"]["status"] == "needs hardware"
    assert "literature" in found["siamrpn.t1"]["status"]
    assert found["fdn.t2"]["needs"]["data"] == "otb2013"
    assert not list(alone.iterdir())


def test_the_list_is_printed_with_ids_and_citations(capsys, alone) -> None:
    out = vbench(capsys, "reproduce").out
    assert "patchnet.t2" in out
    assert "siamrpn: Li et al." in out
    assert "class E" in out


def test_the_list_does_not_wake_torch() -> None:
    code = "import sys; from vbench.cli.app import invoke; invoke(['reproduce', 'list', '--json']);"
    code += "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_formula_prints_its_exact_numbers(capsys, alone) -> None:
    ran = vbench(capsys, "reproduce", "patchnet.t1", "patchnet.f10")
    assert ran.code == 0
    assert "34.2032" in ran.out
    assert "0.7304" in ran.out
    assert "169 / (169 / 5 + 7 x 0.0576)" in ran.out
    report = alone / "results" / "reproduction" / "report.md"
    assert "34.2032" in report.read_text(encoding="utf-8")
    assert report.with_suffix(".html").exists()


def test_what_can_run_runs_and_stands_beside_the_printed_number(capsys, fake, alone) -> None:
    ran = vbench(capsys, "reproduce", "fake.t1", "--limit", 1, "--json")
    assert ran.code == 0
    (one,) = ran.json["exhibits"]
    compared = {(c["row"], c["metric"]): c for c in one["compared"]}
    # With a propagator that moves nothing, a tracker that moves nothing stays what it was.
    held, carried = (compared[row, "success_auc"] for row in ("hold", "with dummy"))
    assert held["ours"] == carried["ours"]
    assert held["difference"] == pytest.approx(held["ours"] - 0.5)
    assert held["verdict"] == "1/27 clips only"
    # 60 frames, keyframes at 4, 8, ... 56: 59 frames after the start by 14 keyframes.
    assert compared["with dummy", "interval"]["ours"] == pytest.approx(59 / 14)
    assert ("cited", "success_auc") not in compared
    assert {row["what"]: row["status"] for row in one["rows"]} == {
        "hold": "can run",
        "with dummy": "can run",
        "cited": "literature",
        "not trained": "needs training",
    }
    assert (alone / "results/reproduction/synth-sot/manifest.json").exists()
    assert "Table 1: a contradiction" in Path(ran.json["written"][0]).read_text(encoding="utf-8")


def test_several_clips_come_with_an_interval(capsys, fake, alone) -> None:
    (one,) = vbench(capsys, "reproduce", "fake", "--limit", 2, "--out", "here", "--json").json[
        "exhibits"
    ]
    held = next(c for c in one["compared"] if c["metric"] == "success_auc")
    assert held["plus_minus"] > 0
    assert held["clips"] == "2/27"


def test_an_empty_folder_needs_data(capsys, alone) -> None:
    (alone / "empty").mkdir()
    ran = vbench(
        capsys, "reproduce", "patchnet.t5", "--data", "empty", "--weights", "random", "--json"
    )
    rows = {row["what"]: row for row in ran.json["exhibits"][0]["rows"]}
    assert rows["PatchNet"]["status"] == "needs data"
    assert "empty" in rows["PatchNet"]["mend"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["patchnet.t22"], "did you mean 'patchnet.t2'"),
        (["list", "fdn"], "'list' stands alone"),
        (["fdn", "--data", "nowhere"], "--data nowhere: there is no such folder"),
        (["fdn", "--suite-data", "otb2015"], "write SUITE=FOLDER"),
        (["fdn", "--suite-data", "otb2051=."], "did you mean 'otb2015'"),
        (["fdn", "--weights", "nowhere"], "nowhere"),
        (["fdn", "--device", "abacus"], "abacus"),
        (["patchnet.f10", "--limit", "0"], "--limit 0: at least one clip"),
    ],
)
def test_what_a_user_can_mend_is_one_line(capsys, alone, arguments, says) -> None:
    assert says in vbench(capsys, "reproduce", *arguments).one_line()


def test_a_limit_below_one_is_one_line(capsys, fake) -> None:
    assert "--limit 0" in vbench(capsys, "reproduce", "fake", "--limit", 0).one_line()


def test_the_short_range_row_runs_on_a_real_clip(capsys, alone, real_data) -> None:
    ran = vbench(
        capsys, "reproduce", "patchnet.t5", "--limit", 1, "--json",
        "--suite-data", f"imagenet-vid={real_data / 'sequences/imagenet_vid_val'}",
        "--suite-annotations", f"imagenet-vid={real_data / 'annotations/imagenet_vid'}",
        "--weights", real_data / "weights",
    )  # fmt: skip
    assert ran.code == 0
    found = {(c["row"], c["metric"]): c for c in ran.json["exhibits"][0]["compared"]}
    miss = found["PatchNet", "miss_rate"]
    assert miss["published"] == 0.167
    assert 0 < miss["ours"] < 1
    assert miss["verdict"] == "1/555 clips only"
    assert found["PatchNet", "mmac_per_object"]["verdict"] == "same as printed"


def test_a_like_row_shows_its_change_from_its_own_base(capsys, monkeypatch, alone) -> None:
    paper = reproduction.read_paper(FAKE + LIKES)
    monkeypatch.setattr(reproduction, "papers", lambda: (paper,))
    asked = ["--suite", "synth-sot", "--limit", 2, "--methods", "kcf", "--quiet"]
    assert vbench(capsys, "run", *asked).code == 0
    ran = vbench(capsys, "reproduce", "fake.t1", "--limit", 2, "--json")
    (one,) = ran.json["exhibits"]
    alone_row, skipped = one["likes"]
    assert skipped["change"] == pytest.approx(
        skipped["ours"]["success_auc"] - alone_row["ours"]["success_auc"]
    )
    # Printed 0.500 for both rows; a change of nothing is known, one from no base is not.
    assert skipped["published_change"] == 0
    assert (alone_row["change"], alone_row["published_change"]) == (None, None)
    assert skipped["beside"] == "with dummy" and skipped["clips"] == "2/27"
    # Times come from the run that was timed, with its device; the other method has none.
    assert alone_row["fps"] > 0 and alone_row["device"]
    assert skipped["fps"] is None
    text = Path(ran.json["written"][0]).read_text(encoding="utf-8")
    assert "| other, skipped | with dummy | 2/27 of synth-sot |" in text
    assert "no timed run" in text
    shown = vbench(capsys, "reproduce", "fake.t1", "--limit", 2)
    assert "like rows with another base" in shown.out


def test_a_like_row_beside_nothing_is_refused() -> None:
    wrong = LIKES.replace('beside = "hold"', 'beside = "held"')
    with pytest.raises(VBenchError, match="no row in fake.t1 called 'held'; did you mean 'hold'"):
        reproduction.read_paper(FAKE + wrong)
