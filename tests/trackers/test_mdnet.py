import cv2
import numpy as np
import pytest
import torch
from scipy.io import savemat

from tests.contract.models import BOX, frame
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.cost.macs import count
from vbench.cost.unit_costs import unit_costs
from vbench.nn.roi_align import roi_align_adaptive, roi_align_max
from vbench.nn.vggm import NORMS
from vbench.trackers.fdn import FDN, image_scale
from vbench.trackers.mdnet import MDNet, patches_of
from vbench.trackers.rt_mdnet import RTMDNet, scene_of

SMALL = {"width": 1 / 16, "samples": 0.03}
TRACKERS = {
    "mdnet": (MDNet, {**SMALL, "candidates": 40}),
    "rt-mdnet": (RTMDNet, {**SMALL, "candidates": 40}),
    "fdn": (FDN, {**SMALL, "candidates": 40, "short_px": 256}),
}


@pytest.fixture(params=TRACKERS)
def made(request):
    kind, given = TRACKERS[request.param]

    def make(**more):
        return kind(**given | more)

    return make


def followed(tracker, shifts=(2.0, 4.0, 6.0)):
    tracker.start(frame(), BOX.copy())
    return [tracker.track(frame(shift)) for shift in shifts]


def test_equal_seeds_give_equal_answers_and_others_do_not(made) -> None:
    one, same, other = (followed(made(seed=seed)) for seed in (1, 1, 2))
    assert [e.box.tobytes() for e in one] == [e.box.tobytes() for e in same]
    assert [e.score for e in one] == [e.score for e in same]
    assert any((a.box != b.box).any() for a, b in zip(one, other, strict=True))


def test_the_global_random_numbers_are_left_alone(made) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    followed(made())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_every_frame_reports_its_learning(made) -> None:
    for estimate in followed(made()):
        iterations, loss = (estimate.extras[f"update_{k}"] for k in ("iterations", "loss"))
        assert iterations == int(iterations)
        assert (iterations > 0) == np.isfinite(loss)
        # Below 0 the target is lost, and the network learns at once.
        assert (estimate.score > 0) or iterations > 0


