"""COCO's twelve numbers of the detectors of a run."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from vbench.core.errors import VBenchError
from vbench.metrics.vid_coco import TWELVE, twelve_numbers
from vbench.report.tables import cells
from vbench.report.video import laid_out
from vbench.store.run_folder import Manifest, RunFolder


def coco_table(folder: RunFolder, manifest: Manifest | None = None) -> pd.DataFrame:
    """One row a method: AP and AR at IoU .5 to .95, by size and by number of detections.

    Raises:
        VBenchError: the run is of trackers.
    """
    manifest = manifest or folder.read()
    if manifest.task != "vid":
        raise VBenchError(f"--coco is for detectors; suite {manifest.suite} is of trackers")
    read = cells(folder, manifest)
    rows = []
    for name in manifest.methods:
        pairs = [(c.truth, c.trace) for c in read if c.method == name and c.truth and c.trace]
        laid = laid_out([truth for truth, _ in pairs], [trace for _, trace in pairs])
        if laid is not None:
            rows.append({"method": name, **twelve_numbers(*laid)})
    return pd.DataFrame(rows, columns=["method", *TWELVE])


def show_coco(console: Any, frame: pd.DataFrame) -> None:
    """Print the table."""
    from rich.table import Table

    table = Table(title="COCO", title_justify="left", box=None, pad_edge=False)
    table.add_column("method")
    for name in TWELVE:
        table.add_column(name, justify="right")
    for row in frame.to_dict("records"):
        table.add_row(str(row["method"]), *(_text(row[name]) for name in TWELVE))
    console.print(table)


def _text(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
