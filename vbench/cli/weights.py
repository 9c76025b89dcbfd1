"""`vbench weights`: published weights: what there is, fetching, checking, where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vbench.weights.fetch import Progress
    from vbench.weights.find import WeightsFinder

Names = Annotated[list[str] | None, typer.Argument(help="Names of `vbench weights list`.")]
Places = Annotated[
    list[str] | None, typer.Option(help="Folder, file or NAME=FILE; may be given again.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Published weights: list, fetch, verify, path.", no_args_is_help=True)
    group.command("list")(show)
    group.command("fetch")(fetch)
    group.command("verify")(verify)
    group.command("path")(path)
    app.add_typer(group, name="weights")


def show(weights: Places = None, json: Json = False) -> None:
    """List published weights: licence, size, whether they are here, how to get them.

    Example: vbench weights list
    """
    from vbench.cli.app import print_json, tables
    from vbench.cli.listing import show_steps
    from vbench.run.listing import weights_row
    from vbench.weights.registry import registry

    finder = _finder(weights)
    listed = [
        weights_row(name, known, finder.published(name) is not None)
        for name, known in registry().items()
    ]
    if json:
        print_json({"schema": 1, "weights": [row.as_json() for row in listed]})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in ("name", "MB", "licence", "status", "what it is"):
        table.add_column(head, justify="right" if head == "MB" else "left", no_wrap=head == "name")
    for row in listed:
        size = row.details["bytes"]
        cells = (row.name, f"{size / 1e6:.2f}" if size else "?", row.details["licence"])
        status = Text(row.status, style="green" if row.status == "ready" else "yellow")
        table.add_row(*map(Text, cells), status, Text(row.summary))
    tables().print(table)
    show_steps(tables(), listed)


def fetch(
    names: Names = None,
    every: Annotated[bool, typer.Option("--all", help="All that can be fetched.")] = False,
    into: Annotated[
        Path | None, typer.Option(help="Folder to put them in; default: the user's cache.")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Fetch published weights, check their hashes and put them where vbench finds them.

    Example: vbench weights fetch patchnet dcfnet
    """
    from vbench.cli.app import messages, print_json
    from vbench.core.errors import VBenchError
    from vbench.run.settings import load_settings
    from vbench.weights.fetch import fetch as fetch_release
    from vbench.weights.find import cache_folder
    from vbench.weights.registry import registry, release

    if bool(names) == every:
        raise VBenchError("name weights to fetch (`vbench weights list`), or say --all")
    wanted = (
        [r for r in registry().values() if r.fetchable]
        if every
        else list(map(release, names or ()))
    )
    mirror = load_settings(Path.cwd()).weights_mirror
    fetched: dict[str, list[str]] = {}
    with progress_bars(quiet or json) as progress:
        for known in wanted:
            files = fetch_release(known, into or cache_folder(), mirror, progress)
            fetched[known.name] = [str(file) for file in files]
    if json:
        print_json({"schema": 1, "fetched": fetched})
        return
    for name, paths in fetched.items():
        messages().print(f"{name}: {', '.join(paths)}", markup=False, soft_wrap=True)


def verify(names: Names = None, weights: Places = None, json: Json = False) -> int:
    """Check the content of weights that are here; without names, of all that are.

    Ends with exit code 1 where a named one is missing, or a file has other content than published.

    Example: vbench weights verify
    """
    from vbench.cli.app import Exit, print_json, tables
    from vbench.weights.registry import registry, release

    finder = _finder(weights)
    known = [release(name) for name in names] if names else list(registry().values())
    checks = [check for entry in known for check in finder.check(entry)]
    if not names:
        checks = [check for check in checks if check.status != "missing"]
    bad = [check for check in checks if check.status in ("different", "missing")]
    if json:
        print_json({"schema": 1, "files": [check.as_json() for check in checks]})
    else:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        for head in ("weights", "file", "status", "where"):
            table.add_column(head, overflow="fold")
        for check in checks:
            style = "red" if check in bad else "green"
            cells = (check.name, check.file, str(check.path or check.mend))
            table.add_row(*map(Text, cells[:2]), Text(check.status, style=style), Text(cells[2]))
        tables().print(table if checks else "no published weights are here: `vbench weights fetch`")
    return Exit.PROBLEMS if bad else Exit.OK


def path(
    name: Annotated[str | None, typer.Argument(help="A name of `vbench weights list`.")] = None,
    weights: Places = None,
    json: Json = False,
) -> None:
    """Print where the files of weights lie; without a name, where fetched ones go.

    Example: vbench weights path patchnet
    """
    from vbench.cli.app import print_json
    from vbench.core.errors import NotReady
    from vbench.weights.find import cache_folder
    from vbench.weights.registry import release

    if name is None:
        print_json({"schema": 1, "cache": str(cache_folder())}) if json else print(cache_folder())
        return
    finder, known = _finder(weights), release(name)
    found = finder.weights_for(name) if name in finder.named else finder.published(name)
    if found is None:
        raise NotReady(finder.why_missing(known))
    files = {file: str(place) for file, place in found.files.items()}
    if json:
        print_json({"schema": 1, "name": name, "files": files, "sha256": found.sha256})
        return
    for place in files.values():
        print(place)


def _finder(weights: list[str] | None) -> WeightsFinder:
    from vbench.run.settings import load_settings, weights_finder

    return weights_finder(load_settings(Path.cwd()), weights or ())


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Callable[[str], Progress] | None]:
    """Give a maker of progress bars on stderr, one for each file; None if none are wanted."""
    from vbench.cli.app import messages

    if quiet or not messages().is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), DownloadColumn()]
    with Bars(*columns, TransferSpeedColumn(), console=messages()) as bars:

        def begin(file: str) -> Progress:
            task = bars.add_task(file, total=None)
            return lambda here, total: bars.update(task, completed=here, total=total)

        yield begin
