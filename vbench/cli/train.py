"""`vbench train`: fit a method's network on a suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from vbench.core.suite import Suite
    from vbench.run.request import Request
    from vbench.train.loop import EachStep


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    method: Annotated[str, typer.Argument(help="A tracker or detector, such as fdn[width=0.25].")],
    out: Annotated[Path, typer.Option(help="File to write: .safetensors, or torch's format.")],
    suite: Annotated[str, typer.Option(help="Suite to learn from.")] = "synth-sot:train",
    steps: Annotated[int, typer.Option(help="Steps to take.")] = 1000,
    batch: Annotated[int | None, typer.Option(help="Pairs or frames a step.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate; default: published.")] = None,
    constant: Annotated[
        bool, typer.Option("--constant", help="Keep the learning rate: for short fits.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    every: Annotated[int, typer.Option(help="Steps between checkpoints, 0 for none.")] = 200,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint of an interrupted fit.")
    ] = False,
    weights: Annotated[
        list[str] | None, typer.Option(help="Begin with these: folder, file, NAME=FILE.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the suite's images.")] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder with annotations that lie apart.")
    ] = None,
    of: Annotated[
        str | None, typer.Option(help="With dort: the method whose cheap half is scheduled.")
    ] = None,
    clips: Annotated[str | None, typer.Option(help="Only these clips, by commas.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many clips.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Fit a method's network; `--weights NAME=FILE` takes what it wrote.

    Example: vbench train fdn[width=0.25] --out fdn.pt --steps 500
    """
    from vbench import catalogue
    from vbench.cli.app import messages, print_json
    from vbench.cli.run import named_clips
    from vbench.core.method import parse_method
    from vbench.run.request import Request
    from vbench.run.threads import set_threads
    from vbench.train.loop import Course, checkpoint_of, finish, fit
    from vbench.train.recipe import check_recipe, recipe_for

    parsed = parse_method(method)
    if parsed.parts or parsed.policy is not None:
        raise VBenchError(f"method '{method}': one model is fitted at a time, without + and @")
    if batch is not None and batch < 1:
        raise VBenchError(f"--batch {batch}: give 1 or more")
    request = Request.read(
        suite=suite, data=data, annotations=annotations, weights=weights or ["random"],
        device=device, threads=threads,
    )  # fmt: skip
    name = parsed.base.name
    if name != "dort":
        check_recipe(name)
    chosen = request.open_suite().with_images().only(named_clips(clips), limit)
    if name == "dort":
        _scheduler(request, chosen, of, out, quiet, json)
        return
    about = f"{method} on {chosen.name} ({chosen.digest[:12]}), batch {batch or 'published'}"
    course = Course(steps, seed, rate, max(every, 0), about, constant)
    set_threads(request.threads)
    kind = "trackers" if name in catalogue.table("trackers") else "detectors"
    known = catalogue.entry(kind, name).weights
    begun = request.finder.weights_for(name, known) if known else None
    model = catalogue.build(
        kind, name, dict(parsed.base.parameters), weights=begun, device=request.device,
        seed=seed,
    )  # fmt: skip
    recipe = recipe_for(name, model, chosen.clips, batch, request.device)
    with _progress(steps, quiet or json) as step:
        losses = fit(recipe, course, checkpoint_of(out), resume, step)
    written = [str(path) for path in finish(out, recipe, losses)]
    if json:
        print_json({"schema": 1, "method": method, "steps": len(losses), "loss": losses[-1],
                    "written": written})  # fmt: skip
    elif not quiet:
        messages().print(f"written: {', '.join(written)}; use: --weights {known}={out}")


def _scheduler(
    request: Request, suite: Suite, of: str | None, out: Path, quiet: bool, json: bool
) -> None:
    from vbench.cli.app import messages, print_json
    from vbench.run.compose import compose, plan
    from vbench.run.scheduler import as_json, fitted, samples
    from vbench.store.files import write_atomically

    if of is None:
        raise VBenchError("dort schedules a method: name it, such as --of blobs+lk@fixed:10")
    composed = compose(plan(of), request.finder.weights_for, device=request.device)
    k = composed.policy.interval_max or 10
    found = samples(composed, suite, k)
    scheduler = fitted(found)
    write_atomically(out, as_json(scheduler, composed.name, suite, k, found).encode())
    if json:
        print_json({"schema": 1, "method": f"dort of {composed.name}", "samples": len(found.right),
                    "rightly_tracked": found.right.mean(), "written": [str(out)]})  # fmt: skip
    elif not quiet:
        share = f"{found.right.mean():.0%} of {len(found.right)} carried boxes were right"
        messages().print(f"{share}; written: {out}; use it as @dort:0.5:{k}:{out}")


@contextmanager
def _progress(steps: int, quiet: bool) -> Iterator[EachStep]:
    """Yield what hears of every step: a bar with the mean of the last losses, or nobody."""
    if quiet:
        yield lambda step, loss: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    from vbench.cli.app import messages

    columns = TextColumn("loss {task.fields[loss]:.4f}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeLeft(), console=messages()) as bar:
        task, mean = bar.add_task("", total=steps, loss=0.0), 0.0

        def hear(step: int, loss: float) -> None:
            nonlocal mean
            mean = loss if step == 0 else mean + (loss - mean) / min(step + 1, 25)
            bar.update(task, completed=step + 1, loss=mean)

        yield hear
