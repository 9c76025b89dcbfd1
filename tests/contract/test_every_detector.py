import numpy as np
import pytest

from tests.contract.models import built, frame, plain_names
from vbench import catalogue
from vbench.core.errors import VBenchError
from vbench.core.roles import Detector, Placed, VideoDetector
from vbench.cost.unit_costs import unit_costs

NAMES = plain_names("detectors")
# The least score of an answer, by the names that detectors have for it: nothing reaches it.
NOTHING = {"floor": "1", "score": "1", "found": "1"}


def dots():
    """A flat frame with objects of one pixel, three of them in the corners."""
    image = np.full((128, 160, 3), 90, np.uint8)
    for row, column in ((0, 0), (0, 159), (127, 159), (40, 60), (41, 100), (90, 33)):
        image[row, column] = (250, 20, 20)
    return image


@pytest.fixture(scope="module", params=[*NAMES, "stored"])
def detector(request, tmp_path_factory):
    if request.param != "stored":
        return built("detectors", request.param)
    folder = tmp_path_factory.mktemp("stored")
    rows = [f"{t} 7 0.9 60 50 96 78" for t in range(3)]
    (folder / "clip.txt").write_text("\n".join([*rows, "1 3 0.2 1 1 2 2"]))
    return catalogue.build("detectors", f"stored:{folder}", {"gmac": "1"})


def answers(detector, frames):
    """What it answers to frames of one clip: key, key, inter, inter ..."""
    if isinstance(detector, Placed):
        detector.enter("clip", 3)
    is_video = isinstance(detector, VideoDetector)
    if is_video:
        detector.start((frames[0].shape[1], frames[0].shape[0]))
    found = []
    for index, image in enumerate(frames):
        if isinstance(detector, Placed):
            detector.at(index)
        call = (detector.key if index < 2 else detector.inter) if is_video else detector.detect
        found.append(call(image))
    return found


def is_whole(found) -> bool:
    """Finite boxes with a size of at least 0, scores in [0, 1], labels from 0: one length."""
    boxes, scores, labels = (np.asarray(column) for column in found)
    assert boxes.shape == (len(scores), 4) and labels.shape == scores.shape
    assert np.isfinite(boxes).all() and (boxes[:, 2:] >= 0).all()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.issubdtype(labels.dtype, np.integer) and (labels >= 0).all()
    return True


def test_it_is_a_detector(detector) -> None:
    assert isinstance(detector, Detector) != isinstance(detector, VideoDetector)


def test_answers_are_whole_and_repeat_byte_for_byte(detector) -> None:
    frames = [frame(), frame(2.0), frame(4.0)]
    first = answers(detector, frames)
    assert all(is_whole(found) for found in first)
    answers(detector, [frame(9, grey=True)])
    again = answers(detector, frames)
    for one, other in zip(first, again, strict=True):
        assert [np.asarray(a).tobytes() for a in one] == [np.asarray(b).tobytes() for b in other]


def test_the_input_is_left_as_it_was(detector) -> None:
    frames = [frame(), frame(2.0), frame(4.0)]
    answers(detector, frames)
    for image, shift in zip(frames, (0.0, 2.0, 4.0), strict=True):
        assert image.tobytes() == frame(shift).tobytes()


@pytest.mark.parametrize(
    "image",
    [
        np.full((128, 160, 3), 90, np.uint8),
        np.zeros((128, 160, 3), np.uint8),
        dots(),
        frame(grey=True),
        np.zeros((1, 1, 3), np.uint8),
        np.full((40, 3, 3), 255, np.uint8),
    ],
    ids=["flat", "black", "objects of one pixel", "grey", "one pixel", "a strip"],
)
def test_awkward_frames_still_get_whole_answers(detector, image) -> None:
    assert all(is_whole(found) for found in answers(detector, [image, image, image]))


def test_a_full_hd_frame_is_survived(detector) -> None:
    large = frame(size=(1920, 1080))
    assert all(is_whole(found) for found in answers(detector, [large, large, large]))


@pytest.mark.parametrize("name", NAMES)
def test_another_one_of_the_same_seed_answers_alike(name) -> None:
    frames = [frame(), frame(2.0), frame(4.0)]
    first, again = (answers(built("detectors", name), frames) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert [np.asarray(a).tobytes() for a in one] == [np.asarray(b).tobytes() for b in other]


@pytest.mark.parametrize("name", NAMES)
def test_frames_in_which_nothing_is_found_have_empty_answers(name) -> None:
    if not NOTHING.keys() & catalogue.parameters("detectors", name).keys():
        pytest.skip(f"{name} has no least score")
    for found in answers(built("detectors", name, **NOTHING), [frame()] * 4):
        assert is_whole(found)
        assert found.boxes.shape == (0, 4)
        assert np.issubdtype(found.labels.dtype, np.integer)


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_of_no_classes_is_refused_and_one_of_one_class_answers_it(name) -> None:
    offered = catalogue.parameters("detectors", name).get("classes")
    if offered is None or "int" not in str(offered.annotation):
        pytest.skip(f"{name} has the classes of its weights")
    with pytest.raises(VBenchError, match="1 to 10000 classes"):
        catalogue.build("detectors", name, {"classes": "0"}, weights=None)
    for found in answers(built("detectors", name, classes="1"), [frame()] * 3):
        assert is_whole(found)
        assert not np.asarray(found.labels).any()


def test_its_cost_is_counted_or_says_what_is_not(detector) -> None:
    answers(detector, [frame()])
    costs = unit_costs(detector)
    for price in (costs.key, costs.inter):
        assert np.isfinite(price.per_call) or price.uncounted


@pytest.mark.parametrize("name", catalogue.names("detectors"))
def test_its_entry_tells_what_it_is(name) -> None:
    entry = catalogue.table("detectors")[name]
    assert 10 < len(entry.summary) < 120
    assert "\n" not in entry.summary
