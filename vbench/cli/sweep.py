"""`vbench sweep`: one parameter over its values, and the curve that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import UnknownName, VBenchError

if TYPE_CHECKING:
    from pandas import DataFrame

    from vbench.core.suite import Suite
    from vbench.run.bench import Order
    from vbench.run.request import Request
    from vbench.run.sweep import Sweep
    from vbench.store.run_folder import RunFolder

AXES = ("keyframe-interval", "threshold", "scale", "dtype", "match-interval")
# What a sweep without a suite runs on: what ships with vbench.
# Longer than any clip's keyframe interval.
LONGEST = 1e6
EMBEDDED = ("synth-sot", "synth-vid")


@dataclass(frozen=True)
class SuiteSweep:
    """One suite of a sweep's grid, ready to run."""

    request: Request
    suite: Suite
    found: Sweep
    order: Order


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sweep")(sweep)


def sweep(
    axis: Annotated[
        str | None,
        typer.Argument(
            help="keyframe-interval, threshold, scale, dtype or match-interval; or give --param."
        ),
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="Suites to run, by comma; default: the embedded ones.")
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Methods with a cheap half.")] = None,
    intervals: Annotated[str, typer.Option(help="Keyframe intervals.")] = "1,2,3,5,10",
    thresholds: Annotated[str, typer.Option(help="Values of c.")] = "0,0.5,0.6,0.7,0.8,0.9,0.95",
    scales: Annotated[str, typer.Option(help="Sizes of the base model's frames.")] = "0.5,0.75,1",
    dtypes: Annotated[str, typer.Option(help="Precisions of networks.")] = "fp32,bf16,fp16",
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
    from vbench.cli.app import Exit, messages, tables
    from vbench.cli.run import listening, show_notes
    from vbench.cost.allocator import keep_freed_memory
    from vbench.report.sweeps import sweep_table, write_sweep
    from vbench.report.tables import results_json, summary, write_tables
    from vbench.report.terminal import show_table
    from vbench.run.bench import run
    from vbench.run.sweep import save

    keep_freed_memory()
    values = {
        "--intervals": intervals, "--thresholds": thresholds, "--scales": scales,
        "--dtypes": dtypes,
    }  # fmt: skip
    asked = {
        "data": data, "annotations": annotations, "weights": weights, "device": device,
        "threads": threads,
    }  # fmt: skip
    opened = _opened(suite, methods, asked, out, clips, limit)
    if axis == "match-interval":
        return _match(opened, target, seed, quiet, json)
    grid = _grid(opened, axis, param, values, methods is not None, seed, again, not measure)
    console = messages()
    for one in grid:
        _show_plan(console, one, quiet)
    if plan_only:
        return Exit.OK
    answers, points, failed = [], [], []
    for one in grid:
        folder, name = one.request.folder, one.suite.name
        with listening(console, len(one.order.plans), one.suite, quiet or json) as listener:
            try:
                outcome = run(one.order, folder, one.request.finder.weights_for, listener)
            except KeyboardInterrupt:
                # So that what is there can be reported before the rest has run.
                save(folder, one.found)
                raise
        save(folder, one.found)
        rows = summary(folder)
        table = sweep_table(folder, rows)
        written = [*write_tables(folder, rows=rows), write_sweep(folder, table)]
        if plot:
            written += _draw(folder, table, one.found.axis, one.suite)
        points.append(table.assign(suite=name))
        answers.append(results_json(folder, rows))
        if not (quiet or json):
            title = f"{name}, {one.suite.coverage} clips, {one.found.axis}"
            show_table(tables(), table, title)
            show_notes(console, folder, rows)
            console.print(f"written: {', '.join(map(str, written))}", soft_wrap=True)
        failed += [f"{m} on {clip}: {why}" for (m, clip), why in outcome.failed.items()]
    _finish(grid, points, answers, out, quiet, json)
    for line in failed:
        console.print(f"failed: {line}", style="red", markup=False)
    if failed:
        console.print(f"{len(failed)} cells failed; `--again failed` tries them again")
    return Exit.PROBLEMS if failed else Exit.OK


def _finish(
    grid: Sequence[SuiteSweep],
    points: Sequence[DataFrame],
    answers: Sequence[dict[str, Any]],
    out: Path | None,
    quiet: bool,
    json: bool,
) -> None:
    """Write one tidy table of all suites; answer in JSON where that was asked."""
    import pandas as pd

    from vbench.cli.app import messages, print_json
    from vbench.store.files import write_atomically

    axis = grid[0].found.axis
    if len(grid) > 1:
        table = pd.concat(points, ignore_index=True)
        table.insert(0, "suite", table.pop("suite"))
        path = (out or grid[0].request.settings.results) / "sweep.csv"
        write_atomically(path, table.to_csv(index=False).encode())
        if json:
            rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
            print_json({"schema": 1, "axis": axis, "suites": list(answers), "points": rows})
        elif not quiet:
            messages().print(f"all suites: {path}", soft_wrap=True)
    elif json:
        rows = points[0].drop(columns="suite").to_dict(orient="records")
        print_json(answers[0] | {"axis": axis, "points": rows})


def _opened(
    suites: str | None,
    methods: str | None,
    asked: dict[str, Any],
    out: Path | None,
    clips: str | None,
    limit: int | None,
) -> list[tuple[Request, Suite, list[str]]]:
    """Open each suite and choose the methods of its task; suites without any are left out."""
    from vbench.cli.run import named_clips
    from vbench.core.method import split_methods
    from vbench.run.compose import plan
    from vbench.run.request import Request
    from vbench.run.settings import load_settings

    settings = load_settings(Path.cwd())
    if suites is None:
        own = settings.values["suite"].source != "default"
        suites = settings.suite if own else ",".join(EMBEDDED)
    names = split_methods(suites)
    tasks = {text: plan(text).task for text in split_methods(methods or "")}
    found = []
    for name in names:
        request = Request.read(suite=name, out=out, prefix="sweep-", **asked)
        opened = request.open_suite()
        texts = [text for text, task in tasks.items() if task == opened.task or len(names) == 1]
        if methods is None or texts:
            chosen = opened.with_images().only(named_clips(clips), limit)
            found.append((request, chosen, texts or _methods(methods, opened.task)))
    if not found:
        raise VBenchError(f"none of {', '.join(names)} is for {methods}; name another --suite")
    if out is not None and len(found) > 1:
        found = [(_within(out, request), chosen, texts) for request, chosen, texts in found]
    return found


def _within(out: Path, request: Request) -> Request:
    """Let the run of a suite lie in a folder of its own under `out`."""
    import re
    from dataclasses import replace

    from vbench.store.run_folder import RunFolder

    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", request.suite).strip("-")
    return replace(request, folder=RunFolder(out / plain))


def _grid(
    opened: Sequence[tuple[Request, Suite, list[str]]],
    axis: str | None,
    param: str | None,
    values: dict[str, str],
    named: bool,
    seed: int,
    again: str,
    reuse: bool,
) -> list[SuiteSweep]:
    """Make the order of each suite; where no methods were named, suites that fit none are left out.

    Raises:
        VBenchError: what stops one suite, or all where none was named.
    """
    from vbench.run.bench import Order, check_order
    from vbench.run.protocols import under_protocol

    grid, problems = [], []
    for request, suite, texts in opened:
        try:
            found = _sweep(axis, param, texts, values)
        except VBenchError as error:
            if named or len(opened) == 1:
                raise
            problems.append(error)
            continue
        plans = request.plans(",".join(found.methods))
        chosen, protocol = under_protocol(suite, None)
        order = Order(
            chosen, plans, request.device, request.threads, seed, again, reuse=reuse,
            protocol=protocol,
        )  # fmt: skip
        check_order(order, request.finder.weights_for)
        grid.append(SuiteSweep(request, chosen, found, order))
    if not grid:
        raise problems[0]
    return grid


def _draw(folder: RunFolder, table: DataFrame, axis: str, suite: Suite) -> list[Path]:
    """One figure a cost that is known."""
    from vbench.report.canvas import save
    from vbench.report.coverage import comparable, lacking
    from vbench.report.sweep_tradeoff import sweep_tradeoff
    from vbench.report.tradeoff import COSTS

    title = f"{suite.name}, {suite.coverage} clips, by {axis}"
    if few := lacking(table):
        title += f"\nleft out, of fewer clips: {few}"
    table = table[comparable(table)]
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


def _sweep(axis: str | None, param: str | None, texts: list[str], values: dict[str, str]) -> Sweep:
    from vbench.run import sweep as axes
    from vbench.run.tuning import DTYPES, SCALES

    if param is not None and axis is not None:
        raise VBenchError(f"sweep either {axis} or --param {param}, not both at once")
    if param is not None:
        return axes.parameter(texts, param)
    if axis is None:
        raise VBenchError(f"name what to sweep: {', '.join(AXES)}, or --param part.name=a,b")
    axes.one_of(axis, AXES)
    if axis == "threshold":
        return axes.threshold(texts, _numbers("--thresholds", values["--thresholds"], 0, 1))
    if axis == "scale":
        return axes.scale(texts, _numbers("--scales", values["--scales"], *SCALES))
    if axis == "dtype":
        named = [name.strip() for name in values["--dtypes"].split(",")]
        for name in named:
            if name not in DTYPES:
                raise UnknownName("dtype", name, DTYPES)
        return axes.dtype(texts, list(dict.fromkeys(named)))
    return axes.keyframe_interval(texts, _whole_numbers("--intervals", values["--intervals"]))


def _numbers(option: str, text: str, low: float, high: float) -> list[float]:
    try:
        found = [float(value) for value in text.split(",")]
    except ValueError:
        raise VBenchError(f"{option} '{text}': write numbers with commas between") from None
    if any(not low <= value <= high for value in found):
        raise VBenchError(f"{option} '{text}': every value must lie in [{low:g}, {high:g}]")
    return sorted(set(found))


def _whole_numbers(option: str, text: str) -> list[int]:
    if not all(value.strip().isdecimal() and int(value) >= 1 for value in text.split(",")):
        raise VBenchError(f"{option} '{text}': write whole numbers from 1 with commas between")
    return sorted({int(value) for value in text.split(",")})


def _show_plan(console: Any, one: SuiteSweep, quiet: bool) -> None:
    from vbench.core.method import parse_method
    from vbench.run.sweep import seconds_a_frame
    from vbench.store.run_folder import runs_under

    if quiet:
        return
    folder, suite, methods = one.request.folder, one.suite, one.found.methods
    manifest = folder.read_or_set_aside()[0]
    known = manifest.methods if manifest is not None else {}
    done = {
        m: sum(folder.trace_path(known[m], clip.name).exists() for clip in suite.clips)
        for m in methods
        if m in known
    }
    cells = len(methods) * len(suite.clips)
    line = f"{suite.name}, {one.found.axis}: {len(methods)} methods x {len(suite.clips)} clips"
    line += f" = {cells} cells, {sum(done.values())} done"
    left = [m for m in methods if done.get(m, 0) < len(suite.clips)]
    each = seconds_a_frame([folder, *runs_under(one.request.settings.results)], suite.name)
    if left:
        given = [parse_method(m).base for m in left]
        bases = [str(base) if str(base) in each else base.name for base in given]
        frames = sum(len(clip) for clip in suite.clips)
        unknown = sorted({base for base in bases if base not in each})
        if unknown:
            line += f", no time known: {', '.join(unknown)} did not run on it yet"
        else:
            line += f", at most {_duration(sum(each[b] for b in bases) * frames)} by what ran"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _match(
    opened: Sequence[tuple[Request, Suite, list[str]]],
    target: float | None,
    seed: int,
    quiet: bool,
    json: bool,
) -> int:
    from vbench.cli.app import Exit, messages, print_json
    from vbench.run.matching import matched
    from vbench.run.sweep import NEAR

    if target is None or not 1 <= target < LONGEST:
        raise VBenchError("match-interval wants --target with the interval to hit, such as 2.7")
    found = []
    for request, suite, texts in opened:
        for text in texts:
            name, c, interval = matched(request, suite, text, target, seed)
            found.append(
                {"suite": suite.name, "method": name, "threshold": c, "interval": interval}
            )
            if not (quiet or json):
                far = abs(interval - target) > NEAR
                rest = f", not {target:g}: no threshold comes nearer" if far else ""
                messages().print(
                    f"{name}: interval {interval:.3f} at c = {c:.4f} on {suite.name}{rest}"
                )
    if json:
        names = ",".join(suite.name for _, suite, _ in opened)
        print_json({"schema": 1, "suite": names, "target": target, "results": found})
    return Exit.OK
