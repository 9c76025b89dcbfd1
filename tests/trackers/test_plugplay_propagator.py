import numpy as np
import pytest

from vbench.core.roles import Propagator, Sharing
from vbench.detectors.frcnn import FasterRcnn
from vbench.run.compose import compose, plan
from vbench.run.tally import parameters_m
from vbench.trackers.plugplay import PlugPlayPropagator

TINY = {"width": 1 / 16, "short_px": 64, "classes": 3}
BOXES = np.array([[10.0, 8, 30, 20], [70.0, 20, 16, 30]])


def noise(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (64, 128, 3), dtype=np.uint8)


@pytest.mark.parametrize("backbone", ["hrnet", "x101"])
def test_sharing_changes_no_answer_and_saves_the_keyframes_backbone(backbone) -> None:
    detector = FasterRcnn(backbone=backbone, **TINY)
    alone, sharing = (PlugPlayPropagator(backbone=backbone, **TINY) for _ in range(2))
    sharing.share(detector)
    calls: list[int] = []
    look = detector.features.look

    def counted(frame):
        calls.append(1)
        return look(frame)

    detector.features.look = counted
    frames = [noise(seed) for seed in range(3)]
    detector.detect(frames[0])
    for model in (alone, sharing):
        model.anchor(frames[0], BOXES)
    assert len(calls) == 1
    for frame in frames[1:]:
        ours, theirs = alone.propagate(frame), sharing.propagate(frame)
        assert ours.boxes.tobytes() == theirs.boxes.tobytes()
        assert ours.belief.tobytes() == theirs.belief.tobytes()
    assert len(calls) == 3
    assert [part.name for part in alone.work()["anchor"]] == ["backbone"]
    assert not sharing.work()["anchor"]
    assert [part.name for part in sharing.work()["propagate"]] == ["backbone", "tracker"]


def test_another_backbone_or_width_is_not_shared() -> None:
    model = PlugPlayPropagator(**TINY)
    for other in (
        FasterRcnn(backbone="x101", **TINY),
        FasterRcnn(**(TINY | {"width": 1 / 8})),
        object(),
    ):
        model.share(other)
        assert not model.shared


def test_the_engine_shares() -> None:
    small = "[width=0.0625,short_px=64,classes=3]"
    found = compose(plan(f"frcnn-hrnet{small}+plugplay{small}@fixed:3"), lambda part, name: None)
    detector, propagator = found.stepper.parts()
    assert isinstance(propagator, Propagator)
    assert isinstance(propagator, Sharing)
    assert vars(propagator)["features"] is detector.features
    found.stepper.start(noise(), np.full(4, np.nan))
    key = found.stepper.key(noise(0))
    inter = found.stepper.inter(noise(1))
    assert inter.boxes.shape == key.boxes.shape
    assert ((inter.belief >= 0) & (inter.belief <= 1)).all()


def test_video_detector_answers_every_frame_unless_told_otherwise() -> None:
    small = "[width=0.0625,short_px=64,classes=3]"
    assert plan(f"plugplay-hrnet{small}").policy.interval_max == 1
    assert plan(f"plugplay-hrnet{small}@fixed:4").policy.interval_max == 4


def test_shared_networks_are_counted_once() -> None:
    small = "[width=0.0625,short_px=64,classes=3]"
    alone, both, video = (
        parameters_m(compose(plan(text), lambda part, name: None).stepper)
        for text in (
            f"frcnn-hrnet{small}",
            f"frcnn-hrnet{small}+plugplay{small}",
            f"plugplay-hrnet{small}",
        )
    )
    head = PlugPlayPropagator(**TINY).head
    tracker = sum(p.numel() for p in head.parameters()) / 1e6
    assert both == pytest.approx(alone + tracker)
    assert video == pytest.approx(both)
