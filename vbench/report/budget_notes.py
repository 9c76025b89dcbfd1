"""Budgets of time that a run did not keep: seconds vary, and c was found by other ones."""

from __future__ import annotations

import pandas as pd

from vbench.core.method import parse_method
from vbench.core.policy import Budget

# What a clip of other length or a warmer processor may add.
STEADY = 1.1


def budget_notes(found: pd.DataFrame) -> list[str]:
    """One line for every method of a summary that spent more ms a frame than its budget."""
    if "ms_mean" not in found:
        return []
    return [
        note
        for method, ms in zip(found["method"].astype(str), found["ms_mean"], strict=True)
        if (note := _note(method, float(ms)))
    ]


def _note(method: str, ms: float) -> str:
    policy = parse_method(method).policy
    if not isinstance(policy, Budget) or policy.most.unit != "ms":
        return ""
    if not ms > policy.most.amount * STEADY:
        return ""
    return (
        f"{method} took {ms:.3g} ms a frame, more than its budget: the machine was faster when c "
        "was found; another --out finds it again"
    )
