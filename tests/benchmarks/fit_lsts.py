"""Fits tiny LSTS networks, compares them on clips that they never saw, writes docs/fits-lsts.md.

R-FCN is fitted first. Its layers then stay, and what joins frames is fitted on them: features
carried nowhere, to fixed places, to learned places. What was fitted is kept under build/fits/lsts.

Written down before any answer on the test clips was looked at:

* The keyframe interval is the published 10, so clips must move: objects of 3 to 7 px a frame are on
  average more than one feature cell (16 px) from where their keyframe saw them (`displacement`).
  On synth-vid's own clips it is 0.6 cells, and little has to be carried anywhere.
* The comparison that decides is row (a) of the paper's table 2, where a frame has the carried
  features alone. Rows with a frame's own low features do not need the keyframe on clips whose
  classes are colours; row (g) is run too and told as it comes out.
* Optimiser, rate and speed of the places were chosen on the clips 100 to 107 of the training split.
  The test clips are the seeds 500 to 547 of the test split.

Run: python -m tests.benchmarks.fit_lsts
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.benchmarks.fit_clips import clips_of
from tests.benchmarks.loss_curves import draw
from tests.benchmarks.map_table import Table, sign, spelled, truths_of
from vbench import catalogue
from vbench.core.boxes import centres
from vbench.core.clip import Clip
from vbench.core.roles import Detections, Weights
from vbench.nn.resnet import STRIDE_PX
from vbench.suites.synth_vid import SIZE, THEMES
from vbench.train.detection_recipe import DetectionRecipe
from vbench.train.loop import Course, finish, fit
from vbench.train.lsts_recipe import LstsRecipe, MadeOnce

ROOT = Path(__file__).parents[2]
FOLDER, PAGE = ROOT / "build" / "fits" / "lsts", ROOT / "docs" / "fits-lsts.md"
PICTURE = ROOT / "docs" / "fits-lsts.svg"

NETWORK = {"width": "0.125", "short_px": "240", "anchor_px": "24", "classes": "5"}
# At 240 px the frames of synth-vid are seen as they are.
FAST = replace(THEMES["rush"], n=50, px=(32.0, 60.0), speed_px=(3.0, 7.0), shutter=0.0)
FITTED_ON, TESTED_ON = range(12), range(500, 548)
INTERVAL, FRAMES = 10, 20
# R-FCN: steps, rate and seed, one after the other.
LEGS = ((600, 0.01, 0), (2400, 0.015, 1))


@dataclass(frozen=True)
class Variant:
    """A way to carry features, as parameters of lsts."""

    label: str
    given: Mapping[str, str]

    @property
    def learns(self) -> bool:
        """Whether anything of it is fitted: copied features alone have no layer of their own."""
        return self.given != {"row": "a", "align": "copy"}


VARIANTS = (
    Variant("(a) copied", {"row": "a", "align": "copy"}),
    Variant("(a) fixed places", {"row": "a", "learned": "0"}),
    Variant("(a) learned places", {"row": "a", "learned": "1"}),
    Variant("(g) copied", {"row": "g", "align": "copy"}),
    Variant("(g) learned places", {"row": "g", "learned": "1"}),
)
PAIRS = (
    ("(a) learned places", "(a) copied"),
    ("(a) learned places", "(a) fixed places"),
    ("(g) learned places", "(g) copied"),
)

STEPS, RATE = 600, 3e-4

HEAD = """# Fitting LSTS, small

`python -m tests.benchmarks.fit_lsts` (in `make fit`) fits networks of an eighth of the published
width and runs them on {clips} clips that they never saw, {frames} frames each, a keyframe every 10.

R-FCN is fitted first, on the 12 clips of synth-vid:train:
{legs}.

Its layers then stay, and what joins frames is fitted on them: {steps} steps of one sample by Adam
at a rate of {rate:g}, places 33 times as fast (seed {seed}).

The same from the command line: `vbench train lsts[...,untrained=1] --weights lsts=rfcn.pth`, which
begins with R-FCN's weights and lets them stay.

Rows (a) and (g) are those of the paper's table 2. In (a) a frame between keyframes has the
keyframe's features alone. In (g) it has its own low features too, mixed by quality, and keyframes
look back at the one before.

## What had to be so, and was written down first

