import numpy as np
import pytest
import torch

from vbench.core.errors import VBenchError
from vbench.core.roles import Propagator, Weights
from vbench.cost.architectures import flownet_s, total
from vbench.cost.conventions import paper_count
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.dff import DffNetwork
from vbench.nn.flownet import FLOW_CELLS
from vbench.run.compose import check, compose, plan
from vbench.trackers.flow import Flow, shifted

TINY = {"width": 1 / 8, "short_px": 64}
BOXES = np.array([[20.0, 16, 40, 30], [90.0, 40, 8, 8], [np.nan] * 4, [130.0, 60, 60, 60]])


def noise(seed=0, height=96, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planted(flow_x, flow_y):
    """A propagator whose network sees the same flow everywhere, in cells of 16 px of its image."""
    model = Flow(**TINY)
    last = model.network.Convolution5
    torch.nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias[:] = torch.tensor([flow_x, flow_y]) / FLOW_CELLS
    return model


def test_constant_flow_moves_every_box_by_exactly_that() -> None:
    model = planted(0.5, -0.25)
    assert isinstance(model, Propagator)
    model.anchor(noise(), BOXES)
    for seed in (1, 2):
        boxes, belief = model.propagate(noise(seed))
        # The short side of 96 px is seen as 64, so a cell is 24 px. From the keyframe, each time.
        assert boxes - BOXES == pytest.approx(
            np.array([[12.0, -6, 0, 0]] * 4) + 0 * BOXES, nan_ok=True
        )
        assert np.isnan(belief).tolist() == [False, False, True, False]


def test_each_box_follows_the_mean_of_its_own_cells() -> None:
    motion = np.zeros((2, 4, 6))
    motion[0, :, 3:] = 2.0
    motion[1, 2:] = -1.0
    boxes = np.array([[0.0, 0, 30, 20], [30.0, 0, 30, 20], [20.0, 10, 20, 20], [0, 15, 60, 10]])
    moved = shifted(boxes, motion, 10.0)
    assert moved - boxes == pytest.approx(
        np.array([[0, 0, 0, 0], [20, 0, 0, 0], [10, -5, 0, 0], [10, -5, 0, 0]])
    )


def test_belief_is_whether_the_box_holds_what_it_held() -> None:
    model = planted(0.0, 0.0)
    model.anchor(noise(), BOXES[:1])
    assert model.propagate(noise()).belief == pytest.approx([1.0])
    assert model.propagate(noise(1)).belief[0] < 0.5
    model = planted(0.5, 0.0)
    frame = noise()
    model.anchor(frame, BOXES[:1])
    # 12 px to the right: what the flow says it is.
    assert model.propagate(np.roll(frame, 12, axis=1)).belief == pytest.approx([1.0], abs=1e-6)


def test_the_network_runs_once_a_frame(monkeypatch) -> None:
    model = Flow(**TINY)
    calls = []
    model.network.register_forward_hook(lambda *_: calls.append(1))
    model.anchor(noise(), np.repeat(BOXES, 20, axis=0))
    model.propagate(noise(1))
    model.propagate(noise(2))
    assert len(calls) == 2


def test_it_costs_a_forward_without_the_scale_map() -> None:
    table = Flow(device="meta").work()
    found = paper_count(table["propagate"])
    scale_map = 38 * 63 * 194 * 1024
    assert found.macs_per_call == total(flownet_s((600, 1000))) - scale_map
    assert (found.macs_per_call + scale_map) / 1e9 == pytest.approx(12.90, abs=0.005)
    assert found.macs_per_object == 0
    assert paper_count(table["anchor"]).macs == 0


@pytest.mark.parametrize("base", ["kcf", "blobs", "rfcn[width=0.0625,short_px=64]"])
def test_it_carries_for_trackers_and_detectors(base) -> None:
    composed = compose(plan(f"{base}+flow[width=0.125,short_px=64]@fixed:10"), lambda *_: None)
    stepper = composed.stepper
    stepper.start(noise(), BOXES[0])
    key = stepper.key(noise(1))
    found = stepper.accept(stepper.inter(noise(2)))
    assert len(found.boxes) <= len(key.boxes)
    assert np.isfinite(found.boxes).all()
    costs = unit_costs(*stepper.parts())
    assert costs.inter.per_call > 0 and costs.inter.per_object == 0


@pytest.mark.parametrize("base", ["dff", "lsts", "fgfa", "dt", "plugplay-hrnet"])
def test_video_detectors_take_no_propagator(base) -> None:
    method = f"{base}[width=0.0625,short_px=64]+flow[width=0.125]@fixed:5"
    with pytest.raises(VBenchError, match=r"looks at every frame itself; drop '\+flow\[width"):
        check(plan(method), lambda *_: None)
    with pytest.raises(VBenchError, match="drop its propagator"):
        compose(plan(method), lambda *_: None)


def test_deep_feature_flows_checkpoints_load(tmp_path) -> None:
    torch.manual_seed(3)
    source = DffNetwork(3, 1 / 8, "1x1")
    path = tmp_path / "dff.pth"
    torch.save(source.state_dict(), path)
    model = Flow(**TINY, weights=Weights("dff", {path.name: path}, ""))
    theirs = source.warp.flownet.state_dict()
    ours = model.network.state_dict()
    assert set(theirs) - set(ours) == {"Convolution5_scale.weight", "Convolution5_scale.bias"}
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_weights_without_a_flow_network_are_refused(tmp_path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"trunk.conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(VBenchError, match="FlowNetS: missing Convolution1"):
        Flow(**TINY, weights=Weights("dff", {path.name: path}, ""))


def test_frames_that_change_size_are_refused() -> None:
    model = Flow(**TINY)
    model.anchor(noise(), BOXES)
    with pytest.raises(VBenchError, match="differ in size"):
        model.propagate(noise(height=64))


@pytest.mark.parametrize("given", [{"width": 0}, {"short_px": 8}])
def test_sizes_that_make_no_network_are_refused(given) -> None:
    with pytest.raises(VBenchError, match="give a width"):
        Flow(**given)
