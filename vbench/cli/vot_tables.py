"""Tables of VOT scores for `vbench score` and `vbench explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vbench.cli.differences import against_as_json, show_compared

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.core.suite import Suite
    from vbench.metrics.bootstrap import Difference
    from vbench.metrics.vot_explain import VotExplanation
    from vbench.run.score_vot import VotResult

# Short names of what an explanation is about.
HEADS = {"accuracy": "A", "robustness": "R", "failures_per_clip": "F", "eao": "EAO", "ao": "AO"}


def score_vot(
    path: Path,
    suite: Suite,
    profile: str | None,
    allow_partial: bool,
    by: str | None,
    json: bool,
    against: str | None = None,
) -> int:
    """Score VOT runs and print them; return the exit code."""
    from vbench.cli.app import Exit, messages, print_json, tables
    from vbench.run.score_vot import score_vot_path

    found = score_vot_path(path, suite, profile, allow_partial)
    found.sort(key=lambda r: -r.metrics.get("eao", r.metrics.get("ao", -1.0)))
    compared = _compared(found, against) if against is not None else {}
    used = next((r.score.profile for r in found if r.score), profile or suite.card.profile)
    if json:
        results = [
            r.as_json() | _rows_as_json(r, by) | against_as_json(compared.get(r.name))
            for r in found
        ]
        print_json({"schema": 1, "suite": suite.name, "profile": used, "results": results})
    else:
        _show(tables(), suite, used, found)
        show_compared(tables(), against, compared, ("eao", "accuracy", "robustness", "ao"))
        for result in found:
            if by is not None:
                _show_rows(tables(), result, by)
            _show_problems(messages(), result)
    return Exit.PROBLEMS if any(r.problems or r.status != "ok" for r in found) else Exit.OK


def explain_vot(path: Path, suite: Suite, json: bool) -> int:
    """Explain VOT runs under every VOT profile; return the exit code."""
    from vbench.cli.app import Exit, print_json, tables
    from vbench.run.score_vot import explain_vot_path

    found = explain_vot_path(path, suite)
    if json:
        results = [
            {"name": name, "profiles": [row.as_json() for row in rows]}
            for name, rows in found.items()
        ]
        print_json({"schema": 1, "suite": suite.name, "results": results})
    else:
        total = max(suite.card.clips, len(suite.clips))
        for name, rows in found.items():
            _show_explained(
                tables(), f"{name} on {suite.name}, {rows[0].clips}/{total} clips", rows
            )
    return Exit.OK


def _compared(found: Sequence[VotResult], against: str) -> dict[str, dict[str, Difference]]:
    """Differences of every other tracker from one of them, by name and metric."""
    from vbench.core.errors import UnknownName
    from vbench.run.score_vot import differences_of

    named = {result.name: result for result in found}
    if against not in named:
        raise UnknownName("tracker here", against, named)
    others = [r for r in found if r.name != against and r.score and named[against].score]
    return {result.name: differences_of(result, named[against]) for result in others}


def _rows_as_json(result: VotResult, by: str | None) -> dict[str, object]:
    if by == "attribute":
        return {"by_attribute": result.by_attribute()}
    return {"by_clip": result.by_clip()} if by == "clip" else {}


def _show(console: Console, suite: Suite, profile: str, found: Sequence[VotResult]) -> None:
    from rich.table import Table

    from vbench.metrics.metric import METRICS
    from vbench.run.score_vot import COLUMNS

    names = [name for name in COLUMNS if any(name in r.metrics for r in found)]
    title = f"{suite.name}, profile {profile}; +- is a 95 % interval over clips"
    console.print(title, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("name", "clips", "status", *names):
        table.add_column(column, justify="left" if column == "name" else "right", no_wrap=True)
    for result in found:
        cells = []
        for name in names:
            shown = METRICS[name].shown(result.metrics[name]) if name in result.metrics else "-"
            interval = result.intervals.get(name)
            cells.append(f"{shown} +-{METRICS[name].shown(interval.half)}" if interval else shown)
        table.add_row(result.name, result.coverage, result.status, *cells)
    console.print(table)
    if any(not r.metrics for r in found):
        console.print("no mean where clips are missing; --allow-partial prints it, marked n/N")


def _show_rows(console: Console, result: VotResult, by: str) -> None:
    from rich.table import Table

    rows: Mapping[str, Mapping[str, float]] = (
        result.by_attribute() if by == "attribute" else result.by_clip()
    )
    names = list(next(iter(rows.values()), {}))
    table = Table(title=result.name, title_justify="left", box=None, pad_edge=False)
    for column in (by, *names):
        table.add_column(column, justify="left" if column == by else "right")
    for key, values in rows.items():
        shown = [
            f"{values[n]:.1f}" if n in ("failures", "frames") else f"{values[n]:.3f}" for n in names
        ]
        table.add_row(key, *shown)
    console.print(table)


def _show_problems(console: Console, result: VotResult) -> None:
    from vbench.cli.score import folded
    from vbench.metrics.suite_score import Remark

    remarks = [Remark(clip, why) for clip, why in result.problems.items()]
    notes = [Remark("", what) for what in result.notes]
    for kind, told in (("problem", remarks), ("note", notes)):
        for line in folded(told):
            console.print(f"{kind}: {result.name}: {line}", soft_wrap=True, markup=False)


def _show_explained(console: Console, title: str, rows: Sequence[VotExplanation]) -> None:
    from rich.table import Table

    means = {key: head for key, head in HEADS.items() if key in rows[0].means}
    if "failures_per_clip" in means:
        title += "; F: failures a clip, of a tag under vot-matlab"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("profile", *means.values(), "rule", "vot-pysot", "there"):
        table.add_column(column, justify="right" if len(column) < 4 else "left")
    moved = [key for key in means if key != "failures_per_clip"]
    for column in ("frames", *(f"d {means[key]}" for key in moved)):
        table.add_column(column, justify="right")
    for row in rows:
        head = [row.profile, *[f"{row.means[name]:.4f}" for name in means]]
        for cause in row.causes:
            changes = [f"{cause.changes[name]:+.4f}" for name in moved]
            count = f"{cause.frames}" if cause.frames else "-"
            table.add_row(*head, cause.what, cause.before, cause.after, count, *changes)
            head = [""] * len(head)
        if not row.causes:
            table.add_row(*head)
    console.print(table)
