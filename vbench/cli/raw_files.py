"""`vbench import`, `vbench export`: runs out of raw result files, and back into any format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vbench.cli.score import (
    ANNOTATIONS,
    DATA,
    JSON,
    REPAIR,
    RESULTS,
    SUITE,
    folded,
    open_suite,
)

if TYPE_CHECKING:
    from rich.console import Console


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_results)
    app.command("export")(export_results)


def import_results(
    path: Annotated[Path, RESULTS],
    suite: Annotated[str, SUITE],
    out: Annotated[Path, typer.Option(help="Run folder, new or of the same suite.")],
    name: Annotated[
        str | None, typer.Option("--as", help="What the method is called; default: its folder.")
    ] = None,
    data: Annotated[Path | None, DATA] = None,
    annotations: Annotated[Path | None, ANNOTATIONS] = None,
    repair: Annotated[bool, REPAIR] = False,
    json: Annotated[bool, JSON] = False,
) -> int:
    """Keep raw result files as methods of a run, beside methods that vbench ran.

    Example: vbench import results/SiamFC --suite otb2015 --as siamfc-paper --out results/otb2015
    """
    from vbench.cli.app import Exit, messages, print_json
    from vbench.run.import_files import import_path

    opened = open_suite(suite, data, annotations)
    records = import_path(path, opened, out, name, repair)
    total = max(opened.card.clips, len(opened.clips))
    if json:
        results = [
            {
                "name": record.method,
                "clips": f"{len(opened.clips) - len(record.problems)}/{total}",
                "status": "partial" if record.problems else "ok",
                "problems": _listed(record.problems),
                "notes": _listed(record.notes),
            }
            for record in records
        ]
        print_json({"schema": 1, "suite": opened.name, "out": str(out), "results": results})
    console = messages()
    for record in records:
        for kind, told in (("problem", record.problems), ("note", record.notes)):
            _tell(console, kind, record.method, told)
        kept = len(opened.clips) - len(record.problems)
        console.print(f"{record.method}: {kept}/{total} clips in {out}", soft_wrap=True)
    return Exit.PROBLEMS if any(record.problems for record in records) else Exit.OK


def export_results(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="otb, otb-mat, otb-json, got10k, got10k-submission, pysot, pytracking, uav, "
            "lasot, vot or mot; of detections: vid, mot or coco.",
        ),
    ] = "otb",
    methods: Annotated[str | None, typer.Option(help="Only these methods, by comma.")] = None,
    json: Annotated[bool, JSON] = False,
) -> int:
    """Write a run's boxes as raw result files of another toolkit; what it rounds is said.

    Example: vbench export results/otb2015 --format got10k --out exported
    """
    from vbench.cli.app import Exit, messages, print_json
    from vbench.core.method import split_methods
    from vbench.run.import_files import export_run

    chosen = split_methods(methods) if methods else ()
    written = export_run(run, form, out, chosen)
    if json:
        results = [
            {"name": name, **vars(found), "problems": _listed(found.problems)}
            for name, found in written.items()
        ]
        print_json({"schema": 1, "format": form, "out": str(out), "results": results})
    console = messages()
    for name, found in written.items():
        console.print(f"{name}: {found.files} files in {out}", soft_wrap=True, markup=False)
        _tell(console, "problem", name, found.problems)
        for line in found.lines(form):
            console.print(f"note: {name}: {line}", soft_wrap=True, markup=False)
    return Exit.PROBLEMS if any(found.problems for found in written.values()) else Exit.OK


def _listed(told: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"clip": clip, "what": what} for clip, what in told.items()]


def _tell(console: Console, kind: str, method: str, told: Mapping[str, str]) -> None:
    """Print what is told of a method's clips, those of which the same is told on one line."""
    from vbench.metrics.suite_score import Remark

    for line in folded([Remark(clip, what) for clip, what in told.items()]):
        console.print(f"{kind}: {method}: {line}", soft_wrap=True, markup=False)
