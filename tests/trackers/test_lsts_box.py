import numpy as np
import pytest
import torch

from vbench.core.errors import VBenchError
from vbench.core.roles import Propagator, Weights
from vbench.cost.conventions import paper_count
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.lsts import Lsts
from vbench.detectors.rfcn import Rfcn
from vbench.nn.local_correlation import square
from vbench.nn.sampling import went, went_macs
from vbench.run.compose import compose, plan
from vbench.run.tally import parameters_m
from vbench.trackers.lsts_box import LstsBox

TINY = {"width": 1 / 8, "short_px": 64}
BOXES = np.array([[24.0, 24, 48, 24], [np.nan] * 4, [100.0, 40, 8, 8]])


def noise(seed=0, height=96, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def at(maps, x, y):
    """Feature (c,) between the cells of maps (c, h, w), zero outside: a loop over four cells."""
    found = torch.zeros(len(maps))
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            share = (1 - abs(x - column)) * (1 - abs(y - row))
            if 0 <= row < maps.shape[1] and 0 <= column < maps.shape[2]:
                found += share * maps[:, row, column]
    return found


def cell_by_cell(here, there, offsets):
    """`went`, place by place: a later cell at p - o says that it was at p."""
    motion = torch.zeros(2, *here.shape[1:])
    likeness = torch.zeros(here.shape[1:])
    for y in range(here.shape[1]):
        for x in range(here.shape[2]):
            seen = [at(there, x - float(o[0]), y - float(o[1])) for o in offsets]
            weights = torch.stack([here[:, y, x] @ s for s in seen]).softmax(dim=0)
            motion[:, y, x] = -(weights[:, None] * offsets).sum(dim=0)
            mixed = (weights[:, None] * torch.stack(seen)).sum(dim=0)
            likeness[y, x] = torch.cosine_similarity(here[:, y, x], mixed, dim=0)
    return motion, likeness


def test_it_equals_a_loop_over_cells_and_places() -> None:
    here, there, offsets = normal(6, 4, 5), normal(6, 4, 5, seed=1), normal(7, 2, seed=2) * 1.5
    motion, likeness = went(here[None], there[None], offsets)
    wanted_motion, wanted_likeness = cell_by_cell(here, there, offsets)
    assert torch.allclose(motion[0], wanted_motion, atol=1e-5)
    assert torch.allclose(likeness[0], wanted_likeness, atol=1e-5)


@pytest.mark.parametrize("shift", [(2, 1), (-3, 0), (0, -2)])
def test_what_moved_by_whole_cells_is_found_there(shift) -> None:
    here = normal(32, 12, 16) * 4
    there = torch.roll(here, (shift[1], shift[0]), dims=(1, 2))
    motion, likeness = went(here[None], there[None], square(4).float())
    inner = (..., slice(4, 8), slice(4, 12))
    assert torch.allclose(
        motion[0].permute(1, 2, 0)[inner[1:]], torch.tensor(shift).float(), atol=1e-3
    )
    assert likeness[0][inner[1:]].min() > 0.999


def test_products_are_those_of_similarities_mix_motion_and_cosine() -> None:
    offsets = torch.tensor([[0.0, 0], [1, 0], [0, -2]])
    cells, embedded, n = 4 * 5, 6, 3
    # Whole displacements: three taps, a mix of three by three in both directions, and the softmax.
    wanted = cells * (n * 2 * embedded + 2 * n * n + n) + cells * (2 * n + 3 * embedded)
    assert went_macs(offsets, (4, 5), embedded) == wanted


class Scripted:
    """Stands in for the networks: the features of a keyframe and of a frame, and how often."""

    def __init__(self, monkeypatch, model, features) -> None:
        self.calls = 0

        def embedded(image, side):
            self.calls += 1
            return features[side]

        monkeypatch.setattr(model, "_embedded", embedded)


def test_boxes_go_where_their_cells_went(monkeypatch) -> None:
    model = LstsBox(align="uniform", **TINY)
    # 160 x 96 px are seen as 107 x 64, of 7 x 4 cells of 24 px.
    here = normal(1, 64, 4, 7) * 4
    there = torch.roll(here, (1, 2), dims=(2, 3))
    script = Scripted(monkeypatch, model, (here, there))
    model.anchor(noise(), BOXES)
    for _ in range(2):
        boxes, belief = model.propagate(noise(1))
        assert boxes[0] - BOXES[0] == pytest.approx([48, 24, 0, 0], abs=0.05)
        assert belief[0] == pytest.approx(1.0, abs=1e-3)
        assert np.isnan(boxes[1]).all() and np.isnan(belief[1])
    # One look a frame, however many objects.
    assert script.calls == 3


def test_frames_alike_leave_boxes_where_they_are(monkeypatch) -> None:
    model = LstsBox(align="uniform", **TINY)
    here = normal(1, 64, 4, 7) * 4
    Scripted(monkeypatch, model, (here, here))
    model.anchor(noise(), BOXES)
    assert model.propagate(noise()).boxes[0] == pytest.approx(BOXES[0], abs=0.05)


def test_checkpoints_of_lsts_load_without_their_upper_layers(tmp_path) -> None:
    source = Lsts(classes=3, **TINY, seed=3)
    path = tmp_path / "lsts.pth"
    torch.save(source.network.state_dict(), path)
    model = LstsBox(**TINY, weights=Weights("lsts", {path.name: path}, ""))
    image = normal(1, 3, 64, 96)
    with torch.inference_mode():
        low = source.network.trunk.resnet.low(image)
        raised = source.network.low2high(low)
        theirs = [getattr(source.network.key2cur, n)(raised) for n in model.network.key2cur.names]
        ours = [layer(model.network(image)) for layer in model.network.embeddings]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(model.network.init_offset, source.network.init_offset)
    assert not [name for name in model.network.state_dict() if "res5" in name or "4b4_" in name]


def test_full_width_costs_the_low_layers_and_little_more() -> None:
    def works(**given):
        model = LstsBox(device="meta", **given)
        model.network.init_offset = torch.nn.Parameter(normal(40, 2))
        return model.work()

    low = paper_count(works(transformed=False)["anchor"]).macs / 1e9
    table = works()
    anchor, inter = (paper_count(table[call]).macs / 1e9 for call in ("anchor", "propagate"))
    # Published sums of the layers of LSTS: 32.37 G below the cut, 7.69 G raise, 1.26 G embed twice.
    assert low == pytest.approx(32.37 + 0.63, abs=0.01)
    assert anchor == pytest.approx(low + 7.69, abs=0.01)
    assert anchor < inter < anchor + 0.1


@pytest.mark.parametrize("base", ["kcf", "blobs", "rfcn[width=0.0625,short_px=64]"])
def test_it_carries_for_trackers_and_detectors(base) -> None:
    composed = compose(plan(f"{base}+lsts-box[width=0.125,short_px=64]@fixed:10"), lambda *_: None)
    stepper = composed.stepper
    assert isinstance(stepper.parts()[1], Propagator)
    stepper.start(noise(), BOXES[0])
    key = stepper.key(noise(1))
    found = stepper.accept(stepper.inter(noise(2)))
    assert len(found.boxes) <= len(key.boxes)
    assert np.isfinite(found.boxes).all()
    costs = unit_costs(*stepper.parts())
    assert costs.inter.per_call > 0 and costs.inter.per_object == 0


def test_sharing_changes_no_answer_and_saves_the_keyframes_low_layers() -> None:
    detector = Rfcn(**TINY, classes=3)
    alone, sharing = LstsBox(**TINY), LstsBox(**TINY, shared=True)
    sharing.share(detector)
    counted = []
    low = detector.network.trunk.resnet.low

    def seen(images):
        counted.append(1)
        return low(images)

    detector.network.trunk.resnet.low = seen
    frames = [noise(seed) for seed in range(3)]
    detector.detect(frames[0])
    for model in (alone, sharing):
        model.anchor(frames[0], BOXES)
    assert len(counted) == 1
    for frame in frames[1:]:
        ours, theirs = alone.propagate(frame), sharing.propagate(frame)
        assert ours.boxes.tobytes() == theirs.boxes.tobytes()
        assert ours.belief.tobytes() == theirs.belief.tobytes()
    assert len(counted) == 3
    # Of another frame than the detector saw last, its features are of no use.
    sharing.anchor(frames[1], BOXES)
    assert len(counted) == 4


def test_sharing_charges_keyframes_for_raising_and_embedding_alone() -> None:
    text = "rfcn[width=0.125,short_px=64]+lsts-box[width=0.125,short_px=64{}]@fixed:10"
    alone, shared = (
        compose(plan(text.format(more)), lambda *_: None).stepper for more in ("", ",shared=1")
    )
    low = LstsBox(**TINY, transformed=False)
    macs = paper_count(low.work()["anchor"][:1]).macs
    prices = [unit_costs(*stepper.parts()) for stepper in (alone, shared)]
    # Norms are one more a value, which the layers' count leaves out.
    saved = prices[0].key.per_call - prices[1].key.per_call
    assert macs < saved < 1.05 * macs
    assert prices[0].inter == prices[1].inter
    layers = sum(p.numel() for p in low.network.resnet.parameters())
    more, fewer = (parameters_m(stepper) or 0.0 for stepper in (alone, shared))
    assert more - fewer == pytest.approx(layers / 1e6)


@pytest.mark.parametrize("base", [object(), Rfcn(**TINY, seed=1), Rfcn(**TINY, stride_in="3x3")])
def test_only_the_very_same_low_layers_are_shared(base) -> None:
    LstsBox(**TINY).share(base)
    with pytest.raises(VBenchError, match="leave shared out"):
        LstsBox(**TINY, shared=True).share(base)


def test_frames_that_change_size_are_refused() -> None:
    model = LstsBox(**TINY)
    model.anchor(noise(), BOXES)
    with pytest.raises(VBenchError, match="differ in size"):
        model.propagate(noise(height=64))


@pytest.mark.parametrize("given", [{"width": 0}, {"short_px": 8}, {"locations": 0}])
def test_sizes_that_make_no_network_are_refused(given) -> None:
    with pytest.raises(VBenchError, match="give 1 to"):
        LstsBox(**given)
