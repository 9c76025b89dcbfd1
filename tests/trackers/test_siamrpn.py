"""The SiamRPN family: anchors, choices, boxes of a straight-line statement, behaviour."""

import numpy as np
import pytest
import torch

from vbench.core.boxes import from_centres, iou
from vbench.core.errors import VBenchError
from vbench.core.roles import Reseatable, Tracker
from vbench.core.trace import Kind
from vbench.cost.macs import count_module
from vbench.cost.unit_costs import unit_costs
from vbench.nn.crop import crops_by_opencv
from vbench.trackers.proposals import choose
from vbench.trackers.siamrpn import (
    RATIOS,
    RECIPES,
    SiamRPN,
    Taste,
    anchor_places,
    anchor_sizes,
    decode,
    rivals,
)
from vbench.trackers.siamrpn_heads import on_meta

RNG = np.random.default_rng(41)
FRAMES = [RNG.integers(0, 256, (150, 200, 3), dtype=np.uint8) for _ in range(3)]
BOX = np.array([90.0, 60.0, 26.0, 18.0])
TINY = 1 / 16


# siamrpn-pytorch siamrpn.py, parse_args; DaSiamRPN code/net.py (SiamRPNBIG, vot, otb) and
# run_SiamRPN.py; pysot experiments/siamrpn_alex_dwxcorr_otb and pysot/core/config.py. The paper
# gives 255 px, the centre of 7 cells and which groups it drops; its constants are pysot's.
# Weights of penalty and window, rate; width, groups of the last convolution, search, centre.
PUBLISHED = {
    "siamrpn": (0.055, 0.42, 0.295, 2, 1, 271, 0),
    "siamrpn-paper": (0.16, 0.40, 0.30, 1, 2, 255, 7),
    "dasiamrpn": (0.055, 0.42, 0.295, 2, 1, 271, 0),
    "dasiamrpn-vot": (0.04, 0.44, 0.45, 1, 1, 271, 0),
    "dasiamrpn-otb": (0.22, 0.40, 0.30, 1, 1, 271, 0),
    "siamrpn-alex-dw": (0.16, 0.40, 0.30, 1, 1, 287, 0),
}


def test_variants_have_the_published_constants():
    found = {
        name: (
            *(r.taste.penalty, r.taste.window, r.taste.rate),
            *(r.width, r.groups[4], r.instance_px, r.centre),
        )
        for name, r in RECIPES.items()
    }
    assert found == PUBLISHED
    assert all(r.groups[:4] == (1, 1, 1, 1) for r in RECIPES.values())
    # Only siamrpn-pytorch reads RGB, rounds halves to even and gives 1-based corners.
    others = set(RECIPES) - {"siamrpn"}
    assert {name for name, r in RECIPES.items() if r.bgr} == others
    assert {name for name, r in RECIPES.items() if r.rounding == "up"} == others
    assert {name for name, r in RECIPES.items() if r.gives == "line"} == others
    # DaSiamRPN's centre of a target is that of its polygon, the others' that of its pixels.
    assert {n for n, r in RECIPES.items() if r.takes == "line"} == {
        n for n in RECIPES if n[0] == "d"
    }
    assert {n for n, r in RECIPES.items() if r.adaptive} == {"siamrpn", "dasiamrpn"}


def meta_network(variant):
    recipe = RECIPES[variant]
    return on_meta(recipe.width, recipe.groups, recipe.head, 5).eval()


@pytest.mark.parametrize(("side", "cells"), [(255, 17), (271, 19), (287, 21)])
def test_response_sizes(side, cells):
    network = meta_network("siamrpn-paper")
    exemplar, crop = (torch.empty(2, 3, s, s, device="meta") for s in (127, side))
    reg, cls = network(crop, *network.template(exemplar))
    assert reg.shape == (2, 20, cells, cells)
    assert cls.shape == (2, 10, cells, cells)
    assert len(anchor_places(side, RATIOS["A5"], 0).index) == 5 * cells * cells


