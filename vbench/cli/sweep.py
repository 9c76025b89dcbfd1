"""`vbench sweep`: one parameter over its values, and the curve that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from pandas import DataFrame

    from vbench.core.suite import Suite
    from vbench.run.request import Request
    from vbench.run.sweep import Sweep
    from vbench.store.run_folder import RunFolder

AXES = ("keyframe-interval", "threshold", "match-interval")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sweep")(sweep)


def sweep(
    axis: Annotated[
        str | None,
        typer.Argument(help="keyframe-interval, threshold or match-interval; or give --param."),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Suite to run.")] = None,
    methods: Annotated[str | None, typer.Option(help="Methods with a cheap half.")] = None,
    intervals: Annotated[str, typer.Option(help="Keyframe intervals.")] = "1,2,3,5,10",
    thresholds: Annotated[str, typer.Option(help="Values of c.")] = "0,0.5,0.6,0.7,0.8,0.9,0.95",
    param: Annotated[
        str | None, typer.Option(help="part.parameter=value,value,... to sweep instead.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Interval that match-interval hits.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images and annotations.")] = None,
    annotations: Annotated[Path | None, typer.Option(help="Folder of annotations.")] = None,
    weights: Annotated[list[str] | None, typer.Option(help="As in `vbench run`.")] = None,
    device: Annotated[str | None, typer.Option(help="As in `vbench run`.")] = None,
    threads: Annotated[int | None, typer.Option(help="As in `vbench run`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder.")] = None,
    clips: Annotated[str | None, typer.Option(help="Only these clips, by comma.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many clips.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    again: Annotated[str, typer.Option(help="missing, failed or always.")] = "missing",
    measure: Annotated[
        bool, typer.Option(help="Run a detector at every value instead of replaying it.")
    ] = False,
    plot: Annotated[
        bool, typer.Option(help="Draw accuracy against cost, a line a method, into RUN/plots.")
    ] = False,
    plan_only: Annotated[bool, typer.Option("--plan", help="Show what would run.")] = False,
    quiet: Annotated[bool, typer.Option(help="No progress, no table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Sweep one parameter over methods; a detector runs once and is replayed under each policy.

    Example: vbench sweep keyframe-interval --methods kcf+dummy --intervals 1,2,5,10
    """
    from vbench.cli.app import Exit, messages, print_json, tables
    from vbench.cli.run import listening, named_clips
    from vbench.cost.allocator import keep_freed_memory
    from vbench.report.sweeps import sweep_table, write_sweep
    from vbench.report.tables import results_json, summary, write_tables
    from vbench.report.terminal import show_table
    from vbench.run.bench import Order, check_order, run
    from vbench.run.protocols import under_protocol
    from vbench.run.request import Request
    from vbench.run.sweep import save

    keep_freed_memory()
    request = Request.read(
        suite=suite, data=data, annotations=annotations, weights=weights, device=device,
        threads=threads, out=out, prefix="sweep-",
    )  # fmt: skip
    chosen = request.open_suite().with_images().only(named_clips(clips), limit)
    texts = _methods(methods, chosen.task)
    if axis == "match-interval":
        return _match(request, chosen, texts, target, seed, quiet, json)
    found = _sweep(axis, param, texts, intervals, thresholds)
    plans = request.plans(",".join(found.methods))
    chosen, protocol = under_protocol(chosen, None)
    order = Order(
        chosen, plans, request.device, request.threads, seed, again,
        reuse=not measure, protocol=protocol,
    )  # fmt: skip
    check_order(order, request.finder.weights_for)
    console = messages()
    _show_plan(console, request, found, chosen, quiet)
    if plan_only:
        return Exit.OK
    with listening(console, len(plans), chosen, quiet or json) as listener:
        outcome = run(order, request.folder, request.finder.weights_for, listener)
    save(request.folder, found)
    written = [*write_tables(request.folder), *write_sweep(request.folder)]
    table = sweep_table(request.folder)
    if plot:
        written += _draw(request.folder, table, found.axis, chosen)
    if json:
        answer = results_json(request.folder, summary(request.folder))
        print_json(answer | {"axis": found.axis, "points": table.to_dict(orient="records")})
    elif not quiet:
        show_table(tables(), table, f"{chosen.name}, {chosen.coverage} clips, {found.axis}")
        console.print(f"written: {', '.join(map(str, written))}")
    for (method, clip), why in outcome.failed.items():
        console.print(f"failed: {method} on {clip}: {why}", style="red")
    return Exit.PROBLEMS if outcome.failed else Exit.OK


