"""One report of what was reproduced, as Markdown and as a self-contained HTML page."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from vbench.metrics.metric import METRICS
from vbench.report.comparison import RUN, Comparison
from vbench.report.likes import ABOUT as ABOUT_LIKES
from vbench.report.likes import Like, like_table
from vbench.report.reproduction import CLASSES, Exhibit, PrintedRow, errata_of

HEAD = ("row", "metric", "printed", "ours", "difference", "+-", "verdict", "how")
DASH = "-"
# Texts in the cells break, numbers keep their room, and nothing but a table scrolls sideways.
CSS = """
th, td { text-align: left; white-space: normal; vertical-align: top; min-width: 4.5rem; }
th:first-child, td:first-child { min-width: 8rem; }
td:last-child { min-width: 15rem; }
p, li { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Standing:
    """What became of one row here: a status, what it is about, and what would mend it."""

    status: str
    why: str = ""
    mend: str = ""

    @property
    def text(self) -> str:
        """Status and what it is about."""
        return f"{self.status} {self.why}".strip()


@dataclass(frozen=True)
class Reproduced:
    """An exhibit, what can be done about each of its rows, and what was compared.

    `likely` says the same of its like rows, `likes` what came of those that ran.
    """

    exhibit: Exhibit
    standings: Mapping[str, Standing]
    comparisons: Sequence[Comparison] = field(default=())
    likely: Mapping[str, Standing] = field(default_factory=dict)
    likes: Sequence[Like] = field(default=())

    @property
    def status(self) -> str:
        """What there is of it here, in one line: `formula; needs weights siamfc`."""
        parts = ["formula"] if self.exhibit.computable else []
        rows = [self.standings.get(row.what) for row in self.exhibit.rows]
        parts += _grouped(standing for standing in rows if standing is not None)
        if self.likely:
            parts.append(f"like rows: {', '.join(_grouped(self.likely.values()))}")
        if self.exhibit.curve:
            parts.append("the paper prints a plot without numbers")
        return "; ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        exhibit = self.exhibit
        return {
            "id": exhibit.name, "where": exhibit.where, "what": exhibit.what,
            "citation": exhibit.citation, "class": exhibit.feasibility, "needs": exhibit.needs,
            "status": self.status, "errata": dict(exhibit.errata),
            "rows": [self._row_json(row) for row in exhibit.rows],
            "compared": [c.as_json() for c in self.comparisons],
            "likes": [like.as_json() for like in self.likes],
        }  # fmt: skip

    def _row_json(self, row: PrintedRow) -> dict[str, Any]:
        standing = self.standings.get(row.what, Standing(""))
        return {
            "what": row.what, "method": row.method or None, "class": row.feasibility,
            "published": {name: number.value for name, number in row.published.items()},
            "status": standing.status, "why": standing.why, "mend": standing.mend,
            "note": row.note, "errata": list(row.errata),
        }  # fmt: skip


def _grouped(standings: Iterable[Standing]) -> list[str]:
    """Each status once, with all that it is about."""
    whys: dict[str, list[str]] = {}
    for standing in standings:
        whys.setdefault(standing.status, []).extend(standing.why.split(", "))
    return [
        f"{status} {', '.join(dict.fromkeys(filter(None, given)))}".strip()
        for status, given in whys.items()
    ]


def comparison_row(found: Comparison) -> tuple[str, ...]:
    """Cells of one comparison under HEAD."""
    printed = found.published
    difference = found.difference
    digits = printed.digits + 1 if printed else 3
    return (
        found.row,
        found.metric,
        printed.text if printed else DASH,
        _ours(found),
        f"{difference:+.{digits}f}" if math.isfinite(difference) else DASH,
        f"{found.half:.3f}" if math.isfinite(found.half) else DASH,
        found.verdict or DASH,
        f"{found.how}, {found.clips} clips" if found.kind == RUN else f"{found.kind}: {found.how}",
    )


def _ours(found: Comparison) -> str:
    if found.kind == RUN and found.metric in METRICS:
        return METRICS[found.metric].shown(found.ours)
    return f"{found.ours:.6g}"


@dataclass(frozen=True)
class _Block:
    """A heading, a paragraph, a list (rows of one cell) or a table, before it is written."""

    kind: str
    text: str = ""
    rows: Sequence[Sequence[str]] = ()


def as_markdown(found: Sequence[Reproduced], about: str) -> str:
    """Write the report as Markdown."""
    lines: list[str] = []
    for block in _blocks(found, about):
        if block.kind == "table":
            head, *rows = block.rows
            lines += [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
        elif block.kind == "list":
            lines += [f"- {_plain(row[0])}" for row in block.rows]
        else:
            lines.append({"h1": "# ", "h2": "## "}.get(block.kind, "") + _plain(block.text))
        lines.append("")
    return "\n".join(lines)


def as_html(found: Sequence[Reproduced], about: str) -> str:
    """Write the report as one HTML page without scripts or links."""
    css = (files("vbench.report") / "page.css").read_text(encoding="utf-8")
    css += CSS
    body = "\n".join(_element(block) for block in _blocks(found, about))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>vbench: reproduction</title><style>{css}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _blocks(found: Sequence[Reproduced], about: str) -> Iterator[_Block]:
    yield _Block("h1", "Printed numbers beside ours")
    yield _Block("p", about)
    of_rows = {row.feasibility for one in found for row in one.exhibit.rows}
    letters = sorted(of_rows | {one.exhibit.feasibility for one in found})
    yield _Block("list", rows=[[f"class {letter}: {CLASSES[letter]}"] for letter in letters])
    head = ("id", "where", "what", "class", "here")
    lines = [
        (e.name, f"{e.citation.partition(',')[0]}, {e.where}", e.what, e.feasibility, one.status)
        for one in found
        for e in [one.exhibit]
    ]
    yield _Block("table", rows=[head, *lines])
    for one in found:
        yield from _exhibit(one)
    errata = errata_of(one.exhibit for one in found)
    if errata:
        yield _Block("h2", "Contradictions in the papers")
        yield _Block("list", rows=[[f"{name}: {text}"] for name, text in errata.items()])


def _exhibit(one: Reproduced) -> Iterator[_Block]:
    exhibit = one.exhibit
    yield _Block("h2", f"{exhibit.name}: {exhibit.what}")
    needs = "; ".join(f"{kind}: {text}" for kind, text in exhibit.needs.items())
    yield _Block("p", f"{exhibit.source}." + (f" Needs {needs}." if needs else ""))
    if one.comparisons:
        yield _Block("table", rows=[HEAD, *map(comparison_row, one.comparisons)])
    if one.likes:
        yield _Block("p", ABOUT_LIKES)
        yield _Block("table", rows=like_table(one.likes))
    if exhibit.columns:
        yield _Block("p", "As printed:")
        head = ("row", *exhibit.columns, "class", "here")
        yield _Block("table", rows=[head, *(_printed(one, row) for row in exhibit.rows)])
    notes = [[f"{row.what}: {row.note}"] for row in exhibit.rows if row.note]
    mends = dict.fromkeys(s.mend for s in (*one.standings.values(), *one.likely.values()) if s.mend)
    notes += [[text] for text in mends]
    notes += [[f"{_named(exhibit, key)}: {text}"] for key, text in exhibit.errata.items()]
    if notes:
        yield _Block("list", rows=notes)


def _named(exhibit: Exhibit, key: str) -> str:
    """The rows that an erratum is about, or the whole exhibit."""
    rows = [row.what for row in exhibit.rows if key in row.errata]
    return ", ".join(rows) if rows else exhibit.where


def _printed(one: Reproduced, row: PrintedRow) -> list[str]:
    numbers = [
        row.published[name].text if name in row.published else DASH for name in one.exhibit.columns
    ]
    standing = one.standings.get(row.what)
    return [row.what, *numbers, row.feasibility, standing.text if standing else "formula"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    # A word in angle brackets would be taken for an element of HTML.
    return " ".join(text.split()).replace("<", "&lt;")


def _element(block: _Block) -> str:
    if block.kind == "table":
        head, *rows = block.rows
        return (
            f'<div class="scroll"><table><thead>{_cells(head, "th")}</thead>'
            f"<tbody>{''.join(_cells(row, 'td') for row in rows)}</tbody></table></div>"
        )
    if block.kind == "list":
        return f"<ul>{''.join(f'<li>{html.escape(row[0])}</li>' for row in block.rows)}</ul>"
    return f"<{block.kind}>{html.escape(block.text)}</{block.kind}>"


def _cells(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"
