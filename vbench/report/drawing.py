"""From a run to its plots' files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from vbench.core.errors import VBenchError
from vbench.report import plots
from vbench.report.accuracy import curve_of
from vbench.report.tables import cells
from vbench.store.run_folder import Manifest, RunFolder


def draw(
    folder: RunFolder,
    manifest: Manifest,
    found: pd.DataFrame,
    plot: str,
    out: Path | None = None,
    x: str | None = None,
    y: str | None = None,
) -> list[Path]:
    """Draw one plot of a run and return the files written."""
    covered = "; ".join(dict.fromkeys(found["clips"]))
    title = f"{manifest.suite}, {covered} clips"
    if plot == "tradeoff":
        figure = plots.tradeoff(found, title, x, y)
    else:
        figure = _curves(folder, manifest, list(found["method"]), plot, title)
    return plots.save(figure, (out or folder.path / "plots") / plot)


def _curves(
    folder: RunFolder, manifest: Manifest, methods: Sequence[str], kind: str, title: str
) -> object:
    if manifest.task != "sot":
        raise VBenchError(f"--plot {kind} is for trackers; suite {manifest.suite} is of detectors")
    read = [c for c in cells(folder, manifest) if c.trace is not None and c.truth is not None]
    found = {}
    for method in methods:
        own = [cell for cell in read if cell.method == method]
        if own:
            truths = [cell.truth for cell in own if cell.truth is not None]
            traces = [cell.trace for cell in own if cell.trace is not None]
            found[method] = curve_of(manifest.suite, manifest.profile, kind, truths, traces)
    if not found:
        raise VBenchError(f"no method of {folder.path} has a result to draw")
    return plots.curves(found, kind, title)
