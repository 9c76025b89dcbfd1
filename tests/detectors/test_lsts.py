import numpy as np
import pytest
import torch

from tests.nn.test_mxnet_params import params_bytes, published
from vbench.core.errors import VBenchError
from vbench.core.roles import Detections, VideoDetector, Weights
from vbench.cost.conventions import paper_count
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.dff import Dff
from vbench.detectors.fgfa import Fgfa
from vbench.detectors.lsts import ROWS, Lsts
from vbench.nn.sampling import aligned

TINY = {"width": 0.125, "short_px": 64}
ALIGNS = ("gaussian", "uniform", "flow", "matchtrans", "nonlocal", "copy")
G, MI = 1e9, 2**20


def frame(seed=0, size=(80, 64)):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def parameters(detector):
    return sum(t.numel() for t in detector.network.state_dict().values())


class Scripted:
    """Stands for a network: features are numbers, and every step leaves its trace in them."""

    def __init__(self):
        self.trunk = self
        self.resnet = self
        self.heads = self
        self.steps: list[str] = []

    def __call__(self, image):
        self.steps.append("high")
        return 100 * image[:, :1, :2, :2]

    def low(self, image):
        self.steps.append("low")
        return image[:, :1, :2, :2]

    def raised(self, low):
        self.steps.append("raise")
        return 10 * low

    def update(self, features, memory, images):
        self.steps.append("update")
        assert torch.equal(images[1][:, :1, :2, :2] * 100, features)
        return features + memory / 2

    def between(self, own, task, images):
        self.steps.append("between")
        return own + task


@pytest.fixture
def scripted(monkeypatch):
    detector = Lsts(**TINY)
    detector.network = Scripted()
    seen: list[float] = []

    def prepare(number):
        return type("Image", (), {"tensor": torch.full((1, 3, 4, 4), float(number))})()

    def read(features, image, frame):
        seen.append(float(features.mean()))
        return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))

    monkeypatch.setattr(detector, "prepare", prepare)
    monkeypatch.setattr(detector, "read", read)
    return detector, seen


def test_the_schedule_is_the_published_one(scripted):
    detector, seen = scripted
    detector.start((4, 4))
    detector.key(1)
    detector.inter(2)
    detector.inter(3)
    detector.key(4)
    detector.inter(5)
    assert detector.network.steps == [
        *("high", "low", "raise", "between", "low", "raise", "between"),
        *("high", "update", "low", "raise", "between"),
    ]
    # Task of the first key: its own features; of the next: F + memory / 2; others never replace it.
    assert seen == [100, 20 + 100, 30 + 100, 400 + 50, 50 + 450]
    detector.start((4, 4))
    detector.key(7)
    assert seen[-1] == 700


@pytest.mark.parametrize(("rate", "third"), [(1.0, 300 + 250 / 2), (0.0, 300 + 200 / 2)])
def test_the_memory_is_replaced_by_its_rate(scripted, rate, third):
    detector, seen = scripted
    detector.memory_rate = rate
    for number in (1, 2, 3):
        detector.key(number)
    # With rate 1 the second task, 200 + 100 / 2, is what the third sees; with 0 it is 200.
    assert seen == [100, 250, third]


def test_it_costs_what_the_formulas_say():
    with torch.device("meta"):
        detector = Lsts(device="meta")
    # The places decide how many displacements are read: they are numbers on any device.
    places = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    detector.network.init_offset = torch.nn.Parameter(places)
    works = detector.work()
    assert paper_count(works["key"]).macs / G == pytest.approx(169.2, abs=0.05)
    assert paper_count(works["inter"]).macs / G == pytest.approx(45.3, abs=0.06)
    parts = {w.name: paper_count([w]).macs / G for w in works["inter"]}
    assert parts["low features"] == pytest.approx(32.37, abs=0.005)
    assert parts["transform"] == pytest.approx(7.69, abs=0.005)
    assert parts["quality"] == pytest.approx(1.43, abs=0.005)
    assert parts["heads"] == pytest.approx(2.41, abs=0.005)
    assert not np.isnan(unit_costs(detector).inter.per_call)


@pytest.mark.parametrize(
    # LSTS, tables 1 to 3 (in units of 2^20): 64.5, 65.5 with DCN, 100.5 with flow, 64.5 non-local.
    ("given", "stated", "exact"),
    [
        ({}, 64.5, 64.23),
        ({"dcn": True}, 65.5, 65.18),
        ({"align": "flow"}, 100.5, 100.26),
        ({"align": "nonlocal"}, 64.5, 64.23),
    ],
)
def test_it_has_as_many_parameters_as_the_tables_say(given, stated, exact):
    with torch.device("meta"):
        count = parameters(Lsts(device="meta", **given)) / MI
    assert count == pytest.approx(stated, abs=0.4)
    assert count == pytest.approx(exact, abs=0.06)


