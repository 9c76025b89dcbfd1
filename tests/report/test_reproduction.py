import re

import pytest

from vbench import catalogue
from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import parse_method
from vbench.metrics.metric import METRICS
from vbench.report.comparison import RUN, UNTRAINED, Comparison, Measured, computed, measured
from vbench.report.reproduction import (
    CLASSES,
    PRINTED_ONLY,
    PrintedNumber,
    exhibits,
    papers,
    read_paper,
)
from vbench.report.reproduction_page import Reproduced, Standing, as_html, as_markdown
from vbench.run.compose import plan
from vbench.weights.registry import registry

PAPER = '[paper]\nname = "p"\ncitation = "A et al., B"\n'
EXHIBIT = PAPER + '[[exhibits]]\nid = "t1"\nwhere = "Table 1"\nwhat = "w"\nclass = "A"\n'


def numbers(name: str) -> dict[tuple[str, str, str], float]:
    """Everything computed of one exhibit by row, metric and kind."""
    (exhibit,) = exhibits([name])
    return {(c.row, c.metric, c.kind): c.ours for c in computed(exhibit)}


def test_methods_that_an_exhibit_names_have_these_parameters() -> None:
    """What a figure compares can be asked for, where no row with numbers asks for it."""
    named = {text for e in exhibits() for text in re.findall(r"[\w-]+\[[^]]+\]", e.what)}
    assert {"fdn[roi=pool]", "fdn[convs=5]", "siamrpn-paper[anchors=A7]"} <= named
    for text in named:
        base = parse_method(text).base
        assert catalogue.arguments("trackers", base.name, dict(base.parameters)), text


def test_every_row_has_a_citation_a_class_and_numbers_by_known_names() -> None:
    rows = [(e, row) for e in exhibits() for row in e.rows]
    assert len(rows) > 140
    for exhibit, row in rows:
        assert "et al." in exhibit.citation
        assert re.match(r"(Table|Figure)s? \d", exhibit.where)
        assert row.feasibility in CLASSES
        assert set(row.published) <= {*METRICS, *PRINTED_ONLY}


def test_names_of_exhibits_and_rows_are_unique() -> None:
    names = [e.name for e in exhibits()]
    assert len(set(names)) == len(names)
    for exhibit in exhibits():
        rows = [row.what for row in exhibit.rows]
        assert len(set(rows)) == len(rows), exhibit.name


def test_all_result_tables_of_the_five_papers_are_there() -> None:
    found = {paper.name: [e.name for e in paper.exhibits] for paper in papers()}
    tables = {
        p: [int(n.partition(".t")[2]) for n in names if ".t" in n] for p, names in found.items()
    }
    assert tables == {
        "patchnet": [1, 2, 3, 4, 5, 6],
        "lsts": [1, 2, 3, 4],
        "fdn": [1, 2],
        "pnp": [1, 2, 3, 4, 5],
        "siamrpn": [1, 2, 3],
    }


def test_every_method_and_weight_that_a_row_names_exists() -> None:
    for exhibit in exhibits():
        assert set(exhibit.weights) <= set(registry()), exhibit.name
        for row in exhibit.rows:
            if row.method:
                task = "vid" if exhibit.suite == "imagenet-vid" else "sot"
                assert plan(row.method).task == task
        for like in exhibit.likes:
            assert plan(like.method).task == ("vid" if like.suite == "imagenet-vid" else "sot")
            assert like.suite in catalogue.names("suites")


def test_literature_has_no_method_and_no_formula() -> None:
    cited = [row for e in exhibits() for row in e.rows if row.feasibility == "E"]
    assert len(cited) > 40
    assert not [row.what for row in cited if row.method or row.computable]


@pytest.mark.parametrize(
    ("name", "row", "metric", "value"),
    [
        # 169/5 + 7 * .0576 and 2.5/5 + 4 * .0576: the paper's rule with its printed numbers.
        ("patchnet.t1", "R-FCN with PatchNet", "gmac_per_frame", 34.2032),
        ("patchnet.t1", "EfficientDet-D0 with PatchNet", "gmac_per_frame", 0.7304),
        ("patchnet.t1", "R-FCN with PatchNet", "reduction", 169 / 34.2032),
        ("patchnet.t2", "SiamFC with PatchNet, T = 2.7", "gmac_per_frame", 1.0576),
        (
            "patchnet.t2",
            "SiamRPN-2x with PatchNet, T = 2.7",
            "reduction",
            4.1 / (4.1 / 2.7 + 0.0576),
        ),
        ("patchnet.f10", "R-FCN ResNet-101, 7 objects, T = 5", "reduction", 169 / 34.2032),
        ("patchnet.f10", "R-FCN ResNet-101, 7 objects, T = 1", "reduction", 169 / 169.4032),
        ("patchnet.f10", "EfficientDet-D0, 4 objects, T = 10", "reduction", 2.5 / 0.4804),
    ],
)
def test_formulas_are_exact(name, row, metric, value) -> None:
    assert numbers(name)[row, metric, "formula"] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("row", "ms"),
    [
        ("SiamRPN-2x, 1 object", 64.5),
        ("EfficientDet-D0, 1 object", 54.7),
        ("SiamFC, 1 object", 41.0),
        ("R-FCN ResNet-101, 1 object", 228.1),
        ("R-FCN ResNet-101, 7 objects", 254.0),
    ],
)
def test_table_6_is_projected_from_its_components(row, ms) -> None:
    assert numbers("patchnet.t6")[row, "skip_ms", "projected"] == pytest.approx(ms, abs=0.05)


