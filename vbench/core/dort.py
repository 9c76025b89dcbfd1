"""Detect or Track (Luo et al., AAAI 2019): a scheduler decides between the cheap half and the base.

Without a file the scheduler is the heuristic p = belief. A file holds a logistic regression on four
features of each object, fitted by `vbench train dort`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError
from vbench.core.moment import Limited, Moment

FEATURES = ("belief", "displacement", "scale change", "age")
SCHEMA = 1
MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class Scheduler:
    """p(track) = 1 / (1 + exp(-(bias + weights . features))) of one object."""

    weights: tuple[float, ...]
    bias: float

    def probabilities(self, features: Floats) -> Floats:
        """p(track) of objects with `features` (n, 4), shape (n,)."""
        score = features @ np.array(self.weights) + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -60, 60))))


@dataclass(frozen=True)
class Dort(Limited):
    """Track while every object's p(track) is at least c, at most k frames."""

    form: ClassVar[str] = "dort:c:k[:FILE]"
    summary: ClassVar[str] = "a scheduler decides: belief, or a file that `vbench train dort` made"
    c: float
    k: int
    scheduler: str | None = None

    def believes(self, moment: Moment) -> bool:
        """The least p(track) of all objects is at least c."""
        if self.scheduler is None:
            return not bool((moment.belief < self.c).any())
        model = read_scheduler(self.scheduler)
        return not bool((model.probabilities(features(moment, self.k)) < self.c).any())


def features(moment: Moment, k: int) -> Floats:
    """Features of each carried object (n, 4), all near [0, 1]; see FEATURES.

    displacement: of the centre since the keyframe, in the object's own size; scale change: absolute
    logarithm of the ratio of sizes; age: frames since the keyframe over k. Unknown belief is 1.
    """
    now, then = moment.boxes, moment.key_boxes
    if len(now) != len(then):
        then = now
    size = np.maximum(then[:, 2:], 1.0)
    move = np.abs((now[:, :2] + now[:, 2:] / 2 - then[:, :2] - then[:, 2:] / 2) / size).max(axis=1)
    scale = np.abs(np.log(np.maximum(now[:, 2:], 1.0) / size)).mean(axis=1)
    belief = np.nan_to_num(moment.belief, nan=1.0)
    return np.column_stack([belief, move, scale, np.full(len(now), moment.gap / k)])


@lru_cache(maxsize=8)
def read_scheduler(path: str) -> Scheduler:
    """Read what `vbench train dort` wrote.

    Raises:
        VBenchError: there is no such file, or it is something else.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ValueError("larger than 64 KiB")
        values = json.loads(file.read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA or tuple(values["features"]) != FEATURES:
            raise ValueError("of another schema")
        weights = tuple(float(w) for w in values["weights"])
        if len(weights) != len(FEATURES) or not np.isfinite([*weights, values["bias"]]).all():
            raise ValueError("its weights are not four finite numbers")
        return Scheduler(weights, float(values["bias"]))
    except OSError as error:
        raise VBenchError(
            f"scheduler {path}: {error.strerror}; make one with `vbench train dort --out {path}`"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise VBenchError(f"scheduler {path} is no scheduler: {error}") from None