def test_reseating_moves_the_search_and_keeps_what_was_learnt(made) -> None:
    tracker = made()
    tracker.start(frame(), BOX.copy())
    before = [p.clone() for _, layer in tracker.network.connected() for p in layer.parameters()]
    place = np.array([20.0, 10, 50, 40])
    tracker.reseat(place.copy())
    after = [p for _, layer in tracker.network.connected() for p in layer.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    found = tracker.track(frame()).box
    # Candidates move by at most 0.6 of the mean side, and change their size by at most 5 %.
    assert np.abs(found[:2] + found[2:] / 2 - [45, 30]).max() <= 0.6 * 45 + 1
    assert found[2:] == pytest.approx([50, 40], rel=0.06)


def test_candidates_reach_further_after_each_failure(made, monkeypatch) -> None:
    tracker = made()
    tracker.start(frame(), BOX.copy())
    reach = [tracker.shift]
    monkeypatch.setattr(type(tracker), "_update", lambda self, score: type(self)._none)
    monkeypatch.setattr(
        type(tracker), "_none", type("N", (), {"iterations": 0, "loss": 0.0}), False
    )
    bias = tracker.network.branches[0][1].bias
    with torch.no_grad():
        bias[1] = -100
        for _ in range(12):
            tracker.track(frame())
            reach.append(tracker.shift)
    assert reach[0] == 0.6
    assert reach[-1] == tracker.recipe.widest
    assert reach == sorted(reach)
    with torch.no_grad():
        bias[1] = 100
    tracker.track(frame())
    assert tracker.shift == 0.6


def test_the_long_window_is_learnt_from_every_tenth_frame(made) -> None:
    tracker = made()
    tracker.start(frame(), BOX.copy())
    with torch.no_grad():
        tracker.network.branches[0][1].bias[1] = 100
    # The first frame is number 0, or number 1 in FDN's MATLAB.
    tenth = 9 if isinstance(tracker, FDN) else 10
    iterations = [tracker.track(frame()).extras["update_iterations"] for _ in range(tenth)]
    assert iterations[:-1] == [0] * (tenth - 1)
    assert iterations[-1] > 0


def test_patches_are_taken_in_any_batches() -> None:
    kind, given = TRACKERS["mdnet"]
    whole, turns = followed(kind(**given)), followed(kind(**given, batch=7))
    for one, other in zip(whole, turns, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-3)
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_box_regression_can_be_switched(made) -> None:
    with_it, without = (made(regression=on) for on in (True, False))
    assert without.regression is None
    tracker = with_it
    tracker.start(frame(), BOX.copy())
    with torch.no_grad():
        tracker.network.branches[0][1].bias[1] = 100
    kept = np.array([1.0, 2, 30, 40])
    tracker.regression.refine = lambda features, boxes, size: np.tile(kept, (len(boxes), 1))
    assert tracker.track(frame()).box == pytest.approx(kept)
    # The search goes on around the candidates' mean, not the refined box.
    assert np.abs(tracker.box - kept).max() > 5


@pytest.mark.parametrize(
    ("kind", "given", "why"),
    [
        (MDNet, {"convs": 4}, r"mdnet\[convs=4\]: give 3 or 5"),
        (FDN, {"fcs": 1}, r"fdn\[fcs=1\]: give 2 or 3"),
        (RTMDNet, {"width": 0.0}, r"rt-mdnet\[width=0.0\]"),
        (FDN, {"short_px": 5, "width": 0.1}, r"fdn\[short_px=5\]"),
        (FDN, {"rate": 0.0, "width": 0.1}, r"fdn\[rate=0.0\]"),
        (MDNet, {"candidates": 3, "width": 0.1}, "candidates=3"),
        (MDNet, {"samples": 0.0, "width": 0.1}, "samples=0.0"),
    ],
)
def test_what_nobody_described_is_refused(kind, given, why) -> None:
    with pytest.raises(VBenchError, match=why):
        kind(**given)


def test_lessons_are_as_fast_as_asked() -> None:
    published, faster = (FDN(**SMALL, rate=rate).recipe for rate in (1.0, 4.0))
    assert published.first == (5e-4, 30)
    assert published.later == (1.5e-3, 10)
    assert faster.first == (4 * 5e-4, 30)
    assert faster.later == (4 * 1.5e-3, 10)


@pytest.mark.parametrize("roi", ["align", "pool"])
@pytest.mark.parametrize(("convs", "fcs"), [(3, 3), (5, 3), (3, 2)])
def test_the_networks_that_were_compared_run(roi, convs, fcs) -> None:
    tracker = FDN(roi=roi, convs=convs, fcs=fcs, width=1 / 32, samples=0.02, short_px=200)
    assert all(np.isfinite(e.box).all() for e in followed(tracker, (2.0,)))


def test_patches_are_the_box_with_a_margin() -> None:
    ramp = np.zeros((300, 400, 3), np.uint8)
    ramp[..., 0] = np.arange(400) // 2
    # 107 px wide, so that the margin is 16 px and nothing is resized: columns 84 ... 222.
    patch = patches_of(ramp, np.array([[100.0, 100, 107, 107]]))[0]
    wanted = cv2.resize(ramp[84:223, 84:223], (107, 107), interpolation=cv2.INTER_LINEAR)
    assert (patch == wanted).all()
    outside = patches_of(ramp, np.array([[-500.0, 100, 50, 50], [390, 290, 107, 107]]))
    assert (outside[0] == 128).all()
    assert (outside[1, -20:, -20:] == 128).all()


def test_boxes_of_a_frame_are_convolved_as_patches_freed_of_128() -> None:
    """py-MDNet modules/utils.py, crop_image, and data_prov.py, RegionExtractor, step by step."""
    tracker = MDNet(width=1 / 16, samples=0.02)
    image, boxes = frame(size=(320, 240)), np.array([BOX, [100.0, 20, 71, 90], [-9.0, 200, 40, 60]])
    found = tracker.embed(image, boxes, BOX).detach()
    crops = []
    for x, y, w, h in boxes:
        half_w, half_h = w / 2 + 16 * w / 107, h / 2 + 16 * h / 107
        centre_x, centre_y = x + w / 2, y + h / 2
        left, top = int(centre_x - half_w + 0.5), int(centre_y - half_h + 0.5)
        right, bottom = int(centre_x + half_w + 0.5), int(centre_y + half_h + 0.5)
        crop = np.full((bottom - top, right - left, 3), 128, np.uint8)
        x0, y0, x1, y1 = max(0, left), max(0, top), min(320, right), min(240, bottom)
        crop[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
        crops.append(cv2.resize(crop, (107, 107)))
    patches = torch.tensor(np.stack(crops)).permute(0, 3, 1, 2).float() - 128
    wanted = tracker.network.trunk(patches).detach().flatten(1)
    assert found.numpy() == pytest.approx(wanted.numpy(), rel=1e-4, abs=1e-4)


def test_scenes_are_sampled_between_their_ends() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    low, span, size = np.array([-5.0, 10]), np.array([29.0, 19]), (31, 41)
    scene = scene_of(image, low, span, size)
    assert scene.shape == (41, 31, 3)
    # 31 columns from -5 in steps of 1, 41 rows from 10 in steps of 0.5.
    assert (scene[:, :5] == 0).all()
    assert (scene[::2, 5:] == image[10:31, 0:26]).all()
    between = (image[10:30, 0:26].astype(int) + image[11:31, 0:26]) / 2
    assert np.abs(scene[1::2, 5:] - between).max() <= 1


@pytest.mark.parametrize(
    ("size", "factor"), [((640, 480), 1.25), ((1280, 720), 1000 / 1280), ((480, 640), 1.25)]
)
def test_images_are_scaled_to_600_and_at_most_1000_px(size, factor) -> None:
    assert image_scale(*size, 600) == pytest.approx(factor)


def test_boxes_of_an_image_are_where_they_are_in_it() -> None:
    """fdn-release mdnet_run.m and roialign.cu, in their 1-based coordinates."""
    tracker = FDN(width=1 / 16, samples=0.02)
    image, boxes = frame(size=(320, 240)), np.array([BOX, [100.0, 20, 70, 90]])
    found = tracker.embed(image, boxes, BOX).detach()
    resized = cv2.resize(image, (800, 600), interpolation=cv2.INTER_LINEAR)
    features = tracker.network.trunk(torch.tensor(resized).permute(2, 0, 1)[None] - 128.0)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1) + 1
    scaled = (corners - 1) * 2.5 + 1
    cells = (scaled - 1) / 16
    rois = torch.tensor(np.pad(cells, ((0, 0), (1, 0)))).float()
    wanted = roi_align_max(features, rois, 3, 1.0).detach().flatten(1)
    assert found.numpy() == pytest.approx(wanted.numpy(), rel=1e-4, abs=1e-4)


def test_boxes_of_a_scene_are_where_they_are_in_it() -> None:
    """RT-MDNet tracker.py, img_cropper.py and samples2maskroi, step by step."""
    tracker = RTMDNet(width=1 / 16, samples=0.02)
    image, target = frame(size=(320, 240)), np.array([120.0, 90, 60, 40])
    boxes = np.array([target, [130.0, 100, 62, 44], [100.0, 84, 58, 38]])
    found = tracker.embed(image, boxes, target).detach()
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    margin = boxes[:, 2:] * 0.1
    corners += np.concatenate([-margin, margin], axis=1)
    low, high = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    ratio = 107 / target[2:]
    width, height = ((high - low) * ratio).astype(int)
    # The cropper samples a grid from low to high + 1, ends included.
    x = low[0] + np.arange(width) * (high[0] - low[0] + 1) / (width - 1)
    y = low[1] + np.arange(height) * (high[1] - low[1] + 1) / (height - 1)
    grid = np.stack(np.meshgrid(2 * x / 319 - 1, 2 * y / 239 - 1), axis=-1)[None]
    pixels = torch.tensor(image).permute(2, 0, 1)[None].double()
    scene = torch.nn.functional.grid_sample(pixels, torch.tensor(grid), align_corners=True)
    features = tracker.network.trunk(scene.float() - 128)
    rois = (corners - np.tile(low, 2)) * np.tile(ratio, 2) - [0, 0, 75, 75]
    table = torch.tensor(np.pad(rois, ((0, 0), (1, 0)))).float()
    wanted = roi_align_adaptive(features, table, 3, 1 / 8).detach().flatten(1)
    # OpenCV rounds samples to whole grey values and places to 1 / 32 px.
    assert (found - wanted).abs().mean() < 0.02 * wanted.abs().mean()


def test_matlab_weights_bring_their_normalisation_and_constants(tmp_path) -> None:
    path = tmp_path / "mdnet.mat"
    layers = np.empty((1, 5), dtype=object)
    shapes = {"conv1": (7, 7, 3, 3), "conv2": (5, 5, 3, 8), "conv3": (3, 3, 8, 16),
              "fc4": (3, 3, 16, 16), "fc5": (1, 1, 16, 16)}  # fmt: skip
    for index, (name, shape) in enumerate(shapes.items()):
        filters = np.ones(shape, np.float32)
        biases = np.zeros((1, shape[3]), np.float32)
        layers[0, index] = {"name": name, "filters": filters, "biases": biases}
    savemat(path, {"layers": layers})
    given = Weights("mdnet", {path.name: path}, "")
    loaded, drawn = MDNet(width=1 / 32, weights=given), MDNet(width=1 / 32)
    assert loaded.network.trunk.conv1[2].rule == NORMS["matconvnet"]
    assert drawn.network.trunk.conv1[2].rule == NORMS["py-mdnet"]
    # hyseob/MDNet mdnet_init.m against py-MDNet's options.yaml.
    assert tuple(loaded.recipe.first) == (1e-4, 30)
    assert tuple(drawn.recipe.first) == (5e-4, 50)
    asked = MDNet(width=1 / 32, weights=given, release="py-mdnet")
    assert tuple(asked.recipe.first) == (5e-4, 50)


def test_frames_cost_what_is_published() -> None:
    # 256 patches of 121.7 M: 31.2 G, and 0.67 G for the connected layers.
    found = count(MDNet().work()["track"]).by_op
    assert found["conv"] == pytest.approx(31.2e9, rel=5e-3)
    assert found["linear"] == pytest.approx(0.67e9, rel=5e-3)


def test_an_image_costs_what_is_published() -> None:
    costs = count(FDN().work()["track"])
    # 8.5 G on 800 x 600 px, 1.34 G for 512 candidates, and cutting them out.
    assert costs.macs == pytest.approx(8.5e9 + 1.34e9, rel=0.01)


@pytest.mark.parametrize(
    ("kind", "roi", "points"),
    [
        (FDN, "align", 6 * 6), (FDN, "pool", 0),
        (RTMDNet, "adaptive", 7 * 7), (RTMDNet, "max", 6 * 6),
        (RTMDNet, "average", 6 * 6), (RTMDNet, "pool", 0),
    ],
)  # fmt: skip
def test_cutting_a_box_out_costs_its_samples_by_kind(kind, roi, points) -> None:
    """Four neighbours a sample in every channel; a maximum of cells multiplies nothing."""
    tracker = kind(roi=roi, width=1 / 16)
    (boxes,) = (work for work in tracker.work()["track"] if work.name == "boxes")
    assert boxes.macs == tracker.candidates * points * 4 * 32


def test_frames_of_other_shapes_cost_what_they_are() -> None:
    """The nominal image and what the trace says make the convolutions that really ran."""
    tracker = FDN(width=1 / 16, samples=0.02)
    wide = np.zeros((120, 300, 3), np.uint8)
    tracker.start(wide, BOX.copy())
    estimate = tracker.track(wide)
    prices = unit_costs(tracker)
    ran = tracker.network.trunk.conv_macs(400, 1000)
    nominal = tracker.network.trunk.conv_macs(600, 800)
    above = estimate.extras["gmac_above_nominal"] * prices.per_extra["gmac_above_nominal"].per_call
    assert above == pytest.approx(ran - nominal)
    assert prices.per_extra["update_iterations"].per_call > 0
    assert set(prices.per_extra) == {"update_iterations", "gmac_above_nominal"}


def test_patches_to_learn_from_are_charged() -> None:
    kind, given = TRACKERS["mdnet"]
    tracker = kind(**given)
    tracker.start(frame(), BOX.copy())
    with torch.no_grad():
        tracker.network.branches[0][1].bias[1] = 100
    extras = tracker.track(frame()).extras
    # 3 % of 50 and of 200.
    assert extras["update_patches"] == 2 + 6