def test_the_misprint_of_table_6_is_named_and_its_speed_up_agrees() -> None:
    (exhibit,) = exhibits(["patchnet.t6"])
    found = {(c.row, c.metric): c.verdict for c in computed(exhibit)}
    assert "misprint" in found["SiamFC, 1 object", "skip_ms"]
    assert found["SiamFC, 1 object", "speed_up"] == "same as printed"
    assert any("misprint of 41" in text for text in exhibit.errata.values())


def test_patch_sizes_cost_what_the_correlation_alone_changes() -> None:
    found = numbers("patchnet.f11")
    by_size = {k: found[f"patches of {k} px", "mmac_per_object", "counted"] for k in (4, 8, 16)}
    # 56^2 * 64 * 3 * K^2 for the correlation, and the FFT term 2 * 3 * (8 K)^2 * log2(8 K)^2.
    fft = {4: 3 * 2 * 32**2 * 25, 8: 3 * 2 * 64**2 * 36, 16: 3 * 2 * 128**2 * 49}
    for k in (4, 16):
        grown = 56**2 * 64 * 3 * (k * k - 64) + fft[k] - fft[8]
        assert (by_size[k] - by_size[8]) * 1e6 == pytest.approx(grown, abs=1)
    assert by_size[8] == pytest.approx(57.672404)


def test_a_number_prints_as_itself_rounded_or_cut_off() -> None:
    assert PrintedNumber("57.6").prints_as(57.672)
    assert PrintedNumber("0.73").prints_as(0.7304)
    assert PrintedNumber("1.1").prints_as(1.0576)
    assert not PrintedNumber("1.1").prints_as(1.034)
    assert PrintedNumber("-1.443").prints_as(-1.4434)
    assert not PrintedNumber("52").prints_as(float("nan"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (EXHIBIT + 'rows = [{ what = "r", published = { sucess_auc = "0.5" } }]', "success_auc"),
        (EXHIBIT + 'rows = [{ what = "r", published = { eao = 0.5 } }]', "in quotes"),
        (EXHIBIT + 'rows = [{ what = "r", class = "F" }]', "no class in p.t1 called 'F'"),
        (EXHIBIT + 'rows = [{ what = "r", method = "a@" }]', "in 'a@'"),
        (EXHIBIT + 'errata = ["none"]', "no erratum in p.t1 called 'none'"),
        (EXHIBIT + 'formulas = ["magic"]', "no formula in p.t1 called 'magic'"),
        (EXHIBIT + 'colour = "red"', "colour"),
        (EXHIBIT + EXHIBIT.removeprefix(PAPER), "'p.t1' is there twice"),
    ],
)
def test_wrong_data_is_refused_by_name(text, says) -> None:
    with pytest.raises(VBenchError, match=re.escape(says)):
        read_paper(text)


def test_a_paper_stands_for_its_exhibits_and_unknown_ones_are_named() -> None:
    assert [e.name for e in exhibits(["fdn.t2", "fdn"])][:2] == ["fdn.t2", "fdn.t1"]
    with pytest.raises(UnknownName, match=r"did you mean 'patchnet.t2'"):
        exhibits(["patchnet.t22"])


def table(**values: float) -> Measured:
    row = {"method": "siamfc", "clips": "100/100", **values}
    return Measured({"siamfc": row})


def test_a_run_is_compared_with_its_interval() -> None:
    (exhibit,) = exhibits(["patchnet.t2"])
    found = measured(exhibit, table(success_auc=0.585, success_auc_pm=0.02, interval=1.0))
    assert [(c.metric, c.verdict) for c in found] == [
        ("success_auc", "printed one inside the interval"),
        ("interval", "same as printed"),
    ]
    assert found[0].difference == pytest.approx(0.01)
    (far,) = measured(exhibit, table(success_auc=0.545, success_auc_pm=0.02))
    assert far.verdict == "outside the interval"


def test_a_part_of_a_suite_and_untrained_weights_give_no_verdict() -> None:
    (exhibit,) = exhibits(["patchnet.t2"])
    row = {"method": "siamfc", "clips": "6/100", "success_auc": 0.575}
    (part,) = measured(exhibit, Measured({"siamfc": row}))
    assert part.verdict == "6/100 clips only"
    (random,) = measured(exhibit, Measured({"siamfc": row}, frozenset({"siamfc"})))
    assert random.verdict == UNTRAINED
    assert random.difference != random.difference


def test_the_report_shows_ours_beside_theirs_and_cites_literature() -> None:
    found = []
    for exhibit in exhibits(["patchnet.t2", "siamrpn.t1"]):
        given = {row.what: Standing("literature") for row in exhibit.rows}
        found.append(Reproduced(exhibit, given, computed(exhibit)))
    text = as_markdown(found, "about")
    assert "| SiamFC with PatchNet, T = 2.7 | gmac_per_frame | 1.1 | 1.0576 |" in text
    assert "| DeepSRDCF | 0.3181 | 0.56 | 1.0 | 0.38 | E | literature |" in text
    assert "Mao et al." in text
    assert "single-width AlexNet" in text
    assert "- class E: from the literature" in text
    page = as_html(found, "<about>")
    assert "<td>DeepSRDCF</td>" in page
    assert "&lt;about&gt;" in page
    assert "<script" not in page
    assert "http" not in page.split("</style>")[1]


def test_cells_of_the_report_cannot_break_its_tables() -> None:
    (exhibit,) = exhibits(["patchnet.f10"])
    odd = Comparison("a | b\nc", "reduction", 1.0, RUN, "<b>", PrintedNumber("1.0"))
    text = as_markdown([Reproduced(exhibit, {}, [odd])], "about")
    assert "| a \\| b c | reduction | 1.0 |" in text
    assert "&lt;b>" in text
