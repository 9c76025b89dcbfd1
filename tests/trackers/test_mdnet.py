import cv2
import numpy as np
import pytest
import torch

from tests.contract.models import BOX, frame
from vbench.core.errors import VBenchError
from vbench.cost.macs import count
from vbench.cost.unit_costs import unit_costs
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
    iterations = [tracker.track(frame()).extras["update_iterations"] for _ in range(10)]
    assert iterations[:9] == [0] * 9
    assert iterations[9] > 0


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
        (MDNet, {"candidates": 3, "width": 0.1}, "candidates=3"),
        (MDNet, {"samples": 0.0, "width": 0.1}, "samples=0.0"),
    ],
)
def test_what_nobody_described_is_refused(kind, given, why) -> None:
    with pytest.raises(VBenchError, match=why):
        kind(**given)


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


def test_frames_cost_what_is_published() -> None:
    # 256 patches of 121.7 M: 31.2 G, and 0.67 G for the connected layers.
    found = count(MDNet().work()["track"]).by_op
    assert found["conv"] == pytest.approx(31.2e9, rel=5e-3)
    assert found["linear"] == pytest.approx(0.67e9, rel=5e-3)


def test_an_image_costs_what_is_published() -> None:
    costs = count(FDN().work()["track"])
    # 8.5 G on 800 x 600 px, 1.34 G for 512 candidates, and cutting them out.
    assert costs.macs == pytest.approx(8.5e9 + 1.34e9, rel=0.01)


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
