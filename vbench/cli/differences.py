"""Paired differences between two trackers, as lines and in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.metrics.bootstrap import Difference


def against_as_json(found: Mapping[str, Difference] | None) -> dict[str, Any]:
    """The entry `against` of one tracker's result; nothing where it was not compared."""
    if found is None:
        return {}
    return {
        "against": {
            name: {
                "difference": one.interval.mean,
                "plus_minus": one.interval.half,
                "clips": one.clips,
                "p": one.p,
            }
            for name, one in found.items()
        }
    }


def show_compared(
    console: Console,
    against: str | None,
    compared: Mapping[str, Mapping[str, Difference]],
    metrics: Sequence[str],
) -> None:
    """Print a line for each tracker that was compared, with those of `metrics` that it has."""
    for name, found in compared.items():
        parts = [
            f"{metric} {found[metric].interval.mean:+.3f} +-{found[metric].interval.half:.3f} "
            f"(p {shown_p(found[metric].p)})"
            for metric in metrics
            if metric in found
        ]
        if parts:
            clips = next(iter(found.values())).clips
            line = f"{name} - {against}, {clips} clips: {', '.join(parts)}"
            console.print(line, soft_wrap=True, markup=False)


def shown_p(p: float) -> str:
    """A share of draws: none of a thousand is not zero."""
    return f"{p:.3f}" if p >= 0.001 else "< .001"
