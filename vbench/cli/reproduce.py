"""`vbench reproduce`: printed numbers of papers beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.report.likes import RanLike
    from vbench.report.reproduction import Exhibit
    from vbench.report.reproduction_page import Reproduced
    from vbench.run.reproduce import Here


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reproduce")(reproduce)


def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[list|ID...]",
            help="Tables and figures (patchnet.t2) or papers (patchnet); 'list' shows all.",
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images and annotations.")] = None,
    suite_data: Annotated[
        list[str] | None, typer.Option(help="SUITE=FOLDER; may be given again.")
    ] = None,
    suite_annotations: Annotated[
        list[str] | None, typer.Option(help="SUITE=FOLDER, where annotations lie apart.")
    ] = None,
    weights: Annotated[list[str] | None, typer.Option(help="As in `vbench run`.")] = None,
    device: Annotated[str | None, typer.Option(help="As in `vbench run`.")] = None,
    threads: Annotated[int | None, typer.Option(help="As in `vbench run`.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of runs and report; default results/reproduction.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many clips of each suite.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Compare with published tables: compute formulas, run what can run, say what is missing.

    Example: vbench reproduce patchnet.t2 patchnet.f10
    """
    from vbench.cli.app import Exit, messages, print_json, tables
    from vbench.report.reproduction import exhibits
    from vbench.run.reproduce import Here, parse_folders

    asked = list(names or ["list"])
    listed = asked == ["list"]
    if "list" in asked and not listed:
        raise VBenchError("'list' stands alone; or name tables, such as patchnet.t2")
    if limit is not None and limit < 1:
        raise VBenchError(f"--limit {limit}: at least one clip is needed")
    chosen = exhibits([] if listed else asked)
    here = Here(
        data,
        parse_folders(suite_data or (), "--suite-data"),
        parse_folders(suite_annotations or (), "--suite-annotations"),
        weights or (),
        device,
        threads,
    )
    here.check()
    failed: dict[str, str] = {}
    written: list[Path] = []
    if listed:
        found = _judged(chosen, here)
        if not json:
            _show_list(tables(), found)
    else:
        folder = out or here.request().settings.results / "reproduction"
        found, failed = _reproduced(chosen, here, folder, limit, json)
        written = _write(folder, found)
        if not json:
            _show(tables(), found)
            messages().print(f"written: {', '.join(map(str, written))}", soft_wrap=True)
    if json:
        listing = [one.as_json() for one in found]
        print_json({"schema": 1, "exhibits": listing, "written": [str(p) for p in written]})
    for where, why in failed.items():
        messages().print(f"failed: {where}: {why}", style="red", markup=False)
    return Exit.PROBLEMS if failed else Exit.OK


def _judged(chosen: Sequence[Exhibit], here: Here) -> list[Reproduced]:
    from vbench.report.reproduction_page import Reproduced, Standing

    found = []
    for exhibit in chosen:
        standings = {}
        for row in exhibit.rows:
            if row.published:
                ready = here.readiness(row.method, exhibit.suite, row.feasibility)
                standings[row.what] = Standing(ready.status, ready.why, ready.mend)
        likely = {}
        for like in exhibit.likes:
            ready = here.readiness(like.method, like.suite, "A")
            likely[like.what] = Standing(ready.status, ready.why, ready.mend)
        found.append(Reproduced(exhibit, standings, likely=likely))
    return found


def _reproduced(
    chosen: Sequence[Exhibit], here: Here, folder: Path, limit: int | None, quiet: bool
) -> tuple[list[Reproduced], dict[str, str]]:
    """Run every method that can run, once a suite, and compare."""
    from dataclasses import replace

    from vbench.report.comparison import computed, measured
    from vbench.report.likes import likes

    judged = _judged(chosen, here)
    ran: dict[str, RanLike] = {}
    failed: dict[str, str] = {}
    for suite, methods in _wanted(judged).items():
        ran[suite], problems = _run(here, suite, methods, folder, limit, quiet)
        failed |= problems
    found = []
    for one in judged:
        compared = computed(one.exhibit)
        if one.exhibit.suite in ran:
            compared += measured(one.exhibit, ran[one.exhibit.suite].found)
        found.append(replace(one, comparisons=compared, likes=likes(one.exhibit, ran)))
    return found, failed


