"""Small detectors trained on COCO, on two snippets of ImageNet VID: AP at IoU .5, all points.

The expected numbers were computed elsewhere from the same files. Those of the small detectors come
out where frames are shrunk as Pillow does (bilinear), boxes may reach out of the frame, of two of a
class that overlap by more than .6 the worse goes, all answers count from a score of .01, and a last
pixel counts in overlaps; R-FCN's where it does not.
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
GROWN = VidRules("grown", 1, "IoU .5 with a last pixel, all points", grown_px=1.0)
EXPECTED = {
    "nanodet": {"bus": 0.920, "motorcycle": 0.818, "bicycle": 0.593, "car": 0.826},
    "fastestdet": {"bus": 0.723, "motorcycle": 0.647, "bicycle": 0.364, "car": 0.423},
}


def model(name, real_data, **given):
    pytest.importorskip("onnxruntime")
    weights = WeightsFinder((real_data / "weights",)).weights_for(name)
    return catalogue.build("detectors", name, given, weights=weights, device="cpu", seed=0)


def average_precisions(detector, suite, rules) -> dict[str, float]:
    """AP of every class that a snippet has."""
    found: dict[str, float] = {}
    for clip in suite.only(list(SNIPPETS)).clips:
        trace = run_clip(DetectorStepper(detector), Every(), clip, FakeClock().now, prefetch=True)
        truths = VidTruths.of([clip.objects], [len(clip)])
        scores = score_vid(truths, VidAnswers.of([trace]), rules, 30, ranges=False)
        named = zip(suite.card.classes, scores.ap.tolist(), strict=True)
        found |= {name: ap for name, ap in named if ap == ap}
    return found


@pytest.mark.parametrize("name", EXPECTED)
def test_small_detectors_on_two_snippets(real_data, name) -> None:
    detector = model(name, real_data, score="0.01", most="1000")
    found = average_precisions(detector, vid_val(real_data), GROWN)
    assert found == pytest.approx(EXPECTED[name], abs=5e-4)


@pytest.mark.parametrize("name", EXPECTED)
def test_weak_answers_are_worth_little(real_data, name) -> None:
    """What they leave out without further parameters costs no class more than half a point."""
    found = average_precisions(model(name, real_data), vid_val(real_data), GROWN)
    assert found == pytest.approx(EXPECTED[name], abs=5e-3)


def test_stored_detections_of_rfcn_on_two_snippets(real_data) -> None:
    detector = catalogue.build("detectors", f"stored:{real_data / 'results/imagenet_vid_rfcn'}")
    expected = {name: ap for classes in SNIPPETS.values() for name, ap in classes.items()}
    found = average_precisions(detector, vid_val(real_data), PLAIN)
    assert found == pytest.approx(expected, abs=5e-4)
