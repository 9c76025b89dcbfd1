"""Fits tiny LSTS networks on synth-vid:train, compares them on synth-vid, writes docs/fits-lsts.md.

R-FCN is fitted first. Its layers then stay, and the temporal layers of each variant are fitted on
them: features carried nowhere, to fixed places, to learned places. All run @fixed:10; nothing is
tuned until a sign comes out. What R-FCN learnt is kept under build/fits/lsts.

Run: python tests/benchmarks/fit_lsts.py
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vbench import catalogue
from vbench.catalogue import open_suite
from vbench.nn.state import read_state
from vbench.train.detection_recipe import DetectionRecipe
from vbench.train.loop import Course, finish, fit

ROOT = Path(__file__).parents[2]
FOLDER, PAGE = ROOT / "build" / "fits" / "lsts", ROOT / "docs" / "fits-lsts.md"
HEAD = """# Fitting LSTS, small

`python tests/benchmarks/fit_lsts.py {command}` fits an eighth of the published width on the 12
clips of synth-vid:train and runs it on the 12 clips of synth-vid. Half intervals are 95 % over
clips. R-FCN is fitted first; its layers then stay, and only the temporal layers of each variant
learn. All LSTS variants run a keyframe every 10 frames.

| variant | mAP at 0.5 | places moved by |
|---|---|---|
"""
SIZE = {"width": "0.125", "short_px": "240", "anchor_px": "24", "classes": "5"}
VARIANTS: dict[str, dict[str, str]] = {
    "features stay where they were": {"align": "copy"},
    "gaussian places, fixed": {"learned": "0"},
    "gaussian places, learned": {"learned": "1"},
}
BASE_RATE, RATE = 0.015, 0.01


def built(name: str, given: Mapping[str, str], seed: int) -> Any:
    """Build an untrained detector of the tiny size."""
    parameters = {**SIZE, **given}
    return catalogue.build("detectors", name, parameters, weights=None, device="cpu", seed=seed)


def fitted_base(folder: Path, steps: int, seed: int) -> dict[str, Tensor]:
    """Fit R-FCN, or read what an earlier run of this script fitted."""
    path = folder / "rfcn.pth"
    if not path.exists():
        recipe = DetectionRecipe(built("rfcn", {}, seed), training_clips(), 1, "cpu")
        finish(path, recipe, fit(recipe, Course(steps, seed, BASE_RATE)))
    return read_state(path)


def training_clips() -> Any:
    """Clips of the split that is kept for training."""
    return open_suite("synth-vid:train", None, None).clips


def fitted(
    given: Mapping[str, str], base: Mapping[str, Tensor], path: Path, steps: int, seed: int
) -> Any:
    """Fit the temporal layers of a variant on the layers of `base`; returns the detector."""
    detector = built("lsts", given, seed)
    detector.network.load_state_dict(base, strict=False)
    for name, parameter in detector.network.named_parameters():
        if name in base:
            parameter.requires_grad_(False)
    recipe = DetectionRecipe(detector, training_clips(), 1, "cpu")
    finish(path, recipe, fit(recipe, Course(steps, seed, RATE)))
    return detector


def mean_ap(method: str, weights: str, folder: Path) -> str:
    """Run a method on synth-vid; its mAP with the interval, as the report prints it."""
    command = [sys.executable, "-m", "vbench", "run", "--suite", "synth-vid", "--methods", method]
    command += ["--weights", weights, "--no-timing", "--quiet", "--out", str(folder)]
    subprocess.run(command, check=True)
    subprocess.run(
        [sys.executable, "-m", "vbench", "report", str(folder)], check=True, capture_output=True
    )
    with (folder / "tables" / "summary.csv").open(encoding="utf-8") as file:
        row = next(iter(csv.DictReader(file)))
    return f"{float(row['map50']):.3f} +- {float(row['map50_pm']):.3f}"


def rows(folder: Path, base_steps: int, steps: int, seed: int) -> Iterator[str]:
    """Fit and run one after the other; a line of the table each."""
    base = fitted_base(folder, base_steps, seed)
    size = ",".join(f"{key}={value}" for key, value in SIZE.items())
    found = mean_ap(f"rfcn[{size}]", f"rfcn={folder / 'rfcn.pth'}", folder / "rfcn")
    yield f"| R-FCN on every frame | {found} | |"
    for index, (label, given) in enumerate(VARIANTS.items()):
        path = folder / f"lsts-{index}.pth"
        detector = fitted(given, base, path, steps, seed)
        extra = ",".join(f"{key}={value}" for key, value in given.items())
        found = mean_ap(f"lsts[{size},{extra}]@fixed:10", f"lsts={path}", folder / f"lsts-{index}")
        moved = ""
        if detector.network.samples:
            start = built("lsts", given, seed).network.init_offset
            distance = (detector.network.init_offset - start).detach().norm(dim=1).mean()
            moved = f"{float(distance):.3f} cells"
        yield f"| {label} | {found} | {moved} |"


def main() -> None:
    """Fit, run, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--base-steps", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    lines = []
    for line in rows(given.folder, given.base_steps, given.steps, given.seed):
        print(line, flush=True)
        lines.append(line)
    command = f"--base-steps {given.base_steps} --steps {given.steps} --seed {given.seed}"
    PAGE.write_text(HEAD.format(command=command) + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