def test_dff_and_fgfa_cost_and_weigh_what_is_stated():
    with torch.device("meta"):
        dff, fgfa = Dff(device="meta"), Fgfa(device="meta")
    assert parameters(dff) / MI == pytest.approx(96.67, abs=0.005)
    assert parameters(fgfa) / MI == pytest.approx(100.5, abs=0.4)
    # Layers of embedding, and a flow for the frame itself and for each of the memory.
    cells, flow = 38 * 63, paper_count(fgfa.work()["remembered"][:1]).macs
    embedding = cells * (1024 * 512 + 512 * 512 * 9 + 512 * 2048)
    assert paper_count(fgfa.work()["key"]).macs / G == pytest.approx(
        166.42 + (embedding + flow) / G, abs=0.03
    )
    assert flow / G == pytest.approx(12.90 - cells * 194 * 1024 / G, abs=0.005)
    works = dff.work()
    assert paper_count(works["key"]).macs / G == pytest.approx(166.42, abs=0.005)
    assert paper_count(works["inter"]).macs / G == pytest.approx(12.90 + 2.41, abs=0.01)
    mean = (paper_count(works["key"]).macs + 9 * paper_count(works["inter"]).macs) / 10
    assert mean / G == pytest.approx(30.4, abs=0.05)


@pytest.mark.parametrize("align", ALIGNS)
def test_every_alignment_answers_and_repeats(align):
    answers = []
    for _ in range(2):
        detector = Lsts(align=align, **TINY)
        assert isinstance(detector, VideoDetector)
        detector.start((80, 64))
        detector.key(frame(0))
        detector.inter(frame(1))
        detector.key(frame(2))
        answers.append(detector.inter(frame(3)))
    assert answers[0].scores.tobytes() == answers[1].scores.tobytes()
    assert np.isfinite(answers[0].boxes).all()


def moved_apart(detector):
    """Make what starts small large enough to be seen in answers."""
    with torch.no_grad():
        for name, parameter in detector.network.named_parameters():
            if any(part in name for part in ("embedding", "quality", "low2high")):
                parameter.mul_(10)
    return detector


@pytest.mark.parametrize("row", ROWS)
def test_rows_of_table_2_are_the_ways_they_say(row):
    network = moved_apart(Lsts(row=row, **TINY)).network.eval()
    generator = torch.Generator().manual_seed(0)
    own, memory = (torch.rand(1, 128, 4, 5, generator=generator) for _ in range(2))
    image = torch.zeros(1, 3, 64, 80)
    with torch.no_grad():
        carried = network.key2key(memory, own, network.init_offset)
        by_quality = network.key_quality(own, carried)
        wanted = {"a": own, "b": (own + carried) / 2}.get(row, by_quality)
        assert torch.equal(network.update(own, memory, (image, image)), wanted)
        raised = network.low2high(own) if row in "abceg" else own
        assert torch.equal(network.raised(own), raised)
        carried = network.key2cur(memory, raised, network.init_offset)
        mixed = {"d": (raised + carried) / 2, "e": (raised + carried) / 2}
        mixed |= dict.fromkeys("fg", network.cur_quality(raised, carried))
        found = network.between(raised, memory, (image, image))
        assert torch.equal(found, mixed.get(row, carried))


def test_quality_is_a_softmax_of_two_maps():
    network = moved_apart(Lsts(**TINY)).network
    a, b = torch.randn(1, 128, 4, 5), torch.randn(1, 128, 4, 5)
    layers = [getattr(network.cur_quality, f"quality_conv{i}_key2cur") for i in (1, 2, 3)]
    with torch.no_grad():
        maps = [layers[2](layers[1](layers[0](x))) for x in (a, b)]
        shares = torch.cat(maps, dim=1).softmax(dim=1)
        wanted = shares[:, :1] * a + shares[:, 1:] * b
        assert torch.allclose(network.cur_quality(a, b), wanted, atol=1e-5)


def test_matchtrans_is_the_uniform_window_that_is_not_learned():
    fixed, uniform = Lsts(align="matchtrans", **TINY), Lsts(align="uniform", **TINY)
    assert not fixed.network.init_offset.requires_grad
    assert uniform.network.init_offset.requires_grad
    assert not Lsts(learned=False, **TINY).network.init_offset.requires_grad
    assert torch.equal(fixed.network.init_offset, uniform.network.init_offset)
    assert len(fixed.network.init_offset) == 81


