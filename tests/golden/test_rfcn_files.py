"""R-FCN's published files of two snippets (RalphMao/PatchNet data/VID), replayed and exported."""

import numpy as np
import pytest

from vbench.cli.app import invoke

FILES = "results/imagenet_vid_rfcn"


def test_published_detections_are_exported_number_by_number(real_data, tmp_path) -> None:
    pytest.importorskip("scipy")
    run, out = str(tmp_path / "run"), tmp_path / "out"
    suite = ["--suite", "imagenet-vid", "--data", str(real_data / "sequences/imagenet_vid_val")]
    suite += ["--annotations", str(real_data / "annotations/imagenet_vid")]
    invoke(["run", *suite, "--methods", f"stored:{real_data / FILES}", "--out", run])
    assert invoke(["export", run, "--format", "vid", "--out", str(out)]) == 0
    written = {path.stem[-12:]: np.loadtxt(path) for path in out.rglob("*.txt")}
    published = {p.stem[-12:]: np.loadtxt(p) for p in (real_data / FILES).glob("*_val_*.txt")}
    assert sorted(written) == sorted(published) == ["val_00023001", "val_00142000"]
    for name, rows in published.items():
        np.testing.assert_array_equal(written[name], rows)
