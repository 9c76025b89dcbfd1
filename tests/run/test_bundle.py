"""What a bundle holds, and that its runner needs nothing but torch."""

import ast
import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vbench.core.errors import VBenchError
from vbench.core.method import parse_method
from vbench.core.policy import Every
from vbench.core.roles import Work
from vbench.cost.device_profile import read_profile
from vbench.run.bundle import graph_program, packed_tensors, runner_source, write_bundle
from vbench.run.compose import Composed
from vbench.run.device_operators import OLDER, Program
from vbench.run.device_runner import tensors_of
from vbench.run.stepper import TrackerStepper


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        )
        self.gain = nn.Parameter(torch.full((8, 1, 1), 0.5))

    def forward(self, x, z):
        features = self.layers(x) * self.gain
        n, c, h, w = features.shape
        return features.view(n, c, h * w)[:, 1:3], torch.cat([features.amax(1), z], 1)


class Tracker:
    def __init__(self):
        self.net = Net().eval()

    def start(self, frame, box): ...

    def track(self, frame): ...

    def correlate(self, x, z):
        return nn.functional.conv2d(x, z) * self.net.gain[:1]

    def work(self):
        images = (torch.rand(1, 3, 12, 12), torch.rand(1, 2, 5))
        pair = (torch.rand(1, 4, 6, 6), torch.rand(1, 4, 3, 3))
        return {
            "start": [Work("template", self.net, images)],
            "track": [Work("net", self.net, images, times=3), Work("xcorr", self.correlate, pair)],
            "update": [Work("formula", macs=5.0)],
        }


class Carrier:
    def anchor(self, frame, boxes): ...

    def propagate(self, frame): ...

    def work(self):
        return {
            "propagate": [
                Work("net", nn.Conv2d(3, 4, 3), [torch.rand(1, 3, 8, 8)], per_object=True)
            ]
        }


def methods():
    stepper = TrackerStepper(Tracker(), Carrier())
    return [Composed(parse_method("mine+carrier@every"), "sot", Every(), stepper)]


def test_a_bundle_says_what_is_in_it_and_what_stayed(tmp_path):
    said = write_bundle(methods(), tmp_path / "b", objects=(1, 4))
    names = [(c["model"], c["call"], c["objects"]) for c in said["components"]]
    assert names == [
        ("mine", "start", 1),
        ("mine", "track", 1),
        ("carrier", "propagate", 1),
        ("carrier", "propagate", 4),
    ]
    assert said["left_out"] == ["mine.update x 1: formula is no network"]
    track = said["components"][1]["parts"]
    assert [part["times"] for part in track] == [3, 1]
    assert track[1]["macs"] == 16 * 36 + 16
    last = said["components"][-1]["parts"][0]
    assert last["inputs"] == [{"shape": [4, 3, 8, 8], "dtype": "float32"}]
    assert last["macs"] == 4 * 36 * 4 * 27
    assert all((tmp_path / "b" / p["script"]).exists() for p in track)


def test_operators_one_by_one_answer_what_the_network_answers():
    net, x, z = Net().eval(), torch.rand(2, 3, 12, 12), torch.rand(2, 2, 5)
    with torch.no_grad():
        traced = torch.jit.trace(net, (x, z))
        program, tensors = graph_program(traced)
        run = Program(json.loads(json.dumps(program)), tensors, "cpu", False)
        for _ in range(3):
            [answers] = run(x.clone(), z)
            for a, b in zip(answers, net(x, z), strict=True):
                assert torch.equal(a, b)
    kinds = {step[0] for step in program["steps"]}
    assert "aten::size" in kinds
    assert len(run.steps) < len(program["steps"])


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("add", (torch.ones(3), torch.ones(3), 2), torch.full((3,), 3.0)),
        ("sub", (torch.ones(3), torch.ones(3), 3), torch.full((3,), -2.0)),
        ("amax", (torch.arange(6.0).view(2, 3), [0, 1]), torch.tensor(5.0)),
        ("slice", (torch.arange(6), 0, 1, 5, 2), torch.tensor([1, 3])),
        ("movedim", (torch.zeros(2, 3, 4), 0, 2), torch.zeros(3, 4, 2)),
        ("unflatten", (torch.zeros(2, 6), 1, [2, 3]), torch.zeros(2, 2, 3)),
        ("var", (torch.tensor([1.0, 3.0]), [0], 1), torch.tensor(2.0)),
        ("hardswish", (torch.tensor([-4.0, 1.0, 4.0]),), torch.tensor([0, 4 / 6, 4.0])),
        ("linalg_vector_norm", (torch.tensor([3.0, 4.0]), 2, [0]), torch.tensor(5.0)),
    ],
)
def test_what_old_torches_lack_is_replaced_by_the_same(name, given, expected):
    assert torch.allclose(OLDER[name](*given).float(), expected.float())


