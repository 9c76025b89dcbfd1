"""`vbench check`: has accuracy regressed? For CI."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import VBenchError

if TYPE_CHECKING:
    from vbench.report.gate import Verdict
    from vbench.store.run_folder import RunFolder


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    run: Annotated[Path | None, typer.Argument(help="Run folder; default: the newest.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Reference file; default results/reference/<suite>.json.")
    ] = None,
    tolerance: Annotated[
        str, typer.Option(help="Drop of accuracy that is let pass: 0.5pt, 1%, 0.005.")
    ] = "0.5pt",
    confidence: Annotated[float, typer.Option(help="How sure a failure is.")] = 0.95,
    cost_tolerance: Annotated[
        str, typer.Option(help="Relative change of MACs and interval that is let pass.")
    ] = "0.1%",
    against_command: Annotated[
        str | None,
        typer.Option(help="Another vbench to time in turn with this one: old/bin/vbench."),
    ] = None,
    latency_tolerance: Annotated[
        str, typer.Option(help="Rise of the median step time that is let pass.")
    ] = "10%",
    repeats: Annotated[int, typer.Option(help="Turns of --against-command.")] = 5,
    data: Annotated[Path | None, typer.Option(help="Images, for --against-command.")] = None,
    update: Annotated[bool, typer.Option("--update", help="Write the run as reference.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where a method of the reference was not run.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say the smallest drop that this gate can see.")
    ] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write a table for pull requests.")] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Print annotations for GitHub Actions.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> int:
    """Compare a run with a reference, paired over clips.

    It fails only if the drop is larger than the tolerance with the stated confidence. Exit codes:
    0 passed, 1 regression, 2 usage, 3 not comparable.

    Example: vbench check --tolerance 0.5pt --markdown check.md
    """
    from vbench.cli.app import Exit, messages, print_json
    from vbench.report.gate import Rule, compare, reference_of, with_latency
    from vbench.report.gate_formats import as_annotations, as_json, as_junit, as_markdown
    from vbench.run.settings import load_settings
    from vbench.store.files import write_atomically
    from vbench.store.reference import Incomparable, read_reference, write_reference
    from vbench.store.run_folder import RunFolder, newest_run

    if not 0.5 <= confidence < 1:
        raise VBenchError(f"--confidence {confidence:g}: choose a number in [0.5, 1)")
    rule = Rule(
        share("--tolerance", tolerance),
        confidence,
        share("--cost-tolerance", cost_tolerance),
        share("--latency-tolerance", latency_tolerance),
    )
    if repeats < 3:
        raise VBenchError(f"--repeats {repeats}: a time needs at least 3 turns")
    results = load_settings(Path.cwd()).results
    folder = RunFolder(run) if run is not None else newest_run(results)
    now = reference_of(folder)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", now.suite).strip("-")
    path = against or results / "reference" / f"{plain}.json"
    if path.is_dir():
        path = path / f"{plain}.json"
    if update:
        write_reference(path, now)
        messages().print(f"written: {path} ({len(now.methods)} methods, {len(now.clips)} clips)")
        return Exit.OK
    try:
        verdict = compare(now, read_reference(path), rule)
    except Incomparable as error:
        messages().print(f"vbench: not comparable: {error}", style="red")
        return Exit.INCOMPARABLE
    if against_command is not None:
        verdict = with_latency(verdict, _ratios(folder, against_command, repeats, data))
    for target, text in ((junit, as_junit), (markdown, as_markdown)):
        if target is not None:
            write_atomically(target, text(verdict).encode())
    if json:
        print_json(as_json(verdict))
    else:
        _show(verdict, explain)
    if github:
        for line in as_annotations(verdict):
            messages().print(line, markup=False)
    failed = not verdict.passed or (strict and bool(verdict.not_run))
    return Exit.PROBLEMS if failed else Exit.OK


def _ratios(folder: RunFolder, command: str, repeats: int, data: Path | None) -> dict[str, Any]:
    from vbench.cli.app import messages
    from vbench.run.rivals import ratios

    options = [] if data is None else ["--data", str(data)]
    console = messages()
    return dict(
        ratios(folder.read(), command, repeats=repeats, options=options, told=console.print)
    )


def share(option: str, text: str) -> float:
    """Read `0.5pt` (points of 100), `1%` or a plain share."""
    match = re.fullmatch(r"(\d*\.?\d+)(pt|%)?", text.strip())
    if match is None:
        raise VBenchError(f"{option} '{text}': write 0.5pt, 1% or 0.005")
    if match[2] is None and float(match[1]) > 1:
        raise VBenchError(
            f"{option} '{text}' is {float(match[1]):g} times the whole: write {text}%"
        )
    return float(match[1]) / (100 if match[2] else 1)


def _show(verdict: Verdict, explain: bool) -> None:
    from rich.table import Table

    from vbench.cli.app import messages, tables
    from vbench.report.gate import power, shown

    table = Table(box=None, pad_edge=False)
    for head in ("method", "metric", "reference", "now", "difference", "verdict"):
        table.add_column(
            head, justify="left" if head in ("method", "metric", "verdict") else "right"
        )
    if explain:
        table.add_column("sees drops from", justify="right")
    for f in verdict.findings:
        style = "bold red" if f.fails else ""
        cells = [f.method, f.metric, shown(f.metric, f.then), shown(f.metric, f.now)]
        cells += [f"{f.now - f.then:+.4f}", f.verdict + (f": {f.why}" if f.fails else "")]
        if explain:
            cells.append(f"{f.test.visible * 100:.2f} pt" if f.test is not None else "-")
        table.add_row(*cells, style=style)
    tables().print(table)
    console = messages()
    for name in verdict.new:
        console.print(f"{name}: new, no reference yet", style="yellow")
    for name in verdict.not_run:
        console.print(f"{name}: in the reference, not in this run", style="yellow")
    if explain:
        console.print(power(verdict), markup=False, soft_wrap=True)
    tolerance = f"{verdict.rule.tolerance * 100:g} points"
    if verdict.passed:
        console.print(f"passed: no drop is larger than {tolerance} with the stated confidence")
    else:
        console.print("failed; if the change is meant: `vbench check --update`", style="bold red")
