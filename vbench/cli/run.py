"""`vbench run`: every method on every clip of a suite."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.progress import Progress

    from vbench.run.bench import Listener
    from vbench.run.stored_seconds import StoredSeconds
    from vbench.store.run_folder import RunFolder

# Seconds between two states of the progress bar.
REDRAWN_SECONDS = 0.2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    suite: Annotated[str | None, typer.Option(help="Suite to run (`vbench list suites`).")] = None,
    methods: Annotated[
        str | None,
        typer.Option(help="base[+propagator][+post][@policy],...; default: every ready method."),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="Policy of methods that name none, such as online:0.8:5.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of images and annotations.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of annotations where they lie elsewhere.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Folder, file, NAME=FILE, or 'random'; may be given again."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, jetson.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of networks and OpenCV.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; default results/<suite>.")] = None,
    clips: Annotated[str | None, typer.Option(help="Only these clips, by comma.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many clips.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    again: Annotated[
        str, typer.Option(help="What to run again: missing, failed or always.")
    ] = "missing",
    protocol: Annotated[
        str | None,
        typer.Option(help="ope, tre, sre, vot-supervised, ...; default: the suite's own."),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of real-time protocols.")] = None,
    seconds_of: Annotated[
        Path | None,
        typer.Option(help="Run whose times real-time protocols take, instead of the clock's."),
    ] = None,
    timing: Annotated[
        bool, typer.Option(help="Time each frame; without, decoding overlaps the work.")
    ] = True,
    jobs: Annotated[
        int | None, typer.Option(help="Clips at once, in processes; only with --no-timing.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster, or 'local'; as --jobs.")
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(help="Time all methods so often, in turns; says if they differ."),
    ] = 1,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="One process a method: memory of its own.")
    ] = False,
    parquet: Annotated[bool, typer.Option(help="Write the tables as parquet as well.")] = False,
    quiet: Annotated[bool, typer.Option(help="No progress, no table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Run methods on a suite; what is there already is kept, an interrupted run goes on.

    Example: vbench run --suite synth-sot --methods kcf,kcf+dummy@fixed:5
    """
    from contextlib import closing, nullcontext
    from dataclasses import replace

    from vbench.cli.app import Exit, messages, print_json, tables
    from vbench.core.policy import parse_policy
    from vbench.cost.allocator import keep_freed_memory
    from vbench.report.tables import results_json, summary, write_tables
    from vbench.report.terminal import show_table
    from vbench.report.unscored import unscored
    from vbench.run.bench import Order, check_order
    from vbench.run.bench import run as run_order
    from vbench.run.protocols import under_protocol
    from vbench.run.repeats import time_again
    from vbench.run.request import Request
    from vbench.run.shards import Cluster, Pool, Processes, Shards, Source

    keep_freed_memory()
    request = Request.read(
        suite=suite, data=data, annotations=annotations, weights=weights, device=device,
        threads=threads, out=out,
    )  # fmt: skip
    plans = request.plans(methods, parse_policy(policy) if policy else None)
    chosen = request.open_suite().with_images().only(named_clips(clips), limit)
    chosen, ran_as = under_protocol(chosen, protocol)
    source = Source(
        request.suite, request.data, request.annotations, tuple(weights or ()), request.device,
        seed, ran_as, fps,
    )  # fmt: skip
    if timing and (jobs is not None or ray is not None):
        raise VBenchError("--jobs and --ray share the machine: they need --no-timing")
    pool: Pool | None = (
        Cluster(ray) if ray is not None else Processes(jobs) if jobs is not None else None
    )
    order = Order(
        chosen, plans, request.device, request.threads, seed, again, timing,
        protocol=ran_as, fps=fps, shards=Shards(source, pool) if pool else None,
        stored=_stored(seconds_of, ran_as, alone=not (isolate or pool)),
    )  # fmt: skip
    check_order(order, request.finder.weights_for)
    if repeats < 1 or (repeats > 1 and not timing):
        raise VBenchError(f"--repeats {repeats}: give 1 or more, and no --no-timing beside it")
    console = messages()
    for name, why in chosen.problems.items():
        console.print(f"clip {name} left out: {why}", style="yellow")
    died = {}
    if isolate:
        from vbench.run.apart import options_of, run_apart

        same = options_of({
            "--suite": request.suite, "--data": data, "--annotations": annotations,
            "--weights": weights, "--device": device, "--threads": threads,
            "--out": request.folder.path, "--clips": clips, "--limit": limit, "--seed": seed,
            "--again": again, "--protocol": protocol, "--fps": fps, "--no-timing": not timing,
        })  # fmt: skip
        died = run_apart([str(plan.method) for plan in plans], same)
        kept = [plan for plan in plans if str(plan.method) not in died]
        order = replace(order, plans=kept, again="missing")
    with (
        closing(pool) if pool is not None else nullcontext(),
        listening(console, len(order.plans), chosen, quiet or json) as listener,
    ):
        outcome = run_order(order, request.folder, request.finder.weights_for, listener)
    untimed: dict[tuple[str, str], str] = {}
    if repeats > 1 and timing:
        with listening(console, len(order.plans) * repeats, chosen, quiet or json) as listener:
            weights_for = request.finder.weights_for
            untimed = time_again(order, request.folder, weights_for, repeats, listener)
    found = summary(request.folder)
    written = write_tables(request.folder, parquet, found)
    without_score = list(unscored(request.folder, found))
    if json:
        print_json(results_json(request.folder, found))
    elif not quiet:
        show_table(tables(), found, f"{chosen.name}, {chosen.coverage} clips")
        show_notes(console, request.folder, found)
        console.print(f"tables: {', '.join(str(path) for path in written)}")
    for line in without_score:
        console.print(line, style="red", markup=False)
    for (method, clip), why in outcome.failed.items():
        console.print(f"failed: {method} on {clip}: {why}", style="red")
    for (method, clip), why in untimed.items():
        console.print(f"not timed again: {method} on {clip}: {why}", style="red", markup=False)
    for method, why in died.items():
        console.print(f"failed: {method}: {why}", style="red", markup=False)
    if outcome.failed:
        console.print("`--again failed` tries them again")
    odd = outcome.failed or untimed or died or without_score
    return Exit.PROBLEMS if odd else Exit.OK


