"""DCFNet against a straight-line statement of its equations, and on a real sequence."""

import cv2
import numpy as np
import pytest
import torch

from vbench.core.boxes import centre_distances, iou
from vbench.core.errors import VBenchError
from vbench.core.frames import read_image
from vbench.core.roles import Reseatable, Tracker, Weights
from vbench.trackers.dcfnet import ChannelNorm, DCFNet, gaussian_label

RNG = np.random.default_rng(21)
FRAMES = [
    cv2.GaussianBlur(RNG.integers(0, 256, (100, 130, 3), dtype=np.uint8), (0, 0), 2)
    for _ in range(4)
]
BOX = np.array([40.0, 30.0, 26.0, 20.0])


def upstream_state():
    """Random tensors under the names and shapes of param.pth."""
    draw = torch.Generator().manual_seed(5)
    kernels, bias = {"0.weight": (32, 3, 3, 3), "2.weight": (32, 32, 3, 3)}, (32,)
    shapes = {**kernels, "0.bias": bias, "2.bias": bias}
    return {f"feature.{k}": torch.randn(v, generator=draw) * 0.05 for k, v in shapes.items()}


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "param.pth"
    torch.save(upstream_state(), path)
    return Weights("dcfnet", {"param.pth": path}, "")


def test_label_is_one_at_the_origin_and_wraps():
    label = gaussian_label()
    sigma = 125 / 3 * 0.1
    assert label[0, 0] == 1
    assert label[3, 4] == pytest.approx(np.exp(-25 / (2 * sigma**2)))
    assert label[-3, 4] == label[3, -4] == label[3, 4]


def test_channel_norm_is_torch_s():
    features = torch.randn(2, 32, 9, 7) * 50
    theirs = torch.nn.functional.local_response_norm(features, 5, alpha=1e-4, beta=0.75, k=1.0)
    assert torch.allclose(ChannelNorm()(features), theirs, rtol=1e-5, atol=1e-5)


def features_by_hand(state, frame, centre, size):
    scale = 124 / (3 * size)
    left_top = centre - 1.5 * size
    warp = np.column_stack([np.diag(scale), -scale * left_top])
    crop = cv2.warpAffine(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), warp, (125, 125))
    planes = torch.from_numpy(crop.astype(np.float32) - np.array([104, 117, 123], dtype=np.float32))
    planes = planes.permute(2, 0, 1)[None].contiguous()
    for layer in (0, 2):
        kernel, bias = state[f"feature.{layer}.weight"], state[f"feature.{layer}.bias"]
        planes = torch.conv2d(planes, kernel, bias, padding=1)
        planes = torch.relu(planes) if layer == 0 else planes
    planes = torch.nn.functional.local_response_norm(planes, 5, alpha=1e-4, beta=0.75, k=1.0)
    window = np.outer(np.hanning(125), np.hanning(125))
    return np.fft.fft2(planes[0].numpy().astype(np.float64) * window)


def straight_line(state, frames, box):
    """Boxes and peaks by DCFNet's equations with whole spectra in double precision."""
    size, centre = box[2:].copy(), box[:2] + box[2:] / 2
    low, high = np.maximum(0.2 * size, 4), np.minimum([130, 100], 5 * size)

    def learn(frame):
        spectrum = features_by_hand(state, frame, centre, size)
        return spectrum, np.fft.fft2(gaussian_label()) / ((abs(spectrum) ** 2).sum(axis=0) + 1e-4)

    template, alpha = learn(frames[0])
    answers = []
    for frame in frames[1:]:
        best: tuple = (-np.inf,)
        for factor, discount in zip((1 / 1.0275, 1.0, 1.0275), (0.9925, 1.0, 0.9925), strict=True):
            spectrum = features_by_hand(state, frame, centre, size * factor)
            kernel = (spectrum * template.conj()).sum(axis=0)
            response = np.fft.ifft2(kernel * alpha).real
            if response.max() * discount > best[0]:
                best = (response.max() * discount, factor, response)
        y, x = np.unravel_index(best[2].argmax(), (125, 125))
        shift = np.array([x - 125 * (x > 62.5), y - 125 * (y > 62.5)])
        centre = centre + shift * 3 * size * best[1] / 125
        size = np.minimum(np.maximum(size * best[1], low), high)
        newest = learn(frame)
        template = 0.99 * template + 0.01 * newest[0]
        alpha = 0.99 * alpha + 0.01 * newest[1]
        answers.append([*(centre - size / 2), *size, best[0]])
    return np.array(answers)


