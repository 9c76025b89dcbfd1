"""`vbench profile`: component times of a device, here or carried to one that cannot run vbench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.cost.device_profile import DeviceProfile
    from vbench.run.compose import Composed
    from vbench.run.profile import Effort
    from vbench.run.request import Request


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("profile")(profile)


def profile(
    methods: Annotated[
        str | None, typer.Argument(help="Methods whose parts are timed, by comma.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, jetson.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of networks and OpenCV.")] = None,
    suite: Annotated[str | None, typer.Option(help="Suite whose first clip is timed on.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images and annotations.")] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Folder, file, NAME=FILE; default: random, which takes as long."),
    ] = None,
    objects: Annotated[str, typer.Option(help="Numbers of objects to carry.")] = "1,4,7",
    repeats: Annotated[int, typer.Option(help="Interleaved repeats of every part.")] = 3,
    seconds: Annotated[float, typer.Option(help="Least seconds a part is timed for.")] = 1.0,
    isolate: Annotated[bool, typer.Option(help="One process a method: memory of its own.")] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="Write networks and a runner for another device instead.")
    ] = None,
    imported: Annotated[
        Path | None, typer.Option("--import", help="Check and keep a profile made elsewhere.")
    ] = None,
    check: Annotated[
        str | None, typer.Option(help="Project a published device's tables: jetson-nano.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File of the profile.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Time every part of some methods alone, and keep it as a device profile.

    Example: vbench profile siamfc+patchnet,kcf --threads 1
    """
    from vbench.cli.app import messages, print_json, tables
    from vbench.cost.allocator import keep_freed_memory
    from vbench.run.apart import options_of
    from vbench.run.request import Request

    if check is not None:
        _show_check(check, json)
        return
    keep_freed_memory()
    request = Request.read(
        suite=suite, data=data, weights=weights or ["random"], device=device, threads=threads
    )
    if imported is not None:
        found = _imported(imported)
    elif methods is None:
        raise VBenchError("name methods (`vbench profile siamfc+patchnet`), or --import a profile")
    elif bundle is not None:
        _bundle(_composed(request, methods), bundle, json)
        return
    elif isolate:
        same: dict[str, Any] = {
            "--suite": suite,
            "--data": data,
            "--weights": weights,
            "--objects": objects,
        }
        same |= {"--repeats": repeats, "--seconds": seconds}
        same |= {"--device": request.device, "--threads": request.threads}
        found = _isolated(methods, options_of(same))
    else:
        found = _measured(request, methods, _effort(objects, repeats, seconds))
    path = _kept(found, out or request.settings.results / "devices" / f"{found.name}.json")
    if json:
        print_json(found.to_json())
    else:
        _show(tables(), found)
        messages().print(f"written: {path}", soft_wrap=True)


def _effort(objects: str, repeats: int, seconds: float) -> Effort:
    from vbench.run.profile import Effort

    try:
        counts = tuple(int(text) for text in objects.split(","))
    except ValueError:
        raise VBenchError(f"--objects '{objects}': give whole numbers, such as 1,4,7") from None
    return Effort(repeats, seconds, objects=counts)


def _composed(request: Request, methods: str) -> list[Composed]:
    from vbench.run.compose import compose

    return [
        compose(plan, request.finder.weights_for, device=request.device)
        for plan in request.plans(methods)
    ]


def _measured(request: Request, methods: str, effort: Effort) -> DeviceProfile:
    from vbench.run.profile import profile as measure
    from vbench.run.threads import set_threads

    set_threads(request.threads)
    composed = _composed(request, methods)
    clip = request.open_suite().only(limit=1).clips[0]
    return measure(composed, clip, request.device, request.threads, effort)


