"""Which rows of a summary are about the same clips, and so may be compared.

A run over some clips of a suite is about those, for all of its methods: n/N says so. A method that
failed on a clip where another did not has means over other clips than the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from vbench.store.run_folder import Manifest

# Column of the clips that other methods of the run have and this one has not; left out of a summary
# where no method lacks any.
LACKS = "lacks"
# So many clips are named.
MOST_NAMED = 3


def lacks(done: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Clips that each method lacks and another has, from those that each has; nothing of none."""
    anyone = dict.fromkeys(clip for own in done.values() for clip in own)
    found = {}
    for method, own in done.items():
        has = set(own)
        found[method] = ", ".join(clip for clip in anyone if clip not in has) if own else ""
    return found


def comparable(frame: pd.DataFrame) -> pd.Series[bool]:
    """Tell which rows of a summary lack no clip that another method has."""
    if LACKS not in frame:
        return pd.Series(True, index=frame.index)
    return frame[LACKS].fillna("") == ""


def lacking(frame: pd.DataFrame) -> str:
    """Name the methods that are not comparable, with their clips, as in `kcf 3/5, hold 4/5`."""
    few = frame[~comparable(frame)]
    if few.empty:
        return ""
    return ", ".join(f"{m} {n}" for m, n in zip(few["method"], few["clips"], strict=True))


def coverage_notes(frame: pd.DataFrame, manifest: Manifest) -> Iterator[str]:
    """Say of each method that is not comparable which clips it lacks, and why."""
    few = frame[~comparable(frame)].drop_duplicates("method")
    for row in few.to_dict("records"):
        clips = str(row[LACKS]).split(", ")
        more = f" and {len(clips) - MOST_NAMED} more" if len(clips) > MOST_NAMED else ""
        why = manifest.methods[str(row["method"])].problems.get(clips[0], "")
        yield (
            f"{row['method']} lacks {', '.join(clips[:MOST_NAMED])}{more}"
            f"{f' ({why})' if why else ''}: its means are of {row['clips']} clips, not of those of "
            "the others; it has no rank and no place on a front"
        )
