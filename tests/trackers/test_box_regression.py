import numpy as np
import pytest

from vbench.core.boxes import centres, iou
from vbench.trackers.box_regression import BoxRegression, moved, offsets, ridge, whiten

TARGET = np.array([50.0, 60, 40, 30])


def boxes_around(n, seed=0, farthest=8):
    rng = np.random.default_rng(seed)
    shift, grow = rng.uniform(-farthest, farthest, (n, 2)), rng.uniform(0.9, 1.3, (n, 2))
    return np.concatenate([TARGET[:2] + shift, TARGET[2:] * grow], axis=1)


@pytest.mark.parametrize(("n", "d"), [(40, 15), (15, 40)])
def test_ridge_solves_the_normal_equations(n, d) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(n, 3))
    weight = ridge(x, y, alpha=2.5)
    assert (x.T @ x + 2.5 * np.eye(d)) @ weight == pytest.approx(x.T @ y)


def test_ridge_is_the_least_of_what_it_minimises() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(30, 8)), rng.normal(size=(30, 2))
    weight = ridge(x, y, alpha=3.0)

    def cost(w):
        return ((x @ w - y) ** 2).sum() + 3.0 * (w**2).sum()

    for _ in range(20):
        assert cost(weight) < cost(weight + rng.normal(size=weight.shape) * 1e-3)


def test_offsets_are_undone() -> None:
    boxes = boxes_around(20)
    assert moved(boxes, offsets(boxes, TARGET)) == pytest.approx(np.tile(TARGET, (20, 1)))


def test_offsets_are_those_of_the_paper() -> None:
    box = np.array([[40.0, 50, 20, 10]])
    # Centres (70, 75) and (50, 55), sides 40 x 30 and 20 x 10.
    assert offsets(box, TARGET)[0] == pytest.approx([1.0, 2.0, np.log(2), np.log(3)])


def test_whitened_targets_have_unit_variance_and_come_back() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)) * 10
    y -= y.mean(axis=0)
    white, back = whiten(y)
    assert white.T @ white / 500 == pytest.approx(np.eye(4), abs=1e-2)
    assert white @ back == pytest.approx(y)


@pytest.mark.parametrize("whitened", [False, True])
def test_it_learns_where_the_target_is_from_features_that_tell(whitened) -> None:
    boxes, rng = boxes_around(600), np.random.default_rng(4)
    mixing = rng.normal(size=(4, 60)) * 40
    regression = BoxRegression(whitened)
    regression.fit(offsets(boxes, TARGET) @ mixing, boxes, TARGET)
    # Boxes that the plain kind takes answers for: larger than the target, and over most of it.
    others = boxes_around(30, seed=5, farthest=2)
    others[:, 2:] = TARGET[2:] * rng.uniform(1.1, 1.25, (30, 2))
    found = regression.refine(offsets(others, TARGET) @ mixing, others, (640, 480))
    before = iou(others, TARGET[None]).mean()
    assert iou(found, TARGET[None]).mean() > 0.5 * (1 + before)


def test_answers_that_are_far_from_their_box_are_dropped() -> None:
    regression = BoxRegression()
    regression.mean, regression.weight = np.array([3.0, 0, 0, 0]), np.zeros((2, 4))
    boxes = boxes_around(3)
    assert regression.refine(np.zeros((3, 2)), boxes, (640, 480)) == pytest.approx(boxes)
    regression.mean = np.array([0.05, 0, -0.05, -0.05])
    assert centres(regression.refine(np.zeros((3, 2)), boxes, (640, 480)))[:, 0] == pytest.approx(
        centres(boxes)[:, 0] + 0.05 * boxes[:, 2]
    )


@pytest.mark.parametrize(
    ("share", "taken"), [(0.99, True), (0.61, True), (0.59, False), (1.01, False), (1.5, False)]
)
def test_answers_that_shrink_a_little_are_taken(share, taken) -> None:
    """py-MDNet bbreg.py: IoU in [0.6, 1], area of the box in [1, 2] of the answer's."""
    regression = BoxRegression()
    # In place, so the IoU of an answer with `share` of the area is that share.
    log = np.log(share) / 2
    regression.mean, regression.weight = np.array([0, 0, log, log]), np.zeros((2, 4))
    found = regression.refine(np.zeros((1, 2)), TARGET[None], (640, 480))[0]
    wanted = share if taken else 1.0
    assert found[2] * found[3] == pytest.approx(wanted * TARGET[2] * TARGET[3])


def test_answers_are_cut_at_the_frame() -> None:
    """py-MDNet bbreg.py: corners at least 0, sides at most what is right of and below the box."""
    regression = BoxRegression()
    regression.mean, regression.weight = np.array([-0.1, -0.1, 0, 0]), np.zeros((2, 4))
    boxes = np.array([[2.0, 1, 40, 30], [610, 460, 50, 40]])
    found = regression.refine(np.zeros((2, 2)), boxes, (640, 480))
    assert found[0] == pytest.approx([0, 0, 40, 30])
    assert found[1] == pytest.approx([605, 456, 30, 20])


def test_whitening_divides_by_the_root_of_the_variance_and_a_thousandth() -> None:
    """hyseob/MDNet utils/train_bbox_regressor.m."""
    y = np.diag([0.01, 0.02, 0.05, 0.3])
    white, _ = whiten(np.concatenate([y, -y]))
    variance = np.array([0.01, 0.02, 0.05, 0.3]) ** 2 / 4
    assert np.diag(white[:4]) == pytest.approx(np.diag(y) / np.sqrt(variance + 1e-3))


def test_both_kinds_agree_with_ridge_by_hand() -> None:
    boxes, rng = boxes_around(50), np.random.default_rng(6)
    features = rng.normal(size=(50, 12)) * 5
    wanted = offsets(boxes, TARGET)
    ones = np.concatenate([features, np.ones((50, 1))], axis=1)
    gram = ones.T @ ones
    # py-MDNet: the bias is free; MDNet: it is kept small like the weights, in whitened targets.
    free = np.linalg.solve(gram + 1000 * np.diag([1.0] * 12 + [0.0]), ones.T @ wanted)
    plain = BoxRegression()
    plain.fit(features, boxes, TARGET)
    assert features @ plain.weight + plain.mean == pytest.approx(ones @ free)
    white, back = whiten(wanted - wanted.mean(axis=0))
    small = np.linalg.solve(gram + 1000 * np.eye(13), ones.T @ white)
    mdnet = BoxRegression(whitened=True)
    mdnet.fit(features, boxes, TARGET)
    found = mdnet.refine(features, boxes, (9999, 9999))
    assert found == pytest.approx(moved(boxes, ones @ small @ back + wanted.mean(axis=0)))
