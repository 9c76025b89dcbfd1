"""Fit small variants of the trackers that learn, run them on synth-sot, write docs/fits.md.

python tests/benchmarks/fit_trackers.py [--only NAME] [--limit CLIPS]

What is done already under build/fits is kept, so an interrupted fit goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from vbench.cli.app import invoke
from vbench.core.trace import Kind
from vbench.store.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
FOLDER, PAGE = ROOT / "build" / "fits", ROOT / "docs" / "fits.md"


@dataclass(frozen=True)
class Fit:
    """How a method is fitted, and under which names it is run."""

    method: str
    steps: int
    options: tuple[str, ...] = ()
    runs: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The method without its parameters."""
        return self.method.partition("[")[0]


FITS = (
    Fit("patchnet", 600, ("--rate", "1e-4"), ("patchnet", "kcf+patchnet@online:0.8:5")),
    Fit(
        "mdnet[width=0.125]",
        300,
        ("--batch", "4", "--rate", "3e-4"),
        ("mdnet[width=0.125,samples=0.2,candidates=128]",),
    ),
    Fit(
        "rt-mdnet[width=0.125]",
        300,
        ("--batch", "4", "--rate", "3e-4"),
        ("rt-mdnet[width=0.125,samples=0.2]",),
    ),
    Fit(
        "fdn[width=0.25]",
        150,
        ("--batch", "2", "--rate", "3e-4"),
        (
            "fdn[width=0.25,samples=0.2,candidates=256,stop=none]",
            "fdn[width=0.25,samples=0.2,candidates=256,stop=0.05]",
            "fdn[width=0.25,samples=0.2,candidates=256,stop=0.15]",
        ),
    ),
)


def call(*arguments: object) -> dict[str, Any]:
    """Run one command of vbench and return its JSON object."""
    out = StringIO()
    with redirect_stdout(out):
        code = invoke([*map(str, arguments), "--json"])
    if code not in (0, 1):
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {code}")
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def fitted(fit: Fit) -> Path:
    """Weights of a fit; fitted now if they are not there."""
    path = FOLDER / f"{fit.name}.pt"
    if not path.exists():
        given = ("--steps", fit.steps, "--every", 20, "--resume", *fit.options)
        call("train", fit.method, "--suite", "synth-sot:train", "--out", path, *given)
    return path


def iterations(folder: RunFolder, method: str) -> float:
    """Mean iterations of updates on a frame that the tracker saw; NaN where it does not learn."""
    manifest = folder.read()
    record, found = manifest.methods[method], []
    for clip in manifest.clips:
        trace = folder.trace(record, clip)
        if trace is None or "update_iterations" not in trace.extras:
            return float("nan")
        seen = (trace.kind == Kind.KEY) | (trace.kind == Kind.FALLBACK)
        found.append(trace.extras["update_iterations"][seen])
    return float(np.concatenate(found).mean()) if found else float("nan")


def rows_of(fits: tuple[Fit, ...], limit: int | None) -> list[list[str]]:
    """Fit, run, and return the table's rows: those that learn nothing first."""
    run, some = FOLDER / "run", () if limit is None else ("--limit", limit)
    weights: list[object] = ["--weights", "random"]
    methods = ["hold", "kcf"]
    for fit in fits:
        weights += ["--weights", f"{fit.name}={fitted(fit)}"]
        methods += fit.runs
    results = []
    for method in methods:
        given = ("--suite", "synth-sot", "--methods", method, "--no-timing", "--out", run)
        results = call("run", *given, *some, *weights)["results"]
    steps = {method: str(fit.steps) for fit in fits for method in fit.runs}
    table = []
    for row in results:
        learnt = iterations(RunFolder(run), row["method"])
        table.append([
            f"`{row['method']}`", row["clips"], steps.get(row["method"], ""),
            f"{row['success_auc']:.3f}", f"{row['precision_20px']:.3f}",
            f"{row['gmac_per_frame']:.3f}", "" if np.isnan(learnt) else f"{learnt:.2f}",
        ])  # fmt: skip
    return table


def page(rows: list[list[str]]) -> str:
    """The page, in Markdown."""
    heads = ("method", "clips", "steps", "success AUC", "precision at 20 px", "GMAC per frame",
             "iterations per frame")  # fmt: skip
    lines = [
        "# Fits",
        "",
        "Small variants of trackers, fitted on `synth-sot:train` and run on `synth-sot`, whose",
        "clips they never saw. `make fit` writes this page; every fit is one `vbench train`.",
        "`hold` answers the first box for ever. The small networks learn nothing of real videos.",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        "Iterations are those of updates while tracking: `fdn` stops each one as soon as its loss",
        "is below `stop`, and takes ten with `stop=none`.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Fit, run and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="this method alone; the page is not written")
    parser.add_argument("--limit", type=int, help="so many clips")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    chosen = tuple(fit for fit in FITS if given.only in (None, fit.name))
    rows = rows_of(chosen, given.limit)
    if given.only is None:
        PAGE.write_text(page(rows), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")
    else:
        print("\n".join(" | ".join(row) for row in rows))


if __name__ == "__main__":
    main()