def test_boxes_of_the_straight_line(weights):
    tracker = DCFNet(weights)
    tracker.start(FRAMES[0], BOX)
    estimates = [tracker.track(frame) for frame in FRAMES[1:]]
    expected = straight_line(upstream_state(), FRAMES, BOX)
    assert np.allclose([e.box for e in estimates], expected[:, :4], atol=1e-6)
    assert np.allclose([e.score for e in estimates], expected[:, 4], rtol=1e-3)


def test_the_first_frame_answers_its_label(weights):
    tracker = DCFNet(weights)
    tracker.start(FRAMES[0], BOX)
    again = tracker.track(FRAMES[0])
    assert np.allclose(again.box, BOX)
    assert again.score == pytest.approx(1, abs=0.01)


def test_keys_of_the_reference_s_training_and_of_other_networks(tmp_path):
    path = tmp_path / "trained.pth"
    state = {f"module.feature.{k}": v for k, v in upstream_state().items()}
    torch.save({"state_dict": state}, path)
    network = DCFNet(Weights("dcfnet", {path.name: path}, "")).network
    assert torch.equal(network.feature[2].bias, upstream_state()["feature.2.bias"])
    torch.save({"feature.0.weight": torch.zeros(32, 3, 3, 3)}, path)
    with pytest.raises(VBenchError, match=r"trained\.pth .*missing feature\.0\.bias"):
        DCFNet(Weights("dcfnet", {path.name: path}, ""))


def test_reseat_moves_the_search_and_not_the_filter():
    tracker = DCFNet()
    tracker.start(FRAMES[0], BOX)
    template, alpha = tracker.template.clone(), tracker.filter.clone()
    tracker.reseat(np.array([10.0, 20, 30, 40]))
    assert tracker.centre.tolist() == [25, 40]
    assert tracker.size.tolist() == [30, 40]
    assert torch.equal(tracker.template, template)
    assert torch.equal(tracker.filter, alpha)


@pytest.mark.parametrize(
    "box",
    [[60, 40, 1, 1], [-15, -10, 30, 30], [120, 90, 40, 40], [0, 0, 130, 100], [70, 50, 0.2, 3]],
    ids=["one pixel", "cut at top left", "cut at bottom right", "whole frame", "less than a pixel"],
)
def test_any_box_gives_finite_answers_and_a_fresh_start(box):
    grey = [np.repeat(f[..., :1], 3, axis=2) for f in FRAMES]
    before = [f.copy() for f in grey]
    tracker = DCFNet(seed=2)

    def run():
        tracker.start(grey[0], np.array(box, dtype=float))
        return [tracker.track(frame) for frame in grey[1:]]

    first, second = run(), run()
    assert all(np.isfinite([*e.box, e.score]).all() for e in first)
    assert all(np.array_equal(a.box, b.box) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(grey, before, strict=True))


def test_work_and_roles():
    tracker = DCFNet()
    work = tracker.work()
    assert isinstance(DCFNet(), Tracker)
    assert isinstance(DCFNet(), Reseatable)
    crops = []
    hook = tracker.network.register_forward_hook(
        lambda _module, inputs, _output: crops.append(len(inputs[0]))
    )
    tracker.start(FRAMES[0], BOX)
    assert sum(crops) == work["start"][0].times == 1
    tracker.track(FRAMES[1])
    hook.remove()
    assert sum(crops[1:]) == work["track"][0].times == 4
    assert work["track"][0].inputs[0].shape == (1, 3, 125, 125)


def test_published_weights_follow_the_walker_of_crossing(real_data):
    folder = real_data / "sequences/otb/Crossing"
    truth = np.loadtxt(folder / "groundtruth_rect.txt", delimiter="\t") - [1, 1, 0, 0]
    frames = [read_image(path) for path in sorted((folder / "img").glob("*.jpg"))]
    path = real_data / "weights/dcfnet/param.pth"
    tracker = DCFNet(Weights("dcfnet", {path.name: path}, ""))
    tracker.start(frames[0], truth[0])
    boxes = np.array([tracker.track(frame).box for frame in frames[1:]])
    # OTB's own bars: within 20 px everywhere, overlap above one half on average.
    assert (centre_distances(boxes, truth[1:]) <= 20).all()
    assert iou(boxes, truth[1:]).mean() > 0.5
