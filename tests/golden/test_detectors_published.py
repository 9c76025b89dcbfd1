"""Small detectors trained on COCO, on two snippets of ImageNet VID: AP at IoU .5, all points.

The expected numbers were computed elsewhere from the same files. How frames were resized there is
not known: NanoDet must come within .01, and FastestDet must not fall more than .02 below.
"""

import pytest

from tests.golden.test_vid_published import SNIPPETS, vid_val
from vbench import catalogue
from vbench.core.policy import Every
from vbench.cost.stopwatch import FakeClock
from vbench.metrics.vid_frames import VidAnswers, VidTruths
from vbench.metrics.vid_map import score_vid
from vbench.metrics.vid_profiles import VidRules
from vbench.run.loop import run_clip
from vbench.run.stepper import DetectorStepper
from vbench.weights.find import WeightsFinder

PLAIN = VidRules("plain", 1, "IoU .5, all points")
EXPECTED = {
    "nanodet": {"bus": 0.920, "motorcycle": 0.818, "bicycle": 0.593, "car": 0.826},
    "fastestdet": {"bus": 0.723, "motorcycle": 0.647, "bicycle": 0.364, "car": 0.423},
}


def model(name, real_data):
    pytest.importorskip("onnxruntime")
    weights = WeightsFinder((real_data / "weights",)).weights_for(name)
    return catalogue.build("detectors", name, weights=weights, device="cpu", seed=0)


def average_precisions(detector, suite) -> dict[str, float]:
    """AP of every class that a snippet has."""
    found: dict[str, float] = {}
    for clip in suite.only(list(SNIPPETS)).clips:
        trace = run_clip(DetectorStepper(detector), Every(), clip, FakeClock().now, prefetch=True)
        truths = VidTruths.of([clip.objects], [len(clip)])
        scores = score_vid(truths, VidAnswers.of([trace]), PLAIN, 30, ranges=False)
        named = zip(suite.card.classes, scores.ap.tolist(), strict=True)
        found |= {name: ap for name, ap in named if ap == ap}
    return found


def test_nanodet_on_two_snippets(real_data) -> None:
    found = average_precisions(model("nanodet", real_data), vid_val(real_data))
    assert found == pytest.approx(EXPECTED["nanodet"], abs=0.01)


def test_fastestdet_on_two_snippets(real_data) -> None:
    found = average_precisions(model("fastestdet", real_data), vid_val(real_data))
    for name, least in EXPECTED["fastestdet"].items():
        assert found[name] >= least - 0.02


def test_stored_detections_of_rfcn_on_two_snippets(real_data) -> None:
    detector = catalogue.build("detectors", f"stored:{real_data / 'results/imagenet_vid_rfcn'}")
    expected = {name: ap for classes in SNIPPETS.values() for name, ap in classes.items()}
    assert average_precisions(detector, vid_val(real_data)) == pytest.approx(expected, abs=5e-4)
