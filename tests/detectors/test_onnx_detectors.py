"""What NanoDet and FastestDet make of their networks' outputs, which are made up here."""

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import NotReady, VBenchError
from vbench.core.roles import Weights
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.candidates import shrunk
from vbench.detectors.coco_vid_classes import COCO, VID
from vbench.weights.find import WeightsFinder

pytest.importorskip("onnxruntime")

BUS, CAR = VID.index("bus"), VID.index("car")
FRAME = np.zeros((208, 416, 3), np.uint8)
FRAME[..., 0] = 255


class Scripted:
    """Stands for the network: keeps its input, answers what it was given."""

    path = None

    def __init__(self, outputs):
        self.outputs = outputs

    def __call__(self, planes):
        self.planes = planes
        return self.outputs


@pytest.fixture
def build(monkeypatch):
    def made(name, outputs, **given):
        module = f"vbench.detectors.{name}"
        catalogue.load("detectors", name)
        monkeypatch.setattr(f"{module}.OnnxNetwork", lambda *_: Scripted(outputs))
        return catalogue.build("detectors", name, given)

    return made


def nanodet_outputs(cell, bins, **scores):
    """Outputs in which one cell of the grid of stride 16 speaks; `bins` are its four distances."""
    cells = [52 * 52, 26 * 26, 13 * 13]
    outputs = [np.zeros((1, n, 80), np.float32) for n in cells]
    outputs += [np.zeros((1, n, 32), np.float32) for n in cells]
    for name, score in scores.items():
        outputs[1][0, cell, COCO.index(name)] = score
    for side, at in enumerate(bins):
        outputs[4][0, cell, side * 8 + at] = 50.0
    return outputs


def test_nanodet_reads_distances_from_the_centre_of_a_cell(build) -> None:
    # Row 3, column 10 of stride 16: centre (168, 56); distances 2, 1, 3, 2 strides.
    model = build("nanodet", nanodet_outputs(3 * 26 + 10, (2, 1, 3, 2), bus=0.9, truck=0.8))
    boxes, scores, labels = model.detect(FRAME)
    assert boxes == pytest.approx(np.array([[136.0, 40, 80, 48]]), abs=1e-4)
    assert (scores.tolist(), labels.tolist()) == ([pytest.approx(0.9)], [BUS])


def test_nanodet_sees_bgr_at_the_top_left_and_answers_in_pixels_of_the_frame(build) -> None:
    model = build("nanodet", nanodet_outputs(3 * 26 + 10, (2, 1, 3, 2), car=0.5, bus=0.04))
    boxes, _, labels = model.detect(np.repeat(np.repeat(FRAME, 2, axis=0), 2, axis=1))
    assert boxes == pytest.approx(2 * np.array([[136.0, 40, 80, 48]]), abs=1e-4)
    assert labels.tolist() == [CAR]
    corner, below = model.network.planes[0, :, 0, 0], model.network.planes[0, :, 300, 0]
    assert corner == pytest.approx([-103.53 / 57.375, -116.28 / 57.12, (255 - 123.675) / 58.395])
    assert below == pytest.approx([-103.53 / 57.375, -116.28 / 57.12, -123.675 / 58.395])


def test_boxes_are_cut_at_the_frame_where_that_is_wanted(build) -> None:
    outputs = nanodet_outputs(0, (7, 7, 1, 1), car=0.5)
    cut, whole = (build("nanodet", outputs, inside=word).detect(FRAME) for word in ("1", "0"))
    assert cut.boxes == pytest.approx(np.array([[0.0, 0, 24, 24]]), abs=1e-4)
    assert whole.boxes == pytest.approx(np.array([[-104.0, -104, 128, 128]]), abs=1e-4)


def fastestdet_outputs(row, column, objectness, shift, logits, **scores):
    found = np.zeros((1, 85, 22, 22), np.float32)
    found[0, 0, row, column] = objectness
    found[0, 1:3, row, column] = shift
    found[0, 3:5, row, column] = logits
    for name, score in scores.items():
        found[0, 5 + COCO.index(name), row, column] = score
    return [found]


def test_fastestdet_reads_a_box_a_cell(build) -> None:
    logits = np.log([0.25 / 0.75, 0.5 / 0.5])
    outputs = fastestdet_outputs(11, 5, 0.81, np.arctanh([0.5, 0.0]), logits, car=0.64, person=0.9)
    model = build("fastestdet", outputs)
    boxes, scores, labels = model.detect(FRAME)
    # Centre (5.5 / 22, 11 / 22), a quarter of the width and half of the height.
    assert boxes == pytest.approx(np.array([[52.0, 52, 104, 104]]), abs=1e-3)
    assert scores == pytest.approx([0.81**0.6 * 0.64**0.4])
    assert labels.tolist() == [CAR]
    assert model.network.planes.shape == (1, 3, 352, 352)
    assert model.network.planes[0, :, 7, 7].tolist() == [0.0, 0.0, 1.0]


def test_cocos_own_classes_can_be_had(build) -> None:
    outputs = fastestdet_outputs(11, 5, 1.0, (0, 0), (0, 0), car=0.6, person=0.9)
    found = build("fastestdet", outputs, classes="coco").detect(FRAME)
    assert found.labels.tolist() == [COCO.index("person"), COCO.index("car")]


def test_they_run_their_published_files_only(tmp_path) -> None:
    with pytest.raises(NotReady, match="vbench weights fetch nanodet"):
        catalogue.build("detectors", "nanodet")
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    weights = Weights("nanodet", {"x.onnx": tmp_path / "x.onnx"}, "")
    with pytest.raises(VBenchError, match=r"x\.onnx is no ONNX model"):
        catalogue.build("detectors", "nanodet", weights=weights)


@pytest.mark.parametrize(
    # Published sizes: 0.95 M parameters for NanoDet-m (its README), 0.24 M for FastestDet.
    ("name", "millions"), [("nanodet", 0.95), ("fastestdet", 0.24)],
)  # fmt: skip
def test_their_size_and_cost_are_counted_from_the_file(real_data, name, millions) -> None:
    weights = WeightsFinder((real_data / "weights",)).weights_for(name)
    model = catalogue.build("detectors", name, weights=weights)
    assert model.parameter_count() / 1e6 == pytest.approx(millions, abs=0.02)
    assert np.isfinite(unit_costs(model).key.per_call)


def test_frames_are_shrunk_under_a_triangle_or_by_area() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[:, 3] = 240
    # Column 3 lies 1/2 px from the centre of column 1 of the halved frame, 3/2 from that of 2.
    smooth = shrunk(frame, (4, 8), "bilinear")[0, :, 0]
    assert smooth.tolist() == [0, 240 * 3 // 8, 240 // 8, 0]
    assert shrunk(frame, (4, 8), "area")[0, :, 0].tolist() == [0, 120, 0, 0]