def _wanted(judged: Sequence[Reproduced]) -> dict[str, list[str]]:
    """Methods by suite: of rows and of like rows, all that can run here."""
    from vbench.run.reproduce import CAN_RUN

    wanted: dict[str, list[str]] = {}
    for one in judged:
        for row in one.exhibit.rows:
            standing = one.standings.get(row.what)
            if standing is not None and standing.status == CAN_RUN:
                wanted.setdefault(one.exhibit.suite, []).append(row.method)
        for like in one.exhibit.likes:
            if one.likely[like.what].status == CAN_RUN:
                wanted.setdefault(like.suite, []).append(like.method)
    return wanted


def _run(
    here: Here, suite: str, methods: Sequence[str], folder: Path, limit: int | None, quiet: bool
) -> tuple[RanLike, dict[str, str]]:
    from vbench.cli.app import messages
    from vbench.cli.run import listening
    from vbench.cost.allocator import keep_freed_memory
    from vbench.report.comparison import Measured
    from vbench.report.likes import RanLike, times_of
    from vbench.report.tables import per_clip, summary, write_tables
    from vbench.run.reproduce import run_methods
    from vbench.store.run_folder import runs_under

    keep_freed_memory()
    clips = here.suite(suite)
    with listening(messages(), len(set(methods)), clips, quiet) as listener:
        made = run_methods(here, suite, methods, folder, limit, listener)
    write_tables(made.folder)
    failed = {f"{method} on {clip}": why for (method, clip), why in made.outcome.failed.items()}
    found = Measured.of(summary(made.folder), sorted(made.untrained))
    times = times_of(runs_under(here.request().settings.results, folder), suite)
    return RanLike(suite, found, per_clip(made.folder), times), failed


def _write(folder: Path, found: Sequence[Reproduced]) -> list[Path]:
    from datetime import UTC, datetime

    from vbench import __version__
    from vbench.report.reproduction_page import as_html, as_markdown
    from vbench.store.files import write_atomically

    day = datetime.now(UTC).date().isoformat()
    about = (
        f"vbench {__version__}, {day}. Rows from the literature are cited as the papers print "
        "them; they were not reproduced. An interval (+-) is half of 95 % over clips, by bootstrap."
    )
    written = []
    for name, write in (("report.md", as_markdown), ("report.html", as_html)):
        write_atomically(folder / name, write(found, about).encode())
        written.append(folder / name)
    return written


def _show_list(console: Console, found: Sequence[Reproduced]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for name in ("what", "published", "class", "needs", "status here"):
        table.add_column(name)
    for one in found:
        exhibit = one.exhibit
        needs = "; ".join(f"{kind} {text}" for kind, text in exhibit.needs.items())
        printed = f"{exhibit.where}, {exhibit.extent}"
        cells = (exhibit.what, printed, exhibit.feasibility, needs, one.status)
        table.add_row(exhibit.name, *cells)
    console.print(table)
    _legend(console, found)


def _legend(console: Console, found: Sequence[Reproduced]) -> None:
    from vbench.report.reproduction import CLASSES, papers

    shown = {one.exhibit.name.partition(".")[0] for one in found}
    for letter, text in CLASSES.items():
        console.print(f"class {letter}: {text}", markup=False)
    for paper in papers():
        if paper.name in shown:
            console.print(f"{paper.name}: {paper.citation}; {paper.drawings}", markup=False)


def _show(console: Console, found: Sequence[Reproduced]) -> None:
    from rich.table import Table

    from vbench.report.reproduction_page import HEAD, comparison_row

    for one in found:
        exhibit = one.exhibit
        table = Table(
            title=f"{exhibit.name}: {exhibit.what} ({exhibit.where})",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        for name in HEAD:
            right = name in ("printed", "ours", "difference", "+-")
            table.add_column(name, justify="right" if right else "left")
        for compared in one.comparisons:
            table.add_row(*comparison_row(compared))
        if one.comparisons:
            console.print(table)
        else:
            console.print(f"{exhibit.name}: {exhibit.what} ({exhibit.where})", markup=False)
        if one.likes:
            _show_likes(console, one)
        console.print(f"  here: {one.status}", markup=False)
        for text in exhibit.errata.values():
            console.print(f"  - {text}", markup=False)


def _show_likes(console: Console, one: Reproduced) -> None:
    from rich.table import Table

    from vbench.report.likes import ABOUT, like_table

    head, *rows = like_table(one.likes)
    title = f"{one.exhibit.name}, like rows with another base"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in head:
        table.add_column(name)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"  {ABOUT}", markup=False)
