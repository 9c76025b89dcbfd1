"""Every recipe learns on a clip of a bright square that walks over noise."""

import numpy as np
import pytest
import torch

from vbench import catalogue
from vbench.core.boxes import to_corners
from vbench.core.clip import Clip
from vbench.core.errors import UnknownName
from vbench.core.frames import Rendered
from vbench.core.roles import Weights
from vbench.train.loop import Course, fit, write_state
from vbench.train.patchnet_recipe import goal_of, search_area
from vbench.train.recipe import RECIPES, recipe_for
from vbench.train.siamfc_recipe import crop_window, near_middle
from vbench.train.siamrpn_recipe import chosen_anchors, encoded

SMALL = {
    "siamfc": {"width": "0.125"},
    "siamrpn": {"width": "0.03125"},
    "siamrpn-paper": {"width": "0.0625"},
    "siamrpn-alex-dw": {"width": "0.0625"},
    "dasiamrpn": {"width": "0.03125"},
    "dasiamrpn-vot": {"width": "0.0625"},
    "dasiamrpn-otb": {"width": "0.0625"},
    "mdnet": {"width": "0.03125"},
    "rt-mdnet": {"width": "0.03125"},
    "fdn": {"width": "0.03125", "short_px": "200"},
}
# NanoTrack, whose norms are folded, has a test of its own.
TRACKERS = [
    name
    for name in RECIPES
    if name in catalogue.names("trackers") and not name.startswith("nanotrack")
]


def walk(seed):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 120, (12, 120, 160, 3), dtype=np.uint8)
    truth = np.array([[30.0 + 3 * i, 40 + i, 36, 32] for i in range(12)])

    def render(index):
        image = noise[index].copy()
        x, y = truth[index, :2].astype(int)
        image[y : y + 32, x : x + 36] = (250, 200, 40 + 10 * seed)
        return image

    return Clip(f"walk{seed}", Rendered(12, render), truth, known_size=(160, 120))


CLIPS = [walk(0), walk(1)]


def built(name, weights=None, seed=0):
    given = SMALL.get(name, {})
    return catalogue.build("trackers", name, given, weights=weights, device="cpu", seed=seed)


def recipe(name, tracker=None):
    return recipe_for(name, tracker or built(name), CLIPS, 1, "cpu")


@pytest.mark.parametrize("name", TRACKERS)
def test_a_step_changes_the_network_and_what_is_written_loads(name, tmp_path) -> None:
    tracker = built(name)
    state = tracker.network.state_dict()
    before = {k: v.clone() for k, v in state.items() if "conv" in k or "feature" in k}
    fitted = recipe(name, tracker)
    fit(fitted, Course(1, seed=1))
    changed = [k for k, v in tracker.network.state_dict().items() if k in before
               and not torch.equal(v, before[k])]  # fmt: skip
    assert changed
    path = tmp_path / "own.pt"
    write_state(path, fitted.state())
    again = built(name, Weights(name, {path.name: path}, ""), seed=9)
    found, wanted = again.network.state_dict(), fitted.state()
    shared = {k.removeprefix("trunk."): v for k, v in found.items()}
    assert all(torch.equal(shared[key], value) for key, value in wanted.items())


@pytest.mark.parametrize("name", ["patchnet", "siamrpn-alex-dw", "mdnet", "rt-mdnet", "fdn"])
def test_equal_seeds_give_equal_losses(name) -> None:
    one, same, other = (fit(recipe(name), Course(2, seed=seed)) for seed in (3, 3, 4))
    assert one == same
    assert one != other


@pytest.mark.parametrize("name", ["mdnet", "rt-mdnet", "fdn"])
def test_domains_are_learnt_apart_and_share_the_rest(name) -> None:
    given = {"width": "0.125"} | ({"short_px": "300"} if name == "fdn" else {})
    tracker = catalogue.build("trackers", name, given, weights=None, device="cpu", seed=0)
    losses = fit(recipe(name, tracker), Course(40, rate=3e-4))
    assert len(tracker.network.branches) == len(CLIPS)
    # Guessing by the number of samples, 4 of 16, costs 0.562.
    assert np.mean(losses[-10:]) < 0.4


def test_who_has_no_recipe_is_told_who_has() -> None:
    with pytest.raises(UnknownName, match="these can be fitted"):
        recipe_for("kcf", None, CLIPS, 1, "cpu")


def test_patchnets_zeros_stay_zero() -> None:
    tracker = built("patchnet")
    zero = {k: v == 0 for k, v in tracker.network.state_dict().items()}
    fit(recipe("patchnet", tracker), Course(5))
    state = tracker.network.state_dict()
    assert all((state[key][where] == 0).all() for key, where in zero.items())
    # 64, 16, 4, 128 and 32 weights of the convolutions are free.
    free = {"conv2": 64, "conv3": 16, "conv4": 4, "conv3reg": 128, "conv4reg": 32}
    found = {key: int((state[f"{key}.weight"] != 0).sum()) for key in free}
    assert found == free


TEMPLATE = np.array([100.0, 80, 64, 32])