def test_anchors():
    sizes = anchor_sizes(RATIOS["A5"]).astype(int).tolist()
    assert sizes == [[104, 32], [88, 40], [64, 64], [40, 80], [32, 96]]
    assert len(anchor_sizes(RATIOS["A3"])) == 3
    assert anchor_sizes(RATIOS["A7"]).tolist()[0] == [128, 32]
    places = anchor_places(271, RATIOS["A5"], 0)
    # Anchor by anchor, then row by row: the second is one cell to the right.
    assert places.boxes[:2].tolist() == [[-72, -72, 104, 32], [-64, -72, 104, 32]]
    assert places.boxes[19].tolist() == [-72, -64, 104, 32]
    assert places.boxes[361].tolist() == [-72, -72, 88, 40]


def test_centre_keeps_the_middle_cells():
    every, middle = (anchor_places(255, RATIOS["A5"], g) for g in (0, 7))
    assert len(middle.index) == 7 * 7 * 5
    assert np.abs(middle.boxes[:, :2]).max() == 3 * 8
    assert np.array_equal(every.boxes[middle.index], middle.boxes)
    assert np.array_equal(every.window[middle.index], middle.window)
    assert len(anchor_places(255, RATIOS["A5"], 99).index) == len(every.index)


def straight_line(tracker, frames, box, rate_from_window=False):
    """Boxes by the equations, anchor after anchor."""
    recipe, network = tracker.recipe, tracker.network
    k, window_share, lr = recipe.taste.penalty, recipe.taste.window, recipe.taste.rate
    mean = frames[0].mean(axis=(0, 1))
    fill = (np.rint(mean) if recipe.rounding == "even" else np.floor(mean)).astype(np.uint8)
    w, h = box[2:]
    centre = box[:2] + ([(w - 1) / 2, (h - 1) / 2] if recipe.takes == "pixel" else [w / 2, h / 2])
    instance = 287 if recipe.adaptive and w * h / (200 * 150) < 0.004 else recipe.instance_px

    def crop(frame, side, size):
        side = round(side)
        if recipe.rounding == "even":
            left, top = (round(c - (side - 1) / 2) for c in centre)
        else:
            left, top = (int(np.floor(c - (side + 1) / 2 + 0.5)) for c in centre)
        pixels = crops_by_opencv(frame, np.array([[left, top, side]]), size, fill)[0]
        pixels = pixels[:, :, ::-1] if recipe.bgr else pixels
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])).float()

    def padded(a, b):
        return np.sqrt((a + (a + b) / 2) * (b + (a + b) / 2))

    kernels = network.template(crop(frames[0], padded(w, h), 127))
    answers = []
    for frame in frames[1:]:
        z = padded(w, h)
        reg, cls = network(crop(frame, z * instance / 127, instance), *kernels)
        reg, cls = reg[0].double().numpy(), cls[0].double().numpy()
        n = reg.shape[-1]
        hann = np.hanning(n)
        best: tuple = (-1.0,)
        for a, (aw, ah) in enumerate([(104, 32), (88, 40), (64, 64), (40, 80), (32, 96)]):
            for y in range(n):
                for x in range(n):
                    if recipe.centre and max(abs(y - n // 2), abs(x - n // 2)) > recipe.centre // 2:
                        continue
                    dx, dy, dw, dh = reg[[a, 5 + a, 10 + a, 15 + a], y, x]
                    px, py = dx * aw + (x - n // 2) * 8, dy * ah + (y - n // 2) * 8
                    pw, ph = np.exp(dw) * aw, np.exp(dh) * ah
                    score = 1 / (1 + np.exp(cls[a, y, x] - cls[5 + a, y, x]))
                    s = padded(pw, ph) / padded(w * 127 / z, h * 127 / z)
                    r = (w / h) / (pw / ph)
                    penalty = np.exp(-(max(s, 1 / s) * max(r, 1 / r) - 1) * k)
                    final = score * penalty * (1 - window_share) + hann[y] * hann[x] * window_share
                    if final > best[0]:
                        best = (final, score, penalty, px, py, pw, ph)
        final, score, penalty, px, py, pw, ph = best
        step = (final if rate_from_window else score * penalty) * lr
        centre = np.clip(centre + np.array([px, py]) * z / 127, 0, [200, 150])
        w = np.clip(w * (1 - step) + pw * z / 127 * step, 10, 200)
        h = np.clip(h * (1 - step) + ph * z / 127 * step, 10, 150)
        edge = [(w - 1) / 2, (h - 1) / 2] if recipe.gives == "pixel" else [w / 2, h / 2]
        answers.append([*(centre - edge), w, h, score])
    return np.array(answers)


def calm(tracker):
    """Bring a random head's outputs into the range of a trained one's."""
    frame = torch.from_numpy(FRAMES[0].transpose(2, 0, 1)[None, :, :127, :127].copy()).float()
    with torch.no_grad():
        kernels = tracker.network.template(frame)
        reg, cls = tracker.network(torch.nn.functional.pad(frame, (72,) * 4), *kernels)
        last = tracker.network.head
        if tracker.recipe.head == "up":
            last.adjust_reg.weight.mul_(0.3 / reg.std())
            last.conv_cls_x.weight.mul_(1.5 / cls.std())
        else:
            last.loc.head[3].weight.mul_(0.3 / reg.std())
            last.cls.head[3].weight.mul_(1.5 / cls.std())
    return tracker


@pytest.mark.parametrize("variant", RECIPES)
@pytest.mark.parametrize("box", [BOX, np.array([3.0, 5, 10, 9])], ids=["inside", "small"])
def test_boxes_of_the_straight_line(variant, box):
    tracker = calm(SiamRPN(variant, width=TINY, seed=3))
    tracker.start(FRAMES[0], box)
    estimates = [tracker.track(frame) for frame in FRAMES[1:]]
    with torch.inference_mode():
        expected = straight_line(tracker, FRAMES, box)
    assert np.allclose([e.box for e in estimates], expected[:, :4], atol=1e-6)
    assert np.allclose([e.score for e in estimates], expected[:, 4], atol=1e-6)


def test_compat_rates_follow_the_windowed_score():
    plain, compat = (
        calm(SiamRPN("siamrpn", width=TINY, seed=3, compat=flag)) for flag in (False, True)
    )
    for tracker in (plain, compat):
        tracker.start(FRAMES[0], BOX)
    with torch.inference_mode():
        expected = straight_line(compat, FRAMES, BOX, rate_from_window=True)
    assert np.allclose([compat.track(f).box for f in FRAMES[1:]], expected[:, :4], atol=1e-6)
    assert not np.allclose(plain.track(FRAMES[1]).box, expected[0, :4], atol=1e-3)


@pytest.mark.parametrize(("compat", "after"), [(False, 271), (True, 287)])
def test_a_small_target_widens_the_search_for_itself_or_for_all_after_it(compat, after):
    tracker = SiamRPN("siamrpn", width=TINY, compat=compat)
    sides = []
    for box in ([90, 60, 26, 18], [90, 60, 10, 10], [90, 60, 26, 18]):
        tracker.start(FRAMES[0], np.array(box, dtype=float))
        sides.append(tracker.instance_px)
    assert sides == [271, 287, after]
    assert len(tracker.places.index) == 5 * ((after - 127) // 8 + 1) ** 2


@pytest.mark.parametrize("variant", RECIPES)
def test_the_template_branch_runs_once(variant, monkeypatch):
    """SiamRPN, sec. 4.2: one-shot detection by kernels that the first frame gave."""
    tracker = SiamRPN(variant, width=TINY)
    crops, real = [], tracker.network.template

    def template(crop):
        crops.append(crop)
        return real(crop)

    monkeypatch.setattr(tracker.network, "template", template)
    tracker.start(FRAMES[0], BOX)
    for frame in FRAMES[1:]:
        tracker.track(frame)
    assert [tuple(crop.shape) for crop in crops] == [(1, 3, 127, 127)]


@pytest.mark.parametrize(("height", "side"), [(12.0, 271), (11.9, 287)])
def test_targets_below_four_thousandths_of_the_frame_are_small(height, side):
    """DaSiamRPN run_SiamRPN.py: w h / (W H) < 0.004; here 120 of 30,000 px."""
    tracker = SiamRPN("dasiamrpn", width=TINY)
    tracker.start(FRAMES[0], np.array([90, 60, 10, height]))
    assert tracker.instance_px == side


@pytest.mark.parametrize("compat", [False, True])
def test_a_wider_search_is_charged_as_such(compat):
    """Prices are stated once, before any clip; frames of a small target say that they cost more."""
    tracker = SiamRPN("siamrpn", width=TINY, compat=compat)
    prices = unit_costs(tracker)
    kernels = tracker.network.template(torch.zeros(1, 3, 127, 127))
    macs = {
        side: count_module(tracker.network, (torch.zeros(1, 3, side, side), *kernels)).macs
        for side in (271, 287)
    }
    assert macs[287] > 1.1 * macs[271]
    for box, side in (([90, 60, 26, 18], 271), ([90, 60, 10, 10], 287)):
        tracker.start(FRAMES[0], np.array(box, dtype=float))
        spent = {key: [value] for key, value in tracker.track(FRAMES[1]).extras.items()}
        assert prices.total([Kind.KEY], [1], spent)[0] == pytest.approx(macs[side])
        assert unit_costs(tracker) == prices


def test_decode_of_nothing_is_the_anchors():
    places = anchor_places(271, RATIOS["A5"], 0)
    boxes, scores = decode(torch.zeros(1, 20, 19, 19), torch.zeros(1, 10, 19, 19), places)
    assert np.array_equal(boxes, places.boxes)
    assert (scores == 0.5).all()


def test_choice_prefers_no_change_then_the_middle():
    sizes = np.array([[10.0, 10], [20, 20], [10, 10]])
    scores, window = np.array([0.8, 0.9, 0.8]), np.array([0.0, 0, 1])
    same = choose(sizes[:2], scores[:2], window[:2], np.array([10.0, 10]), Taste(0.5, 0.3, 0.3))
    assert same.place == 0
    assert same.penalty == 1
    assert same.final_score == pytest.approx(0.8 * 0.7)
    middle = choose(sizes, scores, window, np.array([10.0, 10]), Taste(0.5, 0.3, 0.3))
    assert middle.place == 2
    assert choose(sizes, scores, window, np.array([10.0, 10]), Taste(0, 0, 0.3)).place == 1


def test_suppression_takes_the_best_64_as_they_rank_with_penalty_and_window():
    """SiamRPN, sec. 4.3: re-ranked, then suppressed; written as plain loops."""
    rng = np.random.default_rng(7)
    boxes = np.concatenate([rng.uniform(0, 200, (300, 2)), rng.uniform(20, 60, (300, 2))], axis=1)
    scores, window = rng.uniform(size=300), rng.uniform(size=300)
    chosen = choose(boxes[:, 2:], scores, window, np.array([40.0, 30]), Taste(0.16, 0.4, 0.3))
    corners = from_centres(boxes[:, :2], boxes[:, 2:])
    kept: list[int] = []
    for row in sorted(range(300), key=lambda i: -chosen.final_scores[i])[:64]:
        if all(iou(corners[row], corners[other]) <= 0.5 for other in kept):
            kept.append(row)
    assert rivals(boxes, chosen.final_scores).tolist() == kept
    assert kept[0] == chosen.place
    assert 1 < len(kept) < 64
    assert rivals(boxes, scores).tolist() != kept


def test_rivals_are_recorded():
    tracker = calm(SiamRPN("siamrpn-paper", width=TINY, rivals=True))
    tracker.start(FRAMES[0], BOX)
    found = tracker.track(FRAMES[1]).extras["proposals"]
    assert found == int(found) >= 1
    # Two places far apart that look alike remain; where one is more alike, its own shadow does.
    rows = np.array([[0.0, 0, 30, 30], [100, 0, 30, 30], [2, 0, 30, 30]])
    assert rivals(rows, np.array([0.9, 0.8, 0.7])).tolist() == [0, 1]
    assert SiamRPN("siamrpn-paper", width=TINY).rivals is False


def test_other_anchor_sets_and_bad_centres():
    tracker = SiamRPN("siamrpn-paper", anchors="A7", centre=4, width=TINY)
    tracker.start(FRAMES[0], BOX)
    assert np.isfinite(tracker.track(FRAMES[1]).box).all()
    assert len(tracker.places.index) == 7 * 4 * 4
    with pytest.raises(VBenchError, match=r"siamrpn-paper\[centre=-1\]"):
        SiamRPN("siamrpn-paper", centre=-1, width=TINY)
    with pytest.raises(VBenchError, match=r"siamrpn-paper\[width=0\]"):
        SiamRPN("siamrpn-paper", width=0)


@pytest.mark.parametrize("variant", ["siamrpn", "siamrpn-alex-dw"])
def test_reseat_moves_the_search_and_not_the_kernels(variant):
    tracker = calm(SiamRPN(variant, width=TINY))
    tracker.start(FRAMES[0], BOX)
    kernels = [k.clone() for k in tracker.kernels]
    answer = tracker.track(FRAMES[1])
    centre = tracker.centre.copy()
    tracker.reseat(answer.box)
    assert tracker.centre == pytest.approx(centre)
    tracker.reseat(np.array([10.0, 20, 30, 40]))
    half = 0.5 if variant == "siamrpn" else 0
    assert tracker.centre == pytest.approx([25 - half, 40 - half])
    assert tracker.size.tolist() == [30, 40]
    assert all(torch.equal(a, b) for a, b in zip(kernels, tracker.kernels, strict=True))


@pytest.mark.parametrize(
    "box",
    [[60, 40, 1, 1], [-15, -10, 30, 30], [180, 130, 40, 40], [0, 0, 200, 150], [70, 50, 0.2, 3]],
    ids=["one pixel", "cut at top left", "cut at bottom right", "whole frame", "less than a pixel"],
)
@pytest.mark.parametrize("variant", ["siamrpn", "dasiamrpn-vot", "siamrpn-alex-dw"])
def test_any_box_gives_finite_answers_and_a_fresh_start(variant, box):
    grey = [np.repeat(f[..., :1], 3, axis=2) for f in FRAMES]
    before = [f.copy() for f in grey]
    tracker = SiamRPN(variant, width=TINY, seed=2)

    def run():
        tracker.start(grey[0], np.array(box, dtype=float))
        return [tracker.track(frame) for frame in grey[1:]]

    first, second = run(), run()
    assert all(np.isfinite(e.box).all() and 0 <= e.score <= 1 for e in first)
    assert all(np.array_equal(a.box, b.box) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(grey, before, strict=True))


def test_work_and_roles():
    tracker = SiamRPN("siamrpn-alex-dw", width=TINY)
    work = tracker.work()
    reg, cls = work["track"][0].module(*work["track"][0].inputs)
    assert reg.shape == (1, 20, 21, 21)
    assert cls.shape == (1, 10, 21, 21)
    assert len(work["start"][0].module(*work["start"][0].inputs)) == 2
    assert isinstance(tracker, Tracker)
    assert isinstance(tracker, Reseatable)
