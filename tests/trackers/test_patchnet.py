"""PatchNet against its equations written down one after the other, and against itself."""

import cv2
import numpy as np
import pytest
import torch

from tests.benchmarks.bench_patchnet import kernels_of, straight_line
from vbench import catalogue
from vbench.core.boxes import iou, to_corners
from vbench.core.errors import VBenchError
from vbench.core.roles import Weights
from vbench.cost.architectures import patchnet as official_terms
from vbench.cost.macs import count
from vbench.trackers.patchnet import PatchNet, PatchNetTracker
from vbench.trackers.patchnet_network import (
    PatchNetwork,
    cut_groups,
    split_patches,
    spread_groups,
    z_order,
)
from vbench.trackers.patchnet_sparse import SparsePatchNet

BOXES = np.array([[40.0, 30, 36, 50], [90.5, 61.25, 20, 13.5], [-9, 70, 40, 30]])


def texture(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    spread = (smooth - smooth.min()) / np.ptp(smooth)
    return np.asarray(spread * 255, dtype=np.uint8)


def trained(structured: bool = True, seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict as training leaves it: zeros stay zero, the rest moves."""
    generator = torch.Generator().manual_seed(seed)
    state = PatchNetwork().state_dict()
    for name, value in state.items():
        factor = 1 + 0.3 * torch.randn(value.shape, generator=generator)
        shift = 0 if structured else 1e-2 * torch.randn(value.shape, generator=generator)
        state[name] = value * factor + shift
    return state


def file_of(state, folder) -> Weights:
    path = folder / "patchnet.pth"
    torch.save(state, path)
    return Weights("patchnet", {path.name: path}, "")


@pytest.fixture(scope="module")
def frames() -> tuple[np.ndarray, np.ndarray]:
    """A keyframe, and the same moved by 3 and 2 px with a little of another picture in it."""
    key = texture(1)
    moved = np.roll(key, (2, 3), axis=(0, 1))
    return key, np.asarray(0.9 * moved + 0.1 * texture(2), dtype=np.uint8)


@pytest.mark.parametrize("structured", [True, False])
@pytest.mark.parametrize("resp_size", [5, 7, 8])
@pytest.mark.parametrize("align_corners", [False, True])
def test_boxes_are_those_of_the_equations(
    structured, resp_size, align_corners, frames, tmp_path
) -> None:
    state = trained(structured)
    network = PatchNet(align_corners, resp_size=resp_size, weights=file_of(state, tmp_path))
    assert (network.sparse is not None) == structured
    network.anchor(frames[0], BOXES)
    found = network.propagate(frames[1])
    corners = to_corners(BOXES)
    with torch.no_grad():
        kernels = kernels_of(frames[0], corners, state, align_corners)
        expected, score = straight_line(
            frames[1], kernels, corners, state, resp_size, align_corners
        )
    np.testing.assert_allclose(to_corners(found.boxes), expected, atol=1e-3)
    np.testing.assert_allclose(found.belief, score, atol=1e-3)


@pytest.mark.parametrize("dense", [False, True])
def test_a_coupled_batch_is_that_of_the_authors(dense, frames, tmp_path) -> None:
    state = trained()
    flat = frames[0].copy()
    flat[50:, 80:] = flat[50:, 80:] // 8 + 100
    network = PatchNet(batch_coupled=True, dense=dense, weights=file_of(state, tmp_path))
    network.anchor(flat, BOXES)
    corners = to_corners(BOXES)
    maps, _ = network.responses(flat, corners)
    alone = PatchNet(dense=dense, weights=file_of(state, tmp_path))
    alone.anchor(flat, BOXES)
    with torch.no_grad():
        kernels = kernels_of(flat, corners, state)
        expected, _ = straight_line(flat, kernels, corners, state, coupled=True)
    found, _ = network.match(flat, corners)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(maps - alone.responses(flat, corners)[0]).max() > 1e-3


def test_objects_do_not_influence_each_other(frames) -> None:
    many = np.concatenate([BOXES + [dx, 0, 0, 0] for dx in range(4)])  # more than one turn
    together, alone = PatchNet(), PatchNet()
    together.anchor(frames[0], many)
    found = together.propagate(frames[1])
    for row, box in enumerate(many):
        alone.anchor(frames[0], box[None])
        np.testing.assert_allclose(alone.propagate(frames[1]).boxes[0], found.boxes[row], atol=1e-4)


def test_sparse_dense_and_grouped_maps_agree(frames, tmp_path) -> None:
    weights = file_of(trained(), tmp_path)
    corners = to_corners(BOXES)
    answers = []
    for given in ({}, {"dense": True}, {"grouped": True}, {"grouped": True, "dense": True}):
        network = PatchNet(weights=weights, **given)
        network.anchor(frames[0], BOXES)
        answers.append(network.responses(frames[1], corners))
    sparse, dense, grouped_sparse, grouped = answers
    for one, other, exactly in zip(sparse, grouped_sparse, dense, strict=True):
        assert np.array_equal(one, other)
        np.testing.assert_allclose(one, exactly, atol=1e-4)
    assert all(np.array_equal(one, other) for one, other in zip(dense, grouped, strict=True))


def test_structural_weights_are_the_published_ones() -> None:
    state = PatchNetwork().state_dict()
    nonzero = {name: int(value.count_nonzero()) for name, value in state.items()}
    layers = ("conv2", "conv3", "conv4", "conv3reg", "conv4reg")
    assert [nonzero[f"{layer}.weight"] for layer in layers] == [64, 16, 4, 128, 32]
    # Out patch 0 from in patch 0, y min and y max: the least-squares fit, over four.
    block = state["conv3reg.weight"][:2, :2, 0, 0]
    np.testing.assert_allclose(block, [[0.1875, 0.0625], [-0.0625, 0.0625]], atol=1e-7)
    assert torch.equal(state["conv2.weight"][0, 9], torch.eye(5)[4:].T @ torch.eye(5)[4:] / 4)
    parameters = [sum(p.numel() for p in PatchNetwork(g).parameters()) for g in (False, True)]
    assert parameters == [54_614, 30_614]


def test_morton_order_and_groups() -> None:
    assert z_order(8)[:9].tolist() == [0, 1, 8, 9, 2, 3, 10, 11, 16]
    grouped = torch.randn(16, 4, 5, 5)
    assert torch.equal(cut_groups(spread_groups(grouped)), grouped)


def test_frequencies_without_gain_leave_patches_and_the_lowest_their_mean() -> None:
    network, template = PatchNetwork(), torch.randn(2, 3, 64, 64)
    patches = split_patches(template)
    assert torch.equal(patches[1, 8, 2], template[1, 2, 8:16, :8])
    with torch.no_grad():
        torch.testing.assert_close(network.feature_layer(template), patches)
        network.feature_layer.freq_coeff.zero_()[0, 0] = 1
        means = patches.mean(dim=(3, 4), keepdim=True).expand_as(patches)
        torch.testing.assert_close(network.feature_layer(template), means)


def test_another_structure_is_computed_densely() -> None:
    network = PatchNetwork()
    assert SparsePatchNet.of(network) is not None
    with torch.no_grad():
        network.conv3reg.weight[0, 2, 0, 0] = 0.1  # y min from x min
    assert SparsePatchNet.of(network) is None


def test_gradients_reach_every_parameter() -> None:
    network = PatchNetwork()
    scores, offsets = network(torch.randn(2, 3, 119, 119), torch.randn(2, 3, 64, 64))
    assert scores.shape == (2, 1, 7, 7)
    assert offsets.shape == (2, 4, 7, 7)
    (scores.square().sum() + offsets.square().sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("name", ["patchnet", "patchnet-g"])
def test_the_object_is_followed(name, frames) -> None:
    network = catalogue.build("propagators", name, weights=None)
    network.anchor(frames[0], BOXES[:2])
    found = network.propagate(frames[1])
    expected = BOXES[:2] + [3, 2, 0, 0]
    assert iou(found.boxes, expected).min() > 0.8
    again = catalogue.build("propagators", name, weights=None)
    again.anchor(frames[0], BOXES[:2])
    assert np.array_equal(again.propagate(frames[1]).boxes, found.boxes)


def test_where_the_search_is_centred(frames) -> None:
    far = BOXES[:1] + [60, 40, 0, 0]
    chained, kept = PatchNet(), PatchNet(prior="keyframe")
    for network in (chained, kept):
        network.anchor(frames[0], BOXES[:1])
        network.propagate(frames[1])
        network.seat(far)
        found = network.propagate(frames[1]).boxes
        centred_on = far if network is chained else BOXES[:1]
        # The response reaches 3 cells of an eighth of the box, and a side an offset more.
        assert np.all(np.abs(found - centred_on)[:, :2] < 0.75 * BOXES[:1, 2:])


@pytest.mark.parametrize("score", ["peak", "plain", "temporal", "combined"])
def test_belief_is_a_share(score, frames) -> None:
    network = PatchNet(score=score)
    network.anchor(frames[0], BOXES)
    belief = network.propagate(frames[1]).belief
    assert np.all((belief >= 0) & (belief <= 1))


def test_work_is_what_the_layers_execute() -> None:
    sparse = count(PatchNet().work()["propagate"])
    terms = official_terms()
    # Two grids of 4 taps in a layer of scores, 8 in one of offsets, 4 cells in a pool.
    layers = 4 * (16 * 52**2 + 4 * 22**2 + 7**2) + 8 * (16 * 22**2 + 4 * 7**2)
    pools = 4 * 4 * (16 * 26**2 + 4 * 11**2)
    normaliser = 3 * 119**2
    assert sparse.uncounted == ("crops",)
    assert sparse.macs == pytest.approx(
        terms["correlation"] + layers + pools + normaliser, rel=0.003
    )
    for grouped in (False, True):
        dense = count(PatchNet(dense=True, grouped=grouped).work()["propagate"])
        terms = official_terms(grouped=grouped)
        convolutions = sum(terms.values()) - terms["fourier"] - terms["pools"]
        assert dense.by_op["conv"] == convolutions
    assert sum(official_terms().values()) == 57_672_404


def test_mistakes_are_named(tmp_path) -> None:
    with pytest.raises(VBenchError, match="give 1 to 31"):
        PatchNet(resp_size=0)
    state = trained()
    state["conv9.weight"] = state.pop("conv4.weight")
    with pytest.raises(VBenchError, match=r"missing conv4.weight; unexpected conv9.weight"):
        PatchNet(weights=file_of(state, tmp_path))


def test_the_tracker_is_the_propagator_from_the_first_frame(frames) -> None:
    tracker, network = PatchNetTracker(), PatchNet()
    tracker.start(frames[0], BOXES[0])
    network.anchor(frames[0], BOXES[:1])
    for _ in range(2):
        estimate, found = tracker.track(frames[1]), network.propagate(frames[1])
        assert np.array_equal(estimate.box, found.boxes[0])
        assert estimate.score == found.belief[0]
    assert set(tracker.work()) == {"start", "track"}