def test_patchnets_goal_is_the_way_in_cells() -> None:
    # A cell is 8 of 64 template px: here 8 px along x and 4 px along y.
    goal = goal_of(TEMPLATE, TEMPLATE + [17.0, -4.4, 0, 0])
    assert goal.stand.tolist() == [0, 0]
    # 2.125 cells to the right, 1.1 up: column 5, row 2, and the rest is left to the offsets.
    assert goal.cell == (2, 5)
    assert goal.offsets == pytest.approx([-0.1, -0.1, 0.125, 0.125])


def test_patchnets_goal_knows_sizes() -> None:
    grown = np.array([96.0, 80, 72, 32])
    # Both ends of x move by half a cell, outwards: 4 px of 8.
    assert goal_of(TEMPLATE, grown).offsets == pytest.approx([0, 0, -0.5, 0.5])


def test_patchnets_search_goes_where_the_target_is_far() -> None:
    goal = goal_of(TEMPLATE, TEMPLATE + [46.0, -40, 0, 0])
    # 5.75 cells right, 10 up: rounded 6 and -10; the search stands at 4 and -8.
    assert goal.stand.tolist() == [4, -8]
    assert goal.cell == (3 - 2, 3 + 2)
    area = search_area(to_corners(TEMPLATE[None]), goal.stand)[0]
    centre = (area[:2] + area[2:]) / 2
    assert centre.tolist() == [132 + 4 * 8, 96 - 8 * 4]
    assert (area[2:] - area[:2]).tolist() == [119.0, 59.5]


def test_patchnets_best_answer_is_its_goal() -> None:
    """The structural network finds a moved square where the recipe says that it is."""
    fitted = recipe("patchnet")
    losses = [float(fitted.loss(np.random.default_rng(seed)).detach()) for seed in range(6)]
    fitted.module.requires_grad_(False)
    wrong = goal_of(CLIPS[0].truth[0], CLIPS[0].truth[0] + [0, 12.0, 0, 0])
    assert wrong.cell == (6, 3)
    assert np.median(losses) < 3


def test_siamfcs_labels_are_the_middle_diamond() -> None:
    labels = near_middle(15, 2)
    assert int(labels.sum()) == 13
    assert labels[7, 5] == labels[9, 7] == labels[6, 6] == 1
    assert labels[7, 4] == labels[5, 6] == 0


def test_siamfcs_crop_shows_the_exemplar_in_the_middle_of_the_search() -> None:
    box = np.array([100.0, 100, 64, 64])
    # Context adds half of the sides' sum: an exemplar of 128 px is 127 px in the crop.
    left, top, side = crop_window(box, 127, 1.0, np.zeros(2))[0]
    assert side == 128
    assert left == top == round(131.5 - 63.5)
    _, _, larger = crop_window(box, 239, 1.0, np.zeros(2))[0]
    assert larger == round(128 * 239 / 127)
    _, _, stretched = crop_window(box, 239, 1.05, np.zeros(2))[0]
    assert stretched == round(128 * 239 / 127 / 1.05)
    moved = crop_window(box, 239, 1.0, np.array([4, 0]))[0]
    assert moved[0] - crop_window(box, 239, 1.0, np.zeros(2))[0][0] == 4


def test_siamrpns_anchors_are_chosen_by_overlap() -> None:
    anchors = np.array([[x, 0.0, 64, 64] for x in np.linspace(-120, 120, 61)])
    box = np.array([3.0, 0, 64, 64])
    good, bad = chosen_anchors(np.random.default_rng(0), anchors, box)
    # IoU of squares that are d apart: (64 - d) / (64 + d); 0.6 at d = 16, 0.3 at 34.5.
    assert (np.abs(anchors[good, 0] - 3) < 16).all()
    assert (np.abs(anchors[bad, 0] - 3) > 34.4).all()
    assert len(good) <= 16
    assert len(good) + len(bad) <= 64
    far, _ = chosen_anchors(np.random.default_rng(0), anchors, np.array([20.0, 90, 20, 20]))
    assert len(far) == 1


def test_siamrpns_offsets_are_those_of_the_paper() -> None:
    found = encoded(np.array([[10.0, 20, 40, 80]]), np.array([30.0, 0, 80, 40]))
    assert found[0] == pytest.approx([0.5, -0.25, np.log(2), -np.log(2)])


def test_siamrpns_target_is_where_its_crop_shows_it() -> None:
    fitted = recipe("siamrpn-alex-dw")
    clip = CLIPS[0]
    for shift in ([0.0, 0.0], [20.0, -8.0]):
        crop, box = fitted.pairs.crop(clip.frames[4], clip.truth[4], 287, np.array(shift), 1.05)
        bright = np.argwhere(crop[0].max(dim=0).values.numpy() > 190)
        low, high = bright.min(axis=0), bright.max(axis=0)
        middle = (low + high)[::-1] / 2 - (287 - 1) / 2
        assert box[:2] == pytest.approx(middle, abs=2)
        assert box[2:] == pytest.approx((high - low + 1)[::-1], abs=4)
