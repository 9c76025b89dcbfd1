"""Detectors of other packages, through stubs of the interfaces that they document."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from vbench import catalogue
from vbench.core.errors import NotReady, UnknownName, VBenchError
from vbench.cost.unit_costs import unit_costs
from vbench.detectors.candidates import foreign
from vbench.detectors.coco_vid_classes import COCO, VID, coco_names_by_number, vid_index_of

FRAME = np.zeros((60, 100, 3), np.uint8)
FRAME[..., 0] = 255
BUS, MOTORCYCLE, CAR = VID.index("bus"), VID.index("motorcycle"), VID.index("car")


class Net(torch.nn.Module):
    """One convolution, and whatever `answer` makes of its input."""

    def __init__(self, answer=None):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 1, bias=False)
        self.answer = answer

    def forward(self, x):
        if isinstance(x, list):
            return [self.answer(x[0]) | {"map": self.conv(x[0][None])}]
        found = self.conv(x)
        return self.answer(x) if self.answer else found


@pytest.fixture
def stub(monkeypatch):
    """Put a module of this name in place of a package, and forget the adapter that saw it."""

    def put(name, **members):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.delitem(sys.modules, f"vbench.detectors.{name}_models", raising=False)
        return module

    return put


def rows(found):
    columns = zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True)
    return [(*box, pytest.approx(score), label) for box, score, label in columns]


def torchvision_stub(stub):
    seen = []

    def answer(x):
        seen.append(x)
        return {
            "boxes": torch.tensor([[5.0, 6, 25, 36], [50, 30, 120, 70], [0, 0, 9, 9], [1] * 4]),
            "scores": torch.tensor([0.5, 0.9, 0.8, 0.001]),
            # Numbers of COCO's files: 4 motorcycle, 6 bus, 13 stop sign.
            "labels": torch.tensor([4, 6, 13, 6]),
        }

    asked: dict = {}
    models = SimpleNamespace(
        detection="detection",
        list_models=lambda module: ["fasterrcnn_resnet50_fpn", "ssd300_vgg16"],
        get_model=lambda name, **how: asked.update(how, name=name) or Net(answer),
    )
    stub("torchvision", models=models)
    return seen, asked


def test_torchvision(stub) -> None:
    seen, asked = torchvision_stub(stub)
    model = catalogue.build("detectors", "torchvision:ssd300_vgg16", device="cpu", seed=0)
    assert asked == {"weights": "DEFAULT", "name": "ssd300_vgg16"}
    assert rows(model.detect(FRAME)) == [
        (50, 30, 50, 30, 0.9, BUS),
        (5, 6, 20, 30, 0.5, MOTORCYCLE),
    ]
    assert seen[0].shape == (3, 60, 100)
    assert seen[0][:, 0, 0].tolist() == [1.0, 0.0, 0.0]
    assert unit_costs(model).key.per_call == 2 * 3 * 60 * 100


def test_torchvision_without_training_fetches_nothing(stub) -> None:
    _, asked = torchvision_stub(stub)
    catalogue.build("detectors", "torchvision:ssd300_vgg16", {"trained": "no"}, seed=0)
    assert asked == {"weights": None, "weights_backbone": None, "name": "ssd300_vgg16"}


def test_torchvision_knows_its_names(stub) -> None:
    torchvision_stub(stub)
    with pytest.raises(UnknownName, match="did you mean 'ssd300_vgg16'"):
        catalogue.build("detectors", "torchvision:ssd300", seed=0)


def test_ultralytics(stub) -> None:
    asked: dict = {}

    class YOLO:
        def __init__(self, name):
            if name == "absent.pt":
                raise FileNotFoundError("no absent.pt")
            self.names = dict(enumerate(COCO))
            self.model = Net()

        def predict(self, image, **how):
            asked.update(how, blue=int(image[0, 0, 0]), red=int(image[0, 0, 2]))
            boxes = SimpleNamespace(
                xyxy=torch.tensor([[5.0, 6, 25, 36], [0, 0, 9, 9]]),
                conf=torch.tensor([0.5, 0.9]),
                cls=torch.tensor([2.0, 0.0]),
            )
            return [SimpleNamespace(boxes=boxes)]

    stub("ultralytics", YOLO=YOLO)
    model = catalogue.build("detectors", "ultralytics:yolo11n.pt", {"side": "320"}, device="cpu")
    assert rows(model.detect(FRAME)) == [(5, 6, 20, 30, 0.5, CAR)]
    assert (asked["blue"], asked["red"], asked["imgsz"], asked["conf"]) == (0, 255, 320, 0.01)
    assert unit_costs(model).key.per_call == 2 * 3 * 320 * 320
    own = catalogue.build("detectors", "ultralytics:yolo11n.pt", {"classes": "own"}, device="cpu")
    assert [row[5] for row in rows(own.detect(FRAME))] == [0, 2]
    with pytest.raises(VBenchError, match="ultralytics:absent.pt cannot be loaded"):
        catalogue.build("detectors", "ultralytics:absent.pt", device="cpu")


def test_effdet(stub) -> None:
    seen = []

    class Bench(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.config = SimpleNamespace(image_size=(128, 128))
            self.model = Net()

        def forward(self, x):
            seen.append(x)
            # In px of the input, 1.28 of the frame's; numbers from 1: 3 is a car.
            return torch.tensor([[[12.8, 12.8, 64, 64, 0.7, 3], [0, 0, 9, 9, 0.001, 3]]])

    stub("effdet", create_model=lambda name, **how: Bench())
    model = catalogue.build("detectors", "effdet:tf_efficientdet_lite0", device="cpu", seed=0)
    found = model.detect(FRAME)
    assert found.boxes[0] == pytest.approx([10, 10, 40, 40], abs=1e-4)
    assert (found.scores.tolist(), found.labels.tolist()) == ([pytest.approx(0.7)], [CAR])
    assert seen[0].shape == (1, 3, 128, 128)
    assert seen[0][0, 0, 0, 0].item() == pytest.approx((1 - 0.485) / 0.229, abs=1e-5)
    assert seen[0][0, :, 100, 100].tolist() == [0, 0, 0]
    assert unit_costs(model).key.per_call == 2 * 3 * 128 * 128


@pytest.mark.parametrize("name", ["torchvision", "ultralytics", "effdet"])
def test_a_package_that_is_missing_comes_with_its_command(name, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"vbench.detectors.{name}_models", raising=False)
    with pytest.raises(NotReady, match=rf"pip install 'vbench\[{name}\]'"):
        catalogue.load("detectors", f"{name}:any")


def test_the_sixteen_classes_that_coco_and_vid_share() -> None:
    shared = {COCO[k]: VID[v] for k, v in enumerate(vid_index_of(COCO)) if v >= 0}
    renames = {"cow": "cattle", "cat": "domestic cat", "boat": "watercraft"}
    assert {k: v for k, v in shared.items() if k != v} == renames
    assert len(shared) == 16
    assert "truck" not in shared
    assert len(VID) == 30 and len(COCO) == 80
    numbered = coco_names_by_number()
    # As in instances_val2017.json: 1 person, 13 stop sign, 44 bottle, 90 toothbrush.
    assert [numbered[n] for n in (1, 13, 44, 90)] == ["person", "stop sign", "bottle", "toothbrush"]


def test_the_names_of_vid_are_those_of_the_devkit(real_data) -> None:
    lines = (real_data / "annotations/imagenet_vid/map_vid.txt").read_text().splitlines()
    assert tuple(line.split()[2].replace("_", " ") for line in lines) == VID


def test_what_is_no_box_is_left_out() -> None:
    corners = np.array([[0.0, 0, 5, 5], [np.nan, 0, 5, 5]])
    found = foreign(corners, np.array([0.5, 0.9]), np.array([0, 0]), (9, 9))
    assert found.scores.tolist() == [0.5]
