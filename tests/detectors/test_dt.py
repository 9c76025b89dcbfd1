import numpy as np
import pytest
import torch

from vbench.core.roles import Detections, VideoDetector
from vbench.cost.conventions import paper_count
from vbench.detectors.dt import DetectAndTrack, linked, rescored
from vbench.nn.rfcn import RfcnTrunk

TINY = {"width": 0.125, "short_px": 64}


def frame(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (64, 80, 3), dtype=np.uint8)


def seen(boxes, scores, labels=None):
    labels = np.zeros(len(boxes), np.int64) if labels is None else np.array(labels)
    return Detections(np.array(boxes, dtype=float), np.array(scores), labels)


def test_stages_end_where_the_trunk_does():
    trunk = RfcnTrunk(0.125, "1x1").eval()
    images = torch.randn(1, 3, 64, 80)
    with torch.no_grad():
        stages = trunk.resnet.stages(images)
        assert [tuple(s.shape[1:]) for s in stages] == [(64, 8, 10), (128, 4, 5), (256, 4, 5)]
        assert torch.equal(trunk.raised(stages[-1]), trunk(images))


def test_tracks_go_where_the_tracked_box_meets_its_class():
    before = seen([[0, 0, 10, 10], [40, 0, 10, 10], [80, 0, 10, 10]], [0.9, 0.8, 0.7], [0, 1, 0])
    moved = np.array([[5.0, 0, 10, 10], [45, 0, 10, 10], [85, 0, 10, 10]])
    now = seen([[6, 0, 10, 10], [46, 0, 10, 10], [95, 0, 10, 10]], [0.5, 0.4, 0.3])
    histories = [np.array([0.2, 0.9]), np.array([0.8]), np.array([0.7])]
    tracks = linked(now, before, histories, moved)
    # The second is of another class, the third too far from where it was tracked to.
    assert [t.tolist() for t in tracks] == [[0.2, 0.9, 0.5], [0.4], [0.3]]


def test_a_box_continues_one_track_the_stronger_one():
    before = seen([[0, 0, 10, 10], [20, 0, 10, 10]], [0.3, 0.6])
    moved = np.array([[50.0, 0, 10, 10], [51, 0, 10, 10]])
    now = seen([[50, 0, 10, 10]], [0.5])
    tracks = linked(now, before, [np.array([0.3]), np.array([0.6])], moved)
    assert [t.tolist() for t in tracks] == [[0.6, 0.5]]


@pytest.mark.parametrize(
    ("history", "score"), [([0.4], 0.4), ([0.8, 0.4], 0.6), ([0.1, 0.9, 0.2], (0.2 + 0.55) / 2)]
)
def test_a_weak_detection_gains_from_the_upper_half_of_its_track(history, score):
    assert rescored(np.array(history)) == pytest.approx(score)


def test_it_answers_frame_by_frame_and_repeats():
    answers = []
    for _ in range(2):
        detector = DetectAndTrack(**TINY)
        detector.start((80, 64))
        first = detector.key(frame(0))
        answers.append(detector.key(frame(0)))
        assert len(detector.moved) == len(first.boxes)
        assert np.isfinite(detector.moved).all()
    assert isinstance(detector, VideoDetector)
    assert answers[0].scores.tobytes() == answers[1].scores.tobytes()
    assert ((answers[0].scores >= 0) & (answers[0].scores <= 1)).all()


def test_boxes_without_moves_stay():
    detector = DetectAndTrack(**TINY)
    torch.nn.init.zeros_(detector.network.track.rfcn_track.weight)
    detector.start((80, 64))
    first = detector.key(frame(0))
    detector.key(frame(1))
    assert np.sort(detector.moved, axis=0) == pytest.approx(np.sort(first.boxes, axis=0), abs=1e-4)


def test_its_cost_is_that_of_rfcn_correlations_and_moves():
    with torch.device("meta"):
        works = DetectAndTrack(device="meta").work()["key"]
    cells, window = 38 * 63, 17 * 17
    more = cells * window * (512 + 1024 + 2048) + cells * (3 * window + 2 * 392) * 392
    assert paper_count(works).macs / 1e9 == pytest.approx(166.42 + more / 1e9, abs=0.01)
