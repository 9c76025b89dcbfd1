"""A stored run as it would be on another device, by that device's component times."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from vbench.core.errors import UnknownName
from vbench.core.method import parse_method
from vbench.cost.device_profile import DeviceProfile
from vbench.cost.projection import CHEAP_CALLS, project
from vbench.report.tables import cells
from vbench.store.run_folder import Manifest, RunFolder

COLUMNS = ("projected_ms", "projected_fps", "projected_ms_formula")


def projection_table(
    folder: RunFolder, profile: DeviceProfile, manifest: Manifest | None = None
) -> pd.DataFrame:
    """One row a method: ms and fps on the device, `problem` where a part was not timed there.

    `projected_ms` charges the calls that happened; `projected_ms_formula` is t_key / k + n t_inter.
    """
    manifest = manifest or folder.read()
    traces: dict[str, list[Any]] = {name: [] for name in manifest.methods}
    for cell in cells(folder, manifest):
        if cell.trace is not None:
            traces[cell.method].append(cell.trace)
    rows = []
    for name, found in traces.items():
        row: dict[str, Any] = {"method": name, "device": profile.name, "problem": ""}
        row |= dict.fromkeys(COLUMNS, math.nan)
        try:
            row |= project(profile, *_parts(name, profile), found).columns() if found else {}
        except UnknownName as error:
            row["problem"] = str(error)
        rows.append(row)
    return pd.DataFrame(rows, columns=["method", "device", *COLUMNS, "problem"])


def projected_json(frame: pd.DataFrame | None) -> dict[str, Any]:
    """Return what `--json` says of a projection, nothing without one."""
    return {} if frame is None else {"projection": frame.to_dict("records")}


def show_projection(console: Any, frame: pd.DataFrame) -> None:
    """Print a projection as a table."""
    from rich.table import Table

    title = f"projected onto {frame['device'].iloc[0]}" if len(frame) else "nothing to project"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("method")
    for name in ("ms", "fps", "ms by t_key/k + n t_inter"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in frame.to_dict("records"):
        numbers = ["" if math.isnan(row[c]) else f"{row[c]:.1f}" for c in COLUMNS]
        table.add_row(str(row["method"]), *numbers, str(row["problem"]))
    console.print(table)


def _parts(name: str, profile: DeviceProfile) -> tuple[str, str | None]:
    """Base and cheap half of a method string; what was not timed is taken for the cheap half."""
    method = parse_method(name)
    added = [str(part) for part in method.parts]
    timed = [part for part in added if any(profile.has(part, call) for call in CHEAP_CALLS)]
    return str(method.base), next(iter([*timed, *added]), None)
