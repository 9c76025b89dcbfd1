"""`vbench cost`: multiply-accumulates of a method, and of what papers print."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.cost.published import Figure
    from vbench.run.cost_sheet import CostSheet


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cost")(cost)


def cost(
    method: Annotated[str | None, typer.Argument(help="A method, such as siamfc+patchnet.")] = None,
    by_op: Annotated[bool, typer.Option("--by-op", help="Split by operator.")] = False,
    by_module: Annotated[bool, typer.Option("--by-module", help="Split by module.")] = False,
    convention: Annotated[
        str, typer.Option(help="executed, paper, fvcore, torch or thop.")
    ] = "executed",
    published: Annotated[
        bool, typer.Option("--published", help="Published figures and what reproduces them.")
    ] = False,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Folder, file, NAME=FILE; default: random, which costs the same."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Count the multiply-accumulates of every call of a method.

    Example: vbench cost siamfc --by-op
    """
    from vbench.cli.app import print_json, tables

    if published:
        from vbench.cost.published import errata, figures

        if json:
            print_json({"schema": 1, "figures": [_figure_json(f) for f in figures()]})
        else:
            _show_published(tables(), figures(), errata())
        return
    if method is None:
        raise VBenchError("name a method (`vbench cost siamfc`), or ask for --published figures")
    sheet = _counted(method, convention, weights)
    if json:
        print_json(sheet.as_json())
    else:
        _show_sheet(tables(), sheet, by_op, by_module)


def _counted(method: str, convention: str, weights: list[str] | None) -> CostSheet:
    from pathlib import Path

    from vbench.cost.conventions import convention as named
    from vbench.run.compose import compose, plan
    from vbench.run.cost_sheet import cost_sheet
    from vbench.run.settings import load_settings, weights_finder

    way = named(convention)
    finder = weights_finder(load_settings(Path.cwd()), weights or ("random",))
    return cost_sheet(compose(plan(method), finder.weights_for), way)


def _show_sheet(console: Console, sheet: CostSheet, by_op: bool, by_module: bool) -> None:
    from rich.table import Table

    unit = {"mac": "MAC", "flop": "FLOP (2 a MAC)"}.get(sheet.convention.unit, "of its own unit")
    title = f"{sheet.method}, {sheet.convention.name}: {sheet.convention.summary}"
    table = Table(title=title)
    table.add_column("call")
    table.add_column("on")
    for name in ("M a call", "M an object"):
        table.add_column(name, justify="right")
    table.add_column("not counted")
    for row in sheet.calls:
        on = f"each {row.call.extra}" if row.call.extra else ", ".join(row.call.steps)
        numbers = _millions(row.count.macs_per_call), _millions(row.count.macs_per_object)
        table.add_row(row.call.name, on, *numbers, ", ".join(row.count.uncounted))
        split = dict(row.count.by_op) if by_op else {}
        split |= row.count.by_module if by_module else {}
        for name, macs in sorted(split.items(), key=lambda item: -item[1]):
            table.add_row(f"  {name}", "", _millions(macs), "", "", style="dim")
    table.add_section()
    for step, macs in sheet.steps.items():
        table.add_row(step, "with one object", _millions(macs), "", "")
    if not math.isnan(sheet.per_frame):
        table.add_row(
            "frame", f"at interval {sheet.interval_max}", _millions(sheet.per_frame), "", ""
        )
    console.print(table)
    console.print(f"M: million {unit}")


def _show_published(console: Console, figures: list[Figure], errata: tuple[str, ...]) -> None:
    from rich.table import Table

    table = Table(title="Published figures (papers' FLOPs are MACs)")
    for name in ("what", "where"):
        table.add_column(name)
    for name in ("printed", "counted", "executed"):
        table.add_column(name, justify="right")
    table.add_column("by which convention")
    for figure in figures:
        digits = max(figure.digits, 2)
        unit = {1e9: " G", 1e6: " M"}[figure.scale]
        numbers = [figure.printed, figure.computed, figure.executed]
        shown = ["" if n is None else f"{n / figure.scale:.{digits}f}{unit}" for n in numbers]
        shown[0] = f"{figure.printed / figure.scale:.{figure.digits}f}{unit}"
        note = f"; {figure.note}" if figure.note else ""
        style = None if figure.reproduced else "yellow"
        table.add_row(figure.what, figure.where, *shown, figure.counted + note, style=style)
    console.print(table)
    console.print(figures[0].source)
    for line in errata:
        console.print(f"- {line}")


def _figure_json(figure: Figure) -> dict[str, Any]:
    return vars(figure) | {"reproduced": figure.reproduced, "difference": figure.difference}


def _millions(macs: float) -> str:
    if math.isnan(macs):
        return "unknown"
    return "0" if macs == 0 else f"{macs / 1e6:,.3f}"
