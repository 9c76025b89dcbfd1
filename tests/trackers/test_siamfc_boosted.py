"""Fusion of SiamFC's and PatchNet's responses."""

import cv2
import numpy as np
import pytest
import torch

from vbench.core.roles import Reseatable, Tracker, Weights
from vbench.trackers.patchnet import PatchNet
from vbench.trackers.siamfc import SiamFC, read_peaks
from vbench.trackers.siamfc_boosted import SiamFCBoosted, split_files

RNG = np.random.default_rng(31)
GROUND = cv2.resize(RNG.integers(0, 256, (20, 26, 3), dtype=np.uint8), (130, 100))
FRAMES = [np.roll(GROUND, (2 * i, 3 * i), axis=(0, 1)) for i in range(3)]
BOX = np.array([40.0, 30.0, 28.0, 22.0])


def test_without_weight_it_is_siamfc():
    boosted, plain = SiamFCBoosted(factor=0.0), SiamFC()
    for tracker in (boosted, plain):
        tracker.start(FRAMES[0], BOX)
    for frame in FRAMES[1:]:
        assert np.array_equal(boosted.track(frame).box, plain.track(frame).box)


def test_maps_are_enlarged_and_added_at_every_scale():
    boosted, siamfc, patchnet = SiamFCBoosted(factor=0.3), SiamFC(), PatchNet()
    boosted.start(FRAMES[0], BOX)
    siamfc.start(FRAMES[0], BOX)
    patchnet.anchor(FRAMES[0], BOX[None])
    x, y, w, h = BOX
    (small,), _ = patchnet.responses(FRAMES[1], np.array([[x, y, x + w, y + h]]))
    assert small.shape == (7, 7)
    own = siamfc.matcher.responses(FRAMES[1])[0]
    cubic = cv2.INTER_CUBIC
    added = cv2.resize(small, (272, 272), interpolation=cubic) * 0.3
    maps = np.stack([cv2.resize(m, (272, 272), interpolation=cubic) + added for m in own])
    scale, place, peak = read_peaks(maps[None])
    factor = 1.0375 ** (scale[0] - 1.0)
    side = np.sqrt((w + (w + h) / 2) * (h + (w + h) / 2))
    size = np.array([w, h]) * (0.41 + 0.59 * factor)
    centre = np.array([x + (w - 1) / 2, y + (h - 1) / 2]) + place[0] * side * factor / 127
    answer = boosted.track(FRAMES[1])
    assert answer.box == pytest.approx([*(centre - (size - 1) / 2), *size], abs=1e-3)
    assert answer.score == pytest.approx(1 / (1 + np.exp(-float(peak[0]))), abs=1e-4)


def test_files_are_told_apart(tmp_path):
    files = {"patchnet.pth": tmp_path / "a", "siamfc_alexnet_e50.pth": tmp_path / "b"}
    siamfc, patchnet = split_files(Weights("siamfc-boosted", files, ""))
    assert siamfc is not None
    assert patchnet is not None
    assert list(siamfc.files) == ["siamfc_alexnet_e50.pth"]
    assert list(patchnet.files) == ["patchnet.pth"]
    assert split_files(None) == (None, None)


def test_published_patchnet_loads(real_data):
    path = real_data / "weights/patchnet/patchnet.pth"
    tracker = SiamFCBoosted(weights=Weights("siamfc-boosted", {"patchnet.pth": path}, ""))
    state = torch.load(path, map_location="cpu", weights_only=True)
    assert torch.equal(tracker.patches.network.pool2.alpha, state["pool2.alpha"])


def test_work_and_roles():
    tracker = SiamFCBoosted()
    work = tracker.work()
    assert [part.name for part in work["start"]] == ["exemplar", "kernels"]
    assert [part.name for part in work["track"]] == ["backbone", "correlation", "match"]
    assert not any(part.per_object for parts in work.values() for part in parts)
    assert isinstance(tracker, Tracker)
    assert isinstance(tracker, Reseatable)
    tracker.start(FRAMES[0], BOX)
    place = tracker.reseat(np.array([10, 20, 28, 22.0]))
    assert place == pytest.approx([10.5, 20.5, 28, 22])


def test_start_forgets():
    tracker = SiamFCBoosted(factor=0.2)

    def run():
        tracker.start(FRAMES[0], BOX)
        return [tracker.track(frame).box for frame in FRAMES[1:]]

    assert np.array_equal(run(), run())
