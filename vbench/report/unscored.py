"""Answers that ran and cannot be scored, each method's with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vbench.report.tables import cells

if TYPE_CHECKING:
    import pandas as pd

    from vbench.store.run_folder import RunFolder


def unscored(folder: RunFolder, found: pd.DataFrame) -> Iterator[str]:
    """Say what of a run with the summary `found` has a trace and no score, a line a reason."""
    if (found["status"] == "ok").all():
        return
    manifest = folder.read()
    met: Counter[tuple[str, str]] = Counter()
    for cell in cells(folder, manifest):
        record = manifest.methods[cell.method]
        ran = cell.clip not in record.problems and folder.trace_path(record, cell.clip).exists()
        if cell.problem and ran:
            met[cell.method, cell.problem] += 1
    for (method, why), clips in met.items():
        yield f"not scored: {method} on {clips} clip{'s' * (clips > 1)}: {why}"
