import math

import numpy as np
import pytest
import torch

from tests.detectors.straight_efficientdet import Straight, upstream_shapes
from vbench.core.errors import VBenchError
from vbench.core.roles import Detector, Weights
from vbench.cost.macs import count, torch_flops
from vbench.detectors.efficientdet import EfficientDet
from vbench.detectors.efficientdet_keys import native
from vbench.nn.efficientdet import EfficientDetD0, boxes_of, pyramid_anchors
from vbench.nn.efficientnet import STAGES
from vbench.nn.resnet import scaled
from vbench.nn.state import load_into

TINY = 0.25
CLASSES = 3


def tiny_widths():
    outs = [scaled(c, TINY) for blocks, _, _, _, c in STAGES for _ in range(blocks)]
    return scaled(32, TINY), outs, scaled(64, TINY)


def upstream_state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in upstream_shapes(CLASSES, tiny_widths()).items():
        values = torch.randn(shape, generator=generator)
        if name.endswith("running_var") or ("bn" in name and name.endswith("weight")):
            values = values.abs() + 0.5
        elif len(shape) == 4:
            values = values / math.sqrt(math.prod(shape[1:]))
        state[name] = values
    return state


@pytest.fixture(scope="module")
def frame():
    return np.random.default_rng(3).integers(0, 256, (96, 150, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def zylo_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("zylo") / "efficientdet-d0.pth"
    torch.save(upstream_state(), path)
    return Weights("efficientdet-d0", {path.name: path}, "")


@pytest.mark.parametrize(("classes", "gmacs"), [(80, 2.461), (90, 2.492), (30, 2.304)])
def test_macs_are_those_that_the_class_counts_give(classes, gmacs) -> None:
    with torch.device("meta"):
        network = EfficientDetD0(classes).eval()
        image = torch.zeros(1, 3, 512, 512)
    assert sum(torch_flops(network, (image,)).values()) / 2e9 == pytest.approx(gmacs, abs=5e-4)
    assert len(network.state_dict()) == 784


def test_parts_cost_what_they_should() -> None:
    with torch.device("meta"):
        network = EfficientDetD0(90).eval()
        image = torch.zeros(1, 3, 512, 512)
        maps = network.backbone(image)
        levels = network.fpn(maps)
    costs = [
        sum(torch_flops(part, inputs).values()) / 2e9
        for part, inputs in (
            (network.backbone, (image,)),
            (network.fpn, (maps,)),
            (network.box_net, (levels,)),
            (network.class_net, (levels,)),
        )
    ]
    assert costs == pytest.approx([1.901, 0.136, 0.092, 0.362], abs=1e-3)
    assert [tuple(m.shape[1:]) for m in maps] == [(40, 64, 64), (112, 32, 32), (320, 16, 16)]


def test_work_is_counted_without_computing_it() -> None:
    found = count(EfficientDet(width=TINY, classes=CLASSES).work()["detect"])
    assert found.macs_per_call > 1e6
    assert {"resizing", "suppression"} <= set(found.uncounted)


def test_published_names_give_the_answers_of_a_straight_reading() -> None:
    state = upstream_state()
    network = EfficientDetD0(CLASSES, TINY).eval()
    load_into(network, native(state), "zylo")
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, straight = network(image), Straight(state).answer(image, CLASSES)
    for mine, theirs in zip(ours, straight, strict=True):
        assert mine.abs().max() > 0.1
        assert torch.allclose(mine, theirs, atol=1e-4 * float(theirs.abs().max()))


def test_names_count_784_and_748_without_redundant_biases() -> None:
    assert len(upstream_shapes(90, tiny_widths())) == 784
    full = native(upstream_state())
    kept = {
        k: v
        for k, v in full.items()
        if not (k.endswith("bias") and (".conv.conv." in k or "_pw" in k))
        or k.startswith("backbone.")
        or "predict" in k
    }
    assert len(kept) == 748
    network = EfficientDetD0(CLASSES, TINY)
    load_into(network, native(kept), "effdet")
    loaded = network.state_dict()
    assert not loaded["fpn.cell.0.fnode.0.after_combine.conv.conv_pw.bias"].any()
    assert loaded["box_net.predict.conv_pw.bias"].any()


def test_weights_tell_how_many_classes_there_are(zylo_file, frame) -> None:
    found = EfficientDet(width=TINY, side_px=128, floor=0.0, weights=zylo_file)
    assert found.classes == CLASSES
    assert set(found.detect(frame).labels) <= set(range(CLASSES))


def test_weights_of_another_class_count_are_refused(zylo_file) -> None:
    with pytest.raises(VBenchError, match=r"efficientdet-d0 .*predict"):
        EfficientDet(classes=5, width=TINY, side_px=128, weights=zylo_file)


def test_anchors_go_by_level_row_column_scale_aspect() -> None:
    rows = []
    for stride in (8, 16, 32, 64, 128):
        for y in range(256 // stride):
            for x in range(256 // stride):
                for octave in (0, 1, 2):
                    for aspect_w, aspect_h in ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4)):
                        side = 4 * stride * 2 ** (octave / 3)
                        cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
                        w, h = side * aspect_w, side * aspect_h
                        rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    assert pyramid_anchors(256).numpy() == pytest.approx(np.array(rows), abs=1e-3)
    assert len(pyramid_anchors(512)) == 49104


def test_codes_are_y_x_h_w() -> None:
    anchor = torch.tensor([[10.0, 20.0, 50.0, 40.0]])
    code = torch.tensor([[0.5, -0.25, math.log(2.0), math.log(0.5)]])
    # Centre (30, 30), size (40, 20): y + 0.5 h = 40, x - 0.25 w = 20, h 40, w 20.
    assert boxes_of(anchor, code).tolist()[0] == pytest.approx([10, 20, 30, 60], abs=1e-4)


def test_frames_stand_in_the_corner_of_a_square() -> None:
    detector = EfficientDet(width=TINY, side_px=128)
    frame = np.zeros((60, 120, 3), np.uint8)
    frame[:] = 124, 116, 104
    images, scale = detector.images(frame)
    assert scale == pytest.approx(128 / 120)
    assert images.shape == (1, 3, 128, 128)
    assert not images[:, :, 64:].any()
    means = images[0, :, :64].mean((1, 2))
    expected = (np.array([124, 116, 104]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert means.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("select", ["best", "top"])
def test_detections_lie_in_the_frame_best_first_and_apart(zylo_file, frame, select) -> None:
    detector = EfficientDet(
        width=TINY, side_px=128, select=select, floor=0.5, overlap=0.4, weights=zylo_file
    )
    before = frame.copy()
    boxes, scores, labels = detector.detect(frame)
    assert len(boxes) > 1
    assert (np.diff(scores) <= 0).all()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= [150 + 1e-6, 96 + 1e-6]).all()
    assert labels.dtype == np.int64
    assert scores.min() > 0.5
    assert select == "best" or len(boxes) <= 100
    again = detector.detect(frame)
    assert [a.tobytes() for a in again] == [boxes.tobytes(), scores.tobytes(), labels.tobytes()]
    assert (frame == before).all()


def test_seeds_make_the_weights_and_nothing_untrained_is_sure(frame) -> None:
    first, same, other = (EfficientDet(width=TINY, side_px=128, seed=s) for s in (0, 0, 1))
    images, _ = first.images(frame)
    with torch.no_grad():
        answers = [d.network(images)[0] for d in (first, same, other)]
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
    assert len(first.detect(frame).boxes) == 0
    assert isinstance(first, Detector)


def test_cocos_numbers_are_answered_as_classes_of_vid(frame) -> None:
    given = {"classes": 90, "width": TINY, "side_px": 128, "select": "top", "overlap": 1.0}
    as_vid, own = EfficientDet(**given), EfficientDet(**given, labels="own")
    # COCO's number 18 is dog, VID's class 8; its number 1 is person, which VID does not know.
    for detector in (as_vid, own):
        with torch.no_grad():
            detector.network.class_net.predict.conv_pw.bias.fill_(-50)
            for anchor in range(9):
                detector.network.class_net.predict.conv_pw.bias[anchor * 90 + 17] = 2
                detector.network.class_net.predict.conv_pw.bias[anchor * 90] = 3
    assert set(own.detect(frame).labels) == {0}
    assert set(as_vid.detect(frame).labels) == {8}
    with pytest.raises(VBenchError, match="labels=own"):
        EfficientDet(**(given | {"classes": 80}), labels="vid")


@pytest.mark.parametrize("side", [0, 100, 130])
def test_sides_must_fit_the_pyramid(side) -> None:
    with pytest.raises(VBenchError, match="multiple of 128"):
        EfficientDet(width=TINY, side_px=side)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (1080, 1920)])
def test_odd_frames_are_survived(shape) -> None:
    detector = EfficientDet(width=TINY, side_px=128, select="top")
    found = detector.detect(np.full((*shape, 3), 90, np.uint8))
    assert np.isfinite(found.boxes).all()