def _stored(path: Path | None, protocol: str, alone: bool) -> StoredSeconds | None:
    """The times that a real-time protocol takes from an earlier run, if asked for."""
    if path is None:
        return None
    from vbench.run.stored_seconds import StoredSeconds

    if not protocol.startswith("vot-realtime"):
        raise VBenchError(f"--seconds-of is for --protocol vot-realtime[-python], not {protocol}")
    if not alone:
        raise VBenchError("--seconds-of goes without --jobs, --ray and --isolate")
    return StoredSeconds.of_run(path)


def show_notes(console: Any, folder: RunFolder, found: DataFrame) -> None:
    """Print what a reader of a run's costs, times and summary `found` should know."""
    from vbench.report.budget_notes import budget_notes
    from vbench.report.carrying_notes import carrying_notes
    from vbench.report.coverage import coverage_notes
    from vbench.report.timing_notes import timing_notes

    manifest = folder.read()
    notes = (
        carrying_notes(folder, manifest),
        budget_notes(found),
        timing_notes(manifest),
        coverage_notes(found, manifest),
    )
    for note in chain.from_iterable(notes):
        console.print(note, style="yellow", markup=False)


def named_clips(text: str | None) -> list[str]:
    """Split the names of `--clips`, each once."""
    return list(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def listening(
    console: Any, methods: int, suite: Any, quiet: bool
) -> AbstractContextManager[Listener]:
    """Return who hears of a run's progress: a bar on `console`, or nobody."""
    from contextlib import nullcontext

    from vbench.run.bench import Listener

    if quiet:
        return nullcontext(Listener())
    return _Progress(console, methods, sum(len(clip) for clip in suite.clips))


class _Progress(AbstractContextManager["Listener"]):
    """A progress bar over all frames of all methods, with rate and time left."""

    def __init__(self, console: Any, methods: int, frames: int) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.frames, self.pending, self.console = frames, 0, console
        self.bar: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            # A thread that draws would take its time from the frames that are timed.
            auto_refresh=False,
        )
        self.drawn = monotonic()
        self.task = self.bar.add_task("", total=methods * frames, rate="")
        self.done_methods = -1

    def __enter__(self) -> Listener:
        from vbench.run.bench import Listener

        return Listener(
            method=self.method, label=self.label, frame=self.frame, clip=self.clip,
            notice=self.console.print,
        )  # fmt: skip

    def __exit__(self, *error: object) -> None:
        if error[0] is None and self.done_methods >= 0:
            self.bar.update(self.task, completed=(self.done_methods + 1) * self.frames)
        # What never began would leave an empty line.
        if self.bar.live.is_started:
            self.bar.stop()

    def method(self, name: str) -> None:
        self.label(name)
        self.done_methods += 1
        self.pending = 0
        self.bar.update(self.task, completed=self.done_methods * self.frames)

    def label(self, text: str) -> None:
        # Not before the first method: what stops a run at once stays one line.
        self.bar.start()
        self.bar.update(self.task, description=text[:48], refresh=True)

    def frame(self) -> None:
        # Called between two timed frames: most of the time it only looks at the clock.
        self.pending += 1
        if monotonic() > self.drawn + REDRAWN_SECONDS:
            speed = self.bar.tasks[0].speed
            rate = f"{speed:.0f} frames/s" if speed else ""
            self.bar.update(self.task, advance=self.pending, rate=rate, refresh=True)
            self.pending, self.drawn = 0, monotonic()

    def clip(self, method: str, clip: str, status: str) -> None:
        if status != "ok":
            self.console.print(f"{method} on {clip}: {status}", style="red")
