import numpy as np
import pytest

from tests.cli.commands import vbench
from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.cost.unit_costs import Price, UnitCosts
from vbench.report.updates import update_table, updates

NAN = np.nan
# Cui et al. 2018, table 1: frames 2-9 of Ironman.
SCORES = [0.392, -1.443, 3.199, 1.444, -5.294, -3.340, -2.419, -1.221]
LOSSES = [NAN, 0.03, NAN, NAN, 0.006, 0.004, 0.003, 0.001]
ITERATIONS = [0, 7, 0, 0, 6, 1, 1, 1]


def trace(scores, losses, iterations, kind=Kind.KEY) -> Trace:
    n = len(scores) + 1
    nothing = np.zeros(n)
    return Trace(
        kind=np.array([Kind.START] + [kind] * (n - 1), np.int8),
        objects=np.ones(n, np.int64),
        carried=np.zeros(n, np.int64),
        belief=np.full(n, NAN),
        seconds=nothing,
        cheap_seconds=nothing,
        decode_seconds=nothing,
        boxes=np.ones((n, 4)),
        scores=np.array([1.0, *scores]),
        labels=np.full(n, -1),
        extras={
            "update_iterations": np.array([0.0, *iterations]),
            "update_loss": np.array([0.0, *losses]),
        },
    )


@pytest.fixture
def ironman():
    return trace(SCORES, LOSSES, ITERATIONS)


def test_the_table_is_that_of_the_paper(ironman) -> None:
    table = update_table({"fdn": ironman}, "Ironman")
    assert table["frame"].tolist() == list(range(2, 10))
    assert table["score"].tolist() == SCORES
    assert table["iterations"].tolist() == ITERATIONS
    assert table["loss"].to_numpy() == pytest.approx(LOSSES, nan_ok=True)
    # 16 iterations, where ten an update would be 50.
    assert table["iterations"].sum() == 16
    assert 10 * (table["iterations"] > 0).sum() == 50


def test_frames_that_a_propagator_answered_learn_nothing(ironman) -> None:
    kinds = ironman.kind.copy()
    kinds[1::2] = Kind.INTER
    mixed = Trace(**{**{k: getattr(ironman, k) for k in Trace.__dataclass_fields__}, "kind": kinds})
    assert update_table({"fdn": mixed}, "x")["frame"].tolist() == [3, 5, 7, 9]


def test_the_costs_of_a_trace_follow_its_iterations(ironman) -> None:
    costs = UnitCosts(key=Price(5.0), per_extra={"update_iterations": Price(100.0)})
    macs = costs.total(ironman.kind, ironman.objects, ironman.extras)
    assert macs.sum() == 8 * 5 + 16 * 100


def test_the_figure_shows_every_method(ironman) -> None:
    fixed = trace(SCORES, LOSSES, [10 if n else 0 for n in ITERATIONS])
    figure = updates({"fdn": ironman, "mdnet": fixed}, "Ironman")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["fdn: 16 iterations in 5 updates", "mdnet: 50 iterations in 5 updates"]
    bars = [bar.get_height() for bar in figure.axes[1].patches]
    assert bars == [7, 6, 1, 1, 1, 10, 10, 10, 10, 10]


def test_methods_that_learn_nothing_are_no_updates(ironman) -> None:
    still = Trace(**{**{k: getattr(ironman, k) for k in Trace.__dataclass_fields__}, "extras": {}})
    with pytest.raises(VBenchError, match="no method learns while it tracks"):
        update_table({"kcf": still}, "synth-sot, calm")


def test_the_command_writes_plot_and_table(capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    method = "fdn[width=0.03125,short_px=100,samples=0.02,candidates=10]"
    given = ("--clips", "calm,pan", "--weights", "random", "--out", "r", "--no-timing", "--quiet")
    ran = vbench(capsys, "run", "--methods", method, *given)
    assert ran.code == 0, ran.err
    done = vbench(capsys, "report", "r", "--plot", "updates", "--clip", "pan")
    assert done.code == 0, done.err
    written = tmp_path / "r" / "plots"
    assert sorted(p.name for p in written.iterdir()) == [
        f"updates-pan.{ending}" for ending in ("csv", "png", "svg")
    ]
    rows = (written / "updates-pan.csv").read_text().splitlines()
    assert rows[0] == "method,frame,score,loss,iterations"
    assert len(rows) == 80
