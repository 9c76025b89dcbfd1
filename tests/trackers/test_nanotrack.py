"""NanoTrack's decoding against its equations, and how it behaves as a tracker."""

import numpy as np
import pytest
import torch

from vbench.core.errors import NotReady
from vbench.core.roles import Reseatable, Tracker, Weights
from vbench.nn.crop import crops_by_opencv, mean_colour
from vbench.trackers.nanotrack import NanoTrack, published
from vbench.trackers.nanotrack_network import HeadV1, HeadV3, MobileNet

RNG = np.random.default_rng(11)
FRAMES = [RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(3)]
LR = {"v1": 0.390, "v3": 0.348}
PENALTY = {"v1": 0.148, "v3": 0.138}
WINDOW = {"v1": 0.462, "v3": 0.455}


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_boxes_of_the_straight_line(version):
    box = np.array([40.0, 30.0, 25.0, 18.0])
    tracker = NanoTrack(version, seed=4)
    tracker.start(FRAMES[0], box)
    fill = mean_colour(FRAMES[0], "down")

    def features(frame, centre, side, size):
        side = round(side)
        left, top = (int(np.floor(c - (side + 1) / 2 + 0.5)) for c in centre)
        crop = crops_by_opencv(frame, np.array([[left, top, side]]), size, fill)[0]
        bgr = np.ascontiguousarray(crop[:, :, ::-1].transpose(2, 0, 1)[None])
        return tracker.network.backbone(torch.from_numpy(bgr).float())

    w, h = box[2:]
    centre = np.array([40 + 24 / 2, 30 + 17 / 2])
    n = 16 if version == "v1" else 15
    with torch.inference_mode():
        z = features(FRAMES[0], centre, np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2)), 127)
        for frame in FRAMES[1:]:
            side = np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))
            x = features(frame, centre, side * 255 / 127, 255)
            logits, reach = (t[0].double().numpy() for t in tracker.network.head(z, x))
            best, best_score = None, -1.0
            for row in range(n):
                for column in range(n):
                    off, on = np.exp(logits[:, row, column])
                    left, top, right, bottom = reach[:, row, column]
                    px, py = (column - n // 2) * 16, (row - n // 2) * 16
                    pw, ph = left + right, top + bottom

                    def square(a, b):
                        return np.sqrt((a + (a + b) / 2) * (b + (a + b) / 2))

                    scale = square(pw, ph) / square(w * 127 / side, h * 127 / side)
                    ratio = (w / h) / (pw / ph)
                    change = max(scale, 1 / scale) * max(ratio, 1 / ratio)
                    penalty = np.exp(-(change - 1) * PENALTY[version])
                    raw = on / (on + off)
                    hann = np.hanning(n)[row] * np.hanning(n)[column]
                    share = WINDOW[version]
                    score = raw * penalty * (1 - share) + hann * share
                    if score > best_score:
                        middle = (px + (right - left) / 2, py + (bottom - top) / 2)
                        best_score, best = score, (middle, pw, ph, penalty * raw, raw)
            assert best is not None
            middle, pw, ph, trust, raw = best
            rate = trust * LR[version]
            centre = np.clip(centre + np.array(middle) * side / 127, 0, (120, 90))
            w = np.clip(w * (1 - rate) + pw * side / 127 * rate, 10, 120)
            h = np.clip(h * (1 - rate) + ph * side / 127 * rate, 10, 90)
            answer = tracker.track(frame)
            assert answer.box == pytest.approx(
                [centre[0] - w / 2, centre[1] - h / 2, w, h], abs=1e-6
            )
            assert answer.score == pytest.approx(raw, abs=1e-6)


def test_reseat_moves_the_search_and_not_the_template():
    tracker = NanoTrack("v1")
    tracker.start(FRAMES[0], np.array([40.0, 30, 25, 18]))
    template = tracker.template.clone()
    tracker.reseat(np.array([60.0, 10, 30, 20]))
    assert tracker.centre.tolist() == [75, 20]
    assert tracker.size.tolist() == [30, 20]
    assert torch.equal(tracker.template, template)
    # Reseating at its own answer changes nothing.
    answer = tracker.track(FRAMES[1])
    centre = tracker.centre.copy()
    tracker.reseat(answer.box)
    assert tracker.centre == pytest.approx(centre)


@pytest.mark.parametrize(
    "box",
    [[60, 40, 1, 1], [-15, -10, 30, 30], [110, 80, 40, 40], [0, 0, 120, 90], [70, 50, 0.2, 3]],
    ids=["one pixel", "cut at top left", "cut at bottom right", "whole frame", "less than a pixel"],
)
def test_any_box_gives_finite_answers_and_a_fresh_start(box):
    grey = [np.repeat(f[..., :1], 3, axis=2) for f in FRAMES]
    before = [f.copy() for f in grey]
    tracker = NanoTrack("v1", seed=2)

    def run():
        tracker.start(grey[0], np.array(box, dtype=float))
        return [tracker.track(frame) for frame in grey[1:]]

    first, second = run(), run()
    assert all(np.isfinite(e.box).all() and 0 <= e.score <= 1 for e in first)
    assert all(np.array_equal(a.box, b.box) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(grey, before, strict=True))


@pytest.mark.parametrize(("head", "blocks", "width"), [(HeadV1, 8, 48), (HeadV3, 9, 96)])
def test_shapes(head, blocks, width):
    with torch.device("meta"):
        backbone, top = MobileNet(blocks), head()
    template = backbone(torch.empty(2, 3, 127, 127, device="meta"))
    search = backbone(torch.empty(2, 3, 255, 255, device="meta"))
    assert template.shape == (2, width, 8, 8)
    assert search.shape == (2, width, 16, 16)
    side = 16 if head is HeadV1 else 15
    scores, distances = top(template, search)
    assert scores.shape == (2, 2, side, side)
    assert distances.shape == (2, 4, side, side)


def test_onnx_wants_the_published_files(tmp_path):
    with pytest.raises(NotReady, match="runs the published files"):
        NanoTrack("v1", "onnx")
    lone = Weights("nanotrack-v1", {"nanotrack_head_sim.onnx": tmp_path / "x"}, "")
    with pytest.raises(NotReady, match="one of the head, not nanotrack_head_sim"):
        published(lone)


def test_work_and_roles():
    tracker = NanoTrack("v3")
    work = tracker.work()
    assert isinstance(tracker, Tracker)
    assert isinstance(tracker, Reseatable)
    assert [part.name for part in work["track"]] == ["backbone", "head"]
    assert [tuple(i.shape) for i in work["track"][1].inputs] == [(1, 96, 8, 8), (1, 96, 16, 16)]
    assert work["start"][0].inputs[0].shape == (1, 3, 127, 127)
    for part in (*work["start"], *work["track"]):
        part.module(*part.inputs)
