"""Where a method's time goes: keyframes, inter-frames, fallbacks, the start and decoding apart."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vbench.cost.latency import latency_by_kind
from vbench.report.tables import cells
from vbench.store.run_folder import Manifest, RunFolder

STEPS = ("frame", "key", "inter", "fallback", "cheap", "start", "post", "decode")
COLUMNS = ("n", "ms_mean", "ms_p50", "ms_p90", "ms_p95", "ms_p99", "ms_max")


def timing_table(folder: RunFolder, manifest: Manifest | None = None) -> pd.DataFrame:
    """One row a method and kind of step: how many there were, and their times in ms.

    `frame` is all frames but the first of a clip, without decoding; `cheap` the cheap half alone.
    """
    manifest = manifest or folder.read()
    traces: dict[str, list[Any]] = {name: [] for name in manifest.methods}
    for cell in cells(folder, manifest):
        if cell.trace is not None:
            traces[cell.method].append(cell.trace)
    rows = []
    for name, found in traces.items():
        times = latency_by_kind(found)
        for step in STEPS:
            spread = getattr(times, step)
            numbers = [spread.mean, spread.p50, spread.p90, spread.p95, spread.p99, spread.max]
            if spread.n:
                rows.append([name, step, spread.n, *numbers])
    return pd.DataFrame(rows, columns=["method", "step", *COLUMNS])


def show_timing(console: Any, frame: pd.DataFrame) -> None:
    """Print the table, each method named once."""
    from rich.table import Table

    table = Table(title="ms a step", title_justify="left", box=None, pad_edge=False)
    for name in ("method", "step"):
        table.add_column(name)
    for name in COLUMNS:
        table.add_column(name.removeprefix("ms_"), justify="right")
    before = None
    for row in frame.to_dict("records"):
        numbers = [f"{row[column]:.3f}" for column in COLUMNS[1:]]
        name = "" if row["method"] == before else str(row["method"])
        table.add_row(name, str(row["step"]), str(row["n"]), *numbers)
        before = row["method"]
    console.print(table)