* Something must move. On synth-vid's own training clips an object is {suite:.2f} feature cells on
  average from where its keyframe saw it, which copied features bear. The clips here are
  like its theme `rush`, with objects of 32 to 60 px at 3 to 7 px a frame: {fast:.2f} cells on
  average, 95 % of them within {far:.1f}. Seeds 0 to 11 of the training split are fitted on; the
  seeds told of are 500 to 547 of the test split.
* The carried features must be needed. A class of synth-vid is a colour, so low features with three
  layers on top find objects by themselves: on the seeds chosen by, row (g) with copied features has
  0.732 after 500 steps of descent where R-FCN on every frame has 0.746. Row (a) decides.
* Optimiser, rate and speed of the places were chosen on seeds 100 to 107 of the training split, 30
  frames each, where R-FCN on every frame has 0.746 and row (a) after 400 steps 0.201 with copied
  features, 0.551 with fixed and 0.598 with learned places.

An earlier attempt had learned places at 0.292 and copied features at 0.327, in row (g) on
synth-vid's own clips. Two things were wrong besides the choice of clips. New layers began with the
published spread of 0.01 at any width: at an eighth, features between keyframes began some twenty
times too small, and all similarities near zero. Their spread now grows as channels get fewer. And
descent with momentum, by which the paper fits all layers, taught the new ones alone little: 400
steps at 0.01 reached 0.076 on the seeds chosen by. Adam takes its place there.

## What came out

mAP at 0.5 with 95 % intervals over clips:

| variant | mAP | places moved by |
|---|---|---|
"""
BETWEEN = """
How far one is above another, over the same drawn clips:

| difference | of mAP | sign |
|---|---|---|
"""
TAIL = """
![loss of each fit](fits-lsts.svg)
"""


def built(name: str, given: Mapping[str, str], seed: int, path: Path | None = None) -> Any:
    """Build a detector of the tiny size, with the weights of a file if there is one."""
    weights = None if path is None else Weights(name, {path.name: path}, "")
    parameters = {**NETWORK, **given}
    return catalogue.build("detectors", name, parameters, weights=weights, device="cpu", seed=seed)


def fitted_base(folder: Path) -> Path:
    """Fit R-FCN on synth-vid:train, or take what an earlier run of this script fitted."""
    path = folder / "rfcn.pth"
    if not path.exists():
        clips = clips_of(THEMES, "train", (0,))
        detector = built("rfcn", {}, 0)
        recipe = DetectionRecipe(detector, clips, 1, "cpu")
        losses = []
        for steps, rate, seed in LEGS:
            losses += fit(recipe, Course(steps, seed, rate))
        finish(path, recipe, losses)
    return path


def fitted(
    variant: Variant, base: Path, folder: Path, course: Course, made: MadeOnce
) -> tuple[Any, list[float]]:
    """Fit what joins frames on the layers of `base`; returns the detector and its losses."""
    detector = built("lsts", {**variant.given, "untrained": "1"}, course.seed, base)
    recipe = LstsRecipe(detector, clips_of({"fast": FAST}, "train", FITTED_ON), 1, "cpu")
    # All of them stand on the same layers, which see each frame once for all.
    recipe.made = made
    if not variant.learns:
        return detector, []
    path = folder / f"{re.sub('[^a-z]+', '-', variant.label).strip('-')}.pth"
    losses = fit(recipe, course)
    finish(path, recipe, losses)
    return detector, losses


class OneLook(nn.Module):
    """The trunk of several detectors, run once for a frame that all of them are shown."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.resnet, self.trunk, self.prepare = self, detector.network.trunk, detector.prepare
        self.known: dict[object, Any] = {}

    def show(self, frame: Any) -> None:
        """Forget the last frame."""
        self.known = {"image": self.prepare(frame)}

    def image(self, _: object) -> Any:
        """The frame, prepared."""
        return self.known["image"]

    def low(self, image: Tensor) -> Tensor:
        """Low features."""
        if "low" not in self.known:
            self.known["low"] = self.trunk.resnet.low(image)
        found: Tensor = self.known["low"]
        return found

    def high(self, low: Tensor) -> Tensor:
        """All features, from the low ones of the frame."""
        if "high" not in self.known:
            self.known["high"] = self.trunk.high(low)
        found: Tensor = self.known["high"]
        return found

    def forward(self, image: Tensor) -> Tensor:
        """All features."""
        return self.high(self.low(image))