def _isolated(methods: str, options: list[str]) -> DeviceProfile:
    import json
    import os
    import subprocess
    import sys
    import tempfile

    from vbench.core.method import split_methods
    from vbench.cost.device_profile import merged, profile_from

    found = []
    for method in split_methods(methods):
        with tempfile.TemporaryDirectory() as folder:
            asked = [sys.executable, "-m", "vbench", "profile", method, "--json", *options]
            asked += ["--out", os.path.join(folder, "profile.json")]  # noqa: PTH118
            answer = subprocess.run(asked, capture_output=True, text=True)
        if answer.returncode != 0:
            last = (answer.stderr.strip().splitlines() or ["it was killed"])[-1]
            raise VBenchError(f"'{method}' alone: {last.removeprefix('vbench: ')}")
        found.append(profile_from(json.loads(answer.stdout), method))
    return merged(found)


def _imported(path: Path) -> DeviceProfile:
    from dataclasses import replace

    from vbench.cost.device_profile import read_profile

    return replace(read_profile(path), source="imported")


def _kept(found: DeviceProfile, path: Path) -> Path:
    import json

    from vbench.store.files import write_atomically

    write_atomically(path, json.dumps(found.to_json(), indent=1, sort_keys=True).encode())
    return path


def _bundle(methods: list[Composed], folder: Path, json: bool) -> None:
    from vbench.cli.app import messages, print_json
    from vbench.run.bundle import write_bundle

    written = write_bundle(methods, folder)
    if json:
        print_json(written)
        return
    console = messages()
    for part in written["components"]:
        console.print(
            f"{part['model']}.{part['call']} x {part['objects']}: {len(part['parts'])} networks"
        )
    for name in written["left_out"]:
        console.print(f"left out: {name}", style="yellow", markup=False)
    console.print(f"copy {folder} to the device, then: python3 run_profile.py", soft_wrap=True)


def _show(console: Console, found: DeviceProfile) -> None:
    from rich.table import Table

    threads = found.device.get("threads")
    table = Table(title=found.name + (f", {threads} threads" if threads else ""))
    table.add_column("part")
    for name in ("objects", "ms p50", "M MAC", "MB", "mJ"):
        table.add_column(name, justify="right")
    for part in found.components:
        for n, ms in sorted(part.ms_by_objects.items()):
            first = n == min(part.ms_by_objects)
            rest = [_number(part.macs, 1e-6), _number(part.memory_mb, 1), _number(part.joules, 1e3)]
            table.add_row(part.name, str(n), f"{ms:,.3f}", *(rest if first else [""] * 3))
    console.print(table)
    for note in found.notes:
        console.print(f"- {note}", style="yellow", soft_wrap=True, markup=False)


def _show_check(name: str, json: bool) -> None:
    from rich.table import Table

    from vbench.cli.app import print_json, tables
    from vbench.cost.device_profile import open_profile
    from vbench.cost.projection import check_printed

    profile = open_profile(name)
    rows = check_printed(profile)
    if json:
        shown = [
            vars(row.row) | {"projected_ms": row.projected_ms, "verdict": row.verdict}
            for row in rows
        ]
        print_json({"schema": 1, "device": profile.name, "rows": shown})
        return
    table = Table(title=f"{profile.name}: t_key / k + n t_inter beside what is printed")
    table.add_column("method")
    for column in ("k", "objects", "printed ms", "projected ms", "printed x", "projected x"):
        table.add_column(column, justify="right")
    table.add_column("")
    for each in rows:
        row = each.row
        table.add_row(
            row.what, f"{row.interval:g}", str(row.objects), f"{row.skip_ms:g}",
            f"{each.projected_ms:.1f}", f"{row.speed_up:g}", f"{each.speed_up:.2f}", each.verdict,
        )  # fmt: skip
    console = tables()
    console.print(table)
    console.print(profile.citation, soft_wrap=True)
    for note in profile.notes:
        console.print(f"- {note}", soft_wrap=True)


def _number(value: float | None, scale: float) -> str:
    return "n/a" if value is None or value != value else f"{value * scale:,.2f}"
