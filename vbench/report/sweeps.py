"""Tables of a sweep: one tidy row a swept method and value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from vbench.core.errors import VBenchError
from vbench.report.tables import summary
from vbench.store.files import write_atomically
from vbench.store.run_folder import RunFolder

SCHEMA = 1


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


def sweep_table(folder: RunFolder) -> pd.DataFrame:
    """One row a swept method and value: `swept`, the axis, then the columns of the summary."""
    axis = read_axis(folder)
    rows = summary(folder).set_index("method", drop=False)
    found = []
    for point in axis["points"]:
        if point["method"] in rows.index:
            row = rows.loc[point["method"]].to_dict()
            found.append({"swept": point["swept"], axis["axis"]: point["value"], **row})
    return pd.DataFrame(found)


def write_sweep(folder: RunFolder) -> list[Path]:
    """Write `tables/sweep.csv`."""
    path = folder.tables / "sweep.csv"
    write_atomically(path, sweep_table(folder).to_csv(index=False).encode())
    return [path]
