"""Splits of the embedded suites: `NAME` is for testing, `NAME:train` is kept for training."""

from __future__ import annotations

from vbench.core.errors import UnknownName, VBenchError
from vbench.core.suite import Card

# The first number of every clip's seed: what is trained on can never be what is tested on.
SPLITS = {"test": 0, "train": 1}


def split_of(card: Card, argument: str, seed: int) -> str:
    """Return the split that `argument` names ("" is test).

    Raises:
        UnknownName: neither test nor train.
        VBenchError: a negative seed.
    """
    split = argument or "test"
    if split not in SPLITS:
        raise UnknownName(f"split of {card.name}", split, SPLITS)
    if seed < 0:
        raise VBenchError(f"{card.name}: seed {seed} is negative; seeds start at 0")
    return split
