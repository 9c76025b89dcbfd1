from typing import Any

import numpy as np
import pytest

from tests.contract.models import BOX, frame
from tests.run.scripted import Sightings
from vbench.core.boxes import absent
from vbench.core.errors import VBenchError
from vbench.run.compose import check, compose, plan
from vbench.run.tuning import Tuning, networks_of, split


def nothing(part: str, name: str):
    return None


def answers(text: str):
    tracker: Any = compose(plan(text), nothing).stepper.parts()[0]
    tracker.start(frame(), BOX.copy())
    return np.array([tracker.track(frame(s))[0] for s in (2.0, 4.0)])


def test_layers_in_bf16_answer_nearly_the_same() -> None:
    plain, tuned = answers("siamfc[scales=1]"), answers("siamfc[scales=1,dtype=bf16]")
    # bf16 has 8 bits of mantissa: answers differ, by less than a cell of the response.
    assert np.abs(plain - tuned).max() < 8
    tracker = compose(plan("siamfc[scales=1,dtype=bf16]"), nothing).stepper.parts()[0]
    layers = [m for net in networks_of(tracker) for m in net.modules() if hasattr(m, "kernel_size")]
    dtypes = {str(m.weight.dtype) for m in layers if getattr(m, "weight", None) is not None}
    assert dtypes == {"torch.bfloat16"}


def test_channels_last_changes_no_answer_by_more_than_rounding() -> None:
    plain = answers("siamfc[scales=1]")
    assert answers("siamfc[scales=1,channels_last=1]") == pytest.approx(plain, abs=1e-2)


def test_threads_are_those_of_the_method() -> None:
    assert compose(plan("siamfc[threads=2]"), nothing).threads == 2
    assert compose(plan("siamfc"), nothing).threads is None


def test_a_parameter_of_the_model_itself_is_left_to_it() -> None:
    own, tuning = split({"dtype": "hog", "compile": "1"}, {"dtype"}, "x")
    assert own == {"dtype": "hog"}
    assert tuning == Tuning(compile=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("siamfc[dtype=int8]", "fp32"),
        ("siamfc[compile=yes]", "write 1 or 0"),
        ("siamfc[threads=0]", "whole number"),
        ("blobs+dummy[floor=2]", "from 0 to 1"),
        ("blobs[floor=0.5]", "carries between"),
        ("kcf+dummy[floor=0.5]", "carries between"),
        ("blobs+lk[flor=0.3]", "did you mean 'floor'"),
        ("blobs+dummy[still=-1]", "from 0 to 1"),
        ("blobs[still=0.5]", "carries between"),
        ("kcf+dummy[still=0.5]", "carries between"),
        ("blobs+lk[prior=keyframe]", "there are: error_px, floor, grid, still, window"),
        ("kcf+lk[prior=keyframe]", "there are: error_px, grid, window"),
        ("siamfc[speed=1]", "no parameter of siamfc called 'speed'"),
    ],
)
def test_wrong_values_are_named(text, says) -> None:
    with pytest.raises(VBenchError, match=says):
        check(plan(text), nothing)


def test_what_has_no_network_says_so() -> None:
    with pytest.raises(VBenchError, match="kcf has no torch network"):
        compose(plan("kcf[dtype=bf16]"), nothing)


def test_weaker_detections_than_the_floor_are_not_carried() -> None:
    stepper: Any = compose(plan("blobs+dummy[floor=0.65]"), nothing).stepper
    stepper.detector = Sightings([4, 4])
    stepper.start(black(), absent(1)[0])
    # Scores are .9, .77, .63 and .5.
    assert len(stepper.key(black()).boxes) == 4
    assert stepper.inter(black()).scores.tolist() == pytest.approx([0.9, 0.9 - 0.4 / 3])
    plain: Any = compose(plan("blobs+dummy"), nothing).stepper
    assert (plain.floor, plain.still) == (0.01, 0)
    both: Any = compose(plan("blobs+dummy[floor=0.2,still=0.4]"), nothing).stepper
    assert (both.floor, both.still) == (0.2, 0.4)


def black():
    return np.zeros((48, 64, 3), np.uint8)