def answers(detectors: Mapping[str, Any], clip: Clip, look: OneLook) -> dict[str, list[Detections]]:
    """What every detector finds on the first frames of a clip, a keyframe every 10."""
    found: dict[str, list[Detections]] = {name: [] for name in detectors}
    for index in range(FRAMES):
        frame = clip.frames[index]
        look.show(frame)
        for name, detector in detectors.items():
            if not hasattr(detector, "key"):
                found[name].append(detector.detect(frame))
                continue
            if index == 0:
                detector.start(SIZE)
            answer = detector.inter(frame) if index % INTERVAL else detector.key(frame)
            found[name].append(answer)
    return found


def displacement(clips: Sequence[Clip]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How far objects are from where their keyframe saw them, in cells, of all other frames."""
    found = []
    for clip in clips:
        objects = clip.objects
        assert objects is not None
        place = {
            (int(frame), int(track)): centre
            for frame, track, centre in zip(
                objects.frame, objects.tracks, centres(objects.boxes), strict=True
            )
        }
        for (frame, track), centre in place.items():
            before = place.get((frame - frame % INTERVAL, track))
            if frame % INTERVAL and before is not None:
                found.append(np.hypot(*(centre - before)) / STRIDE_PX)
    return np.array(found)


def moved(detector: Any, seed: int) -> str:
    """How far the places moved while they learnt, as a mean over them."""
    network = detector.network
    if not network.samples or not network.init_offset.requires_grad:
        return ""
    given = {"align": "gaussian"}
    start = built("lsts", given, seed).network.init_offset
    return f"{float((network.init_offset - start).detach().norm(dim=1).mean()):.2f} cells"


def page(given: argparse.Namespace, table: Table, moves: Mapping[str, str]) -> str:
    """The page, in Markdown."""
    fast = displacement(clips_of({"fast": FAST}, "train", FITTED_ON))
    suite = displacement(clips_of(THEMES, "train", (0,)))
    legs = " and ".join(f"{n} steps at a rate of {rate} (seed {seed})" for n, rate, seed in LEGS)
    lines = [
        HEAD.format(
            steps=given.steps, rate=given.rate, seed=given.seed, clips=len(TESTED_ON), legs=legs,
            frames=FRAMES, fast=fast.mean(), far=np.quantile(fast, 0.95), suite=suite.mean(),
        ).rstrip("\n"),
        *(
            f"| {name} | {spelled(table.interval(name))} | {moves.get(name, '')} |"
            for name in table.answers
        ),
        BETWEEN.rstrip("\n"),
    ]  # fmt: skip
    missed = []
    for name, other in PAIRS:
        gap = table.above(name, other)
        lines.append(f"| {name} - {other} | {spelled(gap.interval, signed=True)} | {sign(gap)} |")
        if gap.interval.lo <= 0:
            missed.append(f"{name}\nand {other}")
    where = f"That does not come out here for {'; '.join(missed)}." if missed else "So here."
    lines += ["", f"The paper has the first above the second in each. {where}"]
    return "\n".join(lines) + "\n" + TAIL


def main() -> None:
    """Fit, run, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    base = fitted_base(given.folder)
    detectors, curves, moves = {"R-FCN on every frame": built("rfcn", {}, 0, base)}, {}, {}
    made = MadeOnce()
    for variant in VARIANTS:
        course = Course(given.steps, given.seed, given.rate)
        detector, losses = fitted(variant, base, given.folder, course, made)
        detectors[variant.label], moves[variant.label] = detector, moved(detector, given.seed)
        if losses:
            curves[variant.label] = losses
        print(variant.label, f"loss {np.mean(losses[-100:] or [np.nan]):.3f}", flush=True)
    look = OneLook(detectors["R-FCN on every frame"])
    for detector in detectors.values():
        detector.network.trunk, detector.prepare = look, look.image
    clips = clips_of({"fast": FAST}, "test", TESTED_ON)
    with torch.inference_mode():
        found = [answers(detectors, clip, look) for clip in clips]
    table = Table(truths_of(clips, [FRAMES] * len(clips)))
    for name in detectors:
        print(name, spelled(table.add(name, [run[name] for run in found])), flush=True)
    draw(PICTURE, curves)
    PAGE.write_text(page(given, table, moves), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
