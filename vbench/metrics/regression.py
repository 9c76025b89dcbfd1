"""Has accuracy regressed? A one-sided test on paired differences over clips.

The gate fails only if the drop is larger than the tolerance with the stated confidence. The limit
is the studentised bootstrap's (Efron & Tibshirani, "An Introduction to the Bootstrap", ch. 12.5),
which keeps its error rate with few clips better than percentiles do.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from vbench.core.boxes import Floats

DRAWS = 4000


@dataclass(frozen=True)
class DropTest:
    """Outcome of one test: the mean difference now - then, and the most it is at `confidence`."""

    clips: int
    mean: float
    most: float
    tolerance: float
    confidence: float
    visible: float

    @property
    def regressed(self) -> bool:
        """Tell whether the drop exceeds the tolerance with the stated confidence."""
        return bool(self.most < -self.tolerance)


def drop_test(
    differences: Floats, tolerance: float, confidence: float = 0.95, seed: int = 0
) -> DropTest:
    """Test paired differences now - then (clips,); NaN entries are left out.

    `visible` is the smallest true drop that is caught with probability `confidence`, by the normal
    approximation: tolerance + 2 z_confidence standard errors.
    """
    values = differences[~np.isnan(differences)]
    n = len(values)
    if n == 0:
        nan = float("nan")
        return DropTest(0, nan, nan, tolerance, confidence, nan)
    mean = float(values.mean())
    spread = float(values.std(ddof=1)) if n > 1 else 0.0
    # Differences that all round to one value have no spread to speak of.
    if spread <= 1e-12:
        return DropTest(n, mean, mean, tolerance, confidence, tolerance)
    error = spread / np.sqrt(n)
    low = np.quantile(_studentised(values, mean, seed), 1 - confidence)
    visible = tolerance + 2 * NormalDist().inv_cdf(confidence) * error
    return DropTest(n, mean, float(mean - low * error), tolerance, confidence, float(visible))


def _studentised(values: Floats, mean: float, seed: int) -> Floats:
    """(mean* - mean) / error* of every draw whose values differ."""
    n = len(values)
    chosen = np.random.default_rng(seed).integers(n, size=(DRAWS, n))
    drawn = values[chosen]
    errors = drawn.std(axis=1, ddof=1) / np.sqrt(n)
    useful = errors > 1e-12
    ratio: Floats = (drawn.mean(axis=1)[useful] - mean) / errors[useful]
    return ratio