def test_nonlocal_is_sampling_at_every_cell():
    network = moved_apart(Lsts(align="nonlocal", **TINY)).network
    features, target = torch.randn(2, 1, 128, 3, 4)
    align = network.key2cur
    with torch.no_grad():
        old, new = (
            getattr(align, name)(x) for name, x in zip(align.names, (features, target), strict=True)
        )
        found = align(features, target, features)
        for y, x in ((0, 0), (2, 1)):
            # From this cell, all others are whole steps away.
            steps = torch.tensor([[i - x, j - y] for j in range(3) for i in range(4)]).float()
            wanted = aligned(features, old, new, steps)
            assert torch.allclose(found[..., y, x], wanted[..., y, x], atol=1e-5)


def test_published_names_load_and_answer_alike(tmp_path):
    for name, kind in (("lsts", Lsts), ("dff", Dff), ("fgfa", Fgfa)):
        native = kind(**TINY, seed=3)
        arrays = published(native.network)
        if name == "lsts":
            assert arrays["arg:init_offset"].shape == (40, 2)
            # The released file also has a table of zeros that nothing uses.
            arrays["arg:offset"] = np.zeros((40, 2), "f4")
        path = tmp_path / f"{name}.params"
        path.write_bytes(params_bytes(arrays))
        loaded = kind(**TINY, seed=4, weights=Weights(name, {path.name: path}, ""))
        for detector in (native, loaded):
            detector.start((80, 64))
            detector.key(frame(0))
        ours, theirs = native.inter(frame(1)), loaded.inter(frame(1))
        assert ours.boxes.tobytes() == theirs.boxes.tobytes()
        assert ours.scores.tobytes() == theirs.scores.tobytes()


def test_names_are_those_of_the_released_symbols():
    names = set(published(Lsts(**TINY).network))
    for name in (
        "arg:embedding_conv_feat_oldkey_key2key_weight",
        "arg:embedding_conv_feat_newkey_key2cur_bias",
        "arg:quality_conv2_key2cur_weight",
        "arg:low2high_conv3_bias",
        "arg:init_offset",
        "aux:bn4b22_branch2c_moving_var",
        "arg:bn_conv1_gamma",
        "arg:rfcn_bbox_bias",
    ):
        assert name in names
    assert {
        "arg:flow_conv1_weight",
        "arg:upsample_flow3to2_bias",
        "arg:Convolution5_scale_weight",
    } < (set(published(Dff(**TINY).network)))


def test_frames_of_another_size_begin_anew():
    for detector in (Lsts(**TINY), Dff(**TINY), Fgfa(**TINY)):
        detector.start((80, 64))
        detector.key(frame())
        found = detector.inter(frame(1, size=(64, 100)))
        alone = detector.__class__(**TINY)
        alone.start((64, 100))
        assert found.scores.tobytes() == alone.key(frame(1, size=(64, 100))).scores.tobytes()


def test_memory_is_bounded_by_the_frames_that_count():
    detector = Fgfa(past=2, **TINY)
    detector.start((80, 64))
    for seed in range(4):
        found = detector.key(frame(seed))
    assert len(detector.memory) == 2
    later = Fgfa(past=2, **TINY)
    later.start((80, 64))
    for seed in (1, 2, 3):
        expected = later.key(frame(seed))
    assert found.scores.tobytes() == expected.scores.tobytes()


def test_aggregation_is_a_softmax_over_frames_of_cosines():
    detector = Fgfa(past=2, **TINY)
    detector.start((80, 64))
    for seed in (0, 1):
        detector.key(frame(seed))
    image = detector.prepare(frame(2)).tensor
    with torch.inference_mode():
        features = detector.network.trunk(image)
        own = torch.cat([features, detector.network.embedding(features)], dim=1)
        frames = [(s.image, s.features) for s in detector.memory] + [(image, own)]
        there = torch.cat([detector.warp(f, source, image) for source, f in frames])
        unit = torch.nn.functional.normalize(there[:, 128:], dim=1)
        weights = (unit * unit[-1:]).sum(dim=1, keepdim=True).softmax(dim=0)
        wanted = (weights * there[:, :128]).sum(dim=0, keepdim=True)
        assert torch.allclose(detector._mixed(own, image), wanted, atol=1e-5)


def test_numbers_that_make_no_sense_are_refused():
    for given in ({"locations": 0}, {"memory_rate": 1.5}, {"width": 0}):
        with pytest.raises(VBenchError, match="give") as caught:
            Lsts(**{**TINY, **given})
        assert "\n" not in str(caught.value)


def test_keys_in_the_middle_run_under_their_policy():
    from vbench.core.policy import parse_policy

    order = parse_policy("fixed_middle:10").order(24).tolist()
    # The released tester: key = 4 + 10 i, the last one inside the clip.
    assert [order[0], order[10], order[20]] == [4, 14, 23]
