"""A run with restarts, exported in the VOT toolkits' format, scores the same."""

import pytest

from tests.run.scripted import clip
from vbench.cli.app import Exit, invoke
from vbench.core.suite import Card, Suite
from vbench.run.bench import Order, run
from vbench.run.compose import plan
from vbench.run.import_files import export_run
from vbench.store.raw_vot import read_vot
from vbench.store.run_folder import RunFolder


@pytest.mark.parametrize(
    ("protocol", "experiment"),
    [("vot-supervised", "baseline"), ("vot-realtime", "realtime"), ("ope", "unsupervised")],
)
def test_runs_go_to_the_folder_of_their_experiment(protocol, experiment, tmp_path):
    suite = Suite(Card("s", "s", "sot", 1), [clip(12, "a")])
    order = Order(suite=suite, plans=[plan("hold")], protocol=protocol)
    run(order, RunFolder(tmp_path / "run"), lambda *_: None)
    written = export_run(tmp_path / "run", "vot", tmp_path / "out")
    (name,) = written
    assert written[name].files == 2
    folder = next((tmp_path / "out").iterdir()) / experiment
    (found,) = read_vot(folder, {"a": 12}).runs["a"]
    assert found.codes.tolist() == [1] + [3] * 11
    origin = 1  # of a suite that no catalogue has
    assert found.regions[1].tolist() == [10 + origin, 10 + origin, 8, 8]


def test_the_format_is_offered(capsys):
    assert invoke(["export", "/no/run", "--format", "voc", "--out", "/tmp/x"]) == Exit.USAGE
    capsys.readouterr()
