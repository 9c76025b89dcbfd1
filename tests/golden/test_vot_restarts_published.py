"""The supervised experiment run on genuine frames gives the file that the author published."""

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.roles import Weights
from vbench.run.restarts import OnClock, supervised
from vbench.store.raw_vot import read_vot
from vbench.trackers.nanotrack import NanoTrack

pytest.importorskip("onnxruntime")


def test_nanotrack_on_book_fails_and_restarts_as_published(real_data):
    suite = catalogue.open_suite("vot2018", real_data / "sequences/vot2018", None)
    clip = next(clip for clip in suite.clips if clip.name == "book")
    place = real_data / "weights/nanotrack/nanotrackv1"
    names = ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx")
    weights = Weights("nanotrack-v1", {name: place / name for name in names}, "")
    tracker = NanoTrack("v1", "onnx", weights)
    ours = supervised(OnClock(tracker, clip, lambda: 0.0), clip)
    published = read_vot(real_data / "results/vot2018/NanoTrack", {"book": len(clip)}).runs["book"]
    np.testing.assert_array_equal(ours.codes, published[0].codes)
    assert ours.failures == 2
    np.testing.assert_allclose(ours.regions, published[0].regions, atol=0.01)
