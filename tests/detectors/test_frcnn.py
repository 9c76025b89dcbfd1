import numpy as np
import pytest
import torch

from vbench.core.errors import VBenchError
from vbench.core.roles import Detector, Weights
from vbench.cost.conventions import paper_count
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.frcnn import FasterRcnn

TINY = {"width": 1 / 16, "short_px": 64, "classes": 3}


@pytest.fixture(scope="module", params=["hrnet", "x101"])
def detector(request):
    return FasterRcnn(backbone=request.param, **TINY)


def noise(height=90, width=140, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_detections_lie_in_the_frame_best_first_and_repeat(detector) -> None:
    frame = noise()
    before = frame.copy()
    boxes, scores, labels = detector.detect(frame)
    assert isinstance(detector, Detector)
    assert 0 < len(boxes) <= 300
    assert (np.diff(scores) <= 0).all() and scores.min() > 0.03
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] > 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= np.array([140, 90]) + 1e-6).all()
    assert set(labels) <= {0, 1, 2}
    again = detector.detect(frame)
    assert [a.tobytes() for a in again] == [a.tobytes() for a in (boxes, scores, labels)]
    assert (frame == before).all()


@pytest.mark.parametrize("shape", [(1, 1), (40, 400), (270, 480)])
def test_odd_and_grey_frames_are_survived(detector, shape) -> None:
    found = detector.detect(np.full((*shape, 3), 127, np.uint8))
    assert np.isfinite(found.boxes).all()


def test_a_high_floor_leaves_nothing() -> None:
    assert len(FasterRcnn(**TINY, floor=0.99).detect(noise()).boxes) == 0


def test_suppression_can_be_left_to_seq_nms() -> None:
    plain, apart = (FasterRcnn(**TINY, overlap=o, floor=0.0, most=9999) for o in (1.0, 0.45))
    every = plain.detect(noise())
    # Every proposal for every class.
    assert len(every.boxes) % 3 == 0
    assert np.bincount(every.labels).tolist() == [len(every.boxes) // 3] * 3
    kept = apart.detect(noise())
    assert len(kept.boxes) < len(every.boxes)
    assert kept.boxes[0] == pytest.approx(every.boxes[0])


def test_frames_are_scaled_by_the_short_side_and_padded_to_32() -> None:
    detector = FasterRcnn(**TINY)
    images, size, scale = detector.features.images(noise(48, 100))
    assert (scale, size) == (pytest.approx(64 / 48), (133, 64))
    assert images.shape == (1, 3, 64, 160)
    assert not images[..., 133:].any()
    # A long side of at most three short ones.
    _, size, scale = detector.features.images(noise(10, 100))
    assert (scale, size) == (pytest.approx(192 / 100), (192, 19))


@pytest.mark.parametrize("newer", [False, True])
def test_checkpoints_of_mmdetection_load(tmp_path, newer) -> None:
    source = FasterRcnn(backbone="x101", **TINY, seed=5)
    state = {k: v.clone() for k, v in source.network.state_dict().items()}
    assert "backbone.layer2.0.conv2_offset.weight" in state
    assert "neck.lateral_convs.3.conv.bias" in state
    assert "rpn_head.rpn_reg.weight" in state and "bbox_head.shared_fcs.1.weight" in state
    if newer:
        state = {k.replace("conv2_offset", "conv2.conv_offset"): v for k, v in state.items()}
    state["siameserpn_head.rpn_module.rpn_cls.bias"] = torch.zeros(1)
    path = tmp_path / "x101.pth"
    torch.save({"meta": {"epoch": 12}, "state_dict": state}, path)
    weights = Weights("plugplay-x101", {path.name: path}, "")
    loaded = FasterRcnn(backbone="x101", **TINY, seed=6, weights=weights)
    for ours, theirs in zip(loaded.detect(noise()), source.detect(noise()), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    with pytest.raises(VBenchError, match="of another network"):
        FasterRcnn(backbone="hrnet", **TINY, weights=weights)


def test_hrnet_has_the_names_of_the_reference() -> None:
    names = set(FasterRcnn(**TINY).network.backbone.state_dict())
    for name in (
        "layer1.0.downsample.0.weight",
        "transition1.0.0.weight",
        "transition1.1.0.1.running_var",
        "transition2.2.0.0.weight",
        "transition3.3.0.0.weight",
        "stage2.0.fuse_layers.0.1.0.weight",
        "stage4.2.fuse_layers.3.0.2.1.weight",
        "stage4.2.fuse_layers.0.3.1.num_batches_tracked",
        "stage3.3.branches.2.3.conv2.weight",
    ):
        assert name in names
    assert "stage3.0.fuse_layers.1.1.0.weight" not in names


def test_costs_are_counted_by_shapes_alone(detector) -> None:
    costs = unit_costs(detector)
    assert costs.key.per_call > 1e6
    assert "RoIAlign" in costs.key.uncounted


@pytest.mark.parametrize(("backbone", "gmacs"), [("hrnet", 116.5), ("x101", 174.7 + 4.2)])
def test_it_costs_what_was_measured_of_the_reference(backbone, gmacs) -> None:
    # 600 x 1000 px, padded to 608 x 1024, and 300 boxes.
    works = FasterRcnn(backbone=backbone, device="meta").work()["detect"]
    assert paper_count(works).macs / 1e9 == pytest.approx(gmacs, abs=0.06)


@pytest.mark.parametrize("given", [{"short_px": 16}, {"classes": 0}, {"width": 0}])
def test_sizes_that_make_no_network_are_refused(given) -> None:
    with pytest.raises(VBenchError, match="give 1 to 10000 classes, .* of 32 to 4096 px"):
        FasterRcnn(**given)
    with pytest.raises(VBenchError, match="give 1 to 6000 boxes"):
        FasterRcnn(proposals=0)