def _draw(folder: RunFolder, table: DataFrame, axis: str, suite: Suite) -> list[Path]:
    """One figure a cost that is known."""
    from vbench.report.canvas import save
    from vbench.report.sweep_tradeoff import sweep_tradeoff
    from vbench.report.tradeoff import COSTS

    title = f"{suite.name}, {suite.coverage} clips, by {axis}"
    known = [cost for cost in COSTS if cost in table and table[cost].notna().any()]
    figures = {cost: sweep_tradeoff(table, axis, title, cost) for cost in known}
    stems = {cost: folder.path / "plots" / f"sweep-{cost}" for cost in known}
    return [path for cost in known for path in save(figures[cost], stems[cost])]


def _methods(methods: str | None, task: str) -> list[str]:
    from vbench.core.method import split_methods
    from vbench.run.sweep import with_cheap_half

    texts = split_methods(methods) if methods is not None else with_cheap_half(task)
    if not texts:
        raise VBenchError("no methods are named; `vbench list` shows what there is")
    return texts


def _sweep(
    axis: str | None, param: str | None, texts: list[str], intervals: str, thresholds: str
) -> Sweep:
    from vbench.run import sweep as axes

    if param is not None:
        return axes.parameter(texts, param)
    if axis is None:
        raise VBenchError(f"name what to sweep: {', '.join(AXES)}, or --param part.name=a,b")
    axes.one_of(axis, AXES)
    if axis == "threshold":
        return axes.threshold(texts, _numbers("--thresholds", thresholds))
    return axes.keyframe_interval(texts, _whole_numbers("--intervals", intervals))


def _numbers(option: str, text: str) -> list[float]:
    try:
        found = [float(value) for value in text.split(",")]
    except ValueError:
        raise VBenchError(f"{option} '{text}': write numbers with commas between") from None
    if any(not 0 <= value <= 1 for value in found):
        raise VBenchError(f"{option} '{text}': every value must lie in [0, 1]")
    return sorted(set(found))


def _whole_numbers(option: str, text: str) -> list[int]:
    if not all(value.strip().isdecimal() and int(value) >= 1 for value in text.split(",")):
        raise VBenchError(f"{option} '{text}': write whole numbers from 1 with commas between")
    return sorted({int(value) for value in text.split(",")})


def _show_plan(console: Any, request: Request, found: Sweep, suite: Any, quiet: bool) -> None:
    from vbench.core.method import parse_method
    from vbench.run.sweep import seconds_a_frame

    if quiet:
        return
    manifest = request.folder.read_or_set_aside()[0]
    frames = sum(len(clip) for clip in suite.clips)
    known = manifest.methods if manifest is not None else {}
    done = sum(
        request.folder.trace_path(known[m], clip.name).exists()
        for m in found.methods
        if m in known
        for clip in suite.clips
    )
    cells = len(found.methods) * len(suite.clips)
    each = seconds_a_frame(request.folder, manifest)
    bases = [str(parse_method(m).base) for m in found.methods if m not in known]
    line = f"{found.axis}: {len(found.methods)} methods x {len(suite.clips)} clips = {cells} cells"
    line += f", {done} done"
    if bases and all(base in each for base in bases):
        seconds = sum(each[base] * frames for base in bases)
        line += f", at most {seconds:.0f} s left by what ran before"
    console.print(line)


def _match(
    request: Request,
    suite: Any,
    texts: list[str],
    target: float | None,
    seed: int,
    quiet: bool,
    json: bool,
) -> int:
    from vbench.cli.app import Exit, messages, print_json
    from vbench.run.matching import matched

    if target is None or target < 1:
        raise VBenchError("match-interval wants --target with the interval to hit, such as 2.7")
    found = []
    for text in texts:
        name, c, interval = matched(request, suite, text, target, seed)
        found.append({"method": name, "threshold": c, "interval": interval})
        if not (quiet or json):
            messages().print(f"{name}: interval {interval:.3f} at c = {c:.4f}")
    if json:
        print_json({"schema": 1, "suite": suite.name, "target": target, "results": found})
    return Exit.OK
