import json
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbench.core.errors import VBenchError
from vbench.metrics.regression import drop_test
from vbench.report.gate import Rule, compare, power, with_latency
from vbench.report.gate_formats import as_annotations, as_json, as_junit, as_markdown
from vbench.store.reference import Incomparable, Reference, read_reference, write_reference

CLIPS = 40
SPREAD = 0.03
TOLERANCE = 0.005


def reference(values, cost=1.0, **more) -> Reference:
    clips = {f"clip{i}": f"digest{i}" for i in range(len(values))}
    methods = {"kcf": {"success_auc": list(values), "gmac_per_frame": [cost] * len(values)}}
    return Reference("synth-sot", "vbench", clips, methods, **more)


shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(shares)
def test_identical_runs_never_fail(values) -> None:
    verdict = compare(reference(values), reference(values), Rule())
    assert verdict.passed
    assert all(f.now == pytest.approx(f.then) for f in verdict.findings)


@given(shares, st.randoms())
def test_the_order_of_clips_does_not_matter(values, random) -> None:
    then = reference(values)
    now = reference([v - 0.02 for v in values])
    order = list(range(len(values)))
    random.shuffle(order)
    clips = list(now.clips.items())
    shuffled = Reference(
        "synth-sot", "vbench", dict(clips[i] for i in order),
        {"kcf": {m: [v[i] for i in order] for m, v in now.methods["kcf"].items()}},
    )  # fmt: skip
    assert compare(now, then, Rule()) == compare(shuffled, then, Rule())


@given(st.floats(0.0051, 0.5), st.integers(2, 20))
def test_an_equal_drop_on_every_clip_is_a_regression_beyond_the_tolerance(drop, n) -> None:
    verdict = compare(reference([0.6 - drop] * n), reference([0.6] * n), Rule(tolerance=0.005))
    assert [f.verdict for f in verdict.findings] == ["regressed", "ok"]


def alarms(true_mean: float, seed: int) -> float:
    """Share of 1,000 simulated runs on which the gate closes."""
    rng = np.random.default_rng(seed)
    draws = rng.normal(true_mean, SPREAD, (1000, CLIPS))
    return float(np.mean([drop_test(d, TOLERANCE).regressed for d in draws]))


def test_false_alarms_come_as_often_as_stated() -> None:
    # The hardest case without a regression: the true drop is exactly what is tolerated.
    assert alarms(-TOLERANCE, seed=1) == pytest.approx(0.05, abs=0.01)


def test_a_drop_of_the_visible_size_is_missed_as_seldom_as_stated() -> None:
    visible = TOLERANCE + 2 * 1.6448536269514722 * SPREAD / np.sqrt(CLIPS)
    assert 1 - alarms(-visible, seed=1) == pytest.approx(0.05, abs=0.01)


def test_the_visible_drop_follows_from_the_spread() -> None:
    differences = np.array([-0.01, 0.01] * 10)
    error = differences.std(ddof=1) / np.sqrt(20)
    expected = TOLERANCE + 2 * 1.6448536269514722 * error
    assert drop_test(differences, TOLERANCE).visible == pytest.approx(expected)


def test_a_cost_that_changed_either_way_must_be_deliberate() -> None:
    values = [0.5] * 5
    for cost in (1.01, 0.99):
        verdict = compare(reference(values, cost), reference(values, 1.0), Rule())
        assert [f.verdict for f in verdict.findings] == ["ok", "changed"]
    assert compare(reference(values, 1.0005), reference(values, 1.0), Rule()).passed


def test_a_clip_that_lost_its_result_fails() -> None:
    verdict = compare(reference([0.5, None]), reference([0.5, 0.5]), Rule())
    assert verdict.findings[0].verdict == "missing"
    assert "clip1" in verdict.findings[0].why


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"suite": "uav123"}, "suite"),
        ({"profile": "pysot"}, "profile"),
        ({"clips": {"clip0": "digest0"}}, "1 of the reference's 2 clips"),
        ({"clips": {"clip0": "digest0", "clip1": "other"}}, "ground truth"),
        ({"methods": {"csrt": {}}}, "no method in common"),
    ],
)
def test_what_is_not_the_same_is_not_compared(change, says) -> None:
    now = Reference(**{**vars(reference([0.5, 0.5])), **change})
    with pytest.raises(Incomparable, match=says):
        compare(now, reference([0.5, 0.5]), Rule())


def test_a_reference_comes_back(tmp_path) -> None:
    given_ = reference([0.5, None, 1 / 3], seed=4, packages={"numpy": "2"})
    write_reference(tmp_path / "a.json", given_)
    assert read_reference(tmp_path / "a.json") == given_


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 2}'])
def test_a_damaged_reference_is_named(tmp_path, text) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(VBenchError, match="a.json"):
        read_reference(tmp_path / "a.json")


def test_every_format_tells_the_failure() -> None:
    verdict = compare(reference([0.4] * 5), reference([0.5] * 5), Rule())
    assert json.loads(json.dumps(as_json(verdict)))["passed"] is False
    tree = ElementTree.fromstring(as_junit(verdict).encode())  # noqa: S314
    assert (tree.get("tests"), tree.get("failures")) == ("2", "1")
    assert "0.4000 | -0.1000 | **regressed**" in as_markdown(verdict)
    (line,) = as_annotations(verdict)
    assert line.startswith("::error title=vbench regressed::kcf success_auc 0.5000 -> 0.4000")
    assert "95%25" in line


def test_a_time_fails_only_when_it_surely_rose_beyond_the_tolerance() -> None:
    verdict = compare(reference([0.5] * 5), reference([0.5] * 5), Rule(latency_tolerance=0.1))
    sure = with_latency(verdict, {"kcf": np.array([1.29, 1.31, 1.30, 1.32, 1.28])})
    assert sure.findings[-1].verdict == "regressed"
    assert sure.findings[-1].now == pytest.approx(1.3, abs=0.001)
    for ratios in ([1.05, 1.06, 1.04, 1.05, 1.06], [0.8, 0.7, 0.75], [1.0, 1.6, 0.9, 1.5, 0.8]):
        assert with_latency(verdict, {"kcf": np.array(ratios)}).passed


def test_notes_stand_apart_from_the_table_and_the_power_is_explained() -> None:
    then, now = reference([0.5] * 5), reference([0.45, 0.5, 0.52, 0.5, 0.5])
    now = Reference(**{**vars(now), "methods": now.methods | {"csrt": {}}})
    verdict = compare(now, then, Rule())
    assert as_markdown(verdict).endswith("|\n\n- csrt: new, no reference yet\n")
    assert "over 5 clips" in power(verdict) and "do not differ" not in power(verdict)
    # Without any spread only a uniform drop can be told, and that is said.
    assert "the two runs do not differ" in power(compare(then, then, Rule()))
