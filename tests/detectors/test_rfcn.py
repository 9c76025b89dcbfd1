import numpy as np
import pytest
import torch

from vbench.core.errors import VBenchError
from vbench.cost.conventions import paper_count
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.rfcn import Rfcn, RfcnNetwork
from vbench.nn.resnet import ResNet101
from vbench.nn.rfcn import Found, prepared, read_detections

G, MI = 1e9, 2**20


def frame(size=(80, 64), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def full():
    """A full-width network whose numbers are nowhere: shapes only."""
    with torch.device("meta"):
        return Rfcn(device="meta")


@pytest.mark.parametrize(
    # Closed formulas of DFF's network at 600 x 1000; v1.5 is the "169 G" of the tables.
    ("stride_in", "macs"),
    [("1x1", 166.42), ("3x3", 168.25)],
)
def test_it_costs_what_the_formulas_say(stride_in, macs):
    with torch.device("meta"):
        detector = Rfcn(stride_in=stride_in, device="meta")
    works = detector.work()["detect"]
    assert paper_count(works).macs / G == pytest.approx(macs, abs=0.005)
    # Norms are one more a value.
    executed = unit_costs(detector).key.per_call / G
    assert macs < executed < macs * 1.002


def test_it_has_as_many_parameters_as_the_papers_say(full):
    tensors = full.network.state_dict().values()
    # LSTS, table 1: 60.0 M, in units of 2^20 and with the norms' statistics.
    assert sum(t.numel() for t in tensors) / MI == pytest.approx(59.6, abs=0.01)


def test_deformable_layers_add_a_million(full):
    with torch.device("meta"):
        deformable = RfcnNetwork(30, 1.0, "1x1", deformable=True)
    more = sum(t.numel() for t in deformable.state_dict().values())
    more -= sum(t.numel() for t in full.network.state_dict().values())
    # LSTS, table 1: 64.5 M without and 65.5 M with them.
    assert more == 3 * (512 * 72 * 9 + 72)
    assert more / MI == pytest.approx(1.0, abs=0.06)


def test_low_then_high_is_the_whole_network():
    network = ResNet101(0.125).eval()
    images = torch.randn(1, 3, 48, 65)
    low = network.low(images)
    assert low.shape == (1, 128, 3, 5)
    assert (low < 0).any()
    assert torch.equal(network.high(low), network(images))
    assert network(images).shape == (1, 256, 3, 5)


def test_frames_are_resized_as_published():
    image = prepared(np.full((720, 1280, 3), 7, np.uint8), 600, "cpu")
    # The long side's limit of 1000 px decides: 562.5 px of height.
    assert image.tensor.shape == (1, 3, 562, 1000)
    assert image.scale == 1000 / 1280
    assert image.tensor[0, :, 0, 0] == pytest.approx(
        7 - np.array([123.15, 115.9, 103.06]), abs=1e-4
    )
    assert prepared(np.zeros((480, 640, 3), np.uint8), 600, "cpu").size == (800, 600)


def test_answers_are_read_class_by_class():
    corners = torch.tensor([[0.0, 0, 19, 19], [1, 0, 20, 19], [40, 20, 59, 39]])
    chances = torch.tensor([[0.2, 0.6, 0.2], [0.1, 0.5, 0.4], [0.9, 0.0005, 0.0995]])
    boxes, scores, labels = read_detections(Found(corners, chances), 2.0, (30, 20), 1e-3)
    assert scores == pytest.approx([0.6, 0.4, 0.0995])
    assert labels.tolist() == [0, 1, 1]
    # Inclusive corners of an image of twice the size.
    assert boxes[0] == pytest.approx([0, 0, 10.5, 10.5])
    assert boxes[1] == pytest.approx([0.5, 0, 10.5, 10.5])
    assert boxes[2] == pytest.approx([20, 10, 10, 10])


def test_answers_repeat_and_depend_on_the_seed():
    given = {"width": 0.125, "short_px": 64}
    first = Rfcn(**given, seed=0).detect(frame())
    again = Rfcn(**given, seed=0).detect(frame())
    other = Rfcn(**given, seed=1).detect(frame())
    assert first.boxes.tobytes() == again.boxes.tobytes()
    assert first.scores.tobytes() != other.scores.tobytes()
    assert len(first.boxes) <= 300
    assert (first.boxes[:, 2:] > 0).all()
    assert set(first.labels) <= set(range(30))


def test_impossible_networks_are_refused():
    with pytest.raises(VBenchError, match="width in"):
        Rfcn(width=0)
