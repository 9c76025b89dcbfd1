import math

import numpy as np
import pytest
import torch
from torch import nn

from vbench.core.errors import VBenchError
from vbench.nn.state import read_state
from vbench.train.curve import smoothed
from vbench.train.loop import Course, checkpoint_of, finish, fit


class Line:
    """Fits y = 3 x + noise; drops its input at random, as networks do."""

    def __init__(self, breaks_at=None):
        torch.manual_seed(0)
        self.module = nn.Linear(1, 1)
        self.breaks_at, self.rates, self.calls = breaks_at, [], 0

    def optimiser(self, rate):
        self.made = torch.optim.SGD(self.module.parameters(), lr=rate or 0.1, momentum=0.9)
        return self.made

    def factor(self, share):
        self.rates.append(share)
        return 1 - share

    def loss(self, rng):
        self.calls += 1
        x = torch.tensor(rng.normal(size=(8, 1))).float()
        y = 3 * x + torch.randn(8, 1) * 0.1
        if self.breaks_at == self.calls:
            raise KeyboardInterrupt
        return ((self.module(x) - y) ** 2).mean()

    def prepare_step(self):
        self.prepared = True

    def state(self):
        return self.module.state_dict()


def test_it_fits_and_says_every_loss() -> None:
    line, heard = Line(), []
    losses = fit(line, Course(60), each_step=lambda step, loss: heard.append((step, loss)))
    assert heard == list(enumerate(losses))
    assert line.module.weight.item() == pytest.approx(3, abs=0.2)
    assert line.rates[:2] == [0.0, 1 / 60]
    assert line.prepared
    assert not line.module.training


def test_a_rate_stays_where_it_begins_if_it_shall() -> None:
    falling, constant = Line(), Line()
    fit(falling, Course(4, rate=0.2))
    fit(constant, Course(4, rate=0.2, constant=True))
    assert falling.made.param_groups[0]["lr"] == pytest.approx(0.2 * (1 - 3 / 4))
    assert constant.made.param_groups[0]["lr"] == 0.2


def test_a_fit_that_goes_on_ends_as_one_in_a_single_go(tmp_path) -> None:
    path = tmp_path / "x.partial"
    whole = Line()
    wanted = fit(whole, Course(30, seed=5, every=4, about="line"))
    with pytest.raises(KeyboardInterrupt):
        fit(Line(breaks_at=14), Course(30, seed=5, every=4, about="line"), path)
    again = Line()
    losses = fit(again, Course(30, seed=5, every=4, about="line"), path, resume=True)
    assert again.calls == 30 - 12
    assert losses == wanted
    for one, other in zip(whole.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    "other", [Course(30, seed=6), Course(30, rate=0.5), Course(31), Course(30, constant=True)]
)
def test_a_checkpoint_of_another_course_is_refused(tmp_path, other) -> None:
    path = tmp_path / "x.partial"
    fit(Line(), Course(30, every=30), path)
    with pytest.raises(VBenchError, match=r"is of '.*', not '.*'; delete .*x\.partial"):
        fit(Line(), other, path, resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path) -> None:
    path = tmp_path / "x.partial"
    path.write_bytes(b"nothing")
    with pytest.raises(VBenchError, match="cannot be read"):
        fit(Line(), Course(3), path, resume=True)


def test_a_loss_that_is_no_number_stops_the_fit() -> None:
    with pytest.raises(VBenchError, match=r"step \d+: the loss is (inf|nan); take a lower --rate"):
        fit(Line(), Course(400, rate=900.0))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 5, "seed": -1}, {"steps": 5, "rate": 0}])
def test_courses_that_lead_nowhere_are_refused(wrong) -> None:
    with pytest.raises(VBenchError, match="--"):
        Course(**wrong)


@pytest.mark.parametrize("name", ["own.pt", "own.safetensors"])
def test_what_is_written_is_plain_and_whole(tmp_path, name) -> None:
    line, path = Line(), tmp_path / "deep" / name
    losses = fit(line, Course(10, every=5), checkpoint_of(path))
    written = finish(path, line, losses)
    assert [p.name for p in written] == [name, f"{name}.loss.csv", f"{name}.loss.png"]
    assert {p.name for p in path.parent.iterdir()} == {p.name for p in written}
    found = read_state(path)
    assert torch.equal(found["weight"], line.module.weight)
    rows = written[1].read_text().splitlines()
    assert rows[0] == "step,loss"
    assert float(rows[-1].split(",")[1]) == pytest.approx(losses[-1])
    assert written[2].read_bytes()[:4] == b"\x89PNG"


def test_the_curve_is_smoothed_by_means() -> None:
    values = np.arange(10.0) ** 2
    found = smoothed(values, 3)
    assert found[0] == pytest.approx(0.5)
    assert found[4] == pytest.approx((9 + 16 + 25) / 3)
    assert found[-1] == pytest.approx((64 + 81) / 2)
    assert math.isclose(smoothed(np.full(7, 2.5)).mean(), 2.5)
