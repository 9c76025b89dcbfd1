"""NanoTrack V1 with VOT restarts gives the boxes that its author published on VOT2018."""

import json

import numpy as np
import pytest

from vbench.core.frames import read_image
from vbench.core.roles import Weights
from vbench.trackers.nanotrack import NanoTrack

SKIP = 5


def nanotrack_weights(folder, version):
    names = {
        "v1": ("nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx"),
        "v3": ("nanotrack_backbone.onnx", "nanotrack_head.onnx"),
    }[version]
    place = folder / "weights" / "nanotrack" / f"nanotrack{version}"
    return Weights(f"nanotrack-{version}", {name: place / name for name in names}, "")


def box_of(polygon):
    """pysot's box of a polygon: same centre and area, shape of its bounding box, one px larger."""
    x, y = polygon[0::2], polygon[1::2]
    width, height = np.ptp(x), np.ptp(y)
    first, second = polygon[2:4] - polygon[0:2], polygon[4:6] - polygon[2:4]
    scale = np.sqrt(np.linalg.norm(first) * np.linalg.norm(second) / (width * height))
    w, h = scale * width + 1, scale * height + 1
    return np.array([x.mean() - (w - 1) / 2, y.mean() - (h - 1) / 2, w, h])


def overlaps(box, polygon, size):
    """Whether box and polygon share a pixel of the frame (the VOT toolkit's raster)."""
    import cv2

    x, y, w, h = box
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    masks = []
    for points in (corners, polygon.reshape(-1, 2)):
        mask = np.zeros((size[1], size[0]), dtype=np.uint8)
        cv2.fillPoly(mask, [np.floor(points + 0.5).astype(np.int32)], 1)
        masks.append(mask)
    return bool((masks[0] & masks[1]).any())


def run_with_restarts(tracker, frames, polygons):
    """Lines as in a VOT result file: 1 start, 2 failure, 0 skipped, or a box."""
    lines, start = [], 0
    for index, (frame, polygon) in enumerate(zip(frames, polygons, strict=True)):
        if index < start:
            lines.append(0)
        elif index == start:
            tracker.start(frame, box_of(polygon))
            lines.append(1)
        else:
            box = tracker.track(frame).box
            if overlaps(box, polygon, frame.shape[1::-1]):
                lines.append(box)
            else:
                lines.append(2)
                start = index + SKIP
    return lines


@pytest.fixture(scope="module", params=["ball1", "book"])
def sequence(request, real_data):
    name = request.param
    annotation = json.loads((real_data / "annotations/vot2018/VOT2018.json").read_text())[name]
    folder = real_data / "sequences/vot2018" / name / "color"
    frames = [read_image(path) for path in sorted(folder.glob("*.jpg"))]
    text = (real_data / f"results/vot2018/NanoTrack/baseline/{name}/{name}_001.txt").read_text()
    published = [[float(v) for v in line.split(",")] for line in text.split()]
    return frames, np.array(annotation["gt_rect"]), published


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_published_boxes_come_out(sequence, real_data, backend):
    frames, polygons, published = sequence
    tracker = NanoTrack("v1", backend, nanotrack_weights(real_data, "v1"))
    lines = run_with_restarts(tracker, frames, polygons)
    assert len(lines) == len(published) == len(frames)
    worst = 0.0
    for ours, theirs in zip(lines, published, strict=True):
        if len(theirs) == 1:
            assert ours == theirs[0]
        else:
            worst = max(worst, np.abs(ours - theirs).max())
    assert worst < 1e-3  # the files keep four decimals; a GPU wrote them


def test_version_3_gives_the_same_boxes_in_torch_and_in_onnxruntime(sequence, real_data):
    frames, polygons, _ = sequence
    weights = nanotrack_weights(real_data, "v3")
    answers = []
    for backend in ("torch", "onnx"):
        tracker = NanoTrack("v3", backend, weights)
        tracker.start(frames[0], box_of(polygons[0]))
        answers.append([tracker.track(frame) for frame in frames[1:15]])
    for ours, theirs in zip(*answers, strict=True):
        assert ours.box == pytest.approx(theirs.box, abs=1e-3)
        assert ours.score == pytest.approx(theirs.score, abs=1e-4)
