"""Tables of a sweep: one tidy row a swept method and value."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vbench.core.boxes import Floats
from vbench.core.errors import VBenchError
from vbench.core.trace import Kind, Trace
from vbench.cost.latency import latency_by_kind
from vbench.cost.projection import formula_ms
from vbench.cost.unit_costs import UnitCosts
from vbench.report.tables import cells, summary
from vbench.store.files import write_atomically
from vbench.store.run_folder import MethodRecord, RunFolder

SCHEMA = 1
# A cost by what was executed, and by the formula that papers average by.
FORMULAS = {"gmac_per_frame": "gmac_formula", "ms_mean": "ms_formula"}


def read_axis(folder: RunFolder) -> dict[str, Any]:
    """Read which axis a run swept. Raises VBenchError where it is no sweep."""
    path = folder.path / "sweep.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(f"schema {found['schema']}")
        return dict(found)
    except FileNotFoundError:
        raise VBenchError(f"{folder.path} is no sweep; make one with `vbench sweep`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise VBenchError(f"{path} is damaged: {error}; run the sweep again") from None


def sweep_table(folder: RunFolder, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a swept method and value: `swept`, the axis, then the columns of the summary.

    Along keyframe intervals `FORMULAS` come beside what was executed: F_base / k + n F_inter, the
    cheap half charged on every frame, with n the mean of the objects that it carried (PatchNet,
    Table 1). `rows` is the summary, where it is known already.
    """
    axis = read_axis(folder)
    rows = (summary(folder) if rows is None else rows).set_index("method", drop=False)
    if axis["axis"] == "keyframe-interval":
        rows = rows.assign(**_by_formula(folder))
    found = []
    for point in axis["points"]:
        if point["method"] in rows.index:
            row = rows.loc[point["method"]].to_dict()
            found.append({"swept": point["swept"], axis["axis"]: point["value"], **row})
    return pd.DataFrame(found)


def _by_formula(folder: RunFolder) -> dict[str, pd.Series[float]]:
    manifest = folder.read()
    traces: dict[str, list[Trace]] = {name: [] for name in manifest.methods}
    for cell in cells(folder, manifest):
        if cell.trace is not None:
            traces[cell.method].append(cell.trace)
    gmac = {name: gmac_by_formula(manifest.methods[name], own) for name, own in traces.items()}
    ms = {name: ms_by_formula(manifest.methods[name], own) for name, own in traces.items()}
    return {"gmac_formula": pd.Series(gmac, dtype=float), "ms_formula": pd.Series(ms, dtype=float)}


def gmac_by_formula(record: MethodRecord, traces: Sequence[Trace]) -> float:
    """F_base / k + n F_inter in billions of MACs; NaN where k or a cost is unknown.

    Both are means over keyframes and over inter-frames of what these executed.
    """
    if not record.costs or not record.interval_max or not traces:
        return math.nan
    costs = UnitCosts.from_json(record.costs)
    macs = [costs.total(t.kind, t.objects, t.extras, t.carried) for t in traces]
    mean = {
        kind: _mean([m[t.tracked & (t.kind == kind)] for m, t in zip(macs, traces, strict=True)])
        for kind in (Kind.KEY, Kind.INTER)
    }
    inter = 0.0 if record.interval_max == 1 else mean[Kind.INTER]
    return (mean[Kind.KEY] / record.interval_max + inter) / 1e9


def _mean(parts: Sequence[Floats]) -> float:
    found = np.concatenate(parts)
    return float(found.mean()) if len(found) else math.nan


def ms_by_formula(record: MethodRecord, traces: Sequence[Trace]) -> float:
    """t_key / k + t_inter by the means of measured steps; NaN where they were not timed."""
    if not record.interval_max:
        return math.nan
    times = latency_by_kind(traces)
    inter = times.inter.mean if times.inter.n else 0.0
    return formula_ms(times.key.mean, inter, record.interval_max)


def write_sweep(folder: RunFolder, table: pd.DataFrame) -> Path:
    """Write the table of a sweep to `tables/sweep.csv`."""
    path = folder.tables / "sweep.csv"
    write_atomically(path, table.to_csv(index=False).encode())
    return path
