"""`vbench score`, `vbench explain`: raw result files under any convention, and why they differ."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vbench.core.errors import UnknownName, VBenchError

if TYPE_CHECKING:
    from rich.console import Console

    from vbench.core.suite import Suite
    from vbench.metrics.bootstrap import Difference
    from vbench.metrics.explain import Cause, Explanation
    from vbench.metrics.suite_score import Remark, Scores

RESULTS = typer.Argument(metavar="PATH", help="Folder or zip of raw results, or one file.")
SUITE = typer.Option(help="Suite that the results belong to (`vbench list suites`).")
DATA = typer.Option(help="Folder of images and annotations.")
ANNOTATIONS = typer.Option(help="Folder of annotations; scoring needs no images.")
REPAIR = typer.Option(help="Mend what is named as odd, as the names say.")
JSON = typer.Option("--json", help="One JSON object on stdout.")
# What rounds to 0 on four decimals.
LEAST_CHANGE = 5e-5
# What may differ in remarks that are folded.
NUMBERS = re.compile(r"\d+(?= rows| frames| of)")
# Most clips that a remark names, and most lines of remarks; --json has all of them.
REMARKS = 8
# Remarks with different numbers of so few clips keep a line each.
ALONE = 3
LINES = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("score")(score)
    app.command("explain")(explain)


def score(
    path: Annotated[Path, RESULTS],
    suite: Annotated[str, SUITE],
    profile: Annotated[
        str | None, typer.Option(help="Convention: vbench, got10k, pysot, otb-matlab, ...")
    ] = None,
    data: Annotated[Path | None, DATA] = None,
    annotations: Annotated[Path | None, ANNOTATIONS] = None,
    repair: Annotated[bool, REPAIR] = False,
    allow_partial: Annotated[
        bool, typer.Option(help="Print means even where clips are missing.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="attribute or clip: a row for each.")] = None,
    against: Annotated[
        str | None, typer.Option(help="Tracker to compare the others with, clip by clip.")
    ] = None,
    json: Annotated[bool, JSON] = False,
) -> int:
    """Score raw result files of any number of trackers.

    Example: vbench score results/OTB100 --suite otb2015 --profile otb-matlab
    """
    # Nothing here multiplies matrices: numpy's library for that need not start its threads.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from vbench.cli.app import Exit, messages, print_json, tables
    from vbench.cost.allocator import keep_freed_memory
    from vbench.run.score_files import score_path

    keep_freed_memory()
    if by not in (None, "attribute", "clip"):
        raise VBenchError(f"--by '{by}': choose attribute or clip")
    opened = open_suite(suite, data, annotations)
    if _restarts(opened, profile):
        from vbench.cli.vot_tables import score_vot

        return score_vot(path, opened, profile, allow_partial, by, json, against)
    found = score_path(path, opened, profile, repair, allow_partial)
    found.sort(key=lambda scores: -scores.metrics.get("success_auc", -1.0))
    compared = _compared(found, against) if against is not None else {}
    if json:
        print_json(_as_json(opened, found, by, compared))
    else:
        console = tables()
        _show(console, opened, found)
        from vbench.cli.differences import show_compared

        show_compared(console, against, compared, ("success_auc", "precision_20px", "ao"))
        if by is not None:
            _show_rows(console, found, by)
        for scores in found:
            _show_remarks(messages(), scores)
    return Exit.PROBLEMS if any(s.problems or s.status != "ok" for s in found) else Exit.OK


def explain(
    path: Annotated[Path, RESULTS],
    suite: Annotated[str, SUITE],
    data: Annotated[Path | None, DATA] = None,
    annotations: Annotated[Path | None, ANNOTATIONS] = None,
    repair: Annotated[bool, REPAIR] = False,
    json: Annotated[bool, JSON] = False,
) -> int:
    """Score the same files under every profile, and name the rule behind each difference.

    Example: vbench explain results/OTB100/KCF --suite otb2015
    """
    from vbench.cli.app import Exit, print_json, tables
    from vbench.metrics.explain import explain as explained
    from vbench.run.score_files import check_scorable, read_path

    opened = open_suite(suite, data, annotations)
    if _restarts(opened, None):
        from vbench.cli.vot_tables import explain_vot

        return explain_vot(path, opened, json)
    check_scorable(opened)
    found = {f.name: explained(opened, f.results) for f in read_path(path, opened, repair)}
    if json:
        results = [
            {"name": name, "profiles": [one.as_json() for one in rows]}
            for name, rows in found.items()
        ]
        print_json({"schema": 1, "suite": opened.name, "results": results})
    else:
        for name, rows in found.items():
            _show_explained(tables(), f"{name} on {opened.name}", rows)
    return Exit.OK


def open_suite(suite: str, data: Path | None, annotations: Path | None) -> Suite:
    """Open a suite where options or settings say that it lies."""
    from vbench import catalogue
    from vbench.core.method import parse_method

    for option, folder in (("--data", data), ("--annotations", annotations)):
        if folder is not None and not folder.exists():
            raise VBenchError(f"{option} {folder}: there is no such folder")
    if data is None and annotations is None:
        from vbench.run.settings import load_settings

        settings, stem = load_settings(Path.cwd()), suite.partition("[")[0]
        data, annotations = settings.data_for(stem), settings.annotations_for(stem)
    part = parse_method(suite).base
    return catalogue.open_suite(part.name, data, annotations, dict(part.parameters))


def _compared(found: Sequence[Scores], against: str) -> dict[str, dict[str, Difference]]:
    """Differences of every other tracker from one of them, by name and metric."""
    from vbench.metrics.suite_score import differences

    named = {scores.name: scores for scores in found}
    if against not in named:
        raise UnknownName("tracker here", against, named)
    others = [scores for scores in found if scores.name != against and scores.clips]
    return {scores.name: differences(scores, named[against]) for scores in others}


def _restarts(suite: Suite, profile: str | None) -> bool:
    """Tell whether results are runs with restarts, which are read and scored otherwise."""
    if suite.card.protocol == "ope" and not (profile or "").startswith("vot"):
        return False
    from vbench.run.score_vot import is_vot

    return is_vot(suite, profile)


def _as_json(
    suite: Suite,
    found: Sequence[Scores],
    by: str | None,
    compared: Mapping[str, Mapping[str, Difference]],
) -> dict[str, Any]:
    results = []
    for scores in found:
        entry = scores.as_json()
        if by == "attribute":
            entry["by_attribute"] = {
                tag: {"clips": clips, "metrics": means}
                for tag, (clips, means) in scores.by_attribute().items()
            }
        elif by == "clip":
            entry["by_clip"] = scores.per_clip()
        from vbench.cli.differences import against_as_json

        entry |= against_as_json(compared.get(scores.name))
        results.append(entry)
    profile = found[0].rules.name
    return {"schema": 1, "suite": suite.name, "profile": profile, "results": results}


def _show(console: Console, suite: Suite, found: Sequence[Scores]) -> None:
    from rich.table import Table

    extra = dict.fromkeys(name for s in found for name in s.extra)
    names = [n for n in (*_columns(suite), *extra) if any(n in s.metrics for s in found)]
    title = f"{suite.name}, profile {found[0].rules.title}; +- is a 95 % interval over clips"
    console.print(title, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("name", "clips", "status", *names):
        table.add_column(column, justify="left" if column == "name" else "right", no_wrap=True)
    for scores in found:
        cells = [_plus_minus(scores, name) for name in names]
        table.add_row(scores.name, scores.coverage, scores.status, *cells)
    console.print(table)
    if any(not s.meant for s in found):
        console.print("no mean where clips are missing; --allow-partial prints it, marked n/N")


def _columns(suite: Suite) -> tuple[str, ...]:
    return suite.card.metrics or ("success_auc", "precision_20px", "norm_precision")


def _plus_minus(scores: Scores, name: str) -> str:
    from vbench.metrics.metric import METRICS

    if name not in scores.metrics:
        return "-"
    mean = METRICS[name].shown(scores.metrics[name])
    interval = scores.intervals.get(name)
    return f"{mean} +-{METRICS[name].shown(interval.half)}" if interval else mean


def _show_rows(console: Console, found: Sequence[Scores], by: str) -> None:
    from rich.table import Table

    from vbench.metrics.metric import METRICS

    for scores in found:
        if by == "attribute":
            rows = scores.by_attribute()
        else:
            rows = {clip: ("1/1", means) for clip, means in scores.per_clip().items()}
        names = [n for n in scores.metrics if n in METRICS and n not in scores.extra]
        table = Table(title=scores.name, title_justify="left", box=None, pad_edge=False)
        for column in (by, "clips", *names):
            table.add_column(column, justify="left" if column == by else "right")
        for key, (clips, means) in rows.items():
            table.add_row(key, clips, *[METRICS[n].shown(means[n]) for n in names])
        console.print(table)


def _show_remarks(console: Console, scores: Scores) -> None:
    """Print problems and notes, those that say the same of many clips on one line."""
    for kind, remarks in (("problem", scores.problems), ("note", scores.notes)):
        for line in folded(remarks):
            console.print(f"{kind}: {scores.name}: {line}", soft_wrap=True, markup=False)


def folded(remarks: Sequence[Remark]) -> list[str]:
    """Fold remarks that differ only in the clip and in numbers onto one line each."""
    groups: dict[str, list[Remark]] = {}
    for remark in remarks:
        groups.setdefault(NUMBERS.sub("..", remark.what), []).append(remark)
    lines = []
    for what, group in groups.items():
        named = [remark.clip for remark in group if remark.clip]
        if len(named) < 2 or (len(named) <= ALONE and len({r.what for r in group}) > 1):
            lines += [": ".join(filter(None, (r.clip, r.what))) for r in group]
            continue
        what = group[0].what if len({r.what for r in group}) == 1 else what
        more = ", ..." if len(named) > REMARKS else ""
        lines.append(f"{len(named)} clips: {what} ({', '.join(named[:REMARKS])}{more})")
    return lines if len(lines) <= LINES else [*lines[:LINES], f"and {len(lines) - LINES} more"]


def _moves(cause: Cause) -> bool:
    """Tell whether a rule moves a mean on the four decimals that are shown."""
    return any(abs(change) >= LEAST_CHANGE for change in cause.changes.values())


def _show_explained(console: Console, title: str, rows: Sequence[Explanation]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("profile", "clips", "success", "prec20", "rule", "vbench", "there", "frames"):
        table.add_column(column, justify="right" if column in ("success", "prec20") else "left")
    table.add_column("d success", justify="right")
    table.add_column("d prec20", justify="right")
    for row in rows:
        success, precision = row.means["success_auc"], row.means["precision_20px"]
        head = [row.profile, row.clips, f"{success:.4f}", f"{precision:.4f}"]
        telling = [cause for cause in row.causes if cause.clips or _moves(cause)]
        for cause in telling:
            changes = [f"{cause.changes[m]:+.4f}" for m in ("success_auc", "precision_20px")]
            count = f"{cause.frames}" + (f" ({cause.clips} clips)" if cause.clips else "")
            table.add_row(*head, cause.what, cause.before, cause.after, count, *changes)
            head = [""] * 4
        silent = len(row.causes) - len(telling)
        if silent:
            rules = f"{silent} {'more ' if telling else ''}rule{'s' * (silent > 1)}"
            table.add_row(*head, f"{rules} without effect on four decimals")
        elif not telling:
            table.add_row(*head, "" if row.profile == "vbench" else "no difference here")
    console.print(table)
