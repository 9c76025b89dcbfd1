"""The fitting loop: steps of a recipe, checkpoints that an interrupted fit goes on from."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vbench.core.errors import VBenchError
from vbench.nn.safetensors_file import as_safetensors
from vbench.nn.state import seeded
from vbench.store.files import write_atomically
from vbench.train.curve import write_curve
from vbench.train.recipe import Cycling, Recipe

SCHEMA = 1
MOST_STEPS = 100_000_000

EachStep = Callable[[int, float], None]


@dataclass(frozen=True)
class Course:
    """How far a fit goes, and from which random numbers.

    `about` names what is fitted on what; a checkpoint of something else is not gone on from.
    `every` is how many steps lie between checkpoints, 0 for none. `constant` keeps the learning
    rate where it begins: published ones fall over millions of steps, and a short fit ends unlearnt.
    """

    steps: int
    seed: int = 0
    rate: float | None = None
    every: int = 0
    about: str = ""
    constant: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= MOST_STEPS:
            raise VBenchError(f"--steps {self.steps}: give 1 to {MOST_STEPS}")
        if self.seed < 0:
            raise VBenchError(f"--seed {self.seed}: seeds start at 0")
        if self.rate is not None and not 0 < self.rate < 1e3:
            raise VBenchError(f"--rate {self.rate}: give a learning rate above 0")

    def factor(self, recipe: Recipe, step: int) -> float:
        """The learning rate's factor in a step."""
        return 1.0 if self.constant else recipe.factor(step / self.steps)

    @property
    def label(self) -> str:
        """What a checkpoint must have in common with this course."""
        rate = f"{self.rate or 'published'}{' throughout' if self.constant else ''}"
        return f"{self.about}; seed {self.seed}, rate {rate}, {self.steps}"


def fit(
    recipe: Recipe,
    course: Course,
    checkpoint: Path | None = None,
    resume: bool = False,
    each_step: EachStep | None = None,
) -> list[float]:
    """Take the steps of `course` and return every step's loss; the module is fitted in place.

    Step i draws its batch and its dropped units from the seed and i alone, so an interrupted fit
    that goes on from `checkpoint` ends as one in a single go does.

    Raises:
        VBenchError: a loss that is not finite, or a checkpoint of another course.
    """
    optimiser = recipe.optimiser(course.rate)
    rates = [group["lr"] for group in optimiser.param_groups]
    losses: list[float] = []
    if resume and checkpoint is not None and checkpoint.exists():
        losses = _restored(checkpoint, recipe, optimiser, course)
    recipe.module.train()
    try:
        for step in range(len(losses), course.steps):
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * course.factor(recipe, step)
            losses.append(_step(recipe, optimiser, course.seed, step))
            if each_step is not None:
                each_step(step, losses[-1])
            if checkpoint is not None and course.every and (step + 1) % course.every == 0:
                _save(checkpoint, recipe, optimiser, course, losses)
    finally:
        recipe.module.eval()
    return losses


def _step(recipe: Recipe, optimiser: torch.optim.Optimizer, seed: int, step: int) -> float:
    rng = np.random.default_rng((seed, step))
    if isinstance(recipe, Cycling):
        recipe.take_turn(seed, step)
    with seeded(int(rng.integers(1 << 31))):
        loss = recipe.loss(rng)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise VBenchError(
                f"step {step}: the loss is {value}; take a lower --rate than the present one"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        recipe.prepare_step()
        optimiser.step()
    return value


def write_state(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a plain state dict: safetensors by that ending, torch's format by any other."""
    plain = {key: value.detach().cpu().clone() for key, value in state.items()}
    if path.suffix == ".safetensors":
        write_atomically(path, as_safetensors(plain))
    else:
        write_atomically(path, _torch_bytes(plain))


def finish(path: Path, recipe: Recipe, losses: list[float]) -> list[Path]:
    """Write the fitted tensors and the loss curve, drop the checkpoint; return what was written."""
    write_state(path, recipe.state())
    written = [path, *write_curve(path, losses)]
    with suppress(FileNotFoundError):
        checkpoint_of(path).unlink()
    return written


def checkpoint_of(path: Path) -> Path:
    """Where the checkpoint of a fit that writes `path` lies."""
    return path.with_name(f"{path.name}.partial")


def _save(
    path: Path,
    recipe: Recipe,
    optimiser: torch.optim.Optimizer,
    course: Course,
    losses: list[float],
) -> None:
    content = {
        "schema": SCHEMA,
        "label": course.label,
        "module": recipe.module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "losses": torch.tensor(losses, dtype=torch.float64),
    }
    write_atomically(path, _torch_bytes(content))


def _restored(
    path: Path, recipe: Recipe, optimiser: torch.optim.Optimizer, course: Course
) -> list[float]:
    again = f"delete {path} or leave --resume away to begin anew"
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if found["schema"] != SCHEMA:
            raise ValueError(f"schema {found['schema']}")
        label, losses = str(found["label"]), [float(value) for value in found["losses"]]
        if label == course.label:
            recipe.module.load_state_dict(found["module"])
            optimiser.load_state_dict(found["optimiser"])
    except Exception as error:
        # A damaged file can fail anywhere inside the reader.
        raise VBenchError(
            f"checkpoint {path} cannot be read ({type(error).__name__}); {again}"
        ) from None
    if label != course.label:
        raise VBenchError(f"checkpoint {path} is of '{label}', not '{course.label}'; {again}")
    return losses


def _torch_bytes(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()
