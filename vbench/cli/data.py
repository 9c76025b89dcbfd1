"""`vbench data`: is a suite's data whole, and getting it where it can be got."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.run.data_doctor import Diagnosis

Suite = Annotated[str, typer.Argument(help="A name of `vbench list suites`.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
# Most names and findings that a terminal shows; --json has all of them.
SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Datasets: check, get.", no_args_is_help=True)
    group.command("check")(check)
    group.command("get")(get)
    app.add_typer(group, name="data")


def check(
    suite: Suite,
    data: Annotated[Path | None, typer.Option(help="Folder of images and annotations.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="Folder of annotations alone.")] = None,
    deep: Annotated[bool, typer.Option(help="Decode every image, not three of each clip.")] = False,
    clips: Annotated[bool, typer.Option(help="A row for each clip.")] = False,
    json: Json = False,
) -> int:
    """Examine a dataset: frames, ranges, names, rows, sizes, what is missing, what to do.

    Ends with exit code 1 where something is missing or wrong.

    Example: vbench data check vot2018 --data ~/data/vot2018
    """
    from vbench.cli.app import Exit, print_json, tables
    from vbench.core.errors import VBenchError
    from vbench.core.method import parse_method
    from vbench.run.data_doctor import check_suite
    from vbench.run.settings import load_settings

    for option, folder in (("--data", data), ("--annotations", annotations)):
        if folder is not None and not folder.exists():
            raise VBenchError(f"{option} {folder}: there is no such folder")
    part = parse_method(suite).base
    if data is None and annotations is None:
        settings = load_settings(Path.cwd())
        data, annotations = settings.data_for(part.name), settings.annotations_for(part.name)
    found = check_suite(
        part.name,
        data,
        annotations,
        parameters=dict(part.parameters),
        depth="all" if deep else "sampled",
    )
    if json:
        print_json({"schema": 1, **found.as_json()})
    else:
        _show(tables(), found, clips)
    return Exit.OK if found.healthy else Exit.PROBLEMS


def get(
    suite: Suite,
    data: Annotated[Path | None, typer.Option(help="Folder to put it in.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A sequence; may be given again.")] = None,
    mirror: Annotated[
        str, typer.Option(help="Address that takes the place of the publisher's host.")
    ] = "",
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    json: Json = False,
) -> int:
    """Get a dataset whose publisher serves plain files; else say how to get it by hand.

    A broken download goes on where it stopped. Checksums are those of the publisher, or of the
    first download where there are none.

    Example: vbench data get vot2018 --data ~/data/vot2018
    """
    from vbench.cli.app import Exit, messages, print_json
    from vbench.cli.weights import progress_bars
    from vbench.core.errors import NotReady, VBenchError
    from vbench.run.data_doctor import card_of
    from vbench.run.data_get import get_suite, instructions
    from vbench.run.settings import load_settings

    card = card_of(suite)
    folder = data or load_settings(Path.cwd()).data_for(suite)
    if not card.rules.get("description") and not card.rules.get("zips"):
        raise NotReady(instructions(card))
    if folder is None:
        raise VBenchError(f"say where to put it: vbench data get {suite} --data DIR")
    if not json:
        messages().print(f"{card.title}; licence: {card.licence}", markup=False, soft_wrap=True)
    with progress_bars(quiet or json) as progress:
        done = get_suite(card, folder, mirror=mirror, progress=progress, only=tuple(only or ()))
    if json:
        print_json({"schema": 1, "folder": str(folder), "fetched": done.fetched, "kept": done.kept})
    else:
        line = f"{len(done.fetched)} sequences fetched, {len(done.kept)} were here: {folder}"
        messages().print(line, markup=False, soft_wrap=True)
    return Exit.OK


def _show(console: Console, found: Diagnosis, every_clip: bool) -> None:
    console.print(f"{found.title}", markup=False, soft_wrap=True)
    facts = [f"{found.coverage} clips", f"{found.frames} frames", *found.variant]
    console.print(f"{found.suite}: {'; '.join(facts)}", markup=False, soft_wrap=True)
    if found.digest:
        console.print(f"digest {found.digest[:16]}", markup=False)
    if every_clip:
        _show_clips(console, found)
    for level in ("problem", "note"):
        for line in _lines(found, level):
            console.print(f"{level}: {line}", markup=False, soft_wrap=True)
    if found.missing:
        more = f", and {len(found.missing) - SHOWN} more" if len(found.missing) > SHOWN else ""
        names = ", ".join(found.missing[:SHOWN])
        console.print(f"missing: {len(found.missing)}: {names}{more}", markup=False, soft_wrap=True)
    for line in found.advice:
        console.print(f"next: {line}", markup=False, soft_wrap=True)
    if found.healthy:
        console.print("complete and sound")


def _show_clips(console: Console, found: Diagnosis) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("clip", "frames", "rows", "absent", "size", "images"):
        table.add_column(head, justify="left" if head in ("clip", "images") else "right")
    for clip in found.clips:
        size = f"{clip.size[0]} x {clip.size[1]}" if clip.size else "?"
        counts = (str(clip.frames), str(clip.rows), str(clip.absent))
        table.add_row(clip.name, *counts, size, "yes" if clip.images else "no")
    console.print(table)


def _lines(found: Diagnosis, level: str) -> list[str]:
    from vbench.cli.score import folded
    from vbench.metrics.suite_score import Remark

    return folded([Remark(f.clip, f.what) for f in found.findings if f.level == level])
