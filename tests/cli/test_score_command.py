"""`vbench score`, `explain`, `import`, `export` on a small suite in OTB's layout."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.cli.commands import vbench

NAMES = ("Basketball", "Biker", "Bird1", "Bird2")
N = 30


def truth_of(name):
    rng = np.random.default_rng(len(name) + ord(name[-1]))
    return np.concatenate([rng.integers(30, 200, (N, 2)), rng.integers(10, 60, (N, 2))], axis=1)


def write(path, boxes, form="%d", delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, boxes, fmt=form, delimiter=delimiter)


LONG_TERM = ("lt_precision", "lt_recall", "lt_f")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Annotations of four OTB sequences, results of two trackers, nothing else around."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        truth = truth_of(name)
        write(tmp_path / "anno" / f"{name}.txt", truth)
        write(tmp_path / "raw/good" / f"{name}.txt", truth)
        near = truth + [[0, 0, 0, 0]] + [[6, 0, 0, 0]] * (np.arange(N)[:, None] > 0)
        write(tmp_path / "raw/near" / f"{name}.txt", near, "%.2f", "\t")
    return tmp_path


def score(capsys, path, *options):
    return vbench(capsys, "score", path, "--suite", "otb2015", "--annotations", "anno", *options)


def by_name(ran):
    return {result["name"]: result for result in ran.json["results"]}


def test_a_process_of_its_own_says_the_same(world, capsys):
    """Where torch is not loaded, trackers are shared among forked processes."""
    code = "from vbench.cli.app import main; main()"
    asked = ["score", "raw", "--suite", "otb2015", "--annotations", "anno"]
    asked += ["--json", "--allow-partial", "--by", "clip"]
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, check=False)
    assert done.returncode == 1
    ran = score(capsys, "raw", "--json", "--allow-partial", "--by", "clip")
    assert [result["name"] for result in ran.json["results"]] == ["good", "near"]
    assert json.loads(done.stdout) == ran.json


def test_means_need_allow_partial_where_the_suite_is_not_whole(world, capsys):
    ran = score(capsys, "raw", "--json")
    assert ran.code == 1
    assert {k: ran.json[k] for k in ("schema", "suite", "profile")} == {
        "schema": 1, "suite": "otb2015", "profile": "vbench",
    }  # fmt: skip
    good = by_name(ran)["good"]
    assert (good["clips"], good["status"], good["metrics"]) == ("4/100", "partial", {})
    allowed = by_name(score(capsys, "raw", "--json", "--allow-partial"))["good"]
    assert allowed["metrics"]["success_auc"] == pytest.approx(20 / 21)
    assert allowed["clips"] == "4/100"


def test_table_says_coverage_and_interval(world, capsys):
    ran = score(capsys, "raw", "--allow-partial")
    assert "4/100" in ran.out
    assert "0.952 +-0.000" in ran.out
    assert ran.out.index("good") < ran.out.index("near")
    shy = score(capsys, "raw")
    assert "0.952" not in shy.out
    assert "--allow-partial" in shy.out


def test_by_attribute_and_by_clip(world, capsys):
    rows = by_name(score(capsys, "raw/good", "--json", "--allow-partial", "--by", "clip"))
    assert rows["good"]["by_clip"]["Biker"]["ao"] == pytest.approx(1)
    tags = by_name(score(capsys, "raw/good", "--json", "--allow-partial", "--by", "attribute"))
    assert "by_attribute" in tags["good"]
    assert "choose attribute or clip" in score(capsys, "raw", "--by", "colour").one_line()


BAD = {
    "short": ("Bird2", lambda t: t[:9], "9 rows for 30 frames"),
    "long": ("Bird2", lambda t: np.concatenate([t, t]), "60 rows for 30 frames"),
    "infinite": ("Bird2", lambda t: np.where(np.arange(N)[:, None] == 4, np.inf, t), "infinite"),
    "negative": ("Bird2", lambda t: t * [1, 1, 1, -1], "30 rows with a negative size"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_numbers_are_a_problem_of_their_sequence_alone(world, capsys, case):
    clip, change, what = BAD[case]
    write(world / f"raw/good/{clip}.txt", change(truth_of(clip)), "%g")
    ran = score(capsys, "raw/good", "--json")
    found = by_name(ran)["good"]
    assert (ran.code, found["clips"]) == (1, "3/100")
    (problem,) = found["problems"]
    assert problem["clip"] == clip
    assert what in problem["what"]


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("Bird2.txt", b"", "the file is empty"),
        ("Bird2.txt", b"1,2,3,4\n1,2,x,4\n", "line 2: 'x' is not a number"),
        ("Bird2.txt", b"1,2,3\n", "line 1 has 3 numbers instead of 4"),
        ("Bird2.txt", b"\0\1\2\3" * 9, "not a text file"),
        ("Bird2.mat", b"this is no mat file", "not a MATLAB file"),
        ("Bird2.json", b"[" * 100_000, "brackets"),
        ("Bird2.json", b'{"res": "no"}', "no list of boxes"),
    ],
)
def test_bad_files_are_a_problem_of_their_sequence_alone(world, capsys, file, content, what):
    (world / "raw/good/Bird2.txt").unlink()
    (world / "raw/good" / file).write_bytes(content)
    ran = score(capsys, "raw/good", "--json")
    (problem,) = by_name(ran)["good"]["problems"]
    assert ran.code == 1
    assert problem["clip"] == "Bird2"
    assert what in problem["what"]


def test_mixed_delimiters_are_no_problem(world, capsys):
    text = "\n".join("{},{}\t{} ;{}".format(*row) for row in truth_of("Bird2"))
    (world / "raw/good/Bird2.txt").write_text(text)
    found = by_name(score(capsys, "raw/good", "--json"))["good"]
    assert (found["clips"], found["problems"]) == ("4/100", [])


def test_unknown_names_are_named_with_the_sequence_that_is_missing(world, capsys):
    (world / "raw/good/Bird2.txt").rename(world / "raw/good/Brid2.txt")
    ran = score(capsys, "raw/good", "--json")
    found = {p["clip"]: p["what"] for p in by_name(ran)["good"]["problems"]}
    assert found == {"Bird2": "no result", "Brid2.txt": "no sequence of otb2015 has this name"}


def test_files_of_other_sequences_are_no_problem_where_none_is_missing(world, capsys):
    write(world / "raw/good/bike1.txt", truth_of("Bird2"))
    found = by_name(score(capsys, "raw/good", "--json"))["good"]
    assert found["problems"] == []
    assert [note["clip"] for note in found["notes"]] == ["bike1.txt"]


def test_zip_slip_is_named_and_leaves_nothing_behind(world, capsys):
    with zipfile.ZipFile(world / "good.zip", "w") as packed:
        for path in (world / "raw/good").iterdir():
            packed.write(path, path.name)
        packed.writestr("../Evil.txt", "1,2,3,4")
    before = sorted(world.parent.iterdir())
    found = by_name(score(capsys, "good.zip", "--json"))["good"]
    assert found["clips"] == "4/100"
    assert any("leads out of the zip" in note["what"] for note in found["notes"])
    assert sorted(world.parent.iterdir()) == before


def test_repair_repeats_the_previous_box(world, capsys):
    truth = truth_of("Bird2").astype(float)
    truth[7] = truth[6]
    write(world / "anno/Bird2.txt", truth)
    truth[7] = np.nan
    write(world / "raw/good/Bird2.txt", truth, "%g")
    plain, mended = (
        by_name(score(capsys, "raw/good", "--json", "--allow-partial", *repair))["good"]
        for repair in ((), ("--repair",))
    )
    assert [note["what"] for note in plain["notes"]] == ["1 rows with NaN"]
    assert plain["metrics"]["ao"] < 1
    assert mended["metrics"]["ao"] == pytest.approx(1)
    assert "previous box was repeated" in mended["notes"][0]["what"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("nowhere",), "nowhere does not exist"),
        (("anno", "--profile", "pysott"), "did you mean 'pysot'"),
        (("raw", "--annotations", "nowhere"), "--annotations nowhere: there is no such folder"),
        (("raw", "--suite", "otb2014"), "did you mean 'vot2014', 'otb2015'"),
        (("empty",), "no file is named for a clip"),
    ],
)
def test_what_a_user_can_mend_is_one_line(world, capsys, arguments, what):
    (world / "empty").mkdir()
    assert what in score(capsys, *arguments).one_line()


def test_explain_names_the_rule_and_its_frames(world, capsys):
    boxes = truth_of("Bird2").astype(float)
    boxes[0] += 15
    write(world / "raw/good/Bird2.txt", boxes, "%g")
    arguments = ("explain", "raw/good", "--suite", "otb2015", "--annotations", "anno")
    ran = vbench(capsys, *arguments, "--json")
    profiles = {row["profile"]: row for row in ran.json["results"][0]["profiles"]}
    (cause,) = [c for c in profiles["pytracking"]["causes"] if c["rule"] == "first_frame"]
    assert (cause["frames"], cause["before"], cause["after"]) == (1, "predicted", "truth")
    assert cause["changes"]["success_auc"] > 0
    assert profiles["pysot"]["causes"] == []
    assert "the first frame" in vbench(capsys, *arguments).out


def test_import_and_export_come_back_to_the_same_scores(world, capsys):
    suite = ("--suite", "otb2015", "--annotations", "anno")
    ran = vbench(capsys, "import", "raw/near", *suite, "--as", "mine", "--out", "run", "--json")
    assert ran.code == 0
    assert ran.json["results"] == [
        {"name": "mine", "clips": "4/100", "status": "ok", "problems": [], "notes": []}
    ]
    vbench(capsys, "export", "run", "--format", "otb", "--out", "back")
    options = ("--json", "--allow-partial")
    before, after = (
        by_name(score(capsys, path, *options))[name]["metrics"]
        for path, name in (("raw/near", "near"), ("back", "mine"))
    )
    assert before == after
    assert "mine" in vbench(capsys, "report", "run").out


def test_import_keeps_what_is_whole_and_names_the_rest(world, capsys):
    write(world / "raw/near/Bird2.txt", truth_of("Bird2")[:4])
    suite = ("--suite", "otb2015", "--annotations", "anno")
    ran = vbench(capsys, "import", "raw/near", *suite, "--out", "run", "--json")
    assert ran.code == 1
    (result,) = ran.json["results"]
    assert result["problems"] == [{"clip": "Bird2", "what": "4 rows for 30 frames"}]
    twice = vbench(capsys, "import", "raw", *suite, "--as", "x", "--out", "run")
    assert "holds 2 trackers (good, near)" in twice.one_line()
    out = vbench(capsys, "export", "run", "--out", "back")
    assert out.code == 1
    assert "near: 3 files in back\nproblem: near: Bird2: 4 rows for 30 frames\n" in out.err


def test_results_that_begin_late_are_kept_with_their_first_frame(world, capsys):
    """As the 349 rows that many toolkits write for the 354 frames of Tiger1."""
    truth = truth_of("Bird2")
    for tracker in ("good", "near"):
        path = world / f"raw/{tracker}/Bird2.txt"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[5:]))
    write(world / "raw/good/Bird2.txt", truth[5:])
    suite = ("--suite", "otb2015", "--annotations", "anno")
    ran = vbench(capsys, "import", "raw/good", *suite, "--out", "run", "--json")
    (result,) = ran.json["results"]
    assert (ran.code, result["problems"]) == (0, [])
    (note,) = result["notes"]
    assert (note["clip"], note["what"][:19]) == ("Bird2", "begins with frame 6")
    (row,) = vbench(capsys, "report", "run", "--json").json["results"]
    assert row["success_auc"] == pytest.approx(20 / 21)
    for form, rows in (("otb", N - 5), ("mot", N - 5), ("otb-json", 1)):
        vbench(capsys, "export", "run", "--format", form, "--out", form)
        name = "Bird2.json" if form == "otb-json" else "Bird2.txt"
        assert len((world / form / "good" / name).read_text().splitlines()) == rows
    assert (world / "mot/good/Bird2.txt").read_text().startswith("6,1,")
    again = by_name(score(capsys, "otb", "--allow-partial", "--json"))["good"]
    assert again["metrics"]["success_auc"] == pytest.approx(20 / 21)
    # got10k's toolkit compares its row 1 with the truth's row 1: five frames too early.
    moved = by_name(score(capsys, "otb", "--allow-partial", "--json", "--profile", "got10k"))
    assert moved["good"]["metrics"]["success_auc"] < 0.95


def test_confidences_beside_boxes_give_long_term_scores(world, capsys):
    """As the VOT toolkits (`_confidence.value`) and pytracking (`_object_presence_scores`)."""
    absent = np.arange(N) >= N // 2
    for number, name in enumerate(NAMES):
        truth = truth_of(name)
        write(world / "anno" / f"{name}.txt", np.where(absent[:, None], np.nan, truth), "%g")
        suffix = "confidence.value" if number % 2 else "object_presence_scores.txt"
        sure = np.where(absent, 0.1, 0.9)
        (world / f"raw/good/{name}_{suffix}").write_text("".join(f"{s}\n" for s in sure))
    whole = by_name(score(capsys, "raw", "--json", "--allow-partial"))
    # Above .1 there are perfect answers alone: the boxes of absent frames are not given.
    assert [whole["good"]["metrics"][n] for n in LONG_TERM] == [1.0, 1.0, 1.0]
    assert not set(LONG_TERM) & set(whole["near"]["metrics"])
    assert "lt_f" in score(capsys, "raw", "--allow-partial", "--by", "clip").out
    vbench(capsys, "import", "raw/good", "--suite", "otb2015", "--annotations", "anno",
           "--out", "run")  # fmt: skip
    (row,) = vbench(capsys, "report", "run", "--json").json["results"]
    assert [row[n] for n in LONG_TERM] == [1.0, 1.0, 1.0]
    (world / f"raw/good/{NAMES[1]}_confidence.value").write_text("0.5\n")
    (good,) = by_name(score(capsys, "raw/good", "--json", "--allow-partial")).values()
    assert "lt_f" not in good["metrics"]
    assert "no whole file of confidences for 1 clips" in good["notes"][-1]["what"]


def test_vot_files_without_restarts_are_scored_as_one_pass(world, capsys):
    suite = ("--suite", "otb2015", "--annotations", "anno")
    vbench(capsys, "import", "raw/near", *suite, "--out", "run")
    vbench(capsys, "export", "run", "--format", "vot", "--out", "vot")
    assert (world / "vot/near/unsupervised/Bird2/Bird2_001.txt").read_text()[:2] == "1\n"
    (before,) = by_name(score(capsys, "raw/near", "--allow-partial", "--json")).values()
    (after,) = by_name(score(capsys, "vot", "--allow-partial", "--json")).values()
    assert (after["name"], after["metrics"]) == ("near", before["metrics"])
    assert "without restarts" in after["notes"][0]["what"]


def test_export_says_what_it_rounds(world, capsys):
    boxes = truth_of("Bird2") + 0.12345
    write(world / "raw/good/Bird2.txt", boxes, "%.5f")
    suite = ("--suite", "otb2015", "--annotations", "anno")
    vbench(capsys, "import", "raw/good", *suite, "--out", "run")
    ran = vbench(capsys, "export", "run", "--format", "got10k", "--out", "back")
    assert "got10k rounds: boxes moved by at most 0.00045 px" in ran.err
    assert (
        "no format called 'otbb'"
        in vbench(capsys, "export", "run", "--format", "otbb", "--out", "back").one_line()
    )
    found = vbench(capsys, "export", "run", "--methods", "godo", "--out", "back").one_line()
    assert "did you mean 'good'" in found


def test_whole_json_is_one_object(world, capsys):
    ran = score(capsys, "raw", "--json", "--profile", "got10k")
    assert json.loads(ran.out)["profile"] == "got10k"
    assert len(ran.out.strip().splitlines()) == 1


def test_against_compares_clip_by_clip(world, capsys):
    found = by_name(score(capsys, "raw", "--json", "--against", "good"))
    assert "against" not in found["good"]
    gap = found["near"]["against"]["success_auc"]
    assert gap["difference"] < 0
    assert gap["clips"] == 4
    assert "near - good, 4 clips: success_auc -0." in score(capsys, "raw", "--against", "good").out
    assert "did you mean 'good'" in score(capsys, "raw", "--against", "goood").one_line()


def test_results_of_a_sequence_without_its_annotation_are_a_problem(world, capsys):
    write(world / "raw/good/Bolt.txt", truth_of("Bird2"))
    found = by_name(score(capsys, "raw/good", "--json"))["good"]
    (problem,) = found["problems"]
    assert problem["clip"] == "Bolt.txt"
    assert problem["what"] == "the annotation of this sequence of otb2015 is not here"


def test_vot_codes_under_another_profile_are_named(world, capsys):
    (world / "raw/good/Bird2.txt").write_text("1\n" + "1,2,3,4\n" * 97 + "2\n")
    found = by_name(score(capsys, "raw/good", "--json"))["good"]
    assert [p["clip"] for p in found["problems"]] == ["Bird2"]
    assert "a VOT result with codes" in found["problems"][0]["what"]


def test_suites_that_cannot_be_scored_say_where_they_are(tmp_path, capsys):
    folder = tmp_path / "test/GOT-10k_Test_000001"
    folder.mkdir(parents=True)
    (folder / "groundtruth.txt").write_text("1,2,3,4\n")
    for number in range(1, 4):
        (folder / f"{number:08d}.jpg").touch()
    (tmp_path / "test/list.txt").write_text("GOT-10k_Test_000001\n")
    (tmp_path / "KCF").mkdir()
    (tmp_path / "KCF/GOT-10k_Test_000001.txt").write_text("1,2,3,4\n" * 3)
    for command in ("score", "explain"):
        options = ["--suite", "got10k-test", "--data", tmp_path]
        said = vbench(capsys, command, tmp_path / "KCF", *options).one_line()
        assert "--format got10k-submission" in said
    said = vbench(capsys, "score", tmp_path, "--suite", "synth-vid").one_line()
    assert "many objects" in said
