"""The authors' checkpoint on OTB Crossing: boxes of their own code, RalphMao/PatchNet on a CPU."""

from pathlib import Path

import numpy as np
import pytest

from vbench import catalogue
from vbench.core.boxes import iou, to_corners
from vbench.core.frames import read_image
from vbench.core.roles import Weights

# Frame (1-based) -> x1 y1 x2 y2, and IoU with the ground truth; template of frame 1, chained.
PUBLISHED = {
    2: ((201.8647, 149.5381, 218.7971, 199.8006), 0.853),
    3: ((201.8078, 149.0589, 218.6870, 199.6429), 0.840),
    4: ((199.6618, 148.6778, 216.4849, 199.5113), 0.823),
    5: ((199.6064, 148.4070, 216.3642, 199.3860), 0.689),
}


@pytest.fixture(scope="module")
def crossing(real_data: Path) -> tuple[list, np.ndarray]:
    """Frames 1 to 11 and their boxes."""
    folder = real_data / "sequences/otb/Crossing"
    frames = [read_image(folder / f"img/{number:04d}.jpg") for number in range(1, 12)]
    truth = np.loadtxt(folder / "groundtruth_rect.txt")[:11] - [1, 1, 0, 0]
    return frames, truth


@pytest.fixture(scope="module")
def weights(real_data: Path) -> Weights:
    path = real_data / "weights/patchnet/patchnet.pth"
    return Weights("patchnet", {"patchnet.pth": path}, "")


def answers(name: str, crossing, weights, **given: str):
    frames, truth = crossing
    propagator = catalogue.build("propagators", name, given, weights=weights)
    propagator.anchor(frames[0], truth[:1])
    found = [propagator.propagate(frame) for frame in frames[1:]]
    return np.concatenate([f.boxes for f in found]), np.concatenate([f.belief for f in found])


@pytest.mark.parametrize("name", ["patchnet", "patchnet-g"])
@pytest.mark.parametrize("dense", ["false", "true"])
def test_boxes_of_the_authors_code(name: str, dense: str, crossing, weights) -> None:
    boxes, belief = answers(name, crossing, weights, dense=dense)
    overlaps = iou(boxes, crossing[1][1:])
    for frame, (corners, overlap) in PUBLISHED.items():
        np.testing.assert_allclose(to_corners(boxes)[frame - 2], corners, atol=0.05)
        assert overlaps[frame - 2] == pytest.approx(overlap, abs=5e-4)
    assert overlaps.mean() == pytest.approx(0.7907, abs=1e-4)
    np.testing.assert_allclose(belief[:4], 1.0, atol=1e-6)


def test_aligned_corners_of_the_authors_code(crossing, weights) -> None:
    boxes, _ = answers("patchnet", crossing, weights, align_corners="true")
    assert iou(boxes, crossing[1][1:]).mean() == pytest.approx(0.7893, abs=1e-4)


def test_grouped_layers_answer_exactly_what_dense_ones_do(crossing, weights) -> None:
    plain, grouped = (
        answers(n, crossing, weights, dense="true") for n in ("patchnet", "patchnet-g")
    )
    assert np.array_equal(plain[0], grouped[0])
    assert np.array_equal(plain[1], grouped[1])
