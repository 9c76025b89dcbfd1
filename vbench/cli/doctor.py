"""`vbench doctor`: what works here, and what mends the rest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

STYLES = {"ok": "green", "missing": "yellow", "broken": "red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Check Python, torch, devices, codecs, extras, weights, data and disk.

    Ends with exit code 1 where something is broken; what is merely missing is no failure.

    Example: vbench doctor
    """
    from vbench.cli.app import Exit, print_json, tables
    from vbench.run.doctor import examine
    from vbench.run.settings import load_settings, weights_finder

    settings = load_settings(Path.cwd())
    checks = examine(settings, weights_finder(settings))
    if json:
        print_json({"schema": 1, "checks": [asdict(check) for check in checks]})
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for head in ("area", "name", "status", "found"):
            table.add_column(head, overflow="fold")
        for check in checks:
            status = Text(check.health, style=STYLES[check.health])
            table.add_row(Text(check.area), Text(check.name), status, Text(check.found))
        console = tables()
        console.print(table)
        for check in checks:
            if check.mend:
                line = f"  {check.area} {check.name}: {check.mend}"
                console.print(line, markup=False, soft_wrap=True, style="dim")
    broken = any(check.health == "broken" for check in checks)
    return Exit.PROBLEMS if broken else Exit.OK
