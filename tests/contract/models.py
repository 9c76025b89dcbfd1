"""Builds every name of a catalogue for the contract tests, with real weights where they are."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from vbench import catalogue
from vbench.core.errors import NotReady, VBenchError
from vbench.weights.find import WeightsFinder

# What would take minutes here runs the same code with fewer channels and samples.
SMALL = {
    "mdnet": {"width": "0.0625", "samples": "0.02", "candidates": "32"},
    "rt-mdnet": {"width": "0.0625", "samples": "0.05", "candidates": "64"},
    "fdn": {"width": "0.0625", "samples": "0.05", "short_px": "200"},
    **{
        name: {"width": "0.125", "short_px": "96"}
        for name in ("rfcn", "dff", "fgfa", "dt", "lsts", "flow", "lsts-box")
    },
    **{
        name: {"width": "0.0625", "short_px": "96"}
        for name in ("frcnn-hrnet", "frcnn-x101", "plugplay", "plugplay-hrnet", "plugplay-x101")
    },
    **{
        name: {"width": "0.25", "side_px": "128"}
        for name in ("efficientdet-d0", "efficientdet-d0-tf")
    },
}
BOX = np.array([60.0, 50.0, 36.0, 28.0])


def plain_names(kind: str) -> list[str]:
    """Names that need no argument after a colon."""
    return [name for name in catalogue.names(kind) if catalogue.table(kind)[name].takes is None]


def built(kind: str, name: str, **more: str):
    """Build one, with published weights if they are at hand, random ones otherwise.

    `more` are parameters that it gets if it takes them.
    """
    entry = catalogue.entry(kind, name)
    weights = None
    if entry.weights is not None:
        folder = os.environ.get("VBENCH_TEST_DATA")
        places = (Path(folder) / "weights",) if folder else ()
        try:
            weights = WeightsFinder(places).weights_for(entry.weights)
        except NotReady:
            weights = None
    # Untrained networks need not be as wide as the published ones to keep the contract.
    slim = {"width": "0.25"} if "width" in catalogue.parameters(kind, name) else {}
    given = dict(SMALL.get(name, slim)) if weights is None else {}
    given |= {key: v for key, v in more.items() if key in catalogue.parameters(kind, name)}
    try:
        return catalogue.build(kind, name, given, weights=weights, device="cpu", seed=0)
    except VBenchError as error:
        if entry.weights is None or weights is not None:
            raise
        pytest.skip(f"{name} cannot run without its weights: {error}")


def frame(shift: float = 0.0, size=(160, 128), grey: bool = False):
    """A textured frame with a textured square at BOX, moved by `shift` px to the right."""
    rng = np.random.default_rng(5)
    width, height = size
    small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    patch = cv2.resize(
        rng.integers(0, 256, (7, 9, 3), dtype=np.uint8), (36, 28), interpolation=cv2.INTER_NEAREST
    )
    x, y = int(BOX[0] + shift), int(BOX[1])
    image[y : y + 28, x : x + 36] = patch
    if grey:
        image[:] = image.mean(axis=2, keepdims=True).astype(np.uint8)
    return image
