"""What all plots share: paper, colours, marks, names of axes, files. Readable in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vbench.core.errors import VBenchError
from vbench.core.method import parse_method
from vbench.report.labels import short

# Okabe and Ito's palette: told apart by all kinds of colour vision, and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p")
AXES = {
    "gmac_per_frame": "cost (GMAC per frame)",
    "ms_mean": "time (ms per frame)",
    "ms_p50": "median time (ms per frame)",
    "joules_per_frame": "energy (J per frame)",
    "memory_mb": "peak memory (MB)",
    "success_auc": "success (AUC)",
    "precision_20px": "precision at 20 px",
    "map50": "mAP at IoU 0.5",
    "ao": "average overlap",
    "eao": "expected average overlap",
    "fps": "frames per second",
}
# Letters and lines of a legend, and the part of a figure that it takes with short names.
LETTER_INCHES, LINE_INCHES, USUAL_INCHES = 0.056, 0.155, 1.4
LONGEST = 64
# So many lines of one clip can be told apart, and so many names stand beside a plot.
MOST_LINES, MOST_NAMES = 8, 18
# Texts are laid out at the resolution at which they are written: their widths depend on it.
DPI = 200
# A logarithmic axis of fewer decades has ticks at 1, 2 and 5.
DECADES = 2.0
ALONE = "no propagator"


def styles(methods: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """One colour a base model, one mark a propagator, the same in every plot.

    Where there is one base alone, its propagators have the colours.
    """
    bases = base_colours(methods)
    marks = marks_of(methods)
    names = list(marks)
    if len(bases) > 1:
        return {m: (bases[base_of(m)], marks[cheap_of(m)]) for m in methods}
    # The first colour is the base's own, whether it is drawn or not.
    names = names if ALONE in names else [ALONE, *names]
    return {m: (_colour(names.index(cheap_of(m))), marks[cheap_of(m)]) for m in methods}


def base_colours(methods: Sequence[str]) -> dict[str, str]:
    """One colour a base model, in the order in which they come."""
    bases = dict.fromkeys(base_of(m) for m in methods)
    return {base: _colour(index) for index, base in enumerate(bases)}


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marks_of(methods: Sequence[str]) -> dict[str, str]:
    """One mark a propagator; a circle for methods without one."""
    names = sorted({cheap_of(m) for m in methods}, key=lambda name: (name != ALONE, name))
    spare = MARKS if ALONE in names else MARKS[1:]
    return {name: spare[i % len(spare)] for i, name in enumerate(names)}


def save(figure: Any, stem: Path) -> list[Path]:
    """Write a figure as PNG (DPI) and SVG beside each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    written = []
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for ending in (".png", ".svg"):
            path = stem.with_name(stem.name + ending)
            figure.savefig(path, dpi=DPI, bbox_inches="tight", metadata=_NO_DATE[ending])
            written.append(path)
    except OSError as error:
        raise VBenchError(f"cannot write {stem}: {error.strerror}; choose another --out") from None
    return written


# Equal runs give equal files.
_NO_DATE: dict[str, dict[str, Any]] = {".png": {"Software": None}, ".svg": {"Date": None}}


def canvas(size: tuple[float, float]) -> tuple[Any, Any]:
    """Return a figure of `size` inches and its axes, with a light grid."""
    figure, (axes,) = panels(1, size)
    return figure, axes


def panels(count: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    """Return a figure of `count` axes of `size` inches, two a row, that share the vertical one."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "vbench"
    mpl.rcParams["svg.fonttype"] = "none"
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    made: list[Any] = []
    for index in range(count):
        axes = figure.add_subplot(rows, columns, index + 1, sharey=made[0] if made else None)
        axes.grid(True, color="0.92", lw=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        made.append(axes)
    return figure, made


def legend_beside(figure: Any, axes: Any) -> None:
    """Write the legend to the right of the axes and make the paper as large as it needs.

    So the axes keep their size, however long the names are.
    """
    legend = axes.legend(
        fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.3
    )
    texts = legend.get_texts()
    for text in texts:
        text.set_text(short(text.get_text(), LONGEST))
    wide, high = figure.get_size_inches()
    longest = max(len(text.get_text()) for text in texts)
    beside = LETTER_INCHES * longest + 0.5
    above = LINE_INCHES * len(texts) + 0.6
    figure.set_size_inches(max(wide, wide - USUAL_INCHES + beside), max(high, above))


def most_shown(count: int, most: int) -> str:
    """Say in a title that not all are drawn, nothing where they are."""
    return f"\n{most} of {count} methods; choose others by --methods" if count > most else ""


def plain_ticks(axis: Any, decades: float) -> None:
    """Write the ticks of a logarithmic axis as plain numbers, few enough to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
    if decades < DECADES:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))


def base_of(method: str) -> str:
    """Name of the base model."""
    return parse_method(method).base.name


def cheap_of(method: str) -> str:
    """Name of the propagator, as the legend writes it."""
    parts = parse_method(method).parts
    return f"+{parts[0].name}" if parts else ALONE