@pytest.mark.parametrize("old", [False, True])
def test_tensors_travel_as_plain_numbers(old):
    """Of any kind and shape; an old torch has storages and no `frombuffer`."""
    kinds = [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16]
    given = {f"t{n}": (torch.randn(2, 3) * 9).to(kind) for n, kind in enumerate(kinds)}
    given |= {
        "bytes": torch.arange(250, 256, dtype=torch.uint8), "truth": torch.tensor([True, False]),
        "one": torch.tensor(2.5), "none": torch.zeros(0, 3), "across": torch.rand(4, 2).T,
    }  # fmt: skip
    packed, places = packed_tensors(given)
    names = {name for name in dir(torch) if name != "frombuffer"}
    library = SimpleNamespace(**{name: getattr(torch, name) for name in names}) if old else torch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # storages with a type are out of date
        found = tensors_of(library, packed, json.loads(json.dumps(places)))
    assert set(found) == set(given)
    for name, tensor in given.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_the_runner_reads_by_python_3_6():
    ast.parse(runner_source(), feature_version=(3, 6))
    assert "vbench." not in runner_source()


ALONE = """
import sys, runpy
for name in ("vbench", "numpy", "fvcore", "cv2"):
    sys.modules[name] = None
quick = ["--seconds", "0", "--warm-up", "0", "--device", "cpu"]
sys.argv = ["run_profile.py", *quick, "--out", sys.argv[1]]
runpy.run_path("run_profile.py", run_name="__main__")
"""


def test_the_runner_needs_nothing_but_torch_and_its_profile_comes_back(tmp_path):
    folder = tmp_path / "b"
    said = write_bundle(methods(), folder, objects=(1, 4))
    # A script that this torch cannot read, as an older one cannot read a newer one's.
    (folder / said["components"][0]["parts"][0]["script"]).write_bytes(b"from the future")
    (folder / said["components"][-1]["parts"][0]["script"]).unlink()
    (folder / said["components"][-1]["parts"][0]["program"]).unlink()
    asked = [sys.executable, "-W", "ignore", "-c", ALONE, "p.json"]
    answer = subprocess.run(asked, cwd=folder, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "not timed: carrier.propagate x 4" in answer.stdout
    profile = read_profile(folder / "p.json")
    assert profile.component("mine", "start").note == "networks alone, by operators"
    assert profile.component("mine", "track").note == "networks alone, by script"
    assert (
        profile.component("mine", "track").macs
        == said["components"][1]["parts"][0]["macs"] * 3 + 592
    )
    assert set(profile.component("carrier", "propagate").ms_by_objects) == {1}
    assert profile.device["torch"] == torch.__version__
    assert any("formula is no network" in note for note in profile.notes)


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(VBenchError, match="name a new or empty folder"):
        write_bundle(methods(), tmp_path)


def test_methods_without_networks_cannot_travel(tmp_path):
    class Plain:
        def start(self, frame, box): ...

        def track(self, frame): ...

    alone = Composed(parse_method("plain"), "sot", Every(), TrackerStepper(Plain()))
    with pytest.raises(VBenchError, match="plain: says nothing of its work"):
        write_bundle([alone], tmp_path / "b")
