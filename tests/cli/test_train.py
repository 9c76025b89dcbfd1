import pytest
import torch

from tests.cli.commands import vbench
from vbench.nn.state import read_state

SMALL = "fdn[width=0.03125,short_px=100]"
FEW = ("--limit", 2, "--batch", 1, "--steps", 3)


def test_it_writes_what_the_method_takes(capsys, alone) -> None:
    done = vbench(capsys, "train", SMALL, *FEW, "--out", "own.pt", "--json")
    assert done.code == 0, done.err
    assert done.json["steps"] == 3
    assert done.json["written"] == ["own.pt", "own.pt.loss.csv", "own.pt.loss.png"]
    assert all((alone / name).stat().st_size for name in done.json["written"])
    method = f"{SMALL[:-1]},samples=0.02,candidates=10]"
    ran = vbench(
        capsys, "run", "--methods", method, "--clips", "calm", "--weights", "fdn=own.pt", "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["results"][0]["status"] == "ok"
    again = vbench(
        capsys, "train", SMALL, *FEW, "--out", "more.pt", "--weights", "fdn=own.pt", "--quiet"
    )
    assert again.code == 0, again.err


def test_an_interrupted_fit_goes_on_to_the_same_end(capsys, alone, monkeypatch) -> None:
    given = ("train", SMALL, *FEW, "--every", 1, "--quiet")
    assert vbench(capsys, *given, "--out", "whole.safetensors").code == 0
    from vbench.train.mdnet_recipe import MDNetRecipe

    drawn, loss = [], MDNetRecipe.loss

    def interrupted(self, rng):
        drawn.append(1)
        if len(drawn) == 3:
            raise KeyboardInterrupt
        return loss(self, rng)

    monkeypatch.setattr(MDNetRecipe, "loss", interrupted)
    assert vbench(capsys, *given, "--out", "parts.safetensors").code == 130
    assert (alone / "parts.safetensors.partial").exists()
    resumed = vbench(capsys, *given, "--out", "parts.safetensors", "--resume")
    assert resumed.code == 0, resumed.err
    assert len(drawn) == 4
    whole, parts = (read_state(alone / f"{n}.safetensors") for n in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert not (alone / "parts.safetensors.partial").exists()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["kcf"], "no recipe called 'kcf'"),
        (["patchnet-g"], "train patchnet, and give what that writes as --weights patchnet=FILE"),
        (["siamfc-boosted"], "train siamfc and patchnet"),
        (["fdn+dummy"], "one model is fitted at a time"),
        (["fdn", "--steps", "0"], "--steps 0"),
        (["fdn", "--batch", "0"], "--batch 0"),
        (["fdn", "--rate", "-1"], "--rate -1.0"),
        (["fdn[width=9]"], "width=9"),
        (["nothing"], "nothing"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_one_line(capsys, alone, given, why) -> None:
    line = vbench(capsys, "train", *given, "--out", "x.pt").one_line()
    assert why in line
