"""`vbench report`: tables and plots of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vbench.core.errors import UnknownName, VBenchError

if TYPE_CHECKING:
    from pandas import DataFrame

    from vbench.cost.device_profile import DeviceProfile
    from vbench.store.run_folder import Manifest, RunFolder

FORMATS = ("table", "md", "csv", "latex", "json")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN...]", help="Run folders; default: newest.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="table, md, csv, latex or json.")] = "table",
    plot: Annotated[
        str | None,
        typer.Option(
            help="tradeoff, speed-accuracy, interval, success, precision, ar, eao, latency, "
            "jitter, attributes, timeline or updates."
        ),
    ] = None,
    x: Annotated[str | None, typer.Option(help="Column on the cost axis of the plot.")] = None,
    y: Annotated[str | None, typer.Option(help="Column on the accuracy axis of the plot.")] = None,
    clip: Annotated[
        str | None, typer.Option(help="Clip of the timeline, jitter or updates.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Papers' points beside ours, hollow.")
    ] = False,
    sort: Annotated[str | None, typer.Option(help="Column to sort by, best first.")] = None,
    attribute: Annotated[
        str | None, typer.Option(help="Only clips with this attribute; 'all' lists each.")
    ] = None,
    device_profile: Annotated[
        list[str] | None,
        typer.Option(
            help="Project onto a device: a profile's file, or jetson-nano; may be given again."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Score by another convention: vid-mega, voc07, pysot, ...")
    ] = None,
    coco: Annotated[
        bool, typer.Option("--coco", help="COCO's twelve numbers of detectors, by pycocotools.")
    ] = False,
    methods: Annotated[str | None, typer.Option(help="Only these methods of the run.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Only these columns of the table, by comma.")
    ] = None,
    timing: Annotated[
        bool, typer.Option("--timing", help="Times of keys, inter-frames, starts, decoding apart.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--html", help="Write RUN/report.html: one file, no network.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="Folder of images, for the frames in the HTML report.")
    ] = None,
    parquet: Annotated[bool, typer.Option(help="Write the tables as parquet as well.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the plots; default RUN/plots.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Same as --format json.")] = False,
) -> int:
    """Show accuracy, realised keyframe interval, GMAC and time of every method of a run.

    Example: vbench report --plot tradeoff --sort success_auc
    """
    from vbench.cli.app import Exit, messages, print_json, tables
    from vbench.cost.device_profile import open_profile
    from vbench.report.budget_notes import budget_notes
    from vbench.report.carrying_notes import carrying_notes
    from vbench.report.coco import coco_table, show_coco
    from vbench.report.coverage import coverage_notes
    from vbench.report.drawing import PLOTS, Wish, draw
    from vbench.report.projection import projected_json, show_projection
    from vbench.report.tables import per_attribute, results_json, summary, write_tables
    from vbench.report.terminal import as_text, only_columns, only_methods, show_table, sorted_by
    from vbench.report.timing import show_timing, timing_table
    from vbench.report.timing_notes import timing_notes
    from vbench.report.unscored import unscored
    from vbench.run.settings import load_settings
    from vbench.store.run_folder import RunFolder, newest_run

    form = "json" if json else form
    if form not in FORMATS:
        raise VBenchError(f"--format '{form}': choose one of {', '.join(FORMATS)}")
    if plot is not None and plot not in PLOTS:
        raise UnknownName("plot", plot, PLOTS)
    if published and plot not in ("tradeoff", "speed-accuracy"):
        raise VBenchError("--published draws papers' points into --plot tradeoff, speed-accuracy")
    profiles = [open_profile(name) for name in device_profile or ()]
    folders = [RunFolder(path) for path in runs or ()]
    if not folders:
        folders = [newest_run(load_settings(Path.cwd()).results)]
    console = messages()
    for folder in folders:
        manifest = folder.read()
        manifest.profile = profile or manifest.profile
        if attribute == "all":
            found = sorted_by(per_attribute(folder, manifest), sort)
            if found.empty:
                raise VBenchError(f"the clips of {folder.path} have no attributes")
        else:
            found = sorted_by(summary(folder, manifest, attribute), sort)
        found = only_methods(found, methods)
        written = write_tables(folder, parquet)
        projected = _projected(folder, manifest, profiles)
        if form == "json":
            split = timing_table(folder, manifest).to_dict("records") if timing else None
            extra = {} if split is None else {"timing": split}
            extra |= {"coco": coco_table(folder, manifest).to_dict("records")} if coco else {}
            print_json(results_json(folder, found, manifest) | projected_json(projected) | extra)
        elif form == "table":
            under = f", {profile}" if profile else ""
            title = f"{manifest.suite} ({folder.path}){under}"
            show_table(tables(), only_columns(found, columns), title, every=columns is not None)
            rows = set(found["method"])
            kept = {name: record for name, record in manifest.methods.items() if name in rows}
            about = replace(manifest, methods=kept)
            notes = carrying_notes(folder, about), budget_notes(found), timing_notes(about)
            for note in chain.from_iterable(notes):
                console.print(note, style="yellow", markup=False)
            for line in unscored(folder, found):
                console.print(line, style="red", markup=False)
            if coco:
                show_coco(tables(), coco_table(folder, manifest))
            if timing:
                show_timing(tables(), timing_table(folder, manifest))
            for _, one in projected.groupby("device", sort=False) if projected is not None else ():
                show_projection(tables(), one)
        else:
            print(as_text(only_columns(found, columns), form))
        if form != "json":
            for note in coverage_notes(found, manifest):
                console.print(note, style="yellow", markup=False, soft_wrap=True)
        if plot is not None:
            wish = Wish(folder, manifest, found, x, y, clip, published, profiles)
            written += draw(wish, plot, out)
        if page:
            written.append(_write_page(folder, manifest.suite, data, out))
        console.print(f"written: {', '.join(str(path) for path in written)}", soft_wrap=True)
    return Exit.OK


def _projected(
    folder: RunFolder, manifest: Manifest, profiles: Sequence[DeviceProfile]
) -> DataFrame | None:
    import pandas as pd

    from vbench.report.projection import projection_table

    found = [projection_table(folder, profile, manifest) for profile in profiles]
    return pd.concat(found, ignore_index=True) if found else None


def _write_page(folder: RunFolder, suite: str, data: Path | None, out: Path | None) -> Path:
    from vbench.report.html import html
    from vbench.run.suite_frames import frames_of
    from vbench.store.files import write_atomically

    path = (out or folder.path) / "report.html"
    write_atomically(path, html(folder, frames_of(suite, data)).encode())
    return path
