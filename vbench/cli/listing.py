"""`vbench list`: every name there is, and whether it can be used here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from vbench.run.listing import Row


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(show)


def show(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="trackers, propagators, detectors, posts, policies, suites, metrics, weights or "
            "devices; all of them if left out."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Folder, file, NAME=FILE, or 'random'; may be given again."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images and annotations.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """List names with a description, what they need, and what is ready here.

    Example: vbench list trackers
    """
    from vbench.cli.app import print_json, tables
    from vbench.run.listing import KINDS, rows
    from vbench.run.settings import load_settings, weights_finder

    settings = load_settings(Path.cwd(), overrides={"data": data})
    finder = weights_finder(settings, weights or ())
    found = {name: rows(name, settings, finder) for name in ([kind] if kind else KINDS)}
    if json:
        lists = {name: [row.as_json() for row in listed] for name, listed in found.items()}
        print_json({"schema": 1, **lists})
        return
    console = tables()
    for name, listed in found.items():
        show_table(console, name, listed)


def show_table(console: Console, title: str, listed: list[Row]) -> None:
    """Print the rows of one kind, then what mends those that are not ready."""
    from rich.table import Table
    from rich.text import Text

    needs = any(row.needs for row in listed)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for head in ("what it is", *(("needs",) if needs else ()), "status"):
        table.add_column(head)
    for row in listed:
        status = Text(row.status, style="green" if row.status == "ready" else "yellow")
        between = (Text(", ".join(row.needs)),) if needs else ()
        table.add_row(Text(row.form), _described(row), *between, status)
    console.print(table if listed else f"{title}: none")
    show_steps(console, listed)
    console.print()


def show_steps(console: Console, listed: list[Row]) -> None:
    """Print the next step for everything that is not ready, on lines that can be copied."""
    for row in listed:
        if row.mend:
            console.print(f"  {row.name}: {row.mend}", markup=False, soft_wrap=True, style="dim")


def _described(row: Row) -> Text:
    from rich.text import Text

    what = Text(row.summary)
    if unit := row.details.get("unit"):
        what.append(f" [{unit}, {row.details['better']}]", style="dim")
    if row.paper:
        what.append(f"\n{row.paper}", style="dim")
    return what
