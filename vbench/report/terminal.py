"""Tables for people: the terminal, markdown, LaTeX."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from vbench.core.errors import UnknownName, VBenchError
from vbench.core.method import split_methods
from vbench.metrics.metric import METRICS
from vbench.report.coverage import LACKS, comparable
from vbench.report.tables import ACCURACY, PM, shown

if TYPE_CHECKING:
    from rich.text import Text

# What the terminal shows, in this order; everything is in the CSV.
SHOWN = (
    "method", "clips", "status", *ACCURACY[:3], "ao",
    "accuracy", "robustness", "tracked", "lost", "eao",
    "map50", "map50_slow", "map50_medium", "map50_fast", "miss_rate",
    "interval", "gmac_per_frame", "fps", "ms_p50", "ms_p95", "ms_p99", "post_ms", "memory_mb",
)  # fmt: skip
# Where the terminal is too narrow these go first.
LEAST = (
    "memory_mb", "ms_p99", "post_ms", "map50_medium", "map50_slow", "map50_fast", "ms_p95",
    "norm_precision", "ao", "ms_p50", "interval", "fps",
)  # fmt: skip
HEADS = {"success_auc": "success", "precision_20px": "prec20", "norm_precision": "nprec"}
HEADS |= {"gmac_per_frame": "GMAC/frame", "memory_mb": "MB", "params_m": "Mparam"}
TEXT = ("method", "clips", "status", "attribute")
MARKED = tuple(m for m in METRICS if METRICS[m].better != "neither" and m != "memory_mb")


def sorted_by(frame: pd.DataFrame, column: str | None) -> pd.DataFrame:
    """Sort a summary by a column, the best first; what lacks clips of the others comes last."""
    if column is None:
        return frame
    if column not in frame:
        raise UnknownName("column", column, [str(c) for c in frame.columns])
    ascending = column not in METRICS or not METRICS[column].higher_is_better
    found = frame.sort_values(column, ascending=ascending, kind="stable")
    whole = comparable(found)
    return pd.concat([found[whole], found[~whole]], ignore_index=True)


def only_methods(frame: pd.DataFrame, methods: str | None) -> pd.DataFrame:
    """Keep the named methods of a summary, in its order."""
    if methods is None:
        return frame
    named = split_methods(methods)
    for name in named:
        if name not in set(frame["method"]):
            raise UnknownName("method in this run", name, list(frame["method"]))
    return frame[frame["method"].isin(named)].reset_index(drop=True)


def only_columns(frame: pd.DataFrame, columns: str | None) -> pd.DataFrame:
    """Keep the named columns of a summary behind its names, with their intervals.

    Raises:
        UnknownName: the run has no such column.
    """
    if columns is None:
        return frame
    named = [name.strip() for name in columns.split(",") if name.strip()]
    for name in named:
        if name not in frame:
            known = [str(c) for c in frame.columns if not str(c).endswith(PM)]
            raise UnknownName("column in this run", name, known)
    wanted = [c for name in named for c in (name, f"{name}{PM}") if c in frame]
    first = [c for c in TEXT if c in frame]
    last = [LACKS] if LACKS in frame else []
    return frame[list(dict.fromkeys([*first, *wanted, *last]))]


def show_table(console: Any, frame: pd.DataFrame, title: str, every: bool = False) -> None:
    """Print a summary: best of a column bold, second best underlined.

    `every` shows all of its columns, also those that tables for people leave out.
    """
    from rich.table import Table

    all_columns = [str(c) for c in frame.columns if not str(c).endswith(PM) and c != LACKS]
    columns = all_columns if every else [c for c in SHOWN if c in frame]
    if "attribute" in frame and "attribute" not in columns:
        columns.insert(0, "attribute")
    # A sweep's own columns stand before the method's.
    columns = [
        str(c) for c in frame.columns[: list(frame.columns).index("method")] if c not in columns
    ] + columns
    if (frame["status"] == "ok").all():
        columns.remove("status")
    rows = cells_as_text(frame, columns)
    columns = columns if every else _fitting(columns, rows, console.width)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(
            HEADS.get(column, column),
            justify="left" if column in TEXT else "right",
            no_wrap=column != "method",
            overflow="fold",
        )
    styles = marks(frame)
    for index, row in enumerate(rows):
        table.add_row(*[_styled(row[c], styles.get((index, c))) for c in columns])
    console.print(table)


def _fitting(columns: list[str], rows: list[dict[str, str]], width: int) -> list[str]:
    """Leave out the least important columns until the rest fits into `width` characters."""
    widths = {c: max(len(HEADS.get(c, c)), *(len(row[c]) for row in rows)) + 2 for c in columns}
    shown = list(columns)
    for column in LEAST:
        if sum(widths[c] for c in shown) <= width:
            break
        shown = [c for c in shown if c != column]
    return shown


def cells_as_text(frame: pd.DataFrame, columns: list[str]) -> list[dict[str, str]]:
    """Format all cells of `columns`."""
    rows = frame.to_dict(orient="records")
    return [{column: _cell(row, column) for column in columns} for row in rows]


def _cell(row: dict[Any, Any], column: str) -> str:
    """Write a number with its 95 % interval behind it where there is one."""
    half = row.get(f"{column}{PM}", math.nan)
    text = shown(column, row[column])
    return text if math.isnan(half) else f"{text}±{half:.2f}".replace("±0.", "±.")


def marks(frame: pd.DataFrame) -> dict[tuple[int, str], int]:
    """Rank 1 and 2 of each column by (row, column); equal values share a rank.

    A row that lacks clips which others have gets none.
    """
    found = {}
    whole = comparable(frame)
    for column in MARKED:
        if column not in frame or len(frame) < 2:
            continue
        metric = METRICS[column]
        values = frame[column].where(whole).round(metric.decimals)
        ranks = values.rank(method="dense", ascending=not metric.higher_is_better)
        for index, rank in enumerate(ranks):
            if rank in (1.0, 2.0):
                found[index, column] = int(rank)
    return found


def as_text(frame: pd.DataFrame, form: str) -> str:
    """Write a summary as markdown, LaTeX (booktabs) or CSV."""
    if form == "csv":
        return frame.to_csv(index=False).rstrip("\n")
    columns = [str(c) for c in frame.columns if c not in ("problem", LACKS) and not c.endswith(PM)]
    rows = cells_as_text(frame, columns)
    styles = marks(frame)
    if form == "md":
        return _markdown(columns, rows, styles)
    if form == "latex":
        return _latex(columns, rows, styles)
    raise VBenchError(f"--format '{form}': choose table, md, csv, latex or json")


def _markdown(
    columns: list[str], rows: list[dict[str, str]], styles: dict[tuple[int, str], int]
) -> str:
    wrap = {1: "**{}**", 2: "_{}_"}
    lines = ["| " + " | ".join(columns) + " |"]
    sides = ["---" if c in TEXT else "--:" for c in columns]
    lines.append("| " + " | ".join(sides) + " |")
    for index, row in enumerate(rows):
        values = [wrap.get(styles.get((index, c), 0), "{}").format(v) for c, v in row.items()]
        lines.append("| " + " | ".join(v.replace("|", "\\|") for v in values) + " |")
    return "\n".join(lines)


def _latex(
    columns: list[str], rows: list[dict[str, str]], styles: dict[tuple[int, str], int]
) -> str:
    wrap = {1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}
    sides = "".join("l" if c in TEXT else "r" for c in columns)
    lines = [rf"\begin{{tabular}}{{{sides}}}", r"\toprule"]
    lines.append(" & ".join(_escaped(HEADS.get(c, c)) for c in columns) + r" \\")
    lines.append(r"\midrule")
    for index, row in enumerate(rows):
        values = [
            wrap.get(styles.get((index, c), 0), "{}").format(_escaped(v)) for c, v in row.items()
        ]
        lines.append(" & ".join(values) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _escaped(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, "\\" + character)
    return text


def _styled(text: str, rank: int | None) -> Text:
    from rich.text import Text

    return Text(text, {1: "bold", 2: "underline"}.get(rank or 0, ""))
