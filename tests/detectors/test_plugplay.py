import gc
import weakref

import numpy as np
import pytest
import torch

from vbench.core.clip import Clip
from vbench.core.policy import Every
from vbench.core.roles import VideoDetector, Weights
from vbench.core.trace import Kind
from vbench.cost.conventions import paper_count
from vbench.cost.macs import count
from vbench.cost.unit_costs import unit_costs
from vbench.detectors import plugplay
from vbench.detectors.plugplay import PlugPlay, believed, newcomers
from vbench.detectors.seq_nms import SeqTrackNms
from vbench.run.loop import run_clip
from vbench.run.stepper import VideoDetectorStepper

TINY = {"width": 1 / 16, "short_px": 64, "classes": 3}
SIZE = (128, 64)


def boxes(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def noise(seed=0, height=64, width=128):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# 10 x 10 px; SHIFT.. overlap A by 10 - d columns: IoU (10 - d) / (10 + d).
A = [0.0, 0, 10, 10]
A_BY_1 = [1.0, 0, 11, 10]  # 9 / 11
A_BY_4 = [4.0, 0, 14, 10]  # 6 / 14
B = [50.0, 20, 60, 30]
B_BY_2 = [52.0, 20, 62, 30]  # 8 / 12
C = [90.0, 40, 100, 50]


class TestFollowedBoxes:
    def test_poor_fits_go_and_better_ones_take_their_place(self) -> None:
        given = boxes(A, A_BY_1, B, C)
        kept, rows = believed(given, torch.tensor([0.6, 0.9, 0.5, 0.8]), 0.5, 0.7)
        # 0.5 is not above 0.5; A overlaps the better A_BY_1 by 0.82 > 0.7. Best first.
        assert rows.tolist() == [1, 3]
        assert kept.tolist() == [A_BY_1, C]

    def test_overlaps_up_to_the_threshold_stay(self) -> None:
        _, rows = believed(boxes(A, A_BY_4), torch.tensor([0.6, 0.9]), 0.5, 6 / 14)
        assert rows.tolist() == [1, 0]


class TestMerging:
    def test_followed_boxes_stand_for_detections_however_sure(self) -> None:
        found = newcomers(boxes(A, C), torch.tensor([1.0, 0.2]), boxes(A_BY_1), 0.7)
        assert found.tolist() == [C]

    @pytest.mark.parametrize(("merge", "left"), [(0.3, [C]), (0.5, [A_BY_4, C])])
    def test_the_threshold_says_what_is_new(self, merge, left) -> None:
        given, scores = boxes(A_BY_4, C), torch.tensor([0.9, 0.4])
        assert newcomers(given, scores, boxes(A), merge).tolist() == left

    def test_better_detections_take_the_place_of_worse(self) -> None:
        found = newcomers(boxes(B, B_BY_2), torch.tensor([0.3, 0.8]), boxes(), 0.3)
        assert found.tolist() == [B_BY_2]

    def test_nothing_followed_and_nothing_found(self) -> None:
        assert newcomers(boxes(), torch.zeros(0), boxes(A), 0.7).shape == (0, 4)
        assert newcomers(boxes(A), torch.ones(1), boxes(), 0.7).tolist() == [A]


class Script:
    """What the network would say: detections of each frame, where boxes go, their scores."""

    def __init__(self, monkeypatch, **given) -> None:
        self.method = PlugPlay(**TINY, **given)
        self.method.start(SIZE)
        self.followed: list[list[list[float]]] = []
        monkeypatch.setattr(self.method.detector, "judged", lambda look: self.found)
        monkeypatch.setattr(self.method.detector, "scores_of", self._scores)
        monkeypatch.setattr(plugplay, "carried", self._carried)

    def _scores(self, look, corners):
        self.judged = corners.tolist()
        return torch.tensor([self.table[tuple(row)] for row in corners.tolist()]).reshape(-1, 3)

    def _carried(self, head, before, now, corners, stride, size):
        self.followed.append(corners.tolist())
        moved = [self.moves[tuple(row)] for row in corners.tolist()]
        return boxes(*(m[0] for m in moved)), torch.tensor([m[1] for m in moved])

    def key(self, detections, moves, table):
        """`detections`: box -> score of class 1 (of 3); the others get a little."""
        corners = boxes(*detections)
        scores = torch.tensor([[0.01, s, 0.02] for s in detections.values()]).reshape(-1, 3)
        self.found = corners[:, None].expand(-1, 3, -1), scores
        self.moves, self.table = moves, table
        return self.method.key(noise())


def sure(a=0.0, b=0.0, c=0.0):
    return [a, b, c]


def test_tracking_first_detection_step_by_step(monkeypatch) -> None:
    script = Script(monkeypatch)
    a, a1, b, b2, c = (tuple(x) for x in (A, A_BY_1, B, B_BY_2, C))
    first = script.key(
        {a: 0.9, b: 0.5, c: 0.03},
        {},
        {a: sure(b=0.8, c=0.1), b: sure(a=0.01)},
    )
    # C is not above 0.03. A answers with two classes, B with none but is followed all the same.
    assert script.judged == [A, B]
    assert first.labels.tolist() == [1, 2]
    assert first.scores.tolist() == pytest.approx([0.8, 0.1])
    assert first.boxes.tolist() == [[0.0, 0, 10, 10]] * 2
    assert script.method.predicted.shape == (0, 4)

    second = script.key(
        {a: 0.95, b2: 0.6, c: 0.4},
        {a: (A_BY_1, 0.9), b: (A_BY_4, 0.2)},
        {a1: sure(b=0.7), b2: sure(a=0.3, c=0.2), c: sure(b=0.9)},
    )
    # A went to A_BY_1, which stands for the surer detection A; B was lost, so B_BY_2 is new.
    assert script.followed == [[A, B]]
    assert script.judged == [B_BY_2, C, A_BY_1]
    assert second.labels.tolist() == [0, 2, 1, 1]
    assert second.boxes[-1].tolist() == [1.0, 0, 10, 10]
    # Both rows of the first answer were A.
    assert script.method.predicted.tolist() == [[1.0, 0, 10, 10]] * 2

    third = script.key(
        {}, {b2: (B, 0.8), c: (C, 0.7), a1: (A, 0.6)}, {b: sure(), c: sure(), a: sure()}
    )
    assert script.followed[1] == [B_BY_2, C, A_BY_1]
    assert len(third.boxes) == 0
    # Predictions are kept whether believed or not, a row of the last answer each.
    assert script.method.predicted[:, 0].tolist() == [50.0, 50, 90, 0]


def test_class_agnostic_suppression_comes_before_merging(monkeypatch) -> None:
    script = Script(monkeypatch)
    b, b2 = tuple(B), tuple(B_BY_2)
    script.key({b: 0.5, b2: 0.6}, {}, {b2: sure(a=0.5)})
    assert script.judged == [B_BY_2]


def test_frames_between_keys_keep_scores_and_skip_the_detector(monkeypatch) -> None:
    script = Script(monkeypatch)
    a, c = tuple(A), tuple(C)
    script.key({a: 0.9, c: 0.8}, {}, {a: sure(b=0.8), c: sure(c=0.6)})
    script.moves = {a: (A_BY_4, 0.6), c: (C, 0.9)}
    script.judged = None
    found = script.method.inter(noise(1))
    assert script.judged is None
    assert found.labels.tolist() == [2, 1]
    assert found.scores.tolist() == pytest.approx([0.6, 0.8])
    assert found.boxes[1].tolist() == [4.0, 0, 10, 10]
    script.moves = {c: (C, 0.4), tuple(A_BY_4): (A, 0.45)}
    assert len(script.method.inter(noise(2)).boxes) == 0


@pytest.fixture(scope="module", params=["hrnet", "x101"])
def method(request):
    return PlugPlay(backbone=request.param, **TINY, kept=0.1, proposals=40)


def test_clips_answer_alike_and_frames_stay(method) -> None:
    assert isinstance(method, VideoDetector)
    runs = []
    for _ in range(2):
        method.start(SIZE)
        frames = [noise(i) for i in range(3)]
        found = [method.key(f) for f in frames[:2]] + [method.inter(frames[2])]
        assert all((f == noise(i)).all() for i, f in enumerate(frames))
        runs.append([part.tobytes() for f in found for part in f])
        assert all(len(f.boxes) for f in found)
    assert runs[0] == runs[1]


def test_predictions_follow_the_last_answer(method) -> None:
    method.start(SIZE)
    last = method.key(noise(0))
    for seed in (1, 2):
        now = method.key(noise(seed))
        assert method.predicted.shape == last.boxes.shape
        assert np.isfinite(method.predicted).all()
        last = now


def test_only_the_last_map_is_kept(method) -> None:
    method.start(SIZE)
    maps = []
    for seed in range(4):
        method.key(noise(seed))
        maps.append(weakref.ref(method.memory.track_map))
    gc.collect()
    assert [m() is not None for m in maps] == [False, False, False, True]
    method.start(SIZE)
    gc.collect()
    assert maps[-1]() is None


def test_a_clip_begins_without_the_last_one(method) -> None:
    method.start(SIZE)
    first = method.key(noise(0))
    method.key(noise(1))
    method.start(SIZE)
    assert method.key(noise(0)).scores.tobytes() == first.scores.tobytes()


def test_a_frame_in_between_without_a_key_answers_nothing(method) -> None:
    method.start(SIZE)
    assert len(method.inter(noise()).boxes) == 0


def test_checkpoints_carry_the_tracker(tmp_path) -> None:
    source = PlugPlay(**TINY, seed=3, kept=0.1)
    state = dict(source.detector.network.state_dict())
    state |= {f"siameserpn_head.{k}": v for k, v in source.head.state_dict().items()}
    assert "siameserpn_head.rpn_module.rpn_feat.conv_search.1.running_mean" in state
    assert "siameserpn_head.rpn_module.rpn_feat.head.3.bias" in state
    assert "siameserpn_head.rpn_module.rpn_reg.weight" in state
    path = tmp_path / "plugplay.pth"
    torch.save({"meta": {}, "state_dict": state}, path)
    weights = Weights("plugplay-hrnet", {path.name: path}, "")
    loaded = PlugPlay(**TINY, seed=4, kept=0.1, weights=weights)
    for frame in (noise(0), noise(1)):
        for ours, theirs in zip(loaded.key(frame), source.key(frame), strict=True):
            assert ours.tobytes() == theirs.tobytes()
    assert loaded.predicted.tobytes() == source.predicted.tobytes()


def test_a_frame_in_between_costs_less_than_a_key() -> None:
    costs = unit_costs(PlugPlay(**TINY))
    assert costs.inter.per_call < costs.key.per_call
    # Answers are rows of a box and a class: what is followed and judged is counted by itself.
    assert costs.inter.per_object == costs.key.per_object == 0


@pytest.mark.parametrize(("backbone", "tracker"), [("hrnet", 92.8e6), ("x101", 128.9e6)])
def test_a_box_costs_what_was_measured_of_the_reference(backbone, tracker) -> None:
    with torch.device("meta"):
        works = PlugPlay(backbone=backbone, device="meta").work()
    assert paper_count(works["followed"]).macs_per_call == pytest.approx(tracker, abs=5e4)
    # 7 x 7 cells and two layers of 1024, 31 classes, 4 codes for each.
    channels = {"hrnet": 480, "x101": 256}[backbone]
    layers = channels * 49 * 1024 + 1024**2 + 1024 * (31 + 4 * 31)
    assert paper_count(works["judged"]).macs_per_call == layers
    assert paper_count(works["key"][1:]).macs_per_call == 300 * layers
    assert count(works["key"][1:]).macs_per_call == 300 * layers


def test_a_clip_costs_what_ran_however_many_rows_are_answered(monkeypatch) -> None:
    script = Script(monkeypatch)
    a, a1, b, c = (tuple(x) for x in (A, A_BY_1, B, C))
    every = sure(a=0.9, b=0.8, c=0.7)
    # Detections, where the boxes of the frame before went, and the scores of the merged boxes.
    frames = [
        ({a: 0.9, b: 0.5}, {}, {a: every, b: every}),
        ({c: 0.4}, {a: (A_BY_1, 0.9), b: (B, 0.2)}, {a1: every, c: sure()}),
        ({}, {a1: (A, 0.9), c: (C, 0.9)}, {a: every, c: every}),
        ({}, {a: (A, 0.1), c: (C, 0.1)}, {}),
        ({}, {}, {}),
    ]
    method = script.method
    key = method.key

    def scripted(frame):
        detections, script.moves, script.table = frames[frame[0, 0, 0]]
        corners = boxes(*detections)
        scores = torch.tensor([[0.01, s, 0.02] for s in detections.values()]).reshape(-1, 3)
        script.found = corners[:, None].expand(-1, 3, -1), scores
        return key(frame)

    monkeypatch.setattr(method, "key", scripted)
    clip = Clip("script", [np.full((64, 128, 3), i, np.uint8) for i in range(5)], known_size=SIZE)
    trace = run_clip(VideoDetectorStepper(method), Every(), clip, lambda: 0.0)
    assert trace.objects.tolist() == [6, 3, 6, 0, 0]
    assert trace.extras["followed"].tolist() == [0, 2, 2, 2, 0]
    assert trace.extras["judged"].tolist() == [2, 2, 2, 0, 0]
    costs = unit_costs(method)
    follow, judge = (costs.per_extra[name].per_call for name in ("followed", "judged"))
    found = costs.total(trace.kind, trace.objects, trace.extras, trace.carried)
    wanted = (
        costs.key.per_call + follow * np.array([0, 2, 2, 2, 0]) + judge * np.array([2, 2, 2, 0, 0])
    )
    assert found == pytest.approx(wanted, rel=1e-12)


def test_frames_between_keys_cost_what_they_follow(monkeypatch) -> None:
    script = Script(monkeypatch)
    a, b = tuple(A), tuple(B)
    script.key({a: 0.9, b: 0.8}, {}, {a: sure(a=0.9, b=0.9), b: sure(b=0.5)})
    assert script.method.spent == {"followed": 0, "judged": 2}
    script.moves = {a: (A, 0.9), b: (B, 0.1)}
    script.method.inter(noise(1))
    assert script.method.spent == {"followed": 2, "judged": 0}
    script.moves = {a: (A, 0.9)}
    script.method.inter(noise(2))
    assert script.method.spent == {"followed": 1, "judged": 0}


class Recording:
    """Seq-Track-NMS that keeps what it was told."""

    def apply(self, clip):
        raise AssertionError("nothing was followed")

    def apply_tracked(self, clip, predicted):
        self.told = [len(found.boxes) for found in clip], [len(boxes) for boxes in predicted]
        return SeqTrackNms().apply_tracked(clip, predicted)


def test_seq_track_nms_is_told_where_the_objects_of_each_frame_went() -> None:
    method, post = PlugPlay(**TINY, proposals=20, floor=0.2, kept=0.1), Recording()
    clip = Clip("noise", [noise(seed) for seed in range(5)], known_size=SIZE)
    trace = run_clip(VideoDetectorStepper(method, [post]), Every(), clip, lambda: 0.0)
    assert (trace.kind == Kind.KEY).all()
    answered, followed = post.told
    assert followed == answered[:4]
    assert trace.objects.sum() <= sum(answered)
